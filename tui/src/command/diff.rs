//! `recount diff`: what changed, edit by edit or net; as tables and unified text, one line per resource, or JSON.

mod json;
mod text;

use std::fmt::Write as _;

use account::change::stands;
use account::model::Account;

use super::{Context, exit_of, out, split_ref, table};
use crate::app::changes::{Changes, Resource};
use crate::app::line::shown;
use crate::args::{Diff, FactForm};
use crate::failure::{Exit, Failure};
use crate::source::distance;

/// The columns of CSV.
const CELLS: &[table::Column] = &[
    ("ref", "/refs/0"),
    ("session", "/session"),
    ("resource", "/resource"),
    ("effect", "/effect"),
    ("in_scope", "/in_scope"),
    ("before", "/before/state"),
    ("after", "/after/state"),
    ("action", "/action"),
    ("at", "/at"),
];

pub(super) fn run(context: &Context, args: &Diff) -> Result<Exit, Failure> {
    let (query, within) = split_ref(&args.query);
    let mut source = context.source()?;
    let account = context.account(&source, query)?;
    let all = Changes::of(&account);
    let wanted = |resource: &&Resource| {
        let path = args
            .path
            .as_deref()
            .is_none_or(|path| resource.name.contains(path));
        let within = within.is_none_or(|within| {
            resource.diffs.iter().any(|n| {
                account.diffs[*n].evidence.refs.contains(&within) || of_action(&account, *n, within)
            })
        });
        path && within
    };
    let kept: Vec<&Resource> = all.resources.iter().filter(wanted).collect();
    if kept.is_empty() && (args.path.is_some() || within.is_some()) {
        let wanted = match (&args.path, within) {
            (Some(path), _) => path.clone(),
            (None, within) => within.map(|it| it.to_string()).unwrap_or_default(),
        };
        let near = match &args.path {
            Some(path) => near(path, all.resources.iter().map(|it| it.name.as_str())),
            None => Vec::new(),
        };
        return Err(Failure::NoChange {
            query: query.to_owned(),
            wanted,
            near,
        });
    }
    let looked = Looked::at(&account, &kept, args.net);
    match (args.output, args.stat) {
        (form @ (FactForm::Json | FactForm::Jsonl | FactForm::Csv), _) => {
            let rows = json::rows(&account, &looked);
            match form {
                FactForm::Csv => table::csv(CELLS, &rows)?,
                FactForm::Jsonl => table::lines(&rows)?,
                _ => out::json(&rows)?,
            }
        }
        (FactForm::Text, true) => out::text(&stat(&account, &kept))?,
        (FactForm::Text, false) => {
            let how = text::How {
                side_by_side: args.side_by_side.then(|| columns(context)),
                all: args.all,
            };
            out::text(&text::of(&account, &looked, how))?;
        }
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

/// Columns for two sides beside each other where no terminal says how many there are.
const COLUMNS: usize = 160;

fn columns(context: &Context) -> usize {
    let terminal = || {
        crossterm::terminal::size()
            .ok()
            .map(|(wide, _)| wide.into())
    };
    let told = context.environment.text("COLUMNS");
    let told = told.and_then(|text| text.parse().ok());
    let found = told.or_else(|| context.terminal.then(terminal).flatten());
    found.unwrap_or(COLUMNS).max(40)
}

/// Edits of one resource that are shown together: one, or all that stand.
pub(super) struct Looked<'a> {
    resource: &'a Resource,
    /// As indexes into the account's diffs.
    edits: Vec<usize>,
    /// Whether they are taken together, however many they are.
    net: bool,
}

impl<'a> Looked<'a> {
    fn at(account: &Account, resources: &[&'a Resource], net: bool) -> Vec<Looked<'a>> {
        let mut all = Vec::new();
        for resource in resources {
            let edits = resource.diffs.iter().copied();
            if net {
                let standing = edits.filter(|n| stands(&account.diffs[*n]));
                all.push(Looked {
                    resource,
                    edits: standing.collect(),
                    net,
                });
                continue;
            }
            all.extend(edits.map(|n| Looked {
                resource,
                edits: vec![n],
                net,
            }));
        }
        all
    }
}

/// The changed resources that look most like a path: by its last part, then by how much of it they share.
pub(super) fn near<'a>(path: &str, resources: impl Iterator<Item = &'a str>) -> Vec<String> {
    const NEAR: usize = 3;
    let last = |name: &str| name.rsplit(['/', ':']).next().unwrap_or(name).to_owned();
    let wanted = last(path);
    let mut near: Vec<(usize, &str)> = resources
        .map(|name| (distance(&wanted, &last(name)), name))
        .filter(|(far, _)| *far <= 2.max(wanted.chars().count() / 3))
        .collect();
    near.sort();
    near.into_iter()
        .take(NEAR)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Whether a record is one of those that show the action behind a change.
fn of_action(account: &Account, diff: usize, wanted: vocabulary::id::RecordRef) -> bool {
    let action = account.diffs[diff].action.as_ref();
    let action = action.and_then(|id| account.actions.iter().find(|action| action.id == *id));
    action.is_some_and(|action| action.evidence.refs.contains(&wanted))
}

fn stat(account: &Account, resources: &[&Resource]) -> String {
    let mut text = String::new();
    let (mut added, mut removed) = (0, 0);
    let width = resources
        .iter()
        .map(|resource| resource.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(60);
    for resource in resources {
        added += resource.added;
        removed += resource.removed;
        let refs: Vec<String> = resource
            .diffs
            .iter()
            .map(|n| &account.diffs[*n].evidence)
            .filter_map(|it| Some(format!("{}{}", it.mark(), it.refs.first()?)))
            .collect();
        let note = match (resource.outside, resource.undone) {
            (true, _) => "  OUT-OF-SCOPE",
            (false, true) => "  taken back",
            _ => "",
        };
        let _ = writeln!(
            text,
            "{} {:<width$} {:>6} {:>6}  {}{note}",
            resource.sign,
            shown(&resource.name),
            format!("+{}", resource.added),
            format!("-{}", resource.removed),
            refs.join(" ")
        );
    }
    let _ = writeln!(text, "{} resources, +{added} -{removed}", resources.len());
    text
}
