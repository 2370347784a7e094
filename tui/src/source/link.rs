//! Links that name a record for good: by its stream and its index there, whatever an account calls them.
//!
//! `recount://STREAM/INDEX?request=47892&ledger=NAME`; of a request as a whole, `recount://request/47892?ledger=NAME`.

use account::model::Account;
use vocabulary::id::RecordRef;

use crate::failure::Failure;

/// How every link begins.
const SCHEME: &str = "recount://";

/// The link to a record of an account, or to its request.
pub(crate) fn to(account: &Account, record: Option<RecordRef>) -> String {
    let request = encoded(&account.request.id);
    let ledger = account.integrity.ledgers.first();
    let ledger = ledger.map(|it| format!("ledger={}", encoded(&it.id)));
    let ledger = ledger.unwrap_or_default();
    let streams = account.sessions.iter().flat_map(|it| &it.streams);
    let of_record = record.and_then(|record| {
        let mut streams = streams;
        let stream = streams.find(|it| it.name == record.stream)?;
        Some(format!("{}/{}", stream.log, record.index))
    });
    match of_record {
        Some(path) => format!("{SCHEME}{path}?request={request}&{ledger}"),
        None => format!("{SCHEME}request/{request}?{ledger}"),
    }
}

/// Whether a query is a link.
pub(crate) fn is_link(query: &str) -> bool {
    query.starts_with(SCHEME)
}

/// The query that a link stands for; one that is no link stays as it is.
pub(crate) fn followed(
    query: &str,
    account: impl FnOnce(&str) -> Result<Account, Failure>,
) -> Result<String, Failure> {
    let Some(rest) = query.strip_prefix(SCHEME) else {
        return Ok(query.to_owned());
    };
    let (path, named) = rest.split_once('?').unwrap_or((rest, ""));
    let value = |name: &str| {
        let mut pairs = named.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, it)| decoded(it))
    };
    let malformed = || Failure::Usage {
        what: format!("{query:?} is no link to a record"),
        hint: "copy it again with yi, or name the request".to_owned(),
    };
    let (stream, index) = path.split_once('/').ok_or_else(malformed)?;
    let (request, index) = match stream {
        "request" => (decoded(index), None),
        _ => {
            let index: u64 = index.parse().map_err(|_| malformed())?;
            (value("request").ok_or_else(malformed)?, Some(index))
        }
    };
    let account = account(&request)?;
    let ledgers = &account.integrity.ledgers;
    if let Some(wanted) = value("ledger")
        && !ledgers.iter().any(|it| it.id == wanted)
    {
        let here = ledgers.first().map_or("unknown", |it| it.id.as_str());
        return Err(Failure::Usage {
            what: format!("the link leads to ledger {wanted}, and this is {here}"),
            hint: "name the store of that ledger with --store or --collector".to_owned(),
        });
    }
    let Some(index) = index else {
        return Ok(request);
    };
    let mut streams = account.sessions.iter().flat_map(|it| &it.streams);
    let named = streams.find(|it| it.log == stream);
    match named {
        Some(named) => Ok(format!("{request}#{}#{index}", named.name)),
        None => Err(Failure::NoRecord {
            query: request,
            wanted: format!("{index} of stream {stream}"),
        }),
    }
}

/// A part of a link: what has a meaning in one is written `%XX`.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decoded, encoded, followed, to};
    use account::model::Account;

    fn renewal() -> Account {
        serde_json::from_str(include_str!("../../../account/samples/renewal.json")).unwrap()
    }

    #[test]
    fn a_link_leads_back_to_its_record_whatever_the_request_is_called() {
        let mut account = renewal();
        account.request.id = "PAY 118/ä?&#%".to_owned();
        let record = vocabulary::reference::record("s2a#4").unwrap();
        let link = to(&account, Some(record));
        assert!(link.is_ascii() && !link.contains(' '), "{link}");
        let query = followed(&link, |_| Ok(account.clone())).unwrap();
        assert_eq!(query, "PAY 118/ä?&#%#s2a#4");
        let whole = followed(&to(&account, None), |_| Ok(account.clone())).unwrap();
        assert_eq!(whole, account.request.id);
    }

    #[test]
    fn a_link_to_another_ledger_or_to_nothing_is_refused() {
        let account = renewal();
        let record = vocabulary::reference::record("s1a#1").unwrap();
        let link = to(&account, Some(record));
        for wrong in [
            link.replace("ledger=", "ledger=x"),
            link.replace("recount://", "recount://0"),
            "recount://".to_owned(),
            "recount://abc".to_owned(),
            "recount://abc/x?request=1".to_owned(),
            "recount://abc/1".to_owned(),
        ] {
            assert!(
                followed(&wrong, |_| Ok(account.clone())).is_err(),
                "{wrong}"
            );
        }
        assert_eq!(followed("47892", |_| unreachable!()).unwrap(), "47892");
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["", "a", "%", "%4", "a b", "ä\u{1b}", "100%25"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
    }
}
