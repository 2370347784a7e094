//! For tests of programs that record: what was recorded, without a collector.
//!
//! ```
//! use recount::{Recorder, testing::Recorded};
//!
//! let recorder = Recorder::testing();
//! let session = recorder.session("47892").start_blocking();
//! session.tool("draft").begin_blocking()?.end_success();
//! session.end_blocking(recount::EndReason::Completed);
//!
//! let recorded = Recorded::of(&recorder);
//! let draft = recorded.action("draft");
//! assert_eq!(draft.outcome(), Some("success"));
//! assert_eq!(recorded.names().last(), Some("agent.session.end"));
//! # Ok::<(), recount::Refused>(())
//! ```

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::otlp::{Encoding, Item, Signal};
use serde_json::{Map, Value as Json};
use vocabulary::attribute;

use crate::clock::Now;
use crate::item::{self, CHAIN, Chain, Place};
use crate::spool::lock;
use crate::{Attributes, Recorder};

/// Records in memory, encoded exactly as they would be sent.
#[derive(Debug)]
pub(crate) struct Memory {
    kept: Mutex<(Chain, Vec<Vec<u8>>)>,
    refuses: AtomicBool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            kept: Mutex::new((Chain::new(), Vec::new())),
            refuses: AtomicBool::new(false),
        }
    }
}

impl Memory {
    pub(crate) fn append(&self, event: &str, place: &Place<'_>, attributes: &Attributes, now: Now) {
        let mut kept = lock(&self.kept);
        let mut item = Vec::new();
        item::write_head(&mut item, event, place, now);
        attributes.write_removed(&mut item);
        item.extend_from_slice(attributes.encoded());
        item::write_tail(&mut item, &crate::random::bytes(), now.mono_ns, kept.0.next);
        let link = kept.0.extend(&item);
        let at = item.len() - CHAIN;
        item[at..].copy_from_slice(&link);
        kept.1.push(item);
        place.count();
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }
}

/// Makes a testing recorder refuse every strict begin from now on, or stop
/// doing so. Other recorders do not change.
pub fn refuse_begins(recorder: &Recorder, refuse: bool) {
    if let Some(memory) = recorder.memory() {
        memory.refuses.store(refuse, Ordering::Relaxed);
    }
}

/// One record.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// Its event name.
    pub event: String,
    /// Unix nanoseconds.
    pub time_unix_ns: u64,
    /// Its trace id.
    pub trace_id: Option<[u8; 16]>,
    /// Its span id: that of its action.
    pub span_id: Option<[u8; 8]>,
    /// Its attributes; bytes are arrays of numbers.
    pub attributes: Map<String, Json>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#?}", self.event, self.attributes)
    }
}

impl Record {
    /// Decodes one OTLP `LogRecord`; `None` when it is malformed.
    pub fn decode(item: &[u8]) -> Option<Self> {
        let decoded = Item::decode(Encoding::Protobuf, Signal::Logs, item).ok()?;
        let mut attributes = Map::new();
        for (key, value) in decoded.attributes.iter() {
            attributes.insert(key.to_owned(), json(value));
        }
        Some(Self {
            event: decoded.name.into_owned(),
            time_unix_ns: decoded.time_unix_nano,
            trace_id: decoded.trace_id,
            span_id: decoded.span_id,
            attributes,
        })
    }

    /// A text attribute.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.as_str()
    }

    /// An integer attribute.
    pub fn int(&self, key: &str) -> Option<i64> {
        self.attributes.get(key)?.as_i64()
    }

    /// The inline text of a content attribute.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.get("inline")?.as_str()
    }
}

/// Begin, diffs, verdicts and end of one action.
#[derive(Debug, Clone)]
pub struct ActionRecords {
    /// Its begin.
    pub begin: Record,
    /// Everything between begin and end.
    pub between: Vec<Record>,
    /// Its end; `None` when it has none.
    pub end: Option<Record>,
}

impl ActionRecords {
    /// The outcome that its end states.
    pub fn outcome(&self) -> Option<&str> {
        self.end.as_ref()?.str(attribute::OUTCOME)
    }

    /// The effect that its end states.
    pub fn effect(&self) -> Option<&str> {
        self.end.as_ref()?.str(attribute::EFFECT)
    }
}

/// What a testing recorder has recorded so far, in order.
#[derive(Debug, Clone)]
pub struct Recorded {
    records: Vec<Record>,
}

impl Recorded {
    /// Takes a copy of what is recorded; empty for other than testing recorders.
    pub fn of(recorder: &Recorder) -> Self {
        let records = recorder.memory().map(|memory| {
            let kept = lock(&memory.kept);
            kept.1
                .iter()
                .filter_map(|item| Record::decode(item))
                .collect()
        });
        Self {
            records: records.unwrap_or_default(),
        }
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The event names.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.records.iter().map(|record| record.event.as_str())
    }

    /// The records of one event.
    pub fn of_event(&self, event: vocabulary::Event) -> Vec<&Record> {
        self.records
            .iter()
            .filter(|record| record.event == event.name())
            .collect()
    }

    /// Every action, in the order in which they began.
    pub fn actions(&self) -> Vec<ActionRecords> {
        let id = |record: &Record| record.str(attribute::ACTION_ID).map(str::to_owned);
        self.of_event(vocabulary::Event::ToolInvoke)
            .into_iter()
            .map(|begin| {
                let own = self
                    .records
                    .iter()
                    .filter(|record| id(record) == id(begin) && *record != begin);
                let (mut end, mut between) = (None, Vec::new());
                for record in own {
                    match record.event == vocabulary::Event::ToolResult.name() {
                        true => end = Some(record.clone()),
                        false => between.push(record.clone()),
                    }
                }
                ActionRecords {
                    begin: begin.clone(),
                    between,
                    end,
                }
            })
            .collect()
    }

    /// The only action of a name.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one: this is an assertion.
    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    pub fn action(&self, name: &str) -> ActionRecords {
        let mut found = self.actions();
        found.retain(|action| action.begin.str(attribute::ACTION_NAME) == Some(name));
        match found.len() {
            1 => found.remove(0),
            count => panic!(
                "{count} actions named {name:?} in {:?}",
                self.names().collect::<Vec<_>>()
            ),
        }
    }
}

fn json(value: &ledger::otlp::Value<'_>) -> Json {
    if let Some(text) = value.as_str() {
        text.into()
    } else if let Some(number) = value.as_int() {
        number.into()
    } else if let Some(yes) = value.as_bool() {
        yes.into()
    } else if let Some(bytes) = value.as_bytes() {
        Json::Array(bytes.iter().map(|byte| (*byte).into()).collect())
    } else if let Some(values) = value.as_array() {
        Json::Array(values.iter().map(json).collect())
    } else if let Some(map) = value.as_map() {
        Json::Object(
            map.iter()
                .map(|(key, value)| (key.to_owned(), json(value)))
                .collect(),
        )
    } else {
        Json::Null
    }
}
