//! `recount diff`: what changed, as unified text, one line per resource, or JSON.

use std::fmt::Write as _;

use account::model::{Account, Diff as Change};

use super::{Context, exit_of, out, split_ref};
use crate::app::changes::{self, Changes, Line, Resource};
use crate::app::line::shown;
use crate::args::{Diff, FactForm};
use crate::failure::{Exit, Failure};
use crate::source::distance;

pub(super) fn run(context: &Context, args: &Diff) -> Result<Exit, Failure> {
    let (query, within) = split_ref(&args.query);
    let mut source = context.source()?;
    let account = source.account(query)?;
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
            Some(path) => near(path, &all.resources),
            None => Vec::new(),
        };
        return Err(Failure::NoChange {
            query: query.to_owned(),
            wanted,
            near,
        });
    }
    match (args.output, args.stat) {
        (FactForm::Json, _) => {
            let diffs: Vec<&Change> = kept
                .iter()
                .flat_map(|resource| &resource.diffs)
                .map(|n| &account.diffs[*n])
                .collect();
            out::json(&diffs)?;
        }
        (FactForm::Text, true) => out::text(&stat(&account, &kept))?,
        (FactForm::Text, false) => out::text(&text(&account, &kept))?,
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

/// The changed resources that look most like a path: by its last part, then by how much of it they share.
fn near(path: &str, resources: &[Resource]) -> Vec<String> {
    const NEAR: usize = 3;
    let last = |name: &str| name.rsplit(['/', ':']).next().unwrap_or(name).to_owned();
    let wanted = last(path);
    let mut near: Vec<(usize, &str)> = resources
        .iter()
        .map(|it| (distance(&wanted, &last(&it.name)), it.name.as_str()))
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
            .filter_map(|n| account.diffs[*n].evidence.refs.first())
            .map(ToString::to_string)
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

fn text(account: &Account, resources: &[&Resource]) -> String {
    let mut text = String::new();
    for resource in resources {
        for n in &resource.diffs {
            one(account, &account.diffs[*n], &mut text);
        }
    }
    if resources.is_empty() {
        text.push_str("nothing changed\n");
    }
    text
}

fn one(account: &Account, diff: &Change, text: &mut String) {
    let refs: Vec<String> = diff.evidence.refs.iter().map(ToString::to_string).collect();
    let said = |word: Option<&str>| word.unwrap_or("unknown").replace('_', " ");
    let scope = match diff.in_scope {
        Some(true) => "in scope",
        Some(false) => "OUT-OF-SCOPE",
        None => "no scope in force",
    };
    let _ = writeln!(text, "diff {} {}", refs.join(" "), shown(&diff.resource));
    let action = diff
        .action
        .as_ref()
        .and_then(|id| account.actions.iter().find(|action| action.id == *id));
    if let Some(action) = action {
        let by = action
            .evidence
            .refs
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "by   {by} {}",
            shown(&crate::app::words::action(action))
        );
    }
    let _ = writeln!(
        text,
        "read before {}, after {}; effect {}; {scope}",
        said(diff.read_before.map(|it| it.as_str())),
        said(diff.read_after.map(|it| it.as_str())),
        diff.effect.as_str().replace('_', " ")
    );
    match changes::patch(diff) {
        Some(patch) => patch.lines().for_each(|line| {
            let _ = writeln!(text, "{}", shown(line));
        }),
        None => {
            let alone = Resource {
                name: diff.resource.clone(),
                diffs: account
                    .diffs
                    .iter()
                    .position(|it| it.id == diff.id)
                    .into_iter()
                    .collect(),
                sign: "M",
                added: 0,
                removed: 0,
                outside: false,
                undone: false,
            };
            for line in changes::lines(account, &alone, 3) {
                if let Line::Note(note) = line {
                    let _ = writeln!(text, "{}", shown(&note));
                }
            }
        }
    }
    text.push('\n');
}
