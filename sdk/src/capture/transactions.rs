//! Which row changes are still pending, and what became of them.

/// A statement that opens, settles or narrows a transaction. Names are as the database compares them: folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

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
struct Level<I> {
    /// Empty for the transaction itself.
    savepoint: String,
    /// Ids of groups of changes that share this level's fate.
    groups: Vec<I>,
    /// Whether the last of `groups` may take further changes.
    open: bool,
}

impl<I> Level<I> {
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
#[derive(Debug)]
pub(super) struct Levels<I> {
    levels: Vec<Level<I>>,
    /// Whether the connection was handed out while changes were pending.
    unsure: bool,
}

impl<I> Default for Levels<I> {
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            unsure: false,
        }
    }
}

impl<I: Copy> Levels<I> {
    pub(super) fn is_open(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The id under which a change made now is pending; `new_id` makes one where none is open.
    pub(super) fn group(&mut self, new_id: impl FnOnce() -> I) -> I {
        if self.levels.is_empty() {
            self.levels.push(Level::new(String::new()));
        }
        let Some(level) = self.levels.last_mut() else {
            return new_id();
        };
        match level.groups.last() {
            Some(group) if level.open => *group,
            _ => {
                let group = new_id();
                level.groups.push(group);
                level.open = true;
                group
            }
        }
    }

    /// Somebody else had the connection: how this transaction ends may not be seen.
    pub(super) fn handed_out(&mut self) {
        self.unsure = self.is_open();
    }

    /// Follows a control statement that succeeded; `autocommit` is the connection's state after it. Says which
    /// groups were settled by it, oldest first.
    pub(super) fn follow(&mut self, control: &Control, autocommit: bool) -> Vec<(I, Settled)> {
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
                    let groups: Vec<I> = self
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
                        .collect::<Vec<I>>();
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
    pub(super) fn notice(&mut self, autocommit: bool, ours: bool) -> Vec<(I, Settled)> {
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

    /// The recorder lets go of the connection: how an open transaction ends will not be seen.
    pub(super) fn close(&mut self) -> Vec<(I, Settled)> {
        self.settle_all(Settled::Unknown)
    }

    fn settle_all(&mut self, as_seen: Settled) -> Vec<(I, Settled)> {
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

    /// The innermost savepoint of that name.
    fn find(&self, name: &str) -> Option<usize> {
        self.levels
            .iter()
            .rposition(|level| !level.savepoint.is_empty() && level.savepoint == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &'static str) -> impl FnOnce() -> &'static str {
        move || text
    }

    #[test]
    fn a_savepoint_rolled_back_takes_only_its_own_changes_along() {
        let mut levels = Levels::default();
        levels.follow(&Control::Begin, false);
        assert_eq!(levels.group(id("outer")), "outer");
        levels.follow(&Control::Savepoint("s".into()), false);
        assert_eq!(levels.group(id("inner")), "inner");
        assert_eq!(levels.group(id("unused")), "inner");
        let gone = levels.follow(&Control::RollbackTo("s".into()), false);
        assert_eq!(gone, [("inner", Settled::RolledBack)]);
        assert_eq!(levels.group(id("again")), "again");
        levels.follow(&Control::Release("s".into()), false);
        assert_eq!(levels.group(id("after")), "after");
        let kept = levels.follow(&Control::Commit, true);
        let committed = |text| (text, Settled::Committed);
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
            [("a", Settled::Unknown)]
        );
        levels.follow(&Control::Begin, false);
        levels.group(id("b"));
        assert_eq!(levels.notice(true, false), [("b", Settled::Unknown)]);
    }
}
