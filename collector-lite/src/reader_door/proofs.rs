//! The proof of one record (C2SP tlog-proof): the bytes that `recount proof` writes, for whoever has only HTTP.

use ::http::StatusCode;
use account::AccountError;
use axum::extract::{Path, State};
use axum::response::Response;
use ledger::leaf::StreamId;
use ledger::note::VerifierKey;
use ledger::reader::{Find, ReadError, Reader};
use ledger::verify::{NoProof, Trusted, Verifier};
use vocabulary::id::RecordRef;
use vocabulary::reference;

use super::Door;
use super::answer::{bad_request, bytes, failed, not_found, problem, read};
use super::views::{account_of, no_account};

/// Why there is none.
enum Missing {
    Account(AccountError),
    Proof(NoProof),
    Stream,
}

/// `47892#14` or `47892#s1a#14`, with `%23` for `#`.
pub(super) async fn proof(State(door): Door, Path(record): Path<String>) -> Response {
    let (query, Some(wanted)) = reference::split(&record) else {
        return bad_request(
            "not a request and a record, as in /v1/proof/47892%2314 or /v1/proof/47892%23s1a%2314",
        );
    };
    let (query, key) = (query.to_owned(), door.ledger.key().clone());
    match read(&door, move |folder| Ok(of(folder, key, &query, wanted))).await {
        Ok(Ok(proof)) => bytes(proof, "text/plain; charset=utf-8"),
        Ok(Err(Missing::Account(error))) => no_account(error),
        Ok(Err(Missing::Stream)) => not_found("such record"),
        Ok(Err(Missing::Proof(error))) => match error {
            NoProof::Read(error) => failed(error),
            NoProof::NoRecord { .. } => problem(StatusCode::NOT_FOUND, &error.to_string()),
            // There will be one: the collector signs every few seconds.
            NoProof::NotCovered { .. } => problem(StatusCode::CONFLICT, &error.to_string()),
            NoProof::NotIntact { .. } => {
                problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        },
        Err(response) => response,
    }
}

fn of(
    reader: &dyn Reader,
    key: VerifierKey,
    query: &str,
    wanted: RecordRef,
) -> Result<Vec<u8>, Missing> {
    let account = account_of(reader, key.clone(), query).map_err(Missing::Account)?;
    let mut streams = account.sessions.iter().flat_map(|session| &session.streams);
    let named = streams.find(|stream| stream.name == wanted.stream);
    let id = named.and_then(|stream| stream.log.parse::<StreamId>().ok());
    let id = id.ok_or(Missing::Stream)?;
    let unreadable = |error: ReadError| Missing::Proof(error.into());
    let hints = reader.find(&Find::Stream(id)).map_err(unreadable)?;
    let hint = hints.first().ok_or(Missing::Stream)?;
    let trusted = Trusted::Pinned(key);
    let mut verifier = Verifier::open(reader, &trusted).map_err(unreadable)?;
    let stream = verifier.read_stream(hint);
    let proof = verifier.record_proof(&stream, wanted.index);
    Ok(proof.map_err(Missing::Proof)?.encode())
}
