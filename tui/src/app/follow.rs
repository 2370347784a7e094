//! Following what is recorded meanwhile: whether it is shown at once, how much waits, and whether the place answers.

use std::collections::HashMap;
use std::time::Duration;

use account::model::{Account, Problem};
use vocabulary::record::IntegrityStatus;

use super::keys::Screen;
use super::marks;
use super::model::{Effect, Model, Notice, Opened, SessionRow};
use super::prompt::keep_sessions;
use super::renew::renew;
use super::update::say;
use super::words;

/// How things stand with what is recorded meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Follow {
    /// Whether the user wants what arrives to wait.
    pub paused: bool,
    /// How many records were sealed that are not in what is shown.
    pub waiting: u64,
    /// Why the place cannot be read now.
    pub lost: Option<String>,
    /// The number that news must carry.
    pub(crate) generation: u64,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nothing: what is shown is as it was at a moment.
    Nothing,
    /// The list of sessions.
    Sessions,
    /// The account of a query.
    Account {
        /// What was asked for.
        query: String,
        /// The request that it is about.
        request: String,
        /// The ids of its streams, as far as they are watched one by one.
        streams: Vec<String>,
        /// How many records it was made of.
        records: u64,
        /// Whether more is to be expected: a session runs, or its last records are not signed yet.
        open: bool,
    },
}

/// What whoever watches says.
#[derive(Debug)]
pub enum News {
    /// So many records wait.
    Waiting(u64),
    /// The account was read and verified again.
    Account(Box<Opened>),
    /// Sessions that are new or went on.
    Sessions(Vec<SessionRow>),
    /// The place cannot be read now.
    Lost {
        /// Why.
        why: String,
        /// When it is tried again.
        again: Duration,
    },
    /// It can be read again.
    Back(String),
}

impl Model {
    /// What is to be watched from now on.
    pub fn watch(&mut self) -> Effect {
        self.follow.generation += 1;
        self.follow.waiting = 0;
        self.watch_on()
    }

    /// As before; only whether what arrives has to wait may be another.
    fn watch_on(&self) -> Effect {
        let watch = match &self.opened {
            Some(opened) if self.screen != Screen::Home && opened.at.is_some() => Watch::Nothing,
            Some(opened) if self.screen != Screen::Home => of(&opened.account),
            _ => Watch::Sessions,
        };
        Effect::Follow {
            generation: self.follow.generation,
            watch,
            paused: self.follow.paused,
        }
    }
}

/// How many streams of one account are watched one by one; what names its request is watched in any case.
const STREAMS: usize = 64;

fn of(account: &Account) -> Watch {
    let streams = account.sessions.iter().flat_map(|it| &it.streams);
    Watch::Account {
        query: account.query.text.clone(),
        request: account.request.id.clone(),
        streams: streams.map(|it| it.log.clone()).take(STREAMS).collect(),
        records: account.integrity.checked.records,
        open: account.integrity.status != IntegrityStatus::Intact,
    }
}

/// Holds what arrives back, or shows all of it again.
pub(super) fn toggle(model: &mut Model) -> Vec<Effect> {
    model.follow.paused = !model.follow.paused;
    if model.follow.paused {
        say(
            model,
            "paused: what arrives is counted and waits; F goes on",
        );
    } else {
        let waiting = model.follow.waiting;
        let said = match waiting {
            0 => "following: what arrives is shown".to_owned(),
            n => format!("following: {n} that waited are read and verified"),
        };
        say(model, &said);
    }
    vec![model.watch_on()]
}

/// Takes news over; those about something else than what is shown now are dropped.
pub(super) fn take(model: &mut Model, generation: u64, news: News) -> Vec<Effect> {
    match news {
        News::Lost { why, again } => lost(model, why, again),
        News::Back(place) => {
            if model.follow.lost.take().is_some() {
                say(
                    model,
                    &format!("{place} answers again; all of it is read again"),
                );
            }
        }
        _ if generation != model.follow.generation => {}
        News::Waiting(records) => model.follow.waiting = records,
        News::Sessions(rows) => take_sessions(model, rows),
        // What was built while the user asked to pause waits, too: it is read again then.
        News::Account(_) if model.follow.paused => {}
        News::Account(opened) => {
            let before = model.opened.as_ref().map(|it| problems_of(&it.account));
            model.follow.waiting = 0;
            renew(model, opened);
            announce(model, &before.unwrap_or_default());
        }
    }
    Vec::new()
}

fn lost(model: &mut Model, why: String, again: Duration) {
    let seconds = again.as_secs_f32();
    if model.follow.lost.is_none() {
        model.message = Some(Notice {
            what: format!("offline: what was read stays, tried again in {seconds:.1} s"),
            hint: why.clone(),
        });
    }
    model.follow.lost = Some(why);
}

/// Sessions that are new or went on; the cursor stays on its session, or on the first row if it never left it.
fn take_sessions(model: &mut Model, rows: Vec<SessionRow>) {
    let home = &mut model.home;
    let under = home.kept.get(home.list.cursor());
    let under = under.and_then(|n| Some(home.sessions.get(*n)?.session.clone()));
    let moved = home.list.cursor() > 0;
    let mut bad = None;
    for row in rows {
        let place = home
            .sessions
            .iter()
            .position(|it| it.session == row.session);
        let before = place.map(|at| home.sessions[at].flags.clone());
        if row.is_bad() && before.as_ref() != Some(&row.flags) {
            bad = Some(format!("{} {}", row.request, row.flags));
        }
        match place {
            Some(at) => home.sessions[at] = row,
            None => home.sessions.push(row),
        }
    }
    home.sessions
        .sort_by_key(|row| std::cmp::Reverse(row.started));
    model.follow.waiting = 0;
    keep_sessions(model);
    let home = &mut model.home;
    let at = home
        .kept
        .iter()
        .position(|n| Some(&home.sessions[*n].session) == under.as_ref());
    if let Some(at) = at.filter(|_| moved) {
        home.list.keep(home.kept.len(), at);
    }
    if let Some(bad) = bad {
        say(model, &format!("new problem: request {bad}"));
    }
}

/// What makes a problem the same one in a later account: its kind and what shows it; its words may have gone on.
type Named = (String, Option<String>);

fn named(problem: &Problem) -> Named {
    let shown_by = problem.evidence.refs.first().map(ToString::to_string);
    let about = problem.action.clone().or(shown_by);
    (problem.kind.as_str().to_owned(), about)
}

fn problems_of(account: &Account) -> HashMap<Named, usize> {
    let mut counted = HashMap::new();
    for problem in account.problems.iter() {
        *counted.entry(named(problem)).or_insert(0) += 1;
    }
    counted
}

/// Says on the last line which problems are new, the worst of them in words.
fn announce(model: &mut Model, before: &HashMap<Named, usize>) {
    let Some(opened) = &model.opened else { return };
    let mut known = before.clone();
    let mut new = opened.account.problems.iter().filter(|problem| {
        let left = known.entry(named(problem)).or_insert(0);
        let is_new = *left == 0;
        *left = left.saturating_sub(1);
        is_new
    });
    let Some(worst) = new.next() else { return };
    let others = new.count();
    let shown_by = worst.evidence.refs.first();
    let place = shown_by
        .map(|it| format!(" #{}", it.index))
        .unwrap_or_default();
    let word = marks::of_problem(worst).word;
    let what = words::brief(&worst.what);
    let said = match others {
        0 => format!("new problem:{place} {word} {what}"),
        n => format!("{} new problems, worst:{place} {word} {what}", n + 1),
    };
    model.message = Some(Notice {
        what: said,
        hint: "e goes through them".to_owned(),
    });
}
