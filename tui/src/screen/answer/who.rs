//! The Answer's people: who asked, ran, allowed and owns.

use account::model::{Account, Who};
use vocabulary::principal::WhoRole;

use crate::app::line::Line;
use crate::app::look::{Look, Token};

pub(super) fn who(account: &Account, rows: usize, width: usize, look: Look) -> Vec<Line> {
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
pub(super) fn people(account: &Account, all: bool, width: usize, look: Look) -> Vec<Line> {
    let first = account.sessions.first().map(|session| session.name);
    let mine = |who: &&Who| Some(who.session) == first || all;
    // One of each role before a second of any: that nobody owns it says more than a second authorization.
    let mut said: Vec<(usize, Line)> = Vec::new();
    let mut seen: Vec<(WhoRole, Option<&str>)> = Vec::new();
    for who in account.who.iter().filter(mine) {
        if seen.contains(&(who.role, who.identity.as_deref())) {
            continue;
        }
        let before = seen.iter().filter(|(role, _)| *role == who.role).count();
        seen.push((who.role, who.identity.as_deref()));
        said.push((before, one_who(who)));
    }
    for role in [
        WhoRole::Asked,
        WhoRole::Ran,
        WhoRole::Allowed,
        WhoRole::Owns,
    ] {
        if !seen.iter().any(|(known, _)| *known == role) {
            let unknown = Line::of(Token::Title, name(role)).put(Token::Ask, " unknown");
            said.push((0, unknown));
        }
    }
    said.sort_by_key(|(before, _)| *before);
    let said = said.into_iter().map(|(_, line)| line).collect();
    flow(said, width, look)
}

fn name(role: WhoRole) -> &'static str {
    if role == WhoRole::Owns {
        "owner"
    } else {
        role.as_str()
    }
}

fn one_who(who: &Who) -> Line {
    let line = Line::of(Token::Title, name(who.role));
    match &who.identity {
        Some(identity) => line
            .put(Token::Plain, format!(" {}", brief_identity(identity)))
            .put(
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

/// Who, without the address of the identity provider, which the JSON and the timeline carry.
fn brief_identity(identity: &str) -> &str {
    match identity.split_once(" (") {
        Some((name, rest)) if rest.contains("://") => name,
        _ => identity,
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
