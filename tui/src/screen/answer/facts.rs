//! The first lines of the Answer: asked, result, read, changed, scope.

use account::model::{Account, Asked, Evidence, Things, fully, plainly};
use vocabulary::id::RecordRef;
use vocabulary::principal::PrincipalProof;
use vocabulary::session::TriggerKind;
use vocabulary::verdict::ScopeVerdict;

use crate::app::clock::took;
use crate::app::line::Line;
use crate::app::look::{Look, Token};
use crate::app::{Model, words};

fn fact(name: &str, indent: bool) -> Line {
    let line = Line::of(Token::Plain, " ");
    if indent {
        line.column(9, 0)
    } else {
        line.put(Token::Title, name).column(9, 1)
    }
}

/// `? ` before what depends on a part of the record that does not hold.
fn sure(line: Line, evidence: Option<&Evidence>) -> Line {
    match evidence.map(Evidence::mark) {
        Some(mark @ "?") => line.put(Token::Ask, format!("{mark} ")),
        _ => line,
    }
}

pub(super) fn facts(model: &Model, account: &Account, width: usize) -> Vec<Line> {
    let look = model.look;
    let asked = account.asked.first();
    let mut lines = Vec::with_capacity(24);
    let intent = match asked {
        Some(asked) => match words::inline(&asked.intent) {
            Some(_) => format!("\"{}\"", words::content(&asked.intent)),
            None => words::content(&asked.intent),
        },
        None => "unknown: no intent was recorded".to_owned(),
    };
    let shown_by = asked
        .map(|asked| bare(asked.evidence.refs.last()))
        .unwrap_or_default();
    let head = sure(fact("ASKED", false), asked.map(|asked| &asked.evidence));
    lines.push(
        head.put(Token::Plain, intent)
            .right(Line::of(Token::Dim, shown_by), width, look),
    );
    let (who, proof) = asked_by(model, asked);
    lines.push(fact("", true).join(who).right(proof, width, look));
    lines.push(result(account, width, look));
    let session = account.sessions.first();
    let spent = session.and_then(|session| took(session.started_at, session.ended_at));
    let spent = spent.unwrap_or_else(|| "still running".to_owned());
    let more = "4 shows each";
    let room = |right: &str| width.saturating_sub(fact("", true).width() + right.len() + 2);
    let read = read(account, room(&spent));
    let counted = |name| sure(fact(name, false), Some(&account.outcome.evidence));
    lines.push(counted("READ").put(Token::Plain, read).right(
        Line::of(Token::Plain, spent),
        width,
        look,
    ));
    lines.push(
        counted("CHANGED")
            .put(Token::Plain, changed(account, room(more)))
            .right(Line::of(Token::Dim, more), width, look),
    );
    let judged = account.scope.first().map(|scope| &scope.evidence);
    let judged = sure(
        fact("SCOPE", false),
        judged.or(Some(&account.outcome.evidence)),
    );
    lines.push(judged.join(scope(account)).cut(width, look));
    lines
}

fn bare(shown_by: Option<&RecordRef>) -> String {
    match shown_by {
        Some(it) if it.stream.to_string() == "s1a" => format!("#{}", it.index),
        Some(it) => it.to_string(),
        None => String::new(),
    }
}

/// The status and the summary; where that is too long, without the parts that the lines below repeat.
fn result(account: &Account, width: usize, look: Look) -> Line {
    let outcome = &account.outcome;
    let head = sure(fact("RESULT", false), Some(&outcome.evidence)).put(
        status_token(account),
        outcome.status.as_str().to_uppercase(),
    );
    let room = width.saturating_sub(head.width() + 2);
    let mut summary = outcome.summary.clone();
    if Line::of(Token::Plain, &summary).width() > room {
        let repeated =
            |part: &&str| !part.ends_with(" changed") && !part.ends_with(" outside scope");
        summary = summary
            .split("; ")
            .filter(repeated)
            .collect::<Vec<_>>()
            .join("; ");
    }
    let done = account
        .outcome
        .counts
        .by_outcome
        .get("success")
        .copied()
        .unwrap_or(0);
    let succeeded = format!(
        "{done} of {} actions succeeded; ",
        account.outcome.counts.actions
    );
    if summary != outcome.summary && succeeded.len() + summary.len() <= room {
        summary.insert_str(0, &succeeded);
    }
    head.put(Token::Plain, format!("  {summary}"))
        .cut(width, look)
}

fn status_token(account: &Account) -> Token {
    use vocabulary::session::OutcomeStatus as Status;
    match account.outcome.status {
        Status::Completed => Token::Good,
        Status::Partial | Status::Running | Status::Unknown => Token::Ask,
        Status::Failed | Status::Denied | Status::Abandoned => Token::Error,
    }
}

/// Who asked, through what and when; and how well that is proven.
fn asked_by(model: &Model, asked: Option<&Asked>) -> (Line, Line) {
    let Some(asked) = asked else {
        return (Line::of(Token::Plain, "by unknown"), Line::new());
    };
    let through = match (asked.trigger.kind, &asked.trigger.origin) {
        (TriggerKind::Unknown, None) => String::new(),
        (TriggerKind::Chat, _) => " in chat".to_owned(),
        (kind, None) => format!(" by {kind}"),
        (kind, Some(origin)) => format!(" by {kind} {origin}"),
    };
    let at = asked
        .at
        .map_or_else(|| "time unknown".to_owned(), |at| model.clock.full(at));
    let who = format!("{}{through}, {at}", words::principal(&asked.principal));
    let proof = format!("proof: {}", proof(asked.principal.proof));
    (Line::of(Token::Plain, who), Line::of(Token::Dim, proof))
}

fn proof(proof: PrincipalProof) -> &'static str {
    match proof {
        PrincipalProof::Asserted => "asserted",
        PrincipalProof::TokenPresented => "token",
        PrincipalProof::VerifiedByAgent => "by agent",
        PrincipalProof::VerifiedByCollector => "by collector",
        PrincipalProof::Unknown => "unknown",
    }
}

/// What was read, by what it is called and as far as there is room, and the calls of models.
fn read(account: &Account, room: usize) -> String {
    let counts = &account.outcome.counts;
    let calls = counts.by_kind.get("llm").copied().unwrap_or(0);
    let calls = if calls > 0 {
        format!("; {}", words::actions("llm", calls))
    } else {
        String::new()
    };
    let things: Vec<_> = counts
        .read_as
        .iter()
        .filter(|row| row.kind != "llm")
        .cloned()
        .collect();
    let room = room.saturating_sub(calls.len());
    format!("{}{calls}", named(&things, room))
}

fn changed(account: &Account, room: usize) -> String {
    let counts = &account.outcome.counts;
    let back = match counts.rolled_back {
        0 => String::new(),
        number => format!(", {number} taken back"),
    };
    let room = room.saturating_sub(back.len());
    format!("{}{back}", named(&counts.changed_as, room))
}

/// Things with where they lie; without it where that is too long, and then as many as there is room for.
fn named(things: &[Things], room: usize) -> String {
    if things.is_empty() {
        return "nothing".to_owned();
    }
    let fully = fully(things).join(", ");
    if Line::of(Token::Plain, &fully).width() <= room {
        return fully;
    }
    let plain = plainly(things);
    words::fitting(&plain, room, |rest| {
        let shown = plain.len() - rest;
        let told: u64 = plain[..shown].iter().filter_map(|part| number(part)).sum();
        let all: u64 = things.iter().map(|row| row.number).sum();
        format!("{} more", all - told)
    })
}

/// The number that a part begins with.
fn number(part: &str) -> Option<u64> {
    part.split(' ').next()?.parse().ok()
}

fn scope(account: &Account) -> Line {
    let counts = &account.outcome.counts;
    let worst =
        account
            .scope
            .iter()
            .map(|scope| scope.verdict)
            .max_by_key(|verdict| match verdict {
                ScopeVerdict::Within => 0,
                ScopeVerdict::Unknown => 1,
                ScopeVerdict::Exceeded => 2,
            });
    let effects = words::count(counts.effects, "effect", "effects");
    match worst {
        None => Line::of(Token::Ask, "UNKNOWN").put(Token::Plain, "   no scope was declared"),
        Some(ScopeVerdict::Within) => Line::of(Token::Good, "WITHIN").put(
            Token::Plain,
            format!("    {effects}, all within what was declared"),
        ),
        Some(ScopeVerdict::Unknown) => Line::of(Token::Ask, "UNKNOWN").put(
            Token::Plain,
            format!("   {effects}; something is missing, so nobody can say"),
        ),
        Some(ScopeVerdict::Exceeded) => {
            let reads = account
                .scope
                .iter()
                .flat_map(|scope| &scope.outside)
                .count() as u64;
            let outside = counts.effects_outside;
            let said = match outside {
                0 => format!(
                    "  {} outside what was declared",
                    words::count(reads, "access is", "accesses are")
                ),
                1 => format!("  1 of {effects} is outside what was declared"),
                _ => format!("  {outside} of {effects} are outside what was declared"),
            };
            Line::of(Token::Error, "EXCEEDED").put(Token::Plain, said)
        }
    }
}
