//! One row of the red team: who attacks with which capabilities, what detects it, when, and what risk remains.

use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::case::Case;
use tests::need::Need;

/// One attack.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    /// Its name in every document: a family's letter and a number.
    pub(crate) id: &'static str,
    /// What is done.
    pub(crate) name: &'static str,
    /// The adversary.
    pub(crate) tier: Tier,
    /// What the adversary reads, writes and holds beyond the tier's name.
    pub(crate) can: &'static str,
    /// What brings it to light, or keeps it from happening.
    pub(crate) by: &'static str,
    /// When. Exactly these, or the test fails.
    pub(crate) when: &'static [When],
    /// What stays possible.
    pub(crate) residual: &'static str,
    /// How it ends.
    pub(crate) end: End,
}

/// The adversary carries out the attack and asks the detectors.
pub(crate) type Play = fn(&mut Case) -> Result<(), Failed>;

/// How an attack ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// A detector names what was done.
    Detected(Play),
    /// It does not succeed.
    Prevented(Play),
    /// It cannot be detected from what there is, and that is what is said.
    Reported(Play),
    /// The defence does not exist. Nothing detects it.
    #[expect(
        dead_code,
        reason = "every attack that is named has its defence or its report; a new one may not"
    )]
    NotBuilt,
}

impl End {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Detected(_) => "detected",
            Self::Prevented(_) => "prevented",
            Self::Reported(_) => "reported as not proven",
            Self::NotBuilt => "NOT BUILT",
        }
    }

    pub(crate) fn play(self) -> Option<Play> {
        match self {
            Self::Detected(play) | Self::Prevented(play) | Self::Reported(play) => Some(play),
            Self::NotBuilt => None,
        }
    }
}

/// The tiers of adversaries, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// An agent, or anyone who reaches the agent door.
    A0,
    /// Edits files while nobody looks; holds no keys.
    A1,
    /// Root on the collector's machine from some moment on: files and the keys that are there.
    A2,
    /// Owns the collector from its first record.
    A3,
    /// Nobody: an accident.
    Accident,
}

impl Tier {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::A0 => "A0 agent",
            Self::A1 => "A1 file editor",
            Self::A2 => "A2 root",
            Self::A3 => "A3 operator",
            Self::Accident => "accident",
        }
    }
}

/// When an attack comes to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    /// At once, by the answer or by the collector itself.
    Ingest,
    /// At the next `verify`, start of the collector, or reading.
    Verify,
    /// When something kept elsewhere is compared: a checkpoint, a receipt, a witness, an anchor, a pinned key.
    Anchor,
}

impl When {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Ingest => "I",
            Self::Verify => "V",
            Self::Anchor => "A",
        }
    }

    pub(crate) fn letters(when: &[Self]) -> String {
        if when.is_empty() {
            return "–".to_owned();
        }
        let letters: Vec<_> = when.iter().map(|when| when.letter()).collect();
        letters.join("/")
    }
}

/// What a few attacks need beyond a Rust toolchain.
const NEEDS: &[(&str, Need)] = &[
    ("O01", Need::Strace),
    ("O02", Need::Strace),
    ("O05", Need::Strace),
    ("O10", Need::OpenSsl),
];

impl Attack {
    /// Why it cannot be carried out here.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let need = NEEDS.iter().find(|(id, _)| *id == self.id);
        need.and_then(|(_, need)| need.missing())
            .filter(|_| !Need::required())
    }

    /// The attack itself, and the same with an adversary who does nothing: that one must not be "detected".
    pub(crate) fn trials(&'static self) -> Vec<Trial> {
        let Some(play) = self.end.play() else {
            let name = format!("{} {} (not built)", self.id, self.name);
            return vec![Trial::test(name, || Ok(())).with_ignored_flag(true)];
        };
        if let Some(why) = self.missing() {
            let name = format!("{} {} ({why})", self.id, self.name);
            return vec![Trial::test(name, || Ok(())).with_ignored_flag(true)];
        }
        let attacked = Trial::test(format!("{} {}", self.id, self.name), move || {
            let outcome = self.carry_out(play);
            record(self.id, outcome.is_ok());
            outcome
        });
        let idle = Trial::test(
            format!("{} is not seen where nothing was done", self.id),
            move || match self.judge(play, Case::idle()?) {
                Err(_) => Ok(()),
                Ok(()) => Err("the row passes although the adversary did nothing".into()),
            },
        );
        vec![attacked, idle]
    }

    fn carry_out(&self, play: Play) -> Result<(), Failed> {
        self.judge(play, Case::new()?)
    }

    fn judge(&self, play: Play, mut case: Case) -> Result<(), Failed> {
        play(&mut case)?;
        let seen = case.seen();
        if seen != self.when {
            let (seen, said) = (When::letters(&seen), When::letters(self.when));
            return Err(format!("came to light at {seen}, the row says {said}").into());
        }
        Ok(())
    }
}

static VERDICTS: Mutex<BTreeMap<&'static str, bool>> = Mutex::new(BTreeMap::new());

fn record(id: &'static str, passed: bool) {
    let mut verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
    verdicts.insert(id, passed);
}

/// How the row went in this run; `None` where it was filtered out.
pub(crate) fn verdict(id: &str) -> Option<bool> {
    let verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
    verdicts.get(id).copied()
}
