//! The Answer's last lines: whether the record is whole, and what is not proven or not known.

use account::model::Account;
use vocabulary::record::{IntegrityStatus, SenderKind};

use crate::app::Model;
use crate::app::line::Line;
use crate::app::look::{Look, Token};

/// The last heading: since when nothing changed, and what that does not show.
pub(super) fn record(model: &Model, account: &Account) -> String {
    let integrity = &account.integrity;
    let at = integrity
        .ledgers
        .iter()
        .filter_map(|ledger| ledger.checkpoint.as_ref()?.at)
        .max();
    let at = at
        .map(|at| format!(" since {}", model.clock.short(at)))
        .unwrap_or_default();
    let state = match integrity.status {
        IntegrityStatus::Intact => format!("unchanged{at}"),
        IntegrityStatus::Open => "unchanged so far, a session is still open".to_owned(),
        IntegrityStatus::Incomplete => "INCOMPLETE".to_owned(),
        IntegrityStatus::Broken => "BROKEN: do not rely on it".to_owned(),
        IntegrityStatus::Unchecked => "UNCHECKED".to_owned(),
    };
    if let Some(plain) = plain(account) {
        return format!("Record: {state}; {plain}");
    }
    match integrity.not_proven.first() {
        Some(first) => format!(
            "Record: {state}; not proven: {first} ({})",
            integrity.not_proven.len()
        ),
        None => format!("Record: {state}"),
    }
}

/// Which sessions nobody could notice a gap in.
fn plain(account: &Account) -> Option<String> {
    let plain: Vec<_> = account
        .sessions
        .iter()
        .filter(|session| matches!(session.sender, SenderKind::PlainOtlp | SenderKind::Mixed))
        .collect();
    match plain.as_slice() {
        [] => None,
        [one] if account.sessions.len() == 1 => Some(one.sent_by()),
        some => Some(format!(
            "{} of {} sessions are plain OTLP: no gap detection",
            some.len(),
            account.sessions.len()
        )),
    }
}

/// What fills the rows that are left: everything that is not proven and not known.
pub(super) fn rest(account: &Account, width: usize, look: Look) -> Vec<Line> {
    let fact = |name: &str, text: &str| {
        Line::of(Token::Dim, format!(" {name}"))
            .column(12, 1)
            .put(Token::Plain, text)
            .cut(width, look)
    };
    let not_proven = account
        .integrity
        .not_proven
        .iter()
        .map(|text| fact("not proven", text));
    let unknown = account
        .unknown
        .iter()
        .map(|it| fact("unknown", &format!("{}: {}", it.fact, it.why)));
    not_proven.chain(unknown).collect()
}
