//! S6 Integrity: the verdict, what was checked, what is missing, and what the check does not show.

use account::model::{Account, LedgerRow};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use vocabulary::record::{CheckedBy, IntegrityStatus, KeyTrust};

use super::{select, stack};
use crate::app::keys::Screen;
use crate::app::line::{Line, rule, wrap};
use crate::app::list::List;
use crate::app::look::Token;
use crate::app::{Model, marks, words};
use crate::source::place::quoted;

pub(super) fn fit(model: &mut Model, area: Rect) {
    // The lines grow with the account's problems; no other screen needs them.
    if model.screen != Screen::Integrity {
        return;
    }
    let total = lines(model, usize::from(area.width)).len();
    let mut list = List::new(total);
    list.set_height(usize::from(area.height));
    list.go(model.integrity.cursor());
    model.integrity = list;
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    lines(model, usize::from(model.size.0))
        .get(line)
        .map(Line::text)
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let lines = lines(model, usize::from(area.width));
    let window = model.integrity.window();
    stack(
        lines.get(window.clone()).unwrap_or_default(),
        area,
        model.look,
        buf,
    );
    let scrolls = lines.len() > usize::from(area.height);
    if scrolls && window.contains(&model.integrity.cursor()) {
        let at = u16::try_from(model.integrity.cursor() - window.start).unwrap_or(u16::MAX);
        select(buf, area, area.y.saturating_add(at), model.look);
    }
}

fn lines(model: &Model, width: usize) -> Vec<Line> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let (account, look) = (&opened.account, model.look);
    let integrity = &account.integrity;
    let mark = marks::of_integrity(integrity.status);
    let mut lines = vec![rule("Verdict", "V verifies again", width, look)];
    let meaning = match integrity.status {
        IntegrityStatus::Intact => "every stream that was read is whole and equals a signed head",
        IntegrityStatus::Open => {
            "what is there is intact; a session neither ended nor was abandoned"
        }
        IntegrityStatus::Incomplete => "something is missing: see below",
        IntegrityStatus::Broken => "a check failed: do not rely on what depends on it",
        IntegrityStatus::Unchecked => "nothing was verified",
    };
    lines.push(
        Line::of(Token::Plain, " ")
            .put(mark.token, mark.word)
            .put(Token::Plain, format!("   {meaning}")),
    );
    lines.push(rule("Checked", "", width, look));
    let checked = &integrity.checked;
    let by = match account.query.checked_by {
        CheckedBy::Reader => "by this program, from the stored bytes",
        CheckedBy::Collector => "by the collector, not by this program",
        CheckedBy::Nobody => "by nobody",
    };
    lines.extend(fact(
        "records",
        format!("{} verify, {by}", checked.records),
        width,
    ));
    lines.extend(fact(
        "sessions",
        format!("{} of {} verify", checked.sessions, checked.of),
        width,
    ));
    for session in &account.sessions {
        let text = format!("{}: {}", session.name, session.sent_by());
        lines.extend(fact("sender", text, width));
        for stream in &session.streams {
            let claim = stream
                .claim
                .as_ref()
                .map(|claim| format!(", claims to be {claim}"))
                .unwrap_or_default();
            let text = format!(
                "{}: {} by {}{claim}",
                stream.name,
                words::count(stream.records, "record", "records"),
                stream.producer
            );
            lines.extend(fact("stream", text, width));
        }
    }
    for row in &integrity.declared {
        let text = format!(
            "{}: its end says {}, {} here{}",
            row.stream,
            words::count(row.declared, "record", "records"),
            words::count(row.here, "is", "are"),
            match row.unreadable {
                0 => String::new(),
                count => format!(", {count} cannot be read"),
            }
        );
        lines.extend(fact("declared", text, width));
    }
    for row in &integrity.conflicts {
        let text = format!("ledger leaf {}, {}: {}", row.leaf, row.kind, row.what);
        lines.extend(fact("conflict", text, width));
    }
    for ledger in &integrity.ledgers {
        lines.extend(ledger_lines(model, ledger, width));
    }
    lines.extend(depends(account, width, look));
    lines.extend(missing(account, width));
    lines.extend(problems(account, width));
    let title = format!("What this does not prove ({})", integrity.not_proven.len());
    lines.push(rule(&title, "", width, look));
    for text in &integrity.not_proven {
        for (n, text) in wrap(text, width.saturating_sub(4)).into_iter().enumerate() {
            lines.push(
                Line::of(Token::Plain, if n == 0 { " - " } else { "   " }).put(Token::Plain, text),
            );
        }
    }
    if !account.unknown.is_empty() {
        lines.push(rule(
            &format!("Unknown ({})", account.unknown.total()),
            "",
            width,
            look,
        ));
        for unknown in account.unknown.iter().take(200) {
            let text = format!(
                "{}: {}; {}",
                unknown.fact, unknown.why, unknown.how_to_record
            );
            for (n, text) in wrap(&text, width.saturating_sub(4)).into_iter().enumerate() {
                lines.push(
                    Line::of(Token::Plain, if n == 0 { " - " } else { "   " })
                        .put(Token::Plain, text),
                );
            }
        }
    }
    lines.push(rule("Check by hand", "", width, look));
    let (query, flags) = (quoted(model.query()), &model.place_flags);
    lines.push(
        Line::of(Token::Plain, format!(" recount verify {query} {flags}"))
            .put(Token::Dim, "   exit 0 intact, 3 not, 6 open"),
    );
    lines.push(
        Line::of(Token::Plain, format!(" recount verify --all {flags}"))
            .put(Token::Dim, "   every record, index and page"),
    );
    lines
}

fn fact(name: &str, text: impl AsRef<str>, width: usize) -> Vec<Line> {
    let texts = wrap(text.as_ref(), width.saturating_sub(14));
    let row = |(n, text): (usize, String)| {
        Line::of(
            Token::Dim,
            if n == 0 {
                format!(" {name}")
            } else {
                String::new()
            },
        )
        .column(13, 1)
        .put(Token::Plain, text)
    };
    texts.into_iter().enumerate().map(row).collect()
}

fn ledger_lines(model: &Model, ledger: &LedgerRow, width: usize) -> Vec<Line> {
    let size = ledger.size.map_or_else(
        || "size unknown".to_owned(),
        |size| words::count(size, "leaf", "leaves"),
    );
    let mut lines = fact("ledger", format!("{}, {size}", ledger.id), width);
    match &ledger.checkpoint {
        Some(checkpoint) => {
            let at = checkpoint.at.map_or_else(
                || "at an unknown time".to_owned(),
                |at| model.clock.full(at),
            );
            let text = format!(
                "size {}, signed {at} by {}",
                checkpoint.size,
                checkpoint.signed_by.join(", ")
            );
            lines.extend(fact("checkpoint", text, width));
            lines.extend(fact("root", &checkpoint.root, width));
        }
        None => lines.extend(fact("checkpoint", "nothing was signed yet", width)),
    }
    let key = match ledger.key {
        KeyTrust::Pinned => "equals the pinned key",
        KeyTrust::FirstSeen => {
            "seen for the first time: compare it with the collector's, then it is pinned"
        }
    };
    lines.extend(fact("key", key, width));
    lines
}

/// The parts that do not hold, and what carries `?` because of them.
fn depends(account: &Account, width: usize, look: crate::app::look::Look) -> Vec<Line> {
    let parts = &account.outcome.evidence.doubt;
    if parts.is_empty() {
        return Vec::new();
    }
    let doubtful = |evidence: &account::model::Evidence| !evidence.doubt.is_empty();
    let actions = account.actions.iter().filter(|it| doubtful(&it.evidence));
    let changes = account.diffs.iter().filter(|it| doubtful(&it.evidence));
    let decisions = account.decisions.iter().filter(|it| doubtful(&it.evidence));
    let said = format!(
        "{}, {}, {}, and every number that counts them",
        words::count(actions.count() as u64, "action", "actions"),
        words::count(changes.count() as u64, "change", "changes"),
        words::count(decisions.count() as u64, "decision", "decisions"),
    );
    let mut lines = vec![rule(
        "What depends on it carries ? on every screen",
        "",
        width,
        look,
    )];
    lines.extend(fact("?", said, width));
    for part in parts {
        let broken = account.integrity.broken.iter().find(|it| it.name == *part);
        let what = broken.map_or_else(String::new, |it| format!(": {}", it.what));
        lines.extend(fact("part", format!("{part}{what}"), width));
    }
    lines
}

fn missing(account: &Account, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for loss in &account.integrity.losses {
        let count = loss.records.map_or_else(
            || "an unknown number of records".to_owned(),
            |n| words::count(n, "record", "records"),
        );
        lines.extend(fact(
            "lost",
            format!("{count}, declared by the sender: {}", loss.why),
            width,
        ));
    }
    for gap in &account.integrity.gaps {
        let stream = gap
            .stream
            .map(|stream| stream.to_string())
            .unwrap_or_default();
        let to = gap
            .to
            .map_or_else(|| "on".to_owned(), |to| format!("to {to}"));
        lines.extend(fact(
            "gap",
            format!("{stream} from {} {to}: {}", gap.from, gap.why),
            width,
        ));
    }
    if lines.is_empty() {
        lines = fact("missing", "nothing that anyone knows of", width);
    }
    lines
}

fn problems(account: &Account, width: usize) -> Vec<Line> {
    let findings = account
        .problems
        .iter()
        .filter(|problem| marks::is_finding(problem.kind));
    let mut lines = Vec::new();
    for problem in findings {
        let mark = marks::of_problem(problem);
        for (n, text) in wrap(
            &format!("{}: {}", problem.what, problem.why),
            width.saturating_sub(14),
        )
        .into_iter()
        .enumerate()
        {
            let head = if n == 0 { mark.word } else { "" };
            lines.push(
                Line::of(Token::Plain, " ")
                    .put(mark.token, head)
                    .column(13, 1)
                    .put(Token::Plain, text),
            );
        }
    }
    lines
}
