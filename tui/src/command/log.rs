//! `recount log`: the records of a request, or all sessions; as text, JSON lines or CSV, and live with `-f`.

use std::borrow::Cow;
use std::collections::HashMap;

use account::filter::{Facts, Filter, Flag, Number, Text};
use account::model::Account;
use vocabulary::event::Event;
use vocabulary::{Timestamp, attribute};

use super::record::Recorded;
use super::{Context, follow, sessions};
use crate::app::time;
use crate::args::Log;
use crate::failure::{Exit, Failure};

/// The filters, read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) agent: Option<String>,
    pub(super) user: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) filter: Filter,
}

fn not_saved(name: &str) -> Failure {
    Failure::Usage {
        what: format!("--where @{name}: no filter is saved under that name"),
        hint: "recount notes lists them; S in the timeline saves one".to_owned(),
    }
}

fn not_a_time(text: &str) -> Failure {
    Failure::Usage {
        what: format!("{text:?} is not a time"),
        hint: "write 2026-03-14T09:00Z, 2026-03-14, or 30m, 2h, 7d for how long ago".to_owned(),
    }
}

impl Wanted {
    fn read(args: &Log, now: Timestamp, notes: &crate::notes::Notes) -> Result<Wanted, Failure> {
        let time = |text: &str| time::read(text, Some(now));
        let read = |text: &Option<String>| {
            let read = |text: &str| time(text).ok_or_else(|| not_a_time(text));
            text.as_deref().map(read).transpose()
        };
        if let Some(verdict) = &args.verdict
            && vocabulary::verdict::Verdict::parse(verdict).is_none()
        {
            return Err(Failure::Usage {
                what: format!("--verdict {verdict}: not a verdict"),
                hint: "it is allow, deny or ask".to_owned(),
            });
        }
        let filter = args.filter.as_deref().unwrap_or_default();
        Ok(Wanted {
            agent: args.agent.clone(),
            user: args.user.clone(),
            kind: args.kind.clone(),
            verdict: args.verdict.clone(),
            since: read(&args.since)?,
            until: read(&args.until)?,
            filter: Filter::parse(notes.filter(filter).map_err(not_saved)?, &time).map_err(
                |wrong| Failure::Filter {
                    text: filter.to_owned(),
                    wrong,
                },
            )?,
        })
    }

    /// Whether a moment lies in the time asked for.
    pub(super) fn when(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// What is known about actions and sessions beyond what one record says.
#[derive(Debug, Default)]
pub(super) struct Known {
    kinds: HashMap<String, String>,
    verdicts: HashMap<String, String>,
    users: HashMap<String, Vec<String>>,
}

impl Known {
    pub(super) fn learn_account(&mut self, account: &Account) {
        for action in &account.actions {
            self.kinds
                .insert(action.id.clone(), action.kind.as_str().to_owned());
            if let Some(verdict) = action.verdict {
                self.verdicts
                    .insert(action.id.clone(), verdict.as_str().to_owned());
            }
        }
        for asked in &account.asked {
            let session = account
                .sessions
                .iter()
                .find(|session| session.name == asked.session);
            let names = [&asked.principal.display, &asked.principal.subject];
            if let Some(session) = session {
                self.users.insert(
                    session.id.clone(),
                    names.into_iter().flatten().cloned().collect(),
                );
            }
        }
    }

    pub(super) fn learn(&mut self, record: &Recorded) {
        if let (Some(action), Some(kind)) = (&record.action, &record.kind) {
            self.kinds.insert(action.clone(), kind.clone());
        }
        if let (Some(session), false) = (&record.session, record.user.is_empty()) {
            self.users.insert(session.clone(), record.user.clone());
        }
    }

    pub(super) fn keeps(&self, wanted: &Wanted, record: &Recorded) -> bool {
        let action = record.action.as_ref();
        let agent = wanted
            .agent
            .as_ref()
            .is_none_or(|agent| record.agent.contains(agent));
        let user = wanted.user.as_ref().is_none_or(|user| {
            record
                .session
                .as_ref()
                .and_then(|session| self.users.get(session))
                .is_some_and(|names| names.contains(user))
        });
        let kind = wanted.kind.as_ref().is_none_or(|kind| {
            record.event == *kind
                || record.kind.as_ref() == Some(kind)
                || action.and_then(|action| self.kinds.get(action)) == Some(kind)
        });
        let verdict = wanted.verdict.as_ref().is_none_or(|verdict| {
            record.verdict.as_ref() == Some(verdict)
                || action.and_then(|action| self.verdicts.get(action)) == Some(verdict)
        });
        let filtered = wanted.filter.keeps(&RecordFacts {
            record,
            known: self,
        });
        agent && user && kind && verdict && filtered && wanted.when(record.at)
    }
}

/// What a filter sees of one record: what it says itself, and of its action what an earlier record said.
struct RecordFacts<'a> {
    record: &'a Recorded,
    known: &'a Known,
}

impl Facts for RecordFacts<'_> {
    fn words(&self) -> Cow<'_, str> {
        let Recorded {
            place, event, what, ..
        } = self.record;
        format!("{place} {event} {what}").into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        let (record, known) = (self.record, self.known);
        let of_action = |told: &'_ Option<String>, map: &'_ HashMap<String, String>| {
            let learnt = record.action.as_ref().and_then(|action| map.get(action));
            let told = told.as_ref().or(learnt).cloned();
            told.into_iter().map(Cow::from).collect::<Vec<_>>()
        };
        let said = |keys: &[&str]| {
            let said = keys.iter().filter_map(|key| record.said(key));
            said.map(Cow::from).collect::<Vec<_>>()
        };
        let all = |texts: &'_ [String]| {
            let texts = texts.iter().cloned();
            texts.map(Cow::from).collect::<Vec<_>>()
        };
        match key {
            Text::Request => record
                .request
                .as_deref()
                .map(Cow::from)
                .into_iter()
                .collect(),
            Text::Session => record
                .session
                .as_deref()
                .map(Cow::from)
                .into_iter()
                .collect(),
            Text::Agent => all(&record.agent),
            Text::User => {
                let users = record.session.as_ref().and_then(|it| known.users.get(it));
                users.map(|users| all(users)).unwrap_or_default()
            }
            Text::Kind => {
                let mut kinds = of_action(&record.kind, &known.kinds);
                kinds.push(Cow::from(record.event.as_str()));
                kinds
            }
            Text::Verdict => of_action(&record.verdict, &known.verdicts),
            Text::Path => said(&[attribute::TARGET, attribute::RESOURCE]),
            Text::Tool => said(&[attribute::ACTION_NAME, attribute::ACTION_OPERATION]),
            Text::Access => said(&[attribute::ACTION_ACCESS]),
            Text::Rule => said(&[attribute::RULE]),
            Text::Outcome => said(&[attribute::OUTCOME]),
            Text::Effect => said(&[attribute::EFFECT]),
            Text::Trace => record.trace().map(Cow::from).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn number(&self, key: Number) -> Option<u64> {
        match key {
            Number::Seq => self.record.place.rsplit_once('#')?.1.parse().ok(),
            _ => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        Some(self.record.at)
    }

    fn is(&self, flag: Flag) -> bool {
        let verdict = |wanted: &str| self.texts(Text::Verdict).iter().any(|it| it == wanted);
        let outcome = |wanted: &[&str]| {
            let said = self.record.said(attribute::OUTCOME);
            said.is_some_and(|said| wanted.contains(&said))
        };
        match flag {
            Flag::Denied => verdict("deny") || outcome(&["denied"]),
            Flag::Asked => verdict("ask"),
            Flag::Error => outcome(&["failure", "timeout"]),
            Flag::Changed => self.record.event == Event::Diff.name(),
            Flag::Lost => self.record.event == Event::Loss.name(),
            _ => false,
        }
    }
}

pub(super) fn run(context: &Context, args: &Log) -> Result<Exit, Failure> {
    let now = Timestamp::from_unix_ns(unix_now());
    let notes = super::note::read(context)?;
    let wanted = Wanted::read(args, now, &notes)?;
    let mut source = context.source()?;
    let exit = match (&args.query, args.follow) {
        (None, false) => sessions::run(context, &mut source, args.output, &wanted)?,
        (query, _) => follow::records(context, &mut source, query.as_deref(), args, &wanted)?,
    };
    context.pin(&mut source);
    Ok(exit)
}

/// Nanoseconds since 1970, by the machine's clock.
pub(super) fn unix_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}
