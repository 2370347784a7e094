//! All sessions of a ledger, each told from its verified account: for `recount log` and for Home.

use std::collections::{BTreeMap, HashSet};

use account::model::{Account, Action, Session};
use ledger::reader::{Find, StreamHint};
use vocabulary::id::SessionRef;
use vocabulary::session::OutcomeStatus;

use super::log::Wanted;
use super::{Context, csv, exit_of, out};
use crate::app::clock::took;
use crate::app::line::shown;
use crate::app::{SessionRow, marks, words};
use crate::args::ListForm;
use crate::failure::{self, Exit, Failure};
use crate::source::Source;

/// How many streams Home looks back; older sessions are found by their id or with `recount log`.
pub(crate) const RECENT: usize = 1_000;

/// The queries that name every session behind some streams, newest first, each once.
pub(crate) fn queries(hints: &[StreamHint]) -> Vec<String> {
    let mut newest: Vec<&StreamHint> = hints.iter().collect();
    newest.sort_by_key(|hint| std::cmp::Reverse((hint.last_ns, hint.stream)));
    let mut seen = HashSet::new();
    let mut queries = Vec::new();
    for hint in newest {
        let names: Vec<String> = if !hint.requests.is_empty() {
            hint.requests.clone()
        } else if !hint.sessions.is_empty() {
            hint.sessions.clone()
        } else {
            vec![hint.label.clone()]
        };
        queries.extend(
            names
                .into_iter()
                .filter(|name| !name.is_empty() && seen.insert(name.clone())),
        );
    }
    queries
}

/// One row per session of an account.
pub(crate) fn rows(account: &Account) -> Vec<SessionRow> {
    account
        .sessions
        .iter()
        .map(|session| row(account, session))
        .collect()
}

fn row(account: &Account, session: &Session) -> SessionRow {
    let asked = account
        .asked
        .iter()
        .find(|asked| asked.session == session.name);
    let status = account
        .outcome
        .sessions
        .iter()
        .find(|outcome| outcome.session == session.name);
    let status = status.map_or(account.outcome.status, |outcome| outcome.status);
    SessionRow {
        request: account.request.id.clone(),
        session: session.id.clone(),
        agent: session
            .agent
            .name
            .clone()
            .or_else(|| session.agent.id.clone())
            .unwrap_or_else(|| "unknown".to_owned()),
        asked_by: asked.map_or_else(
            || "unknown".to_owned(),
            |asked| words::principal(&asked.principal),
        ),
        intent: asked
            .map(|asked| words::content(&asked.intent))
            .unwrap_or_default(),
        started: session.started_at,
        ended: session.ended_at,
        status: if session.ended_at.is_none() && status == OutcomeStatus::Unknown {
            OutcomeStatus::Running
        } else {
            status
        },
        summary: account.outcome.summary.clone(),
        flags: flags(account, session.name),
        changed: changed(account),
        kinds: each_once(account, session, |it| Some(it.kind.as_str())),
        verdicts: each_once(account, session, |it| it.verdict.map(|it| it.as_str())),
        touched: each_once(account, session, |it| it.target.resource.as_deref()),
        integrity: account.integrity.status,
    }
}

/// The problems of a session by their word, worst first: `1 OUT 2 ERR`.
fn flags(account: &Account, session: SessionRef) -> String {
    let mut counts: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
    for problem in account
        .problems
        .iter()
        .filter(|problem| problem.session.is_none_or(|of| of == session))
    {
        let word = marks::of_problem(problem).word;
        let place = counts
            .iter()
            .find(|(_, (known, _))| *known == word)
            .map(|(place, _)| *place);
        let place = place.unwrap_or(counts.len());
        counts.entry(place).or_insert((word, 0)).1 += 1;
    }
    counts
        .values()
        .map(|(word, count)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// How many resources of one session a list knows.
const MOST: usize = 500;

/// What a session's actions say of one thing, each answer once.
fn each_once<'a>(
    account: &'a Account,
    session: &Session,
    said: impl Fn(&'a Action) -> Option<&'a str>,
) -> Vec<String> {
    let actions = account.actions.iter();
    let of_session = actions.filter(|action| action.session == session.name);
    let mut seen = HashSet::new();
    of_session
        .filter_map(said)
        .filter(|text| seen.insert(*text))
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

fn changed(account: &Account) -> String {
    account::model::plainly(&account.outcome.counts.changed_as).join(", ")
}

const COLUMNS: [&str; 10] = [
    "request",
    "session",
    "started_at",
    "ended_at",
    "agent",
    "asked_by",
    "outcome",
    "problems",
    "changed",
    "integrity",
];

fn cells(row: &SessionRow) -> [String; 10] {
    let time = |at: Option<vocabulary::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        row.request.clone(),
        row.session.clone(),
        time(row.started),
        time(row.ended),
        row.agent.clone(),
        row.asked_by.clone(),
        row.status.as_str().to_owned(),
        row.flags.clone(),
        row.changed.clone(),
        row.integrity.as_str().to_owned(),
    ]
}

pub(super) fn run(
    context: &Context,
    source: &mut Source,
    form: ListForm,
    wanted: &Wanted,
) -> Result<Exit, Failure> {
    let find = match (wanted.since, wanted.until) {
        (None, None) => Find::All,
        (since, until) => Find::Received {
            from_ns: since.map_or(0, |since| since.unix_ns()),
            to_ns: until.map_or(u64::MAX, |until| until.unix_ns()),
        },
    };
    let hints = source
        .reader()
        .find(&find)
        .map_err(|error| failure::of_read(&error))?;
    if form == ListForm::Csv {
        out::text(&csv::row(COLUMNS))?;
    }
    let mut exit = Exit::Answered;
    let mut any = false;
    let mut listed = HashSet::new();
    for query in queries(&hints) {
        let account = match source.account(&query) {
            Ok(account) => account,
            Err(Failure::NoMatch { .. } | Failure::Which { .. } | Failure::TooShort { .. }) => {
                context.note(&format!(
                    "the index names {query:?}, the sealed records do not"
                ));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        exit = worse(exit, exit_of(&account));
        for (session, row) in account.sessions.iter().zip(rows(&account)) {
            // A session is told once, under the first of its request's names that leads to it.
            if listed.insert(session.id.clone())
                && keeps(&account, session, wanted)
                && wanted.filter.keeps(&row)
            {
                any = true;
                print(&row, form)?;
            }
        }
    }
    if !any && form == ListForm::Text {
        context.note(&format!("no session matches in {}", source.place()));
    }
    Ok(if any || exit != Exit::Answered {
        exit
    } else {
        Exit::NoMatch
    })
}

/// The graver of two results: broken before incomplete before answered.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::NotIntact => 2,
        Exit::Incomplete => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn keeps(account: &Account, session: &Session, wanted: &Wanted) -> bool {
    let agent = wanted.agent.as_ref().is_none_or(|agent| {
        [&session.agent.name, &session.agent.id]
            .into_iter()
            .flatten()
            .any(|name| name == agent)
    });
    let user = wanted.user.as_ref().is_none_or(|user| {
        account
            .asked
            .iter()
            .filter(|asked| asked.session == session.name)
            .any(|asked| {
                [&asked.principal.display, &asked.principal.subject]
                    .into_iter()
                    .flatten()
                    .any(|name| name == user)
            })
    });
    let mut actions = account
        .actions
        .iter()
        .filter(|action| action.session == session.name);
    let action = (wanted.kind.is_none() && wanted.verdict.is_none())
        || actions.any(|action| {
            wanted
                .kind
                .as_ref()
                .is_none_or(|kind| action.kind.as_str() == kind)
                && wanted
                    .verdict
                    .as_ref()
                    .is_none_or(|verdict| action.verdict.is_some_and(|it| it.as_str() == verdict))
        });
    let when = session.started_at.is_none_or(|at| wanted.when(at));
    agent && user && action && when
}

fn print(row: &SessionRow, form: ListForm) -> Result<(), Failure> {
    match form {
        ListForm::Csv => {
            let cells = cells(row).map(|cell| shown(&cell));
            out::text(&csv::row(cells.iter().map(String::as_str)))
        }
        ListForm::Json => {
            let times = ["started_at", "ended_at"];
            let value = |name: &str, cell: String| match (times.contains(&name), cell.is_empty()) {
                (true, true) => serde_json::Value::Null,
                _ => cell.into(),
            };
            let object: serde_json::Map<String, serde_json::Value> = COLUMNS
                .iter()
                .zip(cells(row))
                .map(|(name, cell)| ((*name).to_owned(), value(name, cell)))
                .collect();
            out::json_line(&object)
        }
        ListForm::Text => {
            let start = row
                .started
                .map_or_else(|| "time unknown".to_owned(), |at| at.to_string());
            let spent = took(row.started, row.ended).unwrap_or_else(|| "-".to_owned());
            let flags = if row.flags.is_empty() {
                "-"
            } else {
                &row.flags
            };
            out::text(&format!(
                "{:<12} {start} {spent:>8}  {:<20} {:<20} {:<9} {:<16} {}",
                shown(&row.request),
                shown(&row.agent),
                shown(&row.asked_by),
                row.status,
                flags,
                row.integrity
            ))
        }
    }
}
