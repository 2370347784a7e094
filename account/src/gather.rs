//! From a query to verified streams: what it names, and every stream that belongs to it.

use ledger::leaf::StreamId;
use ledger::reader::{Find, Reader, StreamHint};
use ledger::verify::{Finding, FindingKind, Place, VerifiedStream, Verifier};
use std::collections::{BTreeSet, HashMap};
use vocabulary::record::CheckedBy;

use crate::error::{AccountError, Meaning};
use crate::model::{Query, QueryKind, Standing};

/// The shortest beginning of a session, trace or stream that is looked up.
pub(crate) const PREFIX: usize = 6;

/// How many near names a refusal lists.
const NEAR: usize = 5;

/// One session's verified streams.
#[derive(Debug)]
pub(crate) struct Part {
    /// The session's id.
    pub(crate) label: String,
    /// Its streams, own ones first.
    pub(crate) streams: Vec<(Standing, VerifiedStream)>,
}

/// What a query turned out to name.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) query: Query,
    /// The session labels to gather.
    pub(crate) labels: Vec<String>,
    /// The one stream to show, when a stream was asked for.
    pub(crate) only: Option<StreamId>,
}

/// Finds and verifies streams; each is read once.
pub(crate) struct Gatherer<'r, 'v> {
    reader: &'r dyn Reader,
    verifier: &'v mut Verifier<'r>,
    read: HashMap<StreamId, VerifiedStream>,
    /// What the index got wrong.
    pub(crate) findings: Vec<Finding>,
}

impl<'r, 'v> Gatherer<'r, 'v> {
    pub(crate) fn new(reader: &'r dyn Reader, verifier: &'v mut Verifier<'r>) -> Self {
        Self {
            reader,
            verifier,
            read: HashMap::new(),
            findings: Vec::new(),
        }
    }

    /// What a query names: an exact request id always wins; several other kinds are an error, never a guess.
    pub(crate) fn resolve(
        &mut self,
        text: &str,
        checked_by: CheckedBy,
    ) -> Result<Resolved, AccountError> {
        let (forced, name) = forced(text);
        let wants = |kind: QueryKind| forced.is_none_or(|forced| forced == kind);
        let query = |kind, matched| Query {
            text: text.to_owned(),
            kind,
            matched,
            checked_by,
        };
        if name.is_empty() {
            return Err(AccountError::TooShort {
                query: text.to_owned(),
            });
        }
        if wants(QueryKind::Request) {
            let labels = self.by_request(name)?;
            if !labels.is_empty() {
                let query = query(QueryKind::Request, vec![name.to_owned()]);
                return Ok(Resolved {
                    query,
                    labels,
                    only: None,
                });
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
            let query = query(meaning.kind, vec![meaning.name]);
            return Ok(Resolved {
                query,
                labels,
                only,
            });
        }
        if wants(QueryKind::Request) {
            let labels = self.by_sealed_binding(name)?;
            if !labels.is_empty() {
                let query = query(QueryKind::Request, vec![name.to_owned()]);
                return Ok(Resolved {
                    query,
                    labels,
                    only: None,
                });
            }
        }
        let findings = &self.verifier.ledger().findings;
        if !findings.is_empty() {
            return Err(AccountError::Damaged {
                query: text.to_owned(),
                place: self.reader.place(),
                what: findings
                    .iter()
                    .map(|finding| finding.what.clone())
                    .collect(),
            });
        }
        Err(AccountError::NotFound {
            query: text.to_owned(),
            place: self.reader.place(),
            near: self.near(name)?,
        })
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
                labels.extend(sessions(stream));
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

    /// Every stream of a session, verified.
    pub(crate) fn gather(
        &mut self,
        label: &str,
        only: Option<StreamId>,
    ) -> Result<Part, AccountError> {
        let hints = match only {
            Some(stream) => self.reader.find(&Find::Stream(stream))?,
            None => self.reader.find(&Find::Session(label.to_owned()))?,
        };
        let mut streams = Vec::new();
        for hint in &hints {
            let stream = self.stream(hint);
            let linked = stream.links.iter().any(|link| link.value.session == label);
            let labelled = label_of(stream).as_deref() == Some(label);
            if linked || labelled || only.is_some() || !stream.findings.is_empty() {
                let standing = if labelled {
                    Standing::Own
                } else {
                    Standing::Linked
                };
                streams.push((
                    standing,
                    self.read
                        .remove(&hint.stream)
                        .unwrap_or_else(|| empty(hint)),
                ));
            }
        }
        claims(&mut streams);
        streams.sort_by_key(|(standing, stream)| (*standing, first_ns(stream)));
        Ok(Part {
            label: label.to_owned(),
            streams,
        })
    }

    fn stream(&mut self, hint: &StreamHint) -> &VerifiedStream {
        let verifier = &mut *self.verifier;
        self.read
            .entry(hint.stream)
            .or_insert_with(|| verifier.read_stream(hint))
    }
}

/// A stream of which nothing was read; only there so that nothing has to be assumed.
fn empty(hint: &StreamHint) -> VerifiedStream {
    VerifiedStream {
        stream: hint.stream,
        opening: None,
        links: Vec::new(),
        bindings: Vec::new(),
        records: Vec::new(),
        head: None,
        tail: 0,
        newest: false,
        findings: Vec::new(),
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

/// The session label a stream was opened under; each of its sealed records says it too.
pub(crate) fn label_of(stream: &VerifiedStream) -> Option<String> {
    if let Some(opening) = &stream.opening {
        return Some(opening.value.label.clone());
    }
    let envelope = stream
        .records
        .iter()
        .find_map(ledger::verify::VerifiedRecord::envelope)?;
    let part = ledger::envelope::CollectorPart::decode(envelope.collector).ok()?;
    Some(part.session_label)
}

/// The sessions that a stream belongs to: those it was linked to, else the one it was opened under.
fn sessions(stream: &VerifiedStream) -> BTreeSet<String> {
    let linked: BTreeSet<String> = stream
        .links
        .iter()
        .map(|link| link.value.session.clone())
        .collect();
    match label_of(stream) {
        Some(label) if linked.is_empty() || !label.starts_with("trace:") => {
            linked.into_iter().chain([label]).collect()
        }
        _ => linked,
    }
}

/// When a stream's first record came.
pub(crate) fn first_ns(stream: &VerifiedStream) -> u64 {
    stream
        .records
        .first()
        .map_or(u64::MAX, |record| record.leaf.received_unix_ns)
}

/// Of several producers under one label, the one that came first is the session's own. Another one's word is a
/// claim, unless its stream was joined by a sealed link, it is an enrolled recorder, or its records go on the chain
/// of the owner's: a spool that was adopted, or another door, of the same run.
fn claims(streams: &mut [(Standing, VerifiedStream)]) {
    let own = |(standing, _): &&(Standing, VerifiedStream)| *standing == Standing::Own;
    let first = streams
        .iter()
        .filter(own)
        .min_by_key(|(_, stream)| first_ns(stream));
    let Some((_, first)) = first else { return };
    let (owner, name) = (first.stream, producer(first));
    let others: Vec<usize> = (0..streams.len())
        .filter(|at| {
            let (standing, stream) = &streams[*at];
            let another = stream.stream != owner && producer(stream) != name;
            *standing == Standing::Own && another && !is_enrolled(stream)
        })
        .collect();
    let joined = |at: &usize| {
        let first = streams.iter().find(|(_, stream)| stream.stream == owner);
        first.is_some_and(|(_, first)| crate::chain::are_joined(&streams[*at].1, first))
    };
    let claims: Vec<usize> = others.into_iter().filter(|at| !joined(at)).collect();
    for at in claims {
        streams[at].0 = Standing::Claims;
    }
}

fn producer(stream: &VerifiedStream) -> Option<String> {
    stream
        .opening
        .as_ref()
        .map(|opening| opening.value.producer.clone())
        .or_else(|| {
            let envelope = stream
                .records
                .iter()
                .find_map(ledger::verify::VerifiedRecord::envelope)?;
            Some(
                ledger::envelope::CollectorPart::decode(envelope.collector)
                    .ok()?
                    .producer,
            )
        })
}

fn is_enrolled(stream: &VerifiedStream) -> bool {
    use ledger::envelope::{CollectorPart, RecordingMode};
    let envelope = stream
        .records
        .iter()
        .find_map(ledger::verify::VerifiedRecord::envelope);
    let part = envelope.and_then(|envelope| CollectorPart::decode(envelope.collector).ok());
    part.is_some_and(|part| part.recording_mode == RecordingMode::Independent)
}
