//! Watches the place for the screens: what is sealed meanwhile is counted, read, verified, and only then shown.
//!
//! Every account is verified from its first record. So that this costs a bounded share of one core however large the
//! session is, as much time as a reading took passes several times over before the next.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use ledger::leaf::StreamId;
use ledger::reader::{Find, StreamHint};
use vocabulary::record::IntegrityStatus;

use super::{Context, sessions};
use crate::app::{Effect, Msg, News, Opened, SessionRow, Watch};
use crate::failure::{self, Failure};
use crate::source::{Bell, Rung, Source, hang};

/// How long after the first of several exports they are read together: at most ten readings in a second.
const BURST: Duration = Duration::from_millis(100);
/// How often what waits is counted while nothing is read.
const COUNT: Duration = Duration::from_millis(250);
/// How many times as long as a reading took is waited before the next.
const REST: u32 = 3;
/// A reading that takes longer is announced by the number of records that it is about.
const LONG: Duration = Duration::from_millis(150);
/// Heads are signed a little after what they cover was sealed, and nothing rings then.
const SETTLING: [Duration; 5] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// What the watcher is told.
enum Told {
    Watch {
        generation: u64,
        watch: Watch,
        paused: bool,
    },
    Rung(Rung),
}

/// How far the streams were that are shown: records, newest head, closed.
type Seen = BTreeMap<StreamId, (u64, Option<u64>, bool)>;

fn seen(hints: &[StreamHint]) -> Seen {
    let far = |hint: &StreamHint| (hint.records, hint.head_index, hint.closed);
    hints.iter().map(|hint| (hint.stream, far(hint))).collect()
}

fn total(seen: &Seen) -> u64 {
    seen.values().map(|(records, ..)| records).sum()
}

struct Watched {
    generation: u64,
    watch: Watch,
    paused: bool,
    seen: Option<Seen>,
}

struct Watcher {
    context: Context,
    source: Source,
    bell: Bell,
    inbox: Receiver<Told>,
    answers: Sender<Msg>,
    watched: Option<Watched>,
    /// When to look next.
    due: Option<Instant>,
    /// Not to read before.
    rested: Instant,
    /// How long the last reading took.
    took: Duration,
    /// How many looks found nothing new.
    settled: usize,
}

/// Starts watching on a thread of its own. Gives what takes [`Effect::Follow`].
pub(super) fn start(
    context: &Context,
    source: Source,
    answers: Sender<Msg>,
) -> Box<dyn Fn(Effect) + Send> {
    let (told, inbox) = mpsc::channel();
    let rung = told.clone();
    let ring = move |ring| rung.send(Told::Rung(ring)).is_ok();
    let Some(bell) = hang(&source, &context.common, &context.environment, ring) else {
        return Box::new(|_| ());
    };
    let mut watcher = Watcher {
        context: context.clone(),
        source,
        bell,
        inbox,
        answers,
        watched: None,
        due: None,
        rested: Instant::now(),
        took: Duration::ZERO,
        settled: 0,
    };
    std::thread::spawn(move || watcher.run());
    Box::new(move |effect| {
        if let Effect::Follow {
            generation,
            watch,
            paused,
        } = effect
        {
            let _ = told.send(Told::Watch {
                generation,
                watch,
                paused,
            });
        }
    })
}

impl Watcher {
    fn run(&mut self) {
        loop {
            let told = match self.due {
                None => self
                    .inbox
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => {
                    let patience = at.saturating_duration_since(Instant::now());
                    self.inbox.recv_timeout(patience)
                }
            };
            let goes_on = match told {
                Ok(told) => self.hear(told),
                Err(RecvTimeoutError::Timeout) => {
                    self.due = None;
                    self.look()
                }
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn hear(&mut self, told: Told) -> bool {
        match told {
            Told::Watch {
                generation,
                watch,
                paused,
            } => {
                let same = self.watched.take().filter(|it| it.generation == generation);
                self.watched = Some(Watched {
                    generation,
                    watch,
                    paused,
                    seen: same.and_then(|it| it.seen),
                });
                self.settled = 0;
                self.look_in(Duration::ZERO);
                true
            }
            Told::Rung(Rung::Sealed) => {
                self.settled = 0;
                self.look_in(BURST);
                true
            }
            Told::Rung(Rung::Lost { why, again }) => self.say(News::Lost { why, again }),
            Told::Rung(Rung::Back) => {
                let (common, environment) = (&self.context.common, &self.context.environment);
                match self.source.again(common, environment) {
                    Ok(source) => self.source = source,
                    // It went away again: the bell notices, too.
                    Err(_) => return true,
                }
                // What was seen through the old opening has to be read through the new one.
                if let Some(watched) = &mut self.watched {
                    watched.seen = watched.seen.take().map(|_| Seen::new());
                }
                self.settled = 0;
                self.look_in(Duration::ZERO);
                self.say(News::Back(self.source.place()))
            }
        }
    }

    /// Looks after a while, or earlier where that was planned before.
    fn look_in(&mut self, wait: Duration) {
        let at = Instant::now() + wait;
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Whether anybody listens.
    fn say(&self, news: News) -> bool {
        let generation = self.watched.as_ref().map_or(0, |it| it.generation);
        self.answers.send(Msg::News { generation, news }).is_ok()
    }

    /// Counts what is new; reads it unless it has to wait.
    fn look(&mut self) -> bool {
        self.bell.heard();
        let Some(watched) = &self.watched else {
            return true;
        };
        // What cannot be read now is waited for: the bell says when it can be.
        let Ok(hints) = self.hints(&watched.watch) else {
            return true;
        };
        let now = seen(&hints);
        let shown = match (&watched.seen, &watched.watch) {
            (Some(shown), _) => shown.clone(),
            (None, Watch::Nothing | Watch::Sessions) => now.clone(),
            (None, Watch::Account { records, open, .. }) if !open && total(&now) == *records => {
                now.clone()
            }
            (None, Watch::Account { .. }) => Seen::new(),
        };
        let first = watched.seen.is_none();
        if now == shown {
            if let Some(wait) = SETTLING.get(self.settled) {
                self.settled += 1;
                self.look_in(*wait);
            }
            self.keep(now);
            return true;
        }
        let new = match (&watched.watch, first) {
            (Watch::Account { records, .. }, true) => total(&now).saturating_sub(*records),
            _ => total(&now).saturating_sub(total(&shown)),
        };
        let rests = Instant::now() < self.rested;
        let paused = watched.paused;
        if paused || rests || self.took > LONG {
            if !self.say(News::Waiting(new)) {
                return false;
            }
            if paused {
                return true;
            }
            if rests {
                self.look_in(COUNT.min(self.rested - Instant::now()));
                return true;
            }
        }
        self.settled = 0;
        self.read(&hints, &shown, now)
    }

    fn keep(&mut self, now: Seen) {
        if let Some(watched) = &mut self.watched {
            watched.seen = Some(now);
        }
    }

    /// Reads, verifies and shows what changed.
    fn read(&mut self, hints: &[StreamHint], shown: &Seen, now: Seen) -> bool {
        let Some(watched) = &self.watched else {
            return true;
        };
        let begun = Instant::now();
        let news = match &watched.watch {
            Watch::Account { query, .. } => self.account(query),
            Watch::Nothing | Watch::Sessions => {
                let changed = hints
                    .iter()
                    .filter(|hint| shown.get(&hint.stream) != now.get(&hint.stream))
                    .cloned()
                    .collect::<Vec<_>>();
                self.sessions(&changed)
            }
        };
        self.took = begun.elapsed();
        self.rested = Instant::now() + self.took.saturating_mul(REST).max(BURST);
        let Ok(news) = news else {
            self.look_in(COUNT.max(self.rested.saturating_duration_since(Instant::now())));
            return true;
        };
        self.keep(now);
        self.look_in(SETTLING[0].max(self.took.saturating_mul(REST)));
        self.say(news)
    }

    fn account(&self, query: &str) -> Result<News, Failure> {
        let account = self.source.account(query)?;
        if account.integrity.status != IntegrityStatus::Intact
            && account.integrity.status != IntegrityStatus::Open
        {
            // A door that went away in the middle says nothing about the record.
            let state = self.source.reader().state();
            state.map_err(|error| failure::of_read(&error))?;
        }
        Ok(News::Account(Box::new(Opened::of(account))))
    }

    fn sessions(&self, changed: &[StreamHint]) -> Result<News, Failure> {
        let mut rows: Vec<SessionRow> = Vec::new();
        for query in sessions::queries(changed) {
            match self.source.account(&query) {
                Ok(account) => rows.extend(sessions::rows(&account)),
                Err(failure @ Failure::Unavailable { .. }) => return Err(failure),
                Err(_) => {}
            }
        }
        let mut listed = HashSet::new();
        rows.retain(|row| listed.insert(row.session.clone()));
        Ok(News::Sessions(rows))
    }

    /// What the index says of the streams that are watched: good enough to know when to read.
    fn hints(&self, watch: &Watch) -> Result<Vec<StreamHint>, Failure> {
        let find = |find: &Find| {
            let found = self.source.reader().find(find);
            found.map_err(|error| failure::of_read(&error))
        };
        match watch {
            Watch::Nothing => Ok(Vec::new()),
            Watch::Sessions => find(&Find::Recent(sessions::RECENT)),
            Watch::Account {
                request, streams, ..
            } => {
                let mut hints = find(&Find::Request(request.clone()))?;
                for stream in streams.iter().filter_map(|it| it.parse::<StreamId>().ok()) {
                    if hints.iter().all(|hint| hint.stream != stream) {
                        hints.extend(find(&Find::Stream(stream))?);
                    }
                }
                Ok(hints)
            }
        }
    }
}
