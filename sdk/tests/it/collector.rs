//! A collector for tests: takes OTLP/HTTP exports and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ledger::otlp::{Encoding, Signal, slice_export};
use recount::testing::Record;
use sha2::{Digest, Sha256};

/// How to answer one export.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// Keep it and say so.
    Keep,
    /// Keep it and close the connection without a word: the answer is lost.
    KeepInSilence,
    /// Keep it, after a while.
    KeepAfter(Duration),
    /// Do not keep it; a status, and seconds for `Retry-After`.
    Refuse(u16, Option<u64>),
    /// Do not keep it if it has more records than this: 413.
    KeepAtMost(usize),
    /// Do not keep it if a record has this text: 400.
    KeepWithout(&'static str),
}

/// One export that was kept.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) delivery: String,
    pub(crate) authorization: String,
    pub(crate) resource: Vec<u8>,
    pub(crate) items: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct State {
    replies: Vec<Reply>,
    always: Option<Reply>,
    exports: Vec<Export>,
    requests: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Collector {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener)
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next exports like this, in order, then keeps everything.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().replies.extend(replies);
    }

    /// Answers like this from now on, until told otherwise.
    pub(crate) fn always(&self, reply: Option<Reply>) {
        self.state.lock().unwrap().always = reply;
    }

    pub(crate) fn exports(&self) -> Vec<Export> {
        self.state.lock().unwrap().exports.clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// All kept records in the order in which they arrived, copies included.
    pub(crate) fn records(&self) -> Vec<Record> {
        let exports = self.exports();
        exports
            .iter()
            .flat_map(|export| &export.items)
            .map(|item| Record::decode(item).unwrap())
            .collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .map(|record| record.event)
            .collect()
    }

    /// Waits until a condition holds; fails the test after ten seconds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "waited in vain for {what}: {:?}",
                self.names()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The records of each run by sequence, each once. Fails where two with
    /// the same number differ, or the chain does not fit.
    pub(crate) fn runs(&self) -> BTreeMap<Vec<u8>, Vec<Record>> {
        let mut runs: BTreeMap<Vec<u8>, BTreeMap<i64, Vec<u8>>> = BTreeMap::new();
        for export in self.exports() {
            for item in export.items {
                let seq = Record::decode(&item).unwrap().int("recount.seq").unwrap();
                let before = runs
                    .entry(export.resource.clone())
                    .or_default()
                    .insert(seq, item.clone());
                assert!(
                    before.is_none_or(|before| before == item),
                    "two records numbered {seq}"
                );
            }
        }
        let checked = runs.into_iter().map(|(resource, items)| {
            let numbers: Vec<i64> = items.keys().copied().collect();
            assert_eq!(
                numbers,
                (0..items.len() as i64).collect::<Vec<_>>(),
                "a gap in the numbering"
            );
            check_chain(items.values());
            (
                resource,
                items
                    .values()
                    .map(|item| Record::decode(item).unwrap())
                    .collect(),
            )
        });
        checked.collect()
    }
}

/// The chain as `docs/records.md` defines it, computed anew.
fn check_chain<'a>(items: impl Iterator<Item = &'a Vec<u8>>) {
    let mut last = [0_u8; 32];
    for (index, item) in items.enumerate() {
        let (body, link) = item.split_at(item.len() - 32);
        let zeroed: Vec<u8> = body.iter().copied().chain([0; 32]).collect();
        let mut tag = [0_u8; 32];
        tag[..19].copy_from_slice(b"recount/producer/v1");
        let mut hash = Sha256::new();
        hash.update(tag);
        hash.update(last);
        hash.update((index as u64).to_be_bytes());
        hash.update(Sha256::digest(&zeroed));
        last = hash.finalize().into();
        assert_eq!(link, last, "chain of record {index}");
    }
}

/// Serves one request; `None` when the connection is to be closed.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut delivery, mut line) = (0, String::new(), String::new());
    let mut authorization = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            } else {
                continue;
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            "recount-delivery" => value.clone_into(&mut delivery),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let slices = slice_export(Encoding::Protobuf, Signal::Logs, &body).unwrap();
    let items: Vec<Vec<u8>> = slices.iter().map(|slice| slice.item.to_vec()).collect();
    let export = Export {
        delivery,
        authorization,
        resource: slices[0].resource.to_vec(),
        items,
    };

    let reply = {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        let next = if state.replies.is_empty() {
            None
        } else {
            Some(state.replies.remove(0))
        };
        next.or_else(|| state.always.clone()).unwrap_or(Reply::Keep)
    };
    let keep = || {
        let mut state = state.lock().unwrap();
        state.exports.push(export.clone());
        state.exports.len()
    };
    let has = |text: &str| {
        export
            .items
            .iter()
            .any(|item| String::from_utf8_lossy(item).contains(text))
    };
    let answer = match reply {
        Reply::Keep => kept(keep()),
        Reply::KeepInSilence => {
            keep();
            return None;
        }
        Reply::KeepAfter(wait) => {
            std::thread::sleep(wait);
            kept(keep())
        }
        Reply::Refuse(status, after) => refused(status, after),
        Reply::KeepAtMost(most) if export.items.len() > most => refused(413, None),
        Reply::KeepWithout(text) if has(text) => refused(400, None),
        Reply::KeepAtMost(_) | Reply::KeepWithout(_) => kept(keep()),
    };
    let mut writer = stream;
    writer.write_all(answer.as_bytes()).ok()
}

fn kept(number: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nrecount-receipt: {{\"number\":{number}}}\r\ncontent-length: 0\r\n\r\n"
    )
}

fn refused(status: u16, after: Option<u64>) -> String {
    let after = after
        .map(|after| format!("retry-after: {after}\r\n"))
        .unwrap_or_default();
    format!("HTTP/1.1 {status} No\r\n{after}content-length: 0\r\n\r\n")
}
