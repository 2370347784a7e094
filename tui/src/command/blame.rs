//! `recount blame`: which request left a file's line, a row's column or a resource's field as it is.

mod rows;

use std::collections::HashSet;
use std::fmt::Write as _;

use account::change::{Behind, Blame as Found, Blamed, Index, Part, Step, blame, stands};
use account::model::{Account, Diff};
use ledger::reader::Find;
use vocabulary::Timestamp;

use super::{Context, csv, exit_of, out, sessions};
use crate::app::line::shown;
use crate::app::words;
use crate::args::{Blame, ListForm};
use crate::failure::{self, Exit, Failure};
use crate::source::Source;

/// One edit of the resource, wherever it was made.
struct Edit<'a> {
    diff: &'a Diff,
    behind: Behind,
}

pub(super) fn run(context: &Context, args: &Blame) -> Result<Exit, Failure> {
    let mut source = context.source()?;
    let accounts = accounts(context, &source, args.within.as_deref())?;
    let (name, part) = resolve(&args.resource, &accounts)?;
    let edits = edits(&accounts, &name);
    let steps: Vec<Step<'_>> = edits.iter().map(|edit| Step::from(edit.diff)).collect();
    let kind = edits.first().map(|edit| &edit.diff.kind);
    let found = kind.map_or(Found::Parts(Vec::new()), |kind| blame(kind, &steps));
    let parts = match &found {
        Found::Parts(parts) => chosen(&name, parts, part.as_ref())?,
        Found::Gone | Found::Opaque => Vec::new(),
    };
    match args.output {
        ListForm::Text => out::text(&told(&name, &found, &parts, &edits))?,
        form => {
            if form == ListForm::Csv {
                out::text(&csv::row(rows::COLUMNS))?;
            }
            for row in rows::rows(&name, &found, &parts, &edits) {
                rows::print(&row, form)?;
            }
        }
    }
    context.pin(&mut source);
    let worst = accounts.iter().map(exit_of);
    Ok(worst
        .max_by_key(|exit| rank(*exit))
        .unwrap_or(Exit::Answered))
}

/// Which of several exit codes counts: a broken record before an incomplete one.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::NotIntact => 2,
        Exit::Incomplete => 1,
        _ => 0,
    }
}

/// The accounts that are looked through: one request's, or those of every session that was active last.
fn accounts(
    context: &Context,
    source: &Source,
    within: Option<&str>,
) -> Result<Vec<Account>, Failure> {
    if let Some(query) = within {
        return Ok(vec![context.account(source, query)?]);
    }
    let hints = source
        .reader()
        .find(&Find::Recent(sessions::RECENT))
        .map_err(|error| failure::of_read(&error))?;
    if hints.len() >= sessions::RECENT {
        context.note(&format!(
            "looked through the last {} streams; --in REQUEST looks at an older one",
            sessions::RECENT
        ));
    }
    let queries = sessions::queries(&hints);
    let mut accounts = Vec::new();
    let mut seen = HashSet::new();
    for query in queries {
        match source.account(&query) {
            Ok(account) => {
                let ids = account.sessions.iter().map(|it| it.id.clone());
                // A session that several names lead to is looked at once.
                let fresh = ids.filter(|id| seen.insert(id.clone())).count() > 0;
                if fresh && !account.diffs.is_empty() {
                    accounts.push(account);
                }
            }
            Err(failure) => context.note(&format!("{query}: {failure}")),
        }
    }
    Ok(accounts)
}

/// The resource that is meant, and the part of it.
fn resolve(text: &str, accounts: &[Account]) -> Result<(String, Option<Part>), Failure> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = HashSet::new();
    for diff in accounts.iter().flat_map(|account| account.diffs.iter()) {
        if known.insert(diff.resource.as_str()) {
            names.push(&diff.resource);
        }
    }
    let field = text.rsplit_once('#');
    let field = field.map(|(name, field)| (name, Part::Field(field.to_owned())));
    let line = text.rsplit_once(':');
    let line = line.and_then(|(name, line)| Some((name, Part::Line(line.parse().ok()?))));
    let ways = [
        Some((text, None)),
        field.map(|(name, part)| (name, Some(part))),
        line.map(|(name, part)| (name, Some(part))),
    ];
    for (name, part) in ways.into_iter().flatten() {
        let found = named(name, &names);
        match found.as_slice() {
            [] => {}
            [one] => return Ok(((*one).to_owned(), part)),
            several => {
                return Err(Failure::Ambiguous {
                    query: name.to_owned(),
                    matches: several.iter().map(|name| (*name).to_owned()).collect(),
                });
            }
        }
    }
    Err(Failure::NoChange {
        query: failure::ANY.to_owned(),
        wanted: text.to_owned(),
        near: super::diff::near(text, names.iter().copied()),
    })
}

/// The resources of a name: exactly, without the kind in front, or by how they end; never several of different rank.
fn named<'a>(name: &str, names: &[&'a str]) -> Vec<&'a str> {
    let exact = |it: &&&str| **it == name;
    let bare = |it: &&&str| words::resource(it) == name;
    let ends = |it: &&&str| {
        let rest = it.strip_suffix(name);
        !name.is_empty() && rest.is_some_and(|rest| rest.ends_with(['/', ':', '.']))
    };
    let find = |by: &dyn Fn(&&&str) -> bool| -> Vec<&'a str> {
        let found = names.iter().filter(|it| by(it));
        found.copied().collect()
    };
    [find(&exact), find(&bare), find(&ends)]
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Every edit of a resource that stands, oldest first.
fn edits<'a>(accounts: &'a [Account], name: &str) -> Vec<Edit<'a>> {
    let mut edits: Vec<(Option<Timestamp>, usize, Edit<'a>)> = Vec::new();
    let mut seen = HashSet::new();
    for account in accounts {
        let index = Index::of(account);
        for diff in account.diffs.iter() {
            if diff.resource != name || !stands(diff) {
                continue;
            }
            let behind = index.behind(diff);
            if seen.insert((behind.session.clone(), diff.id.clone())) {
                edits.push((diff.at, edits.len(), Edit { diff, behind }));
            }
        }
    }
    edits.sort_by_key(|(at, n, _)| (*at, *n));
    edits.into_iter().map(|(_, _, edit)| edit).collect()
}

/// The part that is asked for, or all.
fn chosen(name: &str, parts: &[Blamed], part: Option<&Part>) -> Result<Vec<Blamed>, Failure> {
    let Some(part) = part else {
        return Ok(parts.to_vec());
    };
    let found: Vec<Blamed> = parts
        .iter()
        .filter(|it| it.part == *part)
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let (what, hint) = match part {
        Part::Line(line) => (
            format!("{name} has no line {line}"),
            format!("the last recorded edit left {} lines", parts.len()),
        ),
        Part::Field(field) => {
            let names: Vec<String> = parts.iter().map(|it| said(&it.part)).collect();
            (
                format!("{name} has no {field:?}"),
                format!("it has {}", names.join(", ")),
            )
        }
    };
    Err(Failure::Usage { what, hint })
}

fn said(part: &Part) -> String {
    match part {
        Part::Line(line) => line.to_string(),
        Part::Field(field) => field.clone(),
    }
}

/// `47892#s1a#14`, which every command opens.
fn place(behind: &Behind) -> String {
    let mark = if behind.doubt.is_empty() { "" } else { "?" };
    match &behind.record {
        Some(record) => format!("{mark}{}#{record}", behind.request),
        None => format!("{mark}{}", behind.request),
    }
}

fn told(name: &str, found: &Found, parts: &[Blamed], edits: &[Edit<'_>]) -> String {
    let mut text = String::new();
    let last = edits.last().map(|edit| place(&edit.behind));
    let last = last.unwrap_or_else(|| "unknown".to_owned());
    let _ = writeln!(
        text,
        "resource {}  {}, last {}",
        shown(name),
        words::count(edits.len() as u64, "edit", "edits"),
        shown(&last)
    );
    match found {
        Found::Gone => text.push_str("removed  by the last edit\n"),
        Found::Opaque => {
            text.push_str("opaque   what the last edit left is no text, or not kept\n")
        }
        Found::Parts(parts) if parts.is_empty() => {
            text.push_str("empty    nothing is left in it\n")
        }
        Found::Parts(_) => {}
    }
    for part in parts {
        let by = part.by.edit().and_then(|edit| edits.get(edit));
        let by = by.map_or_else(|| "unknown".to_owned(), |edit| place(&edit.behind));
        let word = match part.part {
            Part::Line(_) => "line",
            Part::Field(_) => "field",
        };
        let _ = write!(
            text,
            "{word:<8} {:<4} {:<16} {}",
            shown(&said(&part.part)),
            shown(&by),
            shown(&part.now)
        );
        match (&part.before, part.by.unknown()) {
            (_, Some(why)) => drop(writeln!(text, "  [origin unknown: {why}]")),
            (Some(before), None) => drop(writeln!(text, "  [before: {}]", shown(before))),
            (None, None) => drop(writeln!(text, "  [before: nothing]")),
        }
    }
    let mut told = HashSet::new();
    let named = parts.iter().filter_map(|part| part.by.edit());
    let removed = matches!(found, Found::Gone | Found::Opaque).then(|| edits.len().checked_sub(1));
    for edit in named.chain(removed.flatten()) {
        if let (true, Some(edit)) = (told.insert(edit), edits.get(edit)) {
            behind(edit, &mut text);
        }
    }
    text
}

/// What is behind an edit, over several lines.
fn behind(edit: &Edit<'_>, text: &mut String) {
    let behind = &edit.behind;
    let unknown = || "unknown".to_owned();
    let at = behind.at.map_or_else(unknown, |at| at.to_string());
    let agent = behind.agent.clone().unwrap_or_else(unknown);
    let asked = behind.asked_by.clone().unwrap_or_else(unknown);
    let _ = writeln!(text, "edit     {}  {at}", shown(&place(behind)));
    let _ = writeln!(
        text,
        "  agent  {}; asked by {}",
        shown(&agent),
        shown(&asked)
    );
    let did = behind
        .did
        .as_deref()
        .unwrap_or("an action that is not recorded");
    let _ = writeln!(text, "  did    {}", shown(did));
    let (ruled, approved) = (behind.ruled(), behind.approved());
    let _ = writeln!(text, "  allow  {}; {}", shown(&ruled), shown(&approved));
    if let Some(decision) = &behind.decision {
        let _ = writeln!(text, "  why    {}  [stated]", shown(decision));
    }
}
