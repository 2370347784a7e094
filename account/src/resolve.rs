//! From a query to sessions: a request, or else a session, trace or stream by its name or how that starts.

use ledger::envelope::Envelope;
use ledger::leaf::StreamId;
use ledger::otlp::Item;
use ledger::reader::{Find, StreamHint};
use ledger::verify::{Finding, FindingKind, Place, VerifiedRecord};
use std::collections::BTreeSet;
use vocabulary::record::CheckedBy;

use crate::error::{AccountError, Meaning};
use crate::gather::{self, Gatherer};
use crate::model::{Query, QueryKind};

/// The shortest beginning of a session, trace or stream that is looked up.
pub(crate) const PREFIX: usize = 6;

/// How many near names a refusal lists.
const NEAR: usize = 5;

/// So many of a stream's first records are looked at for a trace.
const LOOKED_AT: u64 = 256;

/// What a query turned out to name.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) query: Query,
    /// The session labels to gather.
    pub(crate) labels: Vec<String>,
    /// The one stream to show, when a stream was asked for.
    pub(crate) only: Option<StreamId>,
}

impl Gatherer<'_, '_> {
    /// What a query names: an exact request id always wins; several other kinds are an error, never a guess.
    pub(crate) fn resolve(
        &mut self,
        text: &str,
        checked_by: CheckedBy,
    ) -> Result<Resolved, AccountError> {
        let (forced, name) = forced(text);
        let wants = |kind: QueryKind| forced.is_none_or(|forced| forced == kind);
        let resolved = |kind, matched: &str, labels, only| Resolved {
            query: Query {
                text: text.to_owned(),
                kind,
                matched: vec![matched.to_owned()],
                checked_by,
            },
            labels,
            only,
        };
        if name.is_empty() {
            return Err(AccountError::TooShort {
                query: text.to_owned(),
            });
        }
        if wants(QueryKind::Request) {
            let labels = self.by_request(name)?;
            if !labels.is_empty() {
                return Ok(resolved(QueryKind::Request, name, labels, None));
            }
        }
        let mut meanings = self.others(name)?;
        meanings.retain(|(meaning, ..)| wants(meaning.kind));
        if meanings.len() > 1 {
            let meanings = meanings.into_iter().map(|(meaning, ..)| meaning).collect();
            return Err(AccountError::Ambiguous {
                query: text.to_owned(),
                meanings,
            });
        }
        if let Some((meaning, labels, only)) = meanings.pop() {
            return Ok(resolved(meaning.kind, &meaning.name, labels, only));
        }
        if wants(QueryKind::Request) {
            let labels = self.by_sealed_binding(name)?;
            if !labels.is_empty() {
                return Ok(resolved(QueryKind::Request, name, labels, None));
            }
        }
        if let Some(trace) = trace_id(name).filter(|_| wants(QueryKind::Trace)) {
            let labels = self.by_trace(trace)?;
            if !labels.is_empty() {
                return Ok(resolved(QueryKind::Trace, name, labels, None));
            }
        }
        Err(self.nothing(text, name)?)
    }

    /// Nothing matches; or nothing that verifies does, where the ledger does not.
    fn nothing(&self, text: &str, name: &str) -> Result<AccountError, AccountError> {
        let findings = &self.verifier.ledger().findings;
        if !findings.is_empty() {
            return Ok(AccountError::Damaged {
                query: text.to_owned(),
                place: self.reader.place(),
                what: findings
                    .iter()
                    .map(|finding| finding.what.clone())
                    .collect(),
            });
        }
        Ok(AccountError::NotFound {
            query: text.to_owned(),
            place: self.reader.place(),
            near: self.near(name)?,
        })
    }

    /// Sessions of the streams with a record of this trace among their first. No index knows the traces of
    /// sessions that have a name, so whoever holds the bytes looks for it: the last thing that is tried.
    fn by_trace(&mut self, trace: [u8; 16]) -> Result<Vec<String>, AccountError> {
        let mut labels = BTreeSet::new();
        let first = LOOKED_AT;
        for hint in self.reader.find(&Find::Trace { trace, first })? {
            let stream = self.stream(&hint);
            let mut sealed = stream.records.iter().filter_map(VerifiedRecord::envelope);
            if sealed.any(|envelope| is_of_trace(&envelope, &trace)) || !stream.findings.is_empty()
            {
                labels.extend(gather::sessions(stream));
            }
        }
        Ok(labels.into_iter().collect())
    }

    /// Sessions of the streams whose sealed bindings name the request; the index only says where to look.
    fn by_request(&mut self, request: &str) -> Result<Vec<String>, AccountError> {
        let hints = self.reader.find(&Find::Request(request.to_owned()))?;
        self.sessions_bound(&hints, request)
    }

    /// The same from every leaf of the ledger log: whatever it finds, the index had hidden.
    fn by_sealed_binding(&mut self, request: &str) -> Result<Vec<String>, AccountError> {
        let bindings = self.verifier.bindings(request);
        let mut hints = Vec::new();
        for stream in &bindings.streams {
            hints.extend(self.reader.find(&Find::Stream(*stream))?);
            self.findings.push(Finding {
                kind: FindingKind::Index,
                place: Place::Stream(*stream),
                what: format!(
                    "the index does not say that the stream is bound to request {request}"
                ),
            });
        }
        self.sessions_bound(&hints, request)
    }

    fn sessions_bound(
        &mut self,
        hints: &[StreamHint],
        request: &str,
    ) -> Result<Vec<String>, AccountError> {
        let mut labels = BTreeSet::new();
        for hint in hints {
            let stream = self.stream(hint);
            let bound = stream
                .bindings
                .iter()
                .any(|binding| binding.value.request == request);
            if bound || !stream.findings.is_empty() {
                // A stream that does not verify is shown, with what is wrong, rather than left out.
                labels.extend(gather::sessions(stream));
            }
            if !bound && !stream.findings.is_empty() {
                labels.insert(hint.label.clone());
            }
        }
        Ok(labels.into_iter().collect())
    }

    /// Sessions, traces and streams whose names are, or start like, the one given.
    #[expect(clippy::type_complexity, reason = "one use, right above")]
    fn others(
        &mut self,
        name: &str,
    ) -> Result<Vec<(Meaning, Vec<String>, Option<StreamId>)>, AccountError> {
        let mut hints = self.reader.find(&Find::Session(name.to_owned()))?;
        let exact = !hints.is_empty();
        if !exact {
            hints = self.reader.find(&Find::Session(format!("trace:{name}")))?;
        }
        if hints.is_empty() && name.len() >= PREFIX {
            hints = self.reader.find(&Find::Prefix(name.to_owned()))?;
        }
        let mut found = BTreeSet::new();
        for hint in &hints {
            if !exact && hint.stream.to_string().starts_with(name) {
                found.insert((QueryKind::Stream, hint.stream.to_string()));
            }
            for label in hint.sessions.iter().chain([&hint.label]) {
                match label.strip_prefix("trace:") {
                    _ if exact && label == name => {
                        found.insert((QueryKind::Session, label.clone()))
                    }
                    Some(trace) if !exact && trace.starts_with(name) => {
                        found.insert((QueryKind::Trace, label.clone()))
                    }
                    _ if !exact && label.starts_with(name) => {
                        found.insert((QueryKind::Session, label.clone()))
                    }
                    _ => false,
                };
            }
        }
        let meaning = |(kind, name): (QueryKind, String)| match kind {
            QueryKind::Stream => {
                let only = name.parse().ok();
                let hint = hints.iter().find(|hint| Some(hint.stream) == only);
                let labels = hint
                    .map(|hint| vec![hint.label.clone()])
                    .unwrap_or_default();
                (Meaning { kind, name }, labels, only)
            }
            _ => (
                Meaning {
                    kind,
                    name: name.clone(),
                },
                vec![name],
                None,
            ),
        };
        Ok(found.into_iter().map(meaning).collect())
    }

    /// Sessions of every stream that a sealed binding of one of these requests names.
    pub(crate) fn sealed(&mut self, requests: &[String]) -> Result<Vec<String>, AccountError> {
        let mut labels = Vec::new();
        for request in requests {
            let bound = self.verifier.bindings(request).streams;
            let mut hints = Vec::new();
            for stream in &bound {
                hints.extend(self.reader.find(&Find::Stream(*stream))?);
            }
            labels.extend(self.sessions_bound(&hints, request)?);
        }
        Ok(labels)
    }

    /// Requests whose names share the longest beginning with the one given.
    fn near(&self, name: &str) -> Result<Vec<String>, AccountError> {
        let lengths = name
            .char_indices()
            .map(|(at, _)| at)
            .skip(1)
            .collect::<Vec<_>>();
        for length in lengths.into_iter().rev().take(32) {
            let beginning = name.get(..length).unwrap_or_default();
            let hints = self
                .reader
                .find(&Find::RequestPrefix(beginning.to_owned()))?;
            let near: BTreeSet<String> = hints
                .into_iter()
                .flat_map(|hint| hint.requests)
                .filter(|request| request.starts_with(beginning))
                .collect();
            if !near.is_empty() {
                return Ok(near.into_iter().take(NEAR).collect());
            }
        }
        Ok(Vec::new())
    }
}

/// The kind that `kind:value` forces, and the value.
fn forced(text: &str) -> (Option<QueryKind>, &str) {
    let kinds = [
        QueryKind::Request,
        QueryKind::Session,
        QueryKind::Trace,
        QueryKind::Stream,
    ];
    match text.split_once(':') {
        Some((word, name)) => match kinds.into_iter().find(|kind| kind.as_str() == word) {
            Some(kind) => (Some(kind), name),
            None => (None, text),
        },
        None => (None, text),
    }
}

/// A trace id in hexadecimal digits.
fn trace_id(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
    Some(value.to_be_bytes())
}

/// Whether a record is of a trace.
fn is_of_trace(envelope: &Envelope<'_>, trace: &[u8; 16]) -> bool {
    Item::decode(envelope.encoding, envelope.signal, envelope.item)
        .is_ok_and(|item| item.trace_id == Some(*trace))
}
