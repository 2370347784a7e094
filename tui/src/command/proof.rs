//! `recount proof`: one record's inclusion, for somebody who has nothing but the ledger's public key.

use std::path::Path;

use ledger::note::VerifierKey;
use ledger::proof::{HEADER, Included, LeafProofError, RecordProof};
use ledger::reader::Find;
use ledger::verify::report::{Line, Property, PropertyState, Report};
use ledger::verify::{NoProof, Trusted};
use vocabulary::Timestamp;

use super::{Context, out, split_ref};
use crate::args::Proof;
use crate::failure::{self, Exit, Failure};
use crate::source::named_key;

pub(super) fn run(context: &Context, args: &Proof) -> Result<Exit, Failure> {
    let (query, Some(wanted)) = split_ref(&args.record) else {
        return Err(Failure::Usage {
            what: format!("{:?} names no record", args.record),
            hint: "write the request and the record, as in 47892#14 or 47892#s1a#14".to_owned(),
        });
    };
    let mut source = context.source()?;
    let account = source.account(query)?;
    let missing = || Failure::NoRecord {
        query: query.to_owned(),
        wanted: wanted.to_string(),
    };
    let streams = account.sessions.iter().flat_map(|it| &it.streams);
    let mut named = streams.filter(|it| it.name == wanted.stream);
    let log = named.next().ok_or_else(missing)?.log.clone();
    let hints = source.reader().find(&Find::Prefix(log));
    let hints = hints.map_err(|error| failure::of_read(&error))?;
    let mut verifier = source.verifier()?;
    let stream = hints.first().map(|hint| verifier.read_stream(hint));
    let stream = stream.ok_or_else(missing)?;
    let proof = verifier.record_proof(&stream, wanted.index);
    let proof = proof.map_err(|error| match error {
        NoProof::NoRecord { .. } => missing(),
        NoProof::NotCovered { what } => Failure::NotCovered {
            what: what.to_owned(),
        },
        NoProof::NotIntact { what } => Failure::NotIntact {
            place: source.place(),
            what,
            hint: "recount verify says everything that does not hold".to_owned(),
        },
        NoProof::Read(error) => failure::of_read(&error),
    })?;
    out::bytes(&proof.encode())?;
    drop(verifier);
    context.pin(&mut source);
    Ok(Exit::Answered)
}

/// The bytes of a file that is a proof.
pub(super) fn in_file(query: Option<&str>) -> Option<Vec<u8>> {
    let file = query.map(Path::new).filter(|file| file.is_file())?;
    // No proof is longer than its 63 hashes, a note and a line of its own.
    let short = std::fs::metadata(file).is_ok_and(|about| about.len() < 1 << 21);
    let bytes = short.then(|| std::fs::read(file).ok()).flatten()?;
    bytes.starts_with(HEADER.as_bytes()).then_some(bytes)
}

/// The report on a proof: of one record, its inclusion and nothing else.
pub(super) fn report(bytes: &[u8], key: Option<&str>) -> Result<Report, Failure> {
    let usage = |what: String, hint: &str| Failure::Usage {
        what,
        hint: hint.to_owned(),
    };
    let proof = RecordProof::parse(bytes)
        .map_err(|error| usage(error.to_string(), "give the file that recount proof wrote"))?;
    let Some(key) = key else {
        return Err(usage(
            "a proof is checked with the ledger's key".to_owned(),
            "name the published key: --key NAME+8 HEX DIGITS+BASE64, or the file ledger.pub",
        ));
    };
    let Trusted::Pinned(key) = named_key(key)? else {
        return Err(usage(
            "a proof does not show what words stand for".to_owned(),
            "name the key itself with --key, as in ledger.pub",
        ));
    };
    Ok(judged(&proof, &key, proof.verify(&key)))
}

fn judged(
    proof: &RecordProof,
    key: &VerifierKey,
    found: Result<Included, LeafProofError>,
) -> Report {
    let of_record = |property| Line {
        property,
        state: PropertyState::NotChecked,
        what: "one record's proof says nothing of it".to_owned(),
        details: Vec::new(),
    };
    let mut lines: Vec<Line> = Property::ALL.into_iter().map(of_record).collect();
    let mut residual = Vec::new();
    let (state, what) = match found {
        Ok(Included { record, checkpoint }) => {
            residual.push(format!(
                "what the record says: its leaf commits to bytes that are not here (commitment {})",
                hex(&record.commitment)
            ));
            let what = format!(
                "record {} of stream {}, received {}, is one of the first {}, whose head is leaf {} of the {} that {} signed",
                record.index,
                proof.stream,
                Timestamp::from_unix_ns(record.received_unix_ns),
                proof.size,
                proof.leaf.index,
                checkpoint.head.size,
                key.name(),
            );
            (PropertyState::Shown, what)
        }
        Err(error) => (PropertyState::Failed, error.to_string()),
    };
    residual.push("that nobody was shown another history: compare the checkpoint".to_owned());
    if let Some(line) = lines.first_mut() {
        (line.state, line.what) = (state, what);
        line.details.push(format!("key {key}"));
    }
    Report {
        lines,
        not_before: None,
        not_after: None,
        times: Vec::new(),
        residual,
        policy: None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
