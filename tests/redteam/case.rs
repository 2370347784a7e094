//! One attack under way: the adversary's hand on a copy of the store, and the detectors that are asked afterwards.

use collector_lite::Hidden;
use ledger::reader::{Find, Reader as _};
use ledger::store::Folder;
use ledger::tree::{Frontier, hash_leaf};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use tests::outcome::Outcome;
use tests::program::Program::{self, Collector, Recount};

use super::attack::When;
use super::scene::{self, Base};

/// A folder of its own for one attack, with a copy of the base store in it.
pub(crate) struct Case {
    folder: tempfile::TempDir,
    base: &'static Base,
    seen: Vec<When>,
    idle: bool,
}

/// What `verify` said.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Kind and words of each finding.
    pub(crate) findings: Vec<(String, String)>,
    /// Everything it printed.
    pub(crate) said: String,
}

impl Case {
    pub(crate) fn new() -> Result<Self, Failed> {
        let (folder, base) = (tempfile::tempdir()?, scene::base()?);
        scene::copy(&base.store(), &folder.path().join("store"))?;
        Ok(Self {
            folder,
            base,
            seen: Vec::new(),
            idle: false,
        })
    }

    /// The same with an adversary who does nothing.
    pub(crate) fn idle() -> Result<Self, Failed> {
        Ok(Self {
            idle: true,
            ..Self::new()?
        })
    }

    /// Goes on with a copy of another store.
    pub(crate) fn stand_on(&self, store: &Path) -> Result<(), Failed> {
        std::fs::remove_dir_all(self.store())?;
        scene::copy(store, &self.store())
    }

    /// Its copy of the store.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// A place outside the store that the adversary does not reach.
    pub(crate) fn elsewhere(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn base(&self) -> &'static Base {
        self.base
    }

    /// When it came to light so far.
    pub(crate) fn seen(&self) -> Vec<When> {
        let mut seen = self.seen.clone();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// Notes that it came to light.
    pub(crate) fn caught(&mut self, when: When) {
        self.seen.push(when);
    }

    /// A1: all files of the store, and no key: they are out of reach while the hand is at work.
    pub(crate) fn as_file_editor<T: Default>(
        &mut self,
        hand: impl FnOnce(&Path) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let (keys, aside) = (
            self.store().join("keys"),
            self.elsewhere("keys out of reach"),
        );
        std::fs::rename(&keys, &aside)?;
        let done = self.attack(hand);
        // A hand that took the whole folder away leaves no place for the keys.
        if self.store().is_dir() && !keys.exists() {
            std::fs::rename(&aside, &keys)?;
        }
        done
    }

    /// A2 and A3: everything on the machine, and A0: whatever the closure holds, which is a door.
    pub(crate) fn attack<T: Default>(
        &mut self,
        hand: impl FnOnce(&Path) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.idle {
            return Ok(T::default());
        }
        hand(&self.store())
    }

    /// What an adversary makes without touching anything: a forged proof, a hostile export.
    pub(crate) fn forge<T>(&self, hand: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        if self.idle {
            return Err("nothing was forged".into());
        }
        hand()
    }

    /// Verifies the whole store with its key.
    pub(crate) fn verify(&self) -> Result<Verified, Failed> {
        self.verify_with(&["--key", &self.base.key])
    }

    /// Verifies against a checkpoint that was kept elsewhere.
    pub(crate) fn verify_since(&self, checkpoint: &Path) -> Result<Verified, Failed> {
        let checkpoint = checkpoint.to_str().ok_or("a path in UTF-8")?;
        self.verify_with(&["--key", &self.base.key, "--known-checkpoint", checkpoint])
    }

    pub(crate) fn verify_with(&self, more: &[&str]) -> Result<Verified, Failed> {
        let mut command = Collector.command()?;
        command.args(["verify", "-o", "json", "--reader", "none", "--store"]);
        let ended = Outcome::of(command.arg(self.store()).args(more))?;
        let findings = ended.json().ok().and_then(|json| {
            let words = |finding: &serde_json::Value, key: &str| {
                finding[key].as_str().unwrap_or_default().to_owned()
            };
            let list = json["findings"].as_array()?;
            let pairs = list
                .iter()
                .map(|one| (words(one, "kind"), words(one, "what")));
            Some(pairs.collect())
        });
        Ok(Verified {
            code: ended.code,
            findings: findings.unwrap_or_default(),
            said: format!("{}\n{}", ended.out, ended.err),
        })
    }

    /// `verify` must end with 3 and name this kind of finding with these words.
    pub(crate) fn verify_finds(&mut self, kind: &str, words: &str) -> Result<(), Failed> {
        self.verify()?.finds(kind, words)?;
        self.caught(When::Verify);
        Ok(())
    }

    /// The collector must refuse to start, with these words.
    pub(crate) fn start_refuses(&mut self, words: &str) -> Result<(), Failed> {
        if let Ok(mut started) = scene::serve(&self.store(), &[]) {
            started.stop()?;
            return Err("the collector starts".into());
        }
        let ended = Outcome::of(&mut scene::serve_command(&self.store(), &[])?)?;
        if !ended.err.contains(words) || !ended.err.contains("hint:") {
            return Err(format!("no {words:?} or no hint in: {}", ended.err).into());
        }
        self.caught(When::Verify);
        Ok(())
    }

    /// A receipt that a sender holds must name a tree that this store does not continue.
    pub(crate) fn receipt_is_not_covered(
        &mut self,
        receipt: &serde_json::Value,
    ) -> Result<(), Failed> {
        let folder = Folder::open(&self.store())?;
        let named = &receipt["streams"][0];
        let number = |key: &str| named[key].as_u64().ok_or("a number");
        let size = number("first")? + number("count")?;
        let mut frontier = Frontier::new();
        for hint in folder.find(&Find::All)? {
            if named["stream"] == *hint.stream.to_string() {
                for stored in folder.records(&hint.stream, 0, size)? {
                    frontier.append(hash_leaf(&stored.leaf));
                }
            }
        }
        let root: String = frontier
            .root()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if frontier.size() == size && named["root"] == *root {
            return Err("the ledger continues what the receipt names".into());
        }
        self.caught(When::Anchor);
        Ok(())
    }

    /// A collector on the store.
    pub(crate) fn start(&self) -> Result<Hidden, Failed> {
        scene::serve(&self.store(), &[])
    }

    /// A program of the product with a home of its own, whose memory (pinned keys) lasts for the case.
    pub(crate) fn reader(&self, program: Program, args: &[&str]) -> Result<Outcome, Failed> {
        let mut command = program.command()?;
        command
            .args(args)
            .env("XDG_CONFIG_HOME", self.elsewhere("config"))
            .env("XDG_STATE_HOME", self.elsewhere("state"))
            .env_remove("XDG_RUNTIME_DIR");
        Ok(Outcome::of(&mut command)?)
    }

    /// The account of a session or request, whatever it ended with.
    pub(crate) fn account(&self, query: &str) -> Result<serde_json::Value, Failed> {
        Ok(self.recount(&["show", query, "-o", "json"])?.json()?)
    }

    /// `recount … --store` on the case's store.
    pub(crate) fn recount(&self, args: &[&str]) -> Result<Outcome, Failed> {
        let store = self.store();
        let store = store.to_str().ok_or("a path in UTF-8")?;
        self.reader(Recount, &[args, &["--store", store]].concat())
    }
}

/// Whether an account lists a problem of this kind.
pub(crate) fn has_problem(account: &serde_json::Value, kind: &str) -> bool {
    let problems = account["problems"].as_array();
    problems.is_some_and(|list| list.iter().any(|problem| problem["kind"] == kind))
}

impl Verified {
    /// It must have ended with 3 and name this kind of finding with these words.
    pub(crate) fn finds(&self, kind: &str, words: &str) -> Result<(), Failed> {
        let named = self
            .findings
            .iter()
            .any(|(found, what)| found == kind && what.contains(words));
        if self.code == Some(3) && named {
            return Ok(());
        }
        Err(format!("verify does not name {kind} {words:?}: {}", self.said).into())
    }

    /// It must have found nothing.
    pub(crate) fn finds_nothing(&self) -> Result<(), Failed> {
        if matches!(self.code, Some(0 | 6)) && self.findings.is_empty() {
            return Ok(());
        }
        Err(format!("verify finds something: {}", self.said).into())
    }
}
