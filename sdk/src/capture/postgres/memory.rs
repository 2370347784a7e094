//! Statements that ran before on this connection, kept prepared with what was found out about them.
//!
//! To parse and plan a statement that reads along takes the server several times as long as to run it, so from the
//! second time on it stays prepared. It is used again only after the stamp of its table was read again; decision 40
//! says which statements are kept, and why these only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::Statement as Prepared;

use super::{observe::Observed, rewrite::Way};

/// How many statements are kept prepared.
const STATEMENTS: usize = 64;

/// How long a text may be that is kept, in bytes.
const TEXT: usize = 16 << 10;

/// A statement that reads along, ready to run.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) observed: Observed,
    pub(super) along: Prepared,
    /// The question whether its table is as it was.
    pub(super) stamp: Prepared,
}

impl Ready {
    /// Whether it is what is to be run for what was found out now.
    pub(super) fn is_of(&self, observed: &Observed) -> bool {
        let way = |observed: &Observed| observed.write.as_ref().map(|(_, plan)| plan.clone());
        self.observed.table == observed.table && way(&self.observed) == way(observed)
    }
}

#[derive(Default)]
pub(super) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Whether the connection leads to one server process and nobody else uses it.
    on: bool,
    /// By text; nothing is prepared for one that was seen once.
    seen: HashMap<String, (u64, Option<Arc<Ready>>)>,
    uses: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    pub(super) fn new(on: bool) -> Self {
        let kept = Kept {
            on,
            ..Kept::default()
        };
        Self {
            kept: Mutex::new(kept),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is ready for this text.
    pub(super) fn ready(&self, sql: &str) -> Option<Arc<Ready>> {
        let mut kept = self.kept();
        kept.uses += 1;
        let now = kept.uses;
        let (used, ready) = kept.seen.get_mut(sql)?;
        *used = now;
        ready.clone()
    }

    /// Whether a text that runs now for the second time is to be kept.
    pub(super) fn is_second(&self, sql: &str) -> bool {
        let mut kept = self.kept();
        if !kept.on || sql.len() > TEXT {
            return false;
        }
        if kept.seen.contains_key(sql) {
            return true;
        }
        if kept.seen.len() >= STATEMENTS {
            let oldest = kept.seen.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(sql, _)| sql.clone()) {
                kept.seen.remove(&oldest);
            }
        }
        let now = kept.uses;
        kept.seen.insert(sql.to_owned(), (now, None));
        false
    }

    pub(super) fn keep(&self, sql: &str, ready: &Arc<Ready>) {
        let mut kept = self.kept();
        if kept.on {
            let now = kept.uses;
            kept.seen
                .insert(sql.to_owned(), (now, Some(Arc::clone(ready))));
        }
    }

    /// The question after a table, if it is prepared.
    pub(super) fn stamp(&self) -> Option<Prepared> {
        let kept = self.kept();
        let mut all = kept.seen.values().filter_map(|(_, ready)| ready.as_ref());
        all.next().map(|ready| ready.stamp.clone())
    }

    /// What is prepared may be gone.
    pub(super) fn forget(&self) {
        self.kept().seen.clear();
    }

    /// From now on somebody else uses the connection too.
    pub(super) fn stop(&self) {
        let mut kept = self.kept();
        kept.on = false;
        kept.seen.clear();
    }
}

/// Whether nothing that `sql` means depends on anything but its parameters, its one table, and what the server itself
/// looks at again: what a text in quotes stands for (`'now'`, `'today'`) is decided once when it is prepared.
pub(super) fn may_stay(sql: &str, observed: &Observed) -> bool {
    let (Some((write, plan)), Some(table)) = (&observed.write, &observed.table) else {
        return false;
    };
    matches!(plan.way, Way::Along(_))
        && table.whole
        && write.from.is_none()
        && write.functions.is_empty()
        && is_plain(sql)
}

/// Whether a text has no literal in quotes and no query within.
fn is_plain(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let quoted = bytes.contains(&b'\'')
        || bytes
            .windows(2)
            .any(|pair| matches!(pair, [b'$', next] if !next.is_ascii_digit()));
    let queries = bytes
        .windows(6)
        .any(|word| word.eq_ignore_ascii_case(b"select"));
    !quoted && !queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_moment_it_is_read_is_not_kept() {
        assert!(is_plain(
            "UPDATE t SET at = now(), n = $1 + 1 WHERE id = $2"
        ));
        for sql in [
            "UPDATE t SET at = 'now' WHERE id = $1",
            "UPDATE t SET at = $$now$$ WHERE id = $1",
            "UPDATE t SET at = $a$now$a$ WHERE id = $1",
            "UPDATE t SET n = (Select max(n) FROM u) WHERE id = $1",
        ] {
            assert!(!is_plain(sql), "{sql}");
        }
    }

    #[test]
    fn a_statement_is_kept_from_its_second_time_on_and_the_least_used_gives_way() {
        let memory = Memory::new(true);
        assert!(!memory.is_second("a"));
        assert!(memory.is_second("a"));
        for n in 0..STATEMENTS {
            memory.ready("a");
            assert!(!memory.is_second(&n.to_string()));
        }
        assert!(memory.is_second("a"));
        assert!(!memory.is_second("0"), "it gave way");
        memory.forget();
        assert!(!memory.is_second("a"));
        memory.stop();
        assert!(!memory.is_second("a") && !memory.is_second("a"));
    }
}
