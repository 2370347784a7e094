//! What the collector saw that cannot be true beside what is sealed: conflict leaves of the ledger log.

use vocabulary::id::{SessionRef, StreamRef};
use vocabulary::problem::ProblemKind;
use vocabulary::record::ConflictKind;

use super::problems::Problems;
use crate::meanwhile::Contradicted;
use crate::model::Conflict;

/// One row and one problem per leaf.
pub(crate) fn collect(found: &[Contradicted], problems: &mut Problems) -> Vec<Conflict> {
    let mut rows = Vec::new();
    for one in found {
        let note = &one.said.note;
        let kind = kind(one.said.kind);
        let session = one.stream.map(|name| name.session).or(one.session);
        let problem = match kind {
            ConflictKind::SessionClaimed => ProblemKind::IdentityClaimed,
            _ => ProblemKind::Contradiction,
        };
        let why = format!("{} (ledger leaf {})", reason(kind), note.index);
        let text = (
            what(kind, one.stream, session),
            format!("{}; {why}", note.value.what),
        );
        problems.add(problem, session, None, text, Vec::new());
        rows.push(Conflict {
            leaf: note.index,
            kind,
            session,
            stream: one.stream,
            what: note.value.what.clone(),
            first: digest(&note.value.first),
            second: digest(&note.value.second),
            at: vocabulary::Timestamp::from_unix_ns(note.unix_ns),
        });
    }
    rows
}

fn kind(code: u8) -> ConflictKind {
    match code {
        1 => ConflictKind::NumberReused,
        2 => ConflictKind::Fork,
        3 => ConflictKind::SessionClaimed,
        _ => ConflictKind::Other,
    }
}

/// What the problem is about.
fn what(kind: ConflictKind, stream: Option<StreamRef>, session: Option<SessionRef>) -> String {
    let of = match (stream, session) {
        (Some(stream), _) => stream.to_string(),
        (None, Some(session)) => session.to_string(),
        (None, None) => "the ledger".to_owned(),
    };
    match kind {
        ConflictKind::NumberReused => format!("a number of {of} came with two contents"),
        ConflictKind::Fork => format!("two heads of one size of {of}"),
        ConflictKind::SessionClaimed => format!("another producer named {of}"),
        ConflictKind::Other => format!("something contradicts {of}"),
    }
}

/// What that means for whoever relies on the record.
fn reason(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::NumberReused => {
            "the first is sealed, the second was refused: the sender changed what it had sent, or somebody used its name"
        }
        ConflictKind::Fork => "only one of them can be what is here",
        ConflictKind::SessionClaimed => "noted by the collector",
        ConflictKind::Other => "noted by the collector: compare with whoever holds the other side",
    }
}

/// A digest as it is written everywhere; zeros stand for none.
fn digest(bytes: &[u8; 32]) -> Option<String> {
    (*bytes != [0; 32]).then(|| format!("sha256:{}", super::integrity::hex(bytes)))
}
