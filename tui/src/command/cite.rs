//! `recount cite`: a record named so that anybody can find it again and see that it is the same: by its hash.

use account::model::Account;
use ledger::reader::Find;
use ledger::tree::hash_leaf;
use vocabulary::Timestamp;
use vocabulary::id::RecordRef;

use super::{Context, exit_of, out, split_ref, table};
use crate::app::line::shown;
use crate::app::rows::{self, Rows};
use crate::args::{Cite, FactForm};
use crate::failure::{self, Exit, Failure};
use crate::source::Source;

/// The columns of CSV.
const COLUMNS: &[table::Column] = &[
    ("query", "/query"),
    ("what", "/what"),
    ("received", "/received"),
    ("leaf", "/leaf"),
    ("stream", "/stream"),
    ("index", "/index"),
    ("ledger", "/ledger"),
    ("checkpoint", "/checkpoint"),
    ("link", "/link"),
];

/// What a citation says.
#[derive(Debug, serde::Serialize)]
pub(super) struct Citation {
    /// The record as a query.
    query: String,
    /// What it is, in one line.
    what: String,
    /// Its stream's id, hex.
    stream: String,
    /// Its index there.
    index: u64,
    /// When it was received.
    received: Timestamp,
    /// The hash of its leaf, RFC 6962.
    leaf: String,
    /// The ledger's name.
    ledger: Option<String>,
    /// The signed checkpoint over it: size and root.
    checkpoint: Option<(u64, String)>,
    /// The link that opens it again.
    link: String,
}

impl std::fmt::Display for Citation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ledger = self.ledger.as_deref().unwrap_or("a ledger without a name");
        write!(
            f,
            "{}: {}. Received {}, leaf sha256:{} ({} of stream {}), ledger {ledger}",
            shown(&self.query),
            shown(&self.what),
            self.received,
            self.leaf,
            self.index,
            self.stream,
        )?;
        match &self.checkpoint {
            Some((size, root)) => write!(f, ", under checkpoint {size} {root}.")?,
            None => f.write_str(", nothing signed yet.")?,
        }
        write!(f, " {}", self.link)
    }
}

pub(super) fn run(context: &Context, args: &Cite) -> Result<Exit, Failure> {
    let (query, Some(wanted)) = split_ref(&args.record) else {
        return Err(Failure::Usage {
            what: format!("{:?} names no record", args.record),
            hint: "write the request and the record, as in 47892#14 or 47892#s1a#14".to_owned(),
        });
    };
    let mut source = context.source()?;
    let account = source.account(query)?;
    let citation = of(&source, &account, wanted)?;
    match args.output {
        FactForm::Text => out::text(&citation.to_string())?,
        FactForm::Json => out::json(&citation)?,
        FactForm::Jsonl => out::json_line(&citation)?,
        FactForm::Csv => table::csv(COLUMNS, &[&citation])?,
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

/// The citation of a record of an account, from bytes that are verified for it.
pub(super) fn of(
    source: &Source,
    account: &Account,
    wanted: RecordRef,
) -> Result<Citation, Failure> {
    let query = account.query.text.as_str();
    let missing = || Failure::NoRecord {
        query: query.to_owned(),
        wanted: wanted.to_string(),
    };
    let session = account.sessions.iter();
    let mut sessions = session.filter(|it| it.streams.iter().any(|it| it.name == wanted.stream));
    let session = sessions.next().ok_or_else(missing)?;
    let stream = session.streams.iter().find(|it| it.name == wanted.stream);
    let log = stream.ok_or_else(missing)?.log.clone();
    let hints = source.reader().find(&Find::Prefix(log.clone()));
    let hints = hints.map_err(|error| failure::of_read(&error))?;
    let mut verifier = source.verifier()?;
    let stream = hints.first().map(|hint| verifier.read_stream(hint));
    let stream = stream.ok_or_else(missing)?;
    let mut records = stream.records.iter();
    let record = records.find(|it| it.leaf.index == wanted.index);
    let leaf = record.ok_or_else(missing)?.leaf;
    let index = Rows::of(account);
    let row = index.of_ref(wanted).and_then(|row| index.get(row));
    let mut ledgers = account.integrity.ledgers.iter();
    let ledger = ledgers.find(|it| it.id == session.ledger);
    let ledger = ledger.or(account.integrity.ledgers.first());
    let checkpoint = ledger.and_then(|it| it.checkpoint.as_ref());
    Ok(Citation {
        query: format!("{query}#{wanted}"),
        what: row.map_or_else(
            || "a record".to_owned(),
            |row| {
                let kind = rows::kind(account, row.item);
                format!("{kind} {}", rows::what(account, row.item))
            },
        ),
        link: crate::source::link::to(account, Some(wanted)),
        stream: log,
        index: wanted.index,
        received: Timestamp::from_unix_ns(leaf.received_unix_ns),
        leaf: hex(&hash_leaf(&leaf.encode())),
        ledger: ledger.map(|it| it.id.clone()),
        checkpoint: checkpoint.map(|it| (it.size, it.root.clone())),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
