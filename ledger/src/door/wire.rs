//! The answers of the reader door as JSON: the same types write and read them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::acked::Acked;
use crate::hex;
use crate::leaf::StreamId;
use crate::reader::{
    Find, State, StoredBody, StoredControl, StoredPrivate, StoredRecord, StreamHint,
};

fn put(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn take(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn take_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    take(text)?.try_into().ok()
}

/// `GET /v1/state`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateAnswer {
    /// Number of the last commit.
    pub commit: u64,
    /// Leaves in the ledger log.
    pub size: u64,
    /// The newest slot of the `acked` file, in base64.
    pub acked: Option<String>,
}

impl From<&State> for StateAnswer {
    fn from(state: &State) -> Self {
        let acked = state.acked.map(|acked| put(&acked.encode()));
        Self {
            commit: state.commit,
            size: state.size,
            acked,
        }
    }
}

impl StateAnswer {
    /// What it says; `None` if it is not what a door writes.
    #[must_use]
    pub fn read(&self) -> Option<State> {
        let acked = match &self.acked {
            None => None,
            Some(text) => Some(Acked::decode(&take(text)?)?),
        };
        Some(State {
            commit: self.commit,
            size: self.size,
            acked,
        })
    }
}

/// One leaf of the ledger log, of `GET /v1/control?from=&to=`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ControlAnswer {
    /// Where it is stored.
    pub index: u64,
    /// Its bytes in base64.
    pub leaf: String,
    /// Salt of its private part, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Its private part, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<String>,
}

impl From<&StoredControl> for ControlAnswer {
    fn from(control: &StoredControl) -> Self {
        Self {
            index: control.index,
            leaf: put(&control.leaf),
            salt: control.private.as_ref().map(|private| put(&private.salt)),
            private: control.private.as_ref().map(|private| put(&private.body)),
        }
    }
}

impl ControlAnswer {
    /// What it says; `None` if it is not what a door writes.
    #[must_use]
    pub fn read(&self) -> Option<StoredControl> {
        let private = match (&self.salt, &self.private) {
            (Some(salt), Some(body)) => Some(StoredPrivate {
                salt: take_array(salt)?,
                body: take(body)?,
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(StoredControl {
            index: self.index,
            leaf: take(&self.leaf)?,
            private,
        })
    }
}

/// One record, of `GET /v1/streams/{id}/records?from=&to=`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordAnswer {
    /// Where it is stored.
    pub index: u64,
    /// Its leaf in base64.
    pub leaf: String,
    /// Salt of its commitment, in base64; absent where it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Its envelope in base64; absent where it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
}

impl From<&StoredRecord> for RecordAnswer {
    fn from(record: &StoredRecord) -> Self {
        Self {
            index: record.index,
            leaf: put(&record.leaf),
            salt: record.body.as_ref().map(|body| put(&body.salt)),
            envelope: record.body.as_ref().map(|body| put(&body.envelope)),
        }
    }
}

impl RecordAnswer {
    /// What it says; `None` if it is not what a door writes.
    #[must_use]
    pub fn read(&self) -> Option<StoredRecord> {
        let body = match (&self.salt, &self.envelope) {
            (Some(salt), Some(envelope)) => Some(StoredBody {
                salt: take_array(salt)?,
                envelope: take(envelope)?,
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(StoredRecord {
            index: self.index,
            leaf: take_array(&self.leaf)?,
            body,
        })
    }
}

/// One stream as the index describes it, of `GET /v1/streams?…`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HintAnswer {
    /// The stream, in hexadecimal.
    pub stream: String,
    /// Its session label.
    pub label: String,
    /// Its producer.
    pub producer: String,
    /// Sessions it is linked to.
    pub sessions: Vec<String>,
    /// Requests it is bound to.
    pub requests: Vec<String>,
    /// How many records it has.
    pub records: u64,
    /// When the first was received: Unix nanoseconds.
    pub first_ns: u64,
    /// When the last was received: Unix nanoseconds.
    pub last_ns: u64,
    /// Ledger index of its opening.
    pub open_index: Option<u64>,
    /// Ledger index of its newest head or close.
    pub head_index: Option<u64>,
    /// Ledger indexes of its session links and request bindings.
    pub link_indexes: Vec<u64>,
    /// Whether its newest head is a close.
    pub closed: bool,
}

impl From<&StreamHint> for HintAnswer {
    fn from(hint: &StreamHint) -> Self {
        Self {
            stream: hint.stream.to_string(),
            label: hint.label.clone(),
            producer: hint.producer.clone(),
            sessions: hint.sessions.clone(),
            requests: hint.requests.clone(),
            records: hint.records,
            first_ns: hint.first_ns,
            last_ns: hint.last_ns,
            open_index: hint.open_index,
            head_index: hint.head_index,
            link_indexes: hint.link_indexes.clone(),
            closed: hint.closed,
        }
    }
}

impl HintAnswer {
    /// What it says; `None` if it is not what a door writes.
    #[must_use]
    pub fn read(self) -> Option<StreamHint> {
        Some(StreamHint {
            stream: self.stream.parse().ok()?,
            label: self.label,
            producer: self.producer,
            sessions: self.sessions,
            requests: self.requests,
            records: self.records,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            open_index: self.open_index,
            head_index: self.head_index,
            link_indexes: self.link_indexes,
            closed: self.closed,
        })
    }
}

/// The query part of `GET /v1/streams` that asks for this, without `?`.
#[must_use]
pub fn find_query(wanted: &Find) -> String {
    match wanted {
        Find::Request(name) => format!("by=request&value={}", encoded(name)),
        Find::RequestPrefix(name) => format!("by=request_prefix&value={}", encoded(name)),
        Find::Session(name) => format!("by=session&value={}", encoded(name)),
        Find::Prefix(name) => format!("by=prefix&value={}", encoded(name)),
        Find::Stream(stream) => format!("by=stream&value={stream}"),
        Find::Trace { trace, first } => {
            let trace = u128::from_be_bytes(*trace);
            format!("by=trace&value={trace:032x}&first={first}")
        }
        Find::Received { from_ns, to_ns } => format!("by=received&from={from_ns}&to={to_ns}"),
        Find::Recent(count) => format!("by=recent&count={count}"),
        Find::All => "by=all".to_owned(),
    }
}

/// What a query part asks for; `None` if it asks for nothing known. `get` looks up a decoded parameter.
#[must_use]
pub fn read_find(get: &dyn Fn(&str) -> Option<String>) -> Option<Find> {
    let number = |name| get(name)?.parse().ok();
    Some(match get("by").as_deref() {
        Some("request") => Find::Request(get("value")?),
        Some("request_prefix") => Find::RequestPrefix(get("value")?),
        Some("session") => Find::Session(get("value")?),
        Some("prefix") => Find::Prefix(get("value")?),
        Some("stream") => Find::Stream(get("value")?.parse::<StreamId>().ok()?),
        Some("trace") => Find::Trace {
            trace: hex::parse(&get("value")?)?,
            first: number("first")?,
        },
        Some("received") => Find::Received {
            from_ns: number("from")?,
            to_ns: number("to")?,
        },
        Some("recent") => Find::Recent(get("count")?.parse().ok()?),
        Some("all") | None => Find::All,
        Some(_) => return None,
    })
}

/// Percent-encodes everything but letters, digits and `-._~` (RFC 3986, 2.3).
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_travels_unchanged() {
        let all = [
            Find::Request("a b&c=%".to_owned()),
            Find::RequestPrefix("479".to_owned()),
            Find::Session("s-ä".to_owned()),
            Find::Prefix("s-".to_owned()),
            Find::Stream(StreamId([7; 32])),
            Find::Trace {
                trace: [0xab; 16],
                first: 256,
            },
            Find::Received {
                from_ns: 1,
                to_ns: u64::MAX,
            },
            Find::Recent(3),
            Find::All,
        ];
        for find in all {
            let query = find_query(&find);
            let get = |name: &str| {
                let parts = query.split('&').filter_map(|part| part.split_once('='));
                let mut parts = parts.filter(|(key, _)| *key == name);
                parts.next().map(|(_, value)| decoded(value))
            };
            assert_eq!(read_find(&get), Some(find), "{query}");
        }
    }

    fn decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let digits = (byte == b'%').then(|| [rest.next(), rest.next()].map(Option::unwrap));
            bytes.push(digits.map_or(byte, |digits| {
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }));
        }
        String::from_utf8(bytes).unwrap()
    }
}
