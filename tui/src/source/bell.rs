//! A bell that rings when something was sealed: over a reader door by its live tail, beside a folder by looking at it.
//!
//! It rings for whoever reads; what it says is never evidence. A door that is lost is tried again, ever more rarely.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ledger::door::Tail;

use super::Source;
use super::place::{Chosen, Environment, Place};
use crate::args::Common;
use crate::failure::Failure;

/// How often a folder is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The first and the longest wait before a lost door is tried again.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// Why a bell rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    /// Something was sealed, or may have been.
    Sealed,
    /// The place cannot be read now; it is tried again after a while.
    Lost {
        /// What is wrong with it.
        why: String,
        /// When it is tried again.
        again: Duration,
    },
    /// It can be read again; it has to be opened anew.
    Back,
}

/// The far end of a bell: says when the last ring was heard, so that a thousand of them are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell {
    rung: Arc<AtomicBool>,
}

impl Bell {
    /// To be called before looking: what is sealed from now on rings again.
    pub(crate) fn heard(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }
}

/// What is listened to.
enum Ear {
    Door(Tail),
    Folder(PathBuf, Looks),
}

/// How the files of a folder look; whoever writes there changes it.
type Looks = [Option<(u64, SystemTime)>; 2];

/// Hangs a bell beside a place, on a thread of its own, which ends when nobody takes its rings any more.
///
/// It rings at once if something was sealed after `hang` returned. `None` beside a file that never changes.
pub(crate) fn hang(
    source: &Source,
    common: &Common,
    environment: &Environment,
    ring: impl Fn(Rung) -> bool + Send + 'static,
) -> Option<Bell> {
    if source.bundle().is_some() {
        return None;
    }
    let bell = Bell::default();
    let post = Post {
        chosen: source.chosen.clone(),
        common: common.clone(),
        environment: environment.clone(),
        bell: bell.clone(),
    };
    let ear = Ear::at(source);
    std::thread::spawn(move || post.listen(ear, &ring));
    Some(bell)
}

impl Ear {
    fn at(source: &Source) -> Result<Ear, Failure> {
        match (source.tail()?, &source.chosen.place) {
            (Some(tail), _) => Ok(Ear::Door(tail)),
            (None, Place::Folder(folder)) => Ok(Ear::Folder(folder.clone(), looks(folder))),
            (None, other) => Err(Failure::Unavailable {
                place: other.to_string(),
                what: "nothing there can be followed".to_owned(),
                hint: String::new(),
            }),
        }
    }
}

/// Why nothing more is heard where it was listened.
enum Ended {
    /// Nobody takes the rings any more.
    Unheard,
    /// A folder changed: a collector may have come or gone, and then it has to be opened another way.
    Changed,
    /// The place cannot be read now.
    Lost(String),
}

/// Where a bell hangs, for hanging it again.
struct Post {
    chosen: Chosen,
    common: Common,
    environment: Environment,
    bell: Bell,
}

impl Post {
    fn listen(&self, first: Result<Ear, Failure>, ring: &dyn Fn(Rung) -> bool) {
        let mut ear = first;
        let mut lost = false;
        let mut again = WAITS.0;
        loop {
            let ended = match ear {
                Ok(ear) => {
                    if lost && !ring(Rung::Back) {
                        return;
                    }
                    again = WAITS.0;
                    self.ring_while(ear, ring)
                }
                Err(failure) => Ended::Lost(failure.to_string()),
            };
            lost = true;
            match ended {
                Ended::Unheard => return,
                Ended::Changed => {}
                Ended::Lost(why) => {
                    if !ring(Rung::Lost { why, again }) {
                        return;
                    }
                    std::thread::sleep(again);
                    again = again.saturating_mul(2).min(WAITS.1);
                }
            }
            ear = Source::at(self.chosen.clone(), &self.common, &self.environment)
                .and_then(|source| Ear::at(&source));
        }
    }

    /// Rings until the place has to be opened anew.
    fn ring_while(&self, ear: Ear, ring: &dyn Fn(Rung) -> bool) -> Ended {
        match ear {
            Ear::Door(mut tail) => loop {
                if let Err(error) = tail.wait() {
                    return Ended::Lost(format!("its live tail ended: {error}"));
                }
                if !self.rings(ring) {
                    return Ended::Unheard;
                }
            },
            Ear::Folder(folder, before) => loop {
                std::thread::sleep(LOOK);
                if Arc::strong_count(&self.bell.rung) == 1 {
                    return Ended::Unheard;
                }
                if looks(&folder) != before {
                    return Ended::Changed;
                }
            },
        }
    }

    fn rings(&self, ring: &dyn Fn(Rung) -> bool) -> bool {
        self.bell.rung.swap(true, Ordering::SeqCst) || ring(Rung::Sealed)
    }
}

fn looks(folder: &Path) -> Looks {
    ["ledger.db", "ledger.db-wal"].map(|name| {
        let meta = std::fs::metadata(folder.join(name)).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    })
}
