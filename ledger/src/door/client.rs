//! A reader at the far end of a reader door.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use super::connection::{Address, Answer, Connection};
use super::wire::{self, ControlAnswer, HintAnswer, RecordAnswer, StateAnswer};
use crate::leaf::StreamId;
use crate::reader::{Find, Log, ReadError, Reader, State, StoredControl, StoredRecord, StreamHint};

/// A running collector's reader door. What comes out of it is unverified, whatever the collector says.
#[derive(Debug)]
pub struct Door {
    address: Address,
    place: String,
    connection: Mutex<Option<Connection>>,
}

impl Door {
    /// The door on a Unix socket. Nothing is opened before something is read.
    #[must_use]
    pub fn socket(path: &Path) -> Self {
        Self::new(
            Address::Socket(path.to_path_buf()),
            format!("reader door {}", path.display()),
        )
    }

    /// The door on TCP, `host:port`, with the token that the collector was given.
    #[must_use]
    pub fn tcp(address: &str, token: &str) -> Self {
        let place = format!("reader door {address}");
        Self::new(
            Address::Tcp {
                address: address.to_owned(),
                token: token.to_owned(),
            },
            place,
        )
    }

    fn new(address: Address, place: String) -> Self {
        Self {
            address,
            place,
            connection: Mutex::new(None),
        }
    }

    /// The body of any other answer of the door, such as `/healthz`.
    ///
    /// # Errors
    /// As the door fails, or answers with an error.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.ask(path)?
            .map(|answer| answer.body)
            .ok_or_else(|| self.damaged(format!("there is no {path}")))
    }

    /// Follows what is sealed from now on. Only a wake-up: what was sealed is read and checked as always.
    ///
    /// # Errors
    /// As the door fails, or answers with an error.
    pub fn tail(&self) -> Result<Tail, ReadError> {
        let mut connection =
            Connection::open(&self.address).map_err(|error| self.failed(&error))?;
        let head = connection
            .ask("/v1/tail?records=false")
            .map_err(|error| self.failed(&error))?;
        match head.status {
            200 => Ok(Tail { connection }),
            401 | 403 => Err(self.refused()),
            status => Err(ReadError::Unavailable {
                place: self.place.clone(),
                why: format!("its live tail answers {status}"),
            }),
        }
    }

    fn refused(&self) -> ReadError {
        ReadError::NotAllowed {
            place: self.place.clone(),
            why: "the token is missing or wrong".to_owned(),
        }
    }

    fn damaged(&self, what: String) -> ReadError {
        ReadError::Damaged {
            place: self.place.clone(),
            what,
        }
    }

    fn failed(&self, error: &io::Error) -> ReadError {
        let place = self.place.clone();
        match error.kind() {
            io::ErrorKind::NotFound => ReadError::Missing { place },
            io::ErrorKind::PermissionDenied => ReadError::NotAllowed {
                place,
                why: "join the group that owns the socket".to_owned(),
            },
            io::ErrorKind::ConnectionRefused => ReadError::Unavailable {
                place,
                why: "no collector listens there".to_owned(),
            },
            io::ErrorKind::InvalidData => self.damaged(error.to_string()),
            _ => ReadError::Unavailable {
                place,
                why: error.to_string(),
            },
        }
    }

    /// One exchange. A kept connection may have been closed meanwhile, so one failure on it is tried again.
    fn exchange(&self, path: &str) -> Result<Answer, ReadError> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(mut connection) = held.take()
            && let Ok(answer) = connection.get(path)
        {
            *held = Some(connection);
            return Ok(answer);
        }
        let mut connection =
            Connection::open(&self.address).map_err(|error| self.failed(&error))?;
        let answer = connection.get(path).map_err(|error| self.failed(&error))?;
        *held = Some(connection);
        Ok(answer)
    }

    /// An answer, or `None` for "there is no such thing".
    fn ask(&self, path: &str) -> Result<Option<Answer>, ReadError> {
        let answer = self.exchange(path)?;
        match answer.status {
            200 => Ok(Some(answer)),
            404 => Ok(None),
            401 | 403 => Err(self.refused()),
            status => Err(match serde_json::from_slice::<ReadError>(&answer.body) {
                Ok(error) => error,
                Err(_) => ReadError::Unavailable {
                    place: self.place.clone(),
                    why: format!("it answers {status}"),
                },
            }),
        }
    }

    fn json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<(T, Option<u64>)>, ReadError> {
        let Some(answer) = self.ask(path)? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&answer.body);
        let read = read.map_err(|error| self.damaged(format!("{path} answers: {error}")))?;
        Ok(Some((read, answer.next)))
    }

    /// Reads a range in as many answers as it takes.
    fn range<T: DeserializeOwned, U>(
        &self,
        path: &str,
        mut from: u64,
        to: u64,
        read: impl Fn(&T) -> Option<U>,
    ) -> Result<Vec<U>, ReadError> {
        let mut all = Vec::new();
        while from < to {
            let asked = format!("{path}?from={from}&to={to}");
            let Some((part, next)) = self.json::<Vec<T>>(&asked)? else {
                break;
            };
            for member in &part {
                all.push(
                    read(member)
                        .ok_or_else(|| self.damaged(format!("{asked} answers nonsense")))?,
                );
            }
            match next {
                Some(next) if next > from => from = next,
                Some(_) => return Err(self.damaged(format!("{asked} goes in circles"))),
                None => break,
            }
        }
        Ok(all)
    }
}

/// The live tail of a reader door.
#[derive(Debug)]
pub struct Tail {
    connection: Connection,
}

impl Tail {
    /// Waits until something was sealed.
    ///
    /// # Errors
    /// The connection ended: the collector stopped, or was silent for too long.
    pub fn wait(&mut self) -> io::Result<()> {
        // A comment every few seconds keeps the connection alive and is no event.
        while !self.connection.event_line()?.starts_with(b"event:") {}
        Ok(())
    }
}

impl Reader for Door {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn state(&self) -> Result<State, ReadError> {
        let answer = self.json::<StateAnswer>("/v1/state")?;
        let state = answer.and_then(|(state, _)| state.read());
        state.ok_or_else(|| self.damaged("/v1/state answers nonsense".to_owned()))
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.ask("/checkpoint")?.map(|answer| answer.body))
    }

    fn witnessed(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.ask("/checkpoint/witnessed")?.map(|answer| answer.body))
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        self.range("/v1/control", from, to, ControlAnswer::read)
    }

    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let stream = match log {
            Log::Ledger => String::new(),
            Log::Stream(stream) => format!("&stream={stream}"),
        };
        Ok(self
            .ask(&format!("/v1/tile?level={level}&n={n}{stream}"))?
            .map(|answer| answer.body))
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        let path = format!("/v1/streams?{}", wire::find_query(wanted));
        let (answers, _) = self.json::<Vec<HintAnswer>>(&path)?.unwrap_or_default();
        let hints = answers
            .into_iter()
            .map(HintAnswer::read)
            .collect::<Option<Vec<_>>>();
        hints.ok_or_else(|| self.damaged(format!("{path} answers nonsense")))
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        self.range(
            &format!("/v1/streams/{stream}/records"),
            from,
            to,
            RecordAnswer::read,
        )
    }
}
