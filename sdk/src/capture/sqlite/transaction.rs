//! Which row changes are still pending, and what became of them.

use super::statement::Control;

/// How a group of pending changes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Committed,
    RolledBack,
    /// It ended where the recorder could not see it.
    Unknown,
}

/// One level: the transaction itself, or a savepoint in it.
#[derive(Debug)]
struct Level {
    /// Empty for the transaction itself.
    savepoint: String,
    /// Ids of groups of changes that share this level's fate.
    groups: Vec<String>,
    /// Whether the last of `groups` may take further changes.
    open: bool,
}

impl Level {
    fn new(savepoint: String) -> Self {
        Self {
            savepoint,
            groups: Vec::new(),
            open: false,
        }
    }
}

/// The levels of the transaction that is open, outermost first; empty outside transactions.
///
/// A savepoint can be rolled back alone, so its changes are a group with an id of their own; releasing it hands the
/// group to the level around it.
#[derive(Debug, Default)]
pub(super) struct Levels {
    levels: Vec<Level>,
    /// Whether the connection was handed out while changes were pending.
    unsure: bool,
}

impl Levels {
    pub(super) fn is_open(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The id under which a change made now is pending; `new_id` makes one where none is open.
    pub(super) fn group(&mut self, new_id: impl FnOnce() -> String) -> String {
        if self.levels.is_empty() {
            self.levels.push(Level::new(String::new()));
        }
        let Some(level) = self.levels.last_mut() else {
            return new_id();
        };
        if !level.open {
            level.groups.push(new_id());
            level.open = true;
        }
        level.groups.last().cloned().unwrap_or_default()
    }

    /// Somebody else had the connection: how this transaction ends may not be seen.
    pub(super) fn handed_out(&mut self) {
        self.unsure = self.is_open();
    }

    /// Follows a control statement that succeeded; `autocommit` is the connection's state after it. Says which
    /// groups were settled by it, oldest first.
    pub(super) fn follow(&mut self, control: &Control, autocommit: bool) -> Vec<(String, Settled)> {
        match control {
            Control::Begin => self.levels.push(Level::new(String::new())),
            Control::Savepoint(name) => {
                if self.levels.is_empty() {
                    self.levels.push(Level::new(String::new()));
                }
                self.levels.push(Level::new(name.clone()));
            }
            Control::Commit => return self.settle_all(Settled::Committed),
            Control::Rollback => return self.settle_all(Settled::RolledBack),
            Control::Release(name) => {
                if autocommit {
                    return self.settle_all(Settled::Committed);
                }
                if let Some(at) = self.find(name) {
                    let groups: Vec<String> = self
                        .levels
                        .drain(at..)
                        .flat_map(|level| level.groups)
                        .collect();
                    if let Some(outer) = self.levels.last_mut() {
                        outer.groups.extend(groups);
                        outer.open = false; // what follows must not share a group with what a savepoint held
                    }
                }
            }
            Control::RollbackTo(name) => {
                if let Some(at) = self.find(name) {
                    let gone = self
                        .levels
                        .drain(at + 1..)
                        .flat_map(|level| level.groups)
                        .collect::<Vec<_>>();
                    let own = self.levels.last_mut().map(|level| {
                        level.open = false;
                        std::mem::take(&mut level.groups)
                    });
                    let groups = own.into_iter().flatten().chain(gone);
                    return groups.map(|id| (id, Settled::RolledBack)).collect();
                }
            }
        }
        Vec::new()
    }

    /// Compares with the connection's state after any other statement: a statement that fails with a rollback ends
    /// the transaction it runs in. Between statements (`ours` false) nobody saw how it ended.
    pub(super) fn notice(&mut self, autocommit: bool, ours: bool) -> Vec<(String, Settled)> {
        match (self.is_open(), autocommit) {
            (true, true) => self.settle_all(if ours {
                Settled::RolledBack
            } else {
                Settled::Unknown
            }),
            (false, false) => {
                self.levels.push(Level::new(String::new()));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn settle_all(&mut self, as_seen: Settled) -> Vec<(String, Settled)> {
        let settled = if std::mem::take(&mut self.unsure) {
            Settled::Unknown
        } else {
            as_seen
        };
        self.levels
            .drain(..)
            .flat_map(|level| level.groups)
            .map(|id| (id, settled))
            .collect()
    }

    /// The innermost savepoint of that name; SQLite compares names without case.
    fn find(&self, name: &str) -> Option<usize> {
        self.levels.iter().rposition(|level| {
            !level.savepoint.is_empty() && level.savepoint.eq_ignore_ascii_case(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> impl FnOnce() -> String + '_ {
        move || text.to_owned()
    }

    #[test]
    fn a_savepoint_rolled_back_takes_only_its_own_changes_along() {
        let mut levels = Levels::default();
        levels.follow(&Control::Begin, false);
        assert_eq!(levels.group(id("outer")), "outer");
        levels.follow(&Control::Savepoint("s".into()), false);
        assert_eq!(levels.group(id("inner")), "inner");
        assert_eq!(levels.group(id("unused")), "inner");
        let gone = levels.follow(&Control::RollbackTo("S".into()), false);
        assert_eq!(gone, [("inner".to_owned(), Settled::RolledBack)]);
        assert_eq!(levels.group(id("again")), "again");
        levels.follow(&Control::Release("s".into()), false);
        assert_eq!(levels.group(id("after")), "after");
        let kept = levels.follow(&Control::Commit, true);
        let committed = |text: &str| (text.to_owned(), Settled::Committed);
        assert_eq!(
            kept,
            [committed("outer"), committed("again"), committed("after")]
        );
    }

    #[test]
    fn an_end_nobody_saw_is_unknown() {
        let mut levels = Levels::default();
        levels.follow(&Control::Begin, false);
        levels.group(id("a"));
        levels.handed_out();
        assert_eq!(
            levels.follow(&Control::Commit, true),
            [("a".to_owned(), Settled::Unknown)]
        );
        levels.follow(&Control::Begin, false);
        levels.group(id("b"));
        assert_eq!(
            levels.notice(true, false),
            [("b".to_owned(), Settled::Unknown)]
        );
    }
}
