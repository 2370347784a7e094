//! The agent's signature: in each export, for each session in it, over the last link of the chain in front.

use std::fmt;
use std::path::Path;

use ledger::otlp::{Encoding, Item, Signal};
use ledger::producer::{AgentKey, Signed};
use vocabulary::{Event, attribute};

use crate::Attributes;
use crate::encode::{Value, int, write_pair};
use crate::engine::Engine;
use crate::error::SetupError;
use crate::item::Place;
use crate::spool::Batch;

/// What a spool holds of a session since its last signature.
struct Unsigned<'a> {
    session: String,
    request: String,
    trace_id: [u8; 16],
    seq: u64,
    link: &'a [u8; 32],
}

/// Signs what one run sends.
pub(crate) struct Pen {
    key: AgentKey,
    producer: [u8; 16],
    run: [u8; 16],
    /// Everything in front of this record was looked at.
    through: u64,
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pen")
    }
}

impl Pen {
    pub(crate) fn new(key: AgentKey, producer: [u8; 16], run: [u8; 16]) -> Self {
        Self {
            key,
            producer,
            run,
            through: 0,
        }
    }

    /// Writes to the spool the signatures that a batch should take along;
    /// gives the number that the record after them will have, if it wrote any.
    pub(crate) fn sign(&mut self, engine: &Engine, batch: &Batch) -> Option<u64> {
        let mut unsigned: Vec<Unsigned<'_>> = Vec::new();
        for (seq, item, link) in batch.since(self.through) {
            self.through = seq + 1;
            let Ok(item) = Item::decode(Encoding::Protobuf, Signal::Logs, item) else {
                continue;
            };
            let of = |key| item.attributes.str(key);
            let (Some(session), false) = (
                of(attribute::SESSION_ID),
                item.attributes.get(attribute::SIGNATURE).is_some(),
            ) else {
                continue;
            };
            match unsigned.iter_mut().find(|one| one.session == session) {
                Some(one) => (one.seq, one.link) = (seq, link),
                None => unsigned.push(Unsigned {
                    session: session.to_owned(),
                    request: of(attribute::REQUEST_ID).unwrap_or(session).to_owned(),
                    trace_id: item.trace_id.unwrap_or_default(),
                    seq,
                    link,
                }),
            }
        }
        let written = unsigned.iter().filter_map(|one| self.write(engine, one));
        written.last().map(|seq| seq + 1)
    }

    /// One that finds no room is left out, and seen to be missing by that.
    fn write(&self, engine: &Engine, what: &Unsigned<'_>) -> Option<u64> {
        let signature = self.key.sign(&Signed {
            producer: self.producer,
            run: self.run,
            number: what.seq,
            link: *what.link,
            session: &what.session,
        });
        let mut prefix = Vec::new();
        write_pair(
            &mut prefix,
            attribute::SESSION_ID,
            Value::Str(&what.session),
        );
        write_pair(
            &mut prefix,
            attribute::REQUEST_ID,
            Value::Str(&what.request),
        );
        let place = Place {
            prefix: &prefix,
            trace_id: what.trace_id,
            span_id: None,
            counted: None,
        };
        let mut attributes = Attributes::new();
        attributes
            .bytes(attribute::SIGNATURE, &signature)
            .bytes(attribute::SIGNATURE_KEY, &self.key.public())
            .int(attribute::SIGNATURE_SEQ, int(what.seq));
        engine.append_if_room(Event::SessionCheckpoint, &place, &attributes)
    }
}

/// Reads an agent's key: 64 hexadecimal digits.
pub(crate) fn read(path: &Path) -> Result<AgentKey, SetupError> {
    let wrong = |why: String| SetupError::Setting {
        name: "RECOUNT_AGENT_KEY",
        value: path.display().to_string(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        wrong(format!(
            "{error}; `RecorderBuilder::new_agent_key` makes one"
        ))
    })?;
    AgentKey::parse(&text)
        .ok_or_else(|| wrong("not a key: 64 hexadecimal digits are wanted".to_owned()))
}

/// Writes a new key where there is none yet, readable by its owner only.
pub(crate) fn create(path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    let mut text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
