//! S1 Answer: what was asked, what came of it, what is wrong, why, who, and whether the record is whole.

use account::model::{Account, Asked, Decision, Who};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use vocabulary::id::RecordRef;
use vocabulary::principal::{PrincipalProof, WhoRole};
use vocabulary::record::IntegrityStatus;
use vocabulary::session::TriggerKind;
use vocabulary::verdict::ScopeVerdict;

use super::{answer_side, columns, select};
use crate::app::clock::took;
use crate::app::line::{Line, rule, wrap};
use crate::app::look::{Look, Token};
use crate::app::{Model, Opened, marks, words};

/// How the rows of the page are shared out.
struct Plan {
    problems: usize,
    why: usize,
    who: usize,
}

/// Everything but the lists: a rule, seven facts, four headings.
const FIXED: usize = 11;

fn plan(model: &Model, area: Rect) -> Plan {
    let total = model
        .opened
        .as_ref()
        .map_or(0, |opened| opened.account.problems.len());
    let height = usize::from(area.height);
    let (why, who) = match height {
        0..=18 => (1, 1),
        19..=30 => (2, 2),
        _ => (8, 7),
    };
    let room = height.saturating_sub(FIXED + why + who);
    // One more row for the people, where they need it and enough problems stay visible.
    let needed = model.opened.as_ref().map_or(0, |opened| {
        people(&opened.account, false, usize::from(area.width), model.look).len()
    });
    let who = if needed > who && room > 4 {
        who + 1
    } else {
        who
    };
    let room = height.saturating_sub(FIXED + why + who);
    let problems = room.min(total.max(1));
    Plan {
        problems: problems.max(1),
        why: why + room.saturating_sub(problems).min(4),
        who,
    }
}

/// Rows of problems that can be moved through; the last row counts the others where there are more.
fn visible(plan: &Plan, total: usize) -> usize {
    if total > plan.problems && plan.problems > 1 {
        plan.problems - 1
    } else {
        plan.problems
    }
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let total = model
        .opened
        .as_ref()
        .map_or(0, |opened| opened.account.problems.len());
    let plan = plan(model, area);
    model.answer.set_height(visible(&plan, total));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    let problem = model
        .opened
        .as_ref()
        .and_then(|opened| opened.account.problems.get(line));
    problem
        .map(|problem| {
            format!(
                "{} {} {}",
                marks::of_problem(problem).word,
                problem.what,
                problem.why
            )
        })
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let look = model.look;
    rule("", "", usize::from(area.width), look).draw(buf, (0, area.y), area.width, look);
    let below = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let left = if area.width >= 120 {
        let (left, right) = columns(below, area.width * 52 / 100, look, buf);
        answer_side::draw(model, right, buf);
        left
    } else {
        below
    };
    page(model, opened, &plan(model, area), left, buf);
}

fn page(model: &Model, opened: &Opened, plan: &Plan, area: Rect, buf: &mut Buffer) {
    let (account, look, width) = (&opened.account, model.look, usize::from(area.width));
    let mut lines = facts(model, account, width);
    let hint = if account.problems.is_empty() {
        ""
    } else {
        "e next, Enter opens"
    };
    let title = format!("Problems ({}), worst first", account.problems.total());
    lines.push(rule(&title, hint, width, look));
    let first = lines.len();
    lines.extend(problems(model, account, plan, width));
    lines.extend(why(account, plan.why, width, look));
    lines.push(rule("Who is responsible", "", width, look));
    lines.extend(who(account, plan.who, width, look));
    let room = usize::from(area.height).saturating_sub(1);
    lines.truncate(room);
    lines.push(rule(&record(model, account), "", width, look));
    super::stack(&lines, area, look, buf);
    let cursor = model.answer.cursor();
    if model.answer.window().contains(&cursor) {
        let at = first + cursor - model.answer.window().start;
        if at < room {
            select(
                buf,
                area,
                area.y + u16::try_from(at).unwrap_or(u16::MAX),
                look,
            );
        }
    }
}

/// `#171` in the first stream of the first session, else the whole reference.
pub(super) fn short(shown_by: Option<&RecordRef>) -> String {
    match shown_by {
        Some(it) if it.stream.to_string() == "s1a" => format!("#{:03}", it.index),
        Some(it) => it.to_string(),
        None => "-".to_owned(),
    }
}

fn fact(name: &str, indent: bool) -> Line {
    let line = Line::of(Token::Plain, " ");
    if indent {
        line.column(9, 0)
    } else {
        line.put(Token::Title, name).column(9, 1)
    }
}

fn facts(model: &Model, account: &Account, width: usize) -> Vec<Line> {
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
    lines.push(fact("ASKED", false).put(Token::Plain, intent).right(
        Line::of(Token::Dim, shown_by),
        width,
        look,
    ));
    lines.push(fact("", true).join(asked_by(model, asked)).cut(width, look));
    lines.push(result(account, width, look));
    let session = account.sessions.first();
    let spent = session.and_then(|session| took(session.started_at, session.ended_at));
    let spent = spent.unwrap_or_else(|| "still running".to_owned());
    lines.push(fact("READ", false).put(Token::Plain, read(account)).right(
        Line::of(Token::Plain, spent),
        width,
        look,
    ));
    lines.push(
        fact("CHANGED", false)
            .put(Token::Plain, changed(account))
            .right(Line::of(Token::Dim, "4 shows each"), width, look),
    );
    lines.push(fact("SCOPE", false).join(scope(account)).cut(width, look));
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
    let head = fact("RESULT", false).put(
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

fn asked_by(model: &Model, asked: Option<&Asked>) -> Line {
    let Some(asked) = asked else {
        return Line::of(Token::Plain, "by unknown");
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
    Line::of(
        Token::Plain,
        format!("{}{through}, {at}", words::principal(&asked.principal)),
    )
    .put(
        Token::Dim,
        format!("   proof: {}", proof(asked.principal.proof)),
    )
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

fn read(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let mut parts: Vec<String> = counts
        .read
        .iter()
        .filter(|(kind, number)| kind.as_str() != "llm" && **number > 0)
        .map(|(kind, number)| words::targets(kind, *number))
        .collect();
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    let calls = counts.by_kind.get("llm").copied().unwrap_or(0);
    let calls = if calls > 0 {
        format!("; {}", words::actions("llm", calls))
    } else {
        String::new()
    };
    format!("{}{calls}", parts.join(", "))
}

fn changed(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let mut parts: Vec<String> = counts
        .changed
        .iter()
        .filter(|(_, number)| **number > 0)
        .map(|(kind, number)| words::targets(kind, *number))
        .collect();
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    if counts.rolled_back > 0 {
        parts.push(format!("{} taken back", counts.rolled_back));
    }
    parts.join(", ")
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

fn problems(model: &Model, account: &Account, plan: &Plan, width: usize) -> Vec<Line> {
    let look = model.look;
    if account.problems.is_empty() {
        return vec![Line::of(Token::Good, " none found").cut(width, look)];
    }
    let window = model.answer.window();
    let refs: Vec<String> = account.problems[window.clone()]
        .iter()
        .map(|problem| short(problem.evidence.refs.first()))
        .collect();
    let column = refs.iter().map(String::len).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for (problem, shown_by) in account.problems[window.clone()].iter().zip(&refs) {
        let mark = marks::of_problem(problem);
        let pointer = if window.start + lines.len() == model.answer.cursor() {
            ">"
        } else {
            " "
        };
        let head = Line::of(Token::Plain, pointer)
            .put(Token::Dim, shown_by)
            .column(column, 1)
            .put(mark.token, mark.word);
        let head = head.column(column + 6, 1);
        let room = width.saturating_sub(head.width());
        let (what, why) = (words::brief(&problem.what), words::brief(&problem.why));
        lines.push(head.join(two_parts(&what, &why, room, look)));
    }
    let total = account.problems.total();
    if window.len() < total && lines.len() < plan.problems {
        let rest = total - window.len();
        let next = if window.end < total {
            account.problems.get(window.end)
        } else {
            account.problems.first()
        };
        let said = next.map(|problem| {
            let mark = marks::of_problem(problem).word;
            format!(
                ": {} {mark} {}",
                short(problem.evidence.refs.first()),
                words::brief(&problem.what)
            )
        });
        let which = if window.end < total {
            "lesser"
        } else {
            "above"
        };
        lines.push(
            Line::of(
                Token::Dim,
                format!(" + {rest} {which}{}", said.unwrap_or_default()),
            )
            .cut(width, look),
        );
    }
    lines
}

/// What happened, and to the right of it what makes it a problem; both are cut where they must be.
fn two_parts(what: &str, why: &str, room: usize, look: Look) -> Line {
    let (what, why) = (Line::of(Token::Plain, what), Line::of(Token::Dim, why));
    let left = if what.width() + why.width() + 2 <= room {
        what.width().max((room / 2).min(room - why.width() - 2))
    } else {
        // What happened comes first; the reason keeps a third of the row, or what it needs.
        let reserved = why.width().min(room / 3) + 2;
        what.width().min(room.saturating_sub(reserved))
    };
    what.cut(left, look)
        .column(left, 0)
        .column(left + 2, 2)
        .join(why)
        .cut(room, look)
}

/// The decision that most was weighed in: where most was discarded.
pub(super) fn main_decision(account: &Account) -> Option<(usize, &Decision)> {
    let weight = |decision: &Decision| {
        let considered = decision
            .candidates
            .count
            .unwrap_or(decision.considered.len() as u64);
        (
            decision.discarded.len(),
            considered,
            usize::from(decision.rationale.is_some()),
        )
    };
    account
        .decisions
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, decision)| weight(decision))
}

fn why(account: &Account, rows: usize, width: usize, look: Look) -> Vec<Line> {
    let Some((_, decision)) = main_decision(account) else {
        return vec![
            rule("Why", "", width, look),
            Line::of(Token::Ask, " unknown: no decision was recorded").cut(width, look),
        ];
    };
    let title = match decision.question.as_deref() {
        Some(question) => format!("Why: {question}"),
        None => "Why".to_owned(),
    };
    let source = match decision.evidence.source {
        vocabulary::Source::Stated => "stated by the agent, not observed",
        vocabulary::Source::Observed => "observed",
        vocabulary::Source::Derived => "derived",
    };
    let mut lines = vec![rule(&title, source, width, look)];
    let shown_by = short(decision.evidence.refs.first());
    let indent = shown_by.len() + 2;
    let texts = wrap(&reasons(decision), width.saturating_sub(indent + 1));
    let more = texts.len() > rows;
    for (n, text) in texts.into_iter().take(rows).enumerate() {
        let head = if n == 0 {
            Line::of(Token::Dim, format!(" {shown_by}"))
        } else {
            Line::new()
        };
        let line = head.column(indent, 1).put(Token::Stated, text);
        let last = more && n + 1 == rows;
        let tail = Line::of(Token::Dim, if last { "3 shows all" } else { "" });
        lines.push(line.right(tail, width, look));
    }
    lines
}

/// How a choice was made, in one paragraph.
fn reasons(decision: &Decision) -> String {
    let mut said = Vec::new();
    let considered = decision
        .candidates
        .count
        .unwrap_or(decision.considered.len() as u64);
    let mut choice = String::new();
    if considered > 0 {
        choice = format!("{considered} considered > ");
    }
    choice.push_str(&match decision.chosen.as_slice() {
        [] => "nothing chosen".to_owned(),
        [one] => format!("chose {one}"),
        many => format!("{} chosen", many.len()),
    });
    match (&decision.rationale, &decision.criteria) {
        (Some(rationale), _) => said.push(rationale.clone()),
        (None, Some(criteria)) => said.push(format!("{choice} by {criteria}")),
        (None, None) => said.push(choice),
    }
    if !decision.discarded.is_empty() {
        said.push(format!(
            "{} discarded: {}",
            decision.discarded.len(),
            discarded(decision)
        ));
    }
    said.join("; ")
}

/// What was not chosen, options with one reason together: `Orbit (open sev-1 ticket); Kestrel, Lumen (value)`.
fn discarded(decision: &Decision) -> String {
    let mut groups: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for it in &decision.discarded {
        match groups
            .iter_mut()
            .find(|(reason, _)| *reason == it.reason.as_deref())
        {
            Some((_, options)) => options.push(&it.option),
            None => groups.push((it.reason.as_deref(), vec![&it.option])),
        }
    }
    let said = |(reason, options): (Option<&str>, Vec<&str>)| match reason {
        Some(reason) => format!("{} ({reason})", options.join(", ")),
        None => options.join(", "),
    };
    groups.into_iter().map(said).collect::<Vec<_>>().join("; ")
}

fn who(account: &Account, rows: usize, width: usize, look: Look) -> Vec<Line> {
    let mut lines = people(account, rows > 3, width, look);
    let hidden = lines.len().saturating_sub(rows);
    lines.truncate(rows);
    if hidden > 0
        && let Some(last) = lines.pop()
    {
        lines.push(last.right(Line::of(Token::Dim, format!("+{hidden}")), width, look));
    }
    lines
}

/// Everybody responsible, packed into rows: those of the first session, or of all.
fn people(account: &Account, all: bool, width: usize, look: Look) -> Vec<Line> {
    let first = account.sessions.first().map(|session| session.name);
    let mine = |who: &&Who| Some(who.session) == first || all;
    let mut said: Vec<Line> = Vec::new();
    let mut seen: Vec<(WhoRole, Option<&str>)> = Vec::new();
    for who in account.who.iter().filter(mine) {
        if seen.contains(&(who.role, who.identity.as_deref())) {
            continue;
        }
        seen.push((who.role, who.identity.as_deref()));
        said.push(one_who(who));
    }
    for role in [
        WhoRole::Asked,
        WhoRole::Ran,
        WhoRole::Allowed,
        WhoRole::Owns,
    ] {
        if !seen.iter().any(|(known, _)| *known == role) {
            let name = if role == WhoRole::Owns {
                "owner"
            } else {
                role.as_str()
            };
            said.push(Line::of(Token::Title, name).put(Token::Ask, " unknown"));
        }
    }
    flow(said, width, look)
}

fn one_who(who: &Who) -> Line {
    let name = if who.role == WhoRole::Owns {
        "owner"
    } else {
        who.role.as_str()
    };
    let line = Line::of(Token::Title, name);
    match &who.identity {
        Some(identity) => line.put(Token::Plain, format!(" {identity}")).put(
            Token::Dim,
            if who.proof.is_empty() {
                String::new()
            } else {
                format!(" ({})", brief_proof(&who.proof))
            },
        ),
        None => line.put(Token::Ask, " unknown"),
    }
}

/// How well somebody is known, without the details that 5 and the JSON carry.
fn brief_proof(proof: &str) -> String {
    proof.split(" (").next().unwrap_or(proof).replace('_', " ")
}

/// Puts short facts side by side, as many as fit into a row.
fn flow(facts: Vec<Line>, width: usize, look: Look) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for fact in facts {
        match lines.pop() {
            Some(line) if line.width() + fact.width() + 3 <= width => {
                let column = line.width();
                lines.push(line.column(column, 3).join(fact));
            }
            line => {
                lines.extend(line);
                lines.push(Line::of(Token::Plain, " ").join(fact));
            }
        }
    }
    lines
        .into_iter()
        .map(|line| line.cut(width, look))
        .collect()
}

/// The last heading: since when nothing changed, and what that does not show.
fn record(model: &Model, account: &Account) -> String {
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
    match integrity.not_proven.first() {
        Some(first) => format!(
            "Record: {state}; not proven: {first} ({})",
            integrity.not_proven.len()
        ),
        None => format!("Record: {state}"),
    }
}
