//! How a statement ended: its effect, its diffs, what it returned; alike for every driver.

use vocabulary::{
    Event,
    action::{Access, Effect, Outcome, ReadAfter, ReadBefore},
    attribute,
};

use super::{
    change::{Changes, Read},
    failure::{Failed, Failure, INSUFFICIENT_PRIVILEGE},
    observe::Observed,
    rewrite::Way,
    shared::Shared,
    statement::{Conflict, Verb},
};
use crate::{
    Action, Attributes,
    capture::{
        rows::Returned,
        step::{self, End},
    },
};

/// How many rows a statement counted, and those that it returned.
pub(super) type Gave = (u64, Returned);

impl Shared {
    /// Ends the action with what was seen.
    pub(super) fn record<E: Failed>(
        &self,
        begun: Action,
        observed: &Observed,
        result: Result<Gave, &E>,
        changes: Changes,
    ) {
        let inside = self.in_transaction();
        let failure = result.as_ref().err().map(|error| error.failure());
        let effect = match failure {
            Some(Failure::Lost) if !inside && !observed.only_reads() => Effect::Unknown,
            Some(_) => Effect::None,
            None if observed.only_reads() => Effect::None,
            None if inside => Effect::Pending,
            None if observed.access == Access::Execute => Effect::Unknown,
            None => Effect::Committed,
        };
        if matches!(
            observed.verb.as_str(),
            "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "PREPARE"
        ) {
            self.handed_out(); // control that is not followed, as `COMMIT AND CHAIN`
        }
        let lost = failure == Some(Failure::Lost) && !changes.all.is_empty();
        if (failure.is_none() || lost) && !observed.only_reads() {
            self.diffs(&begun, observed, changes, effect);
        }
        match failure {
            Some(Failure::Refused) => self.failed(),
            Some(Failure::Lost) => self.lost(),
            Some(Failure::NotSent) | None => {}
        }
        end(begun, result, failure, effect);
    }

    fn diffs(&self, begun: &Action, observed: &Observed, changes: Changes, effect: Effect) {
        let group = self.group();
        let database = &self.database;
        let mut all = Vec::new();
        let together = self.in_transaction() || self.wraps;
        if let (Some(table), Some((write, plan))) = (&observed.table, &observed.write) {
            let along = matches!(plan.way, Way::Along(_));
            let told = match write.verb {
                Verb::Insert => write.conflict == Conflict::Spared,
                Verb::Delete => along,
                Verb::Update => false,
            };
            let read = Read {
                before: if plan.locked || told {
                    ReadBefore::InTransaction
                } else {
                    ReadBefore::Unlocked
                },
                after: if along || together {
                    ReadAfter::InTransaction
                } else {
                    ReadAfter::LaterRead
                },
            };
            all.extend(
                changes
                    .all
                    .iter()
                    .map(|change| change.diff(database, table, read)),
            );
        }
        let unseen = observed.unseen.iter().chain(&changes.unseen);
        all.extend(unseen.map(|why| observed.missing(database, why)));
        for diff in all {
            let diff = diff.effect(effect);
            begun.diff(match group {
                Some(group) => diff.transaction(group),
                None => diff,
            });
        }
    }
}

fn end<E: Failed>(
    begun: Action,
    result: Result<Gave, &E>,
    failure: Option<Failure>,
    effect: Effect,
) {
    let mut attributes = Attributes::new();
    let mut output = None;
    let (outcome, text, fault) = match result {
        Ok((count, returned)) => {
            output = (returned.rows > 0).then(|| returned.content());
            attributes.int(attribute::DB_ROWS, i64::try_from(count).unwrap_or(i64::MAX));
            (
                Outcome::Success,
                format!("{count} {}", if count == 1 { "row" } else { "rows" }),
                None,
            )
        }
        Err(error) => {
            if error.sqlstate() == Some(INSUFFICIENT_PRIVILEGE) {
                begun.security(
                    Event::SecurityAccessUnauthorized,
                    &error.to_string(),
                    &Attributes::new(),
                );
            }
            let outcome = match failure {
                Some(Failure::Lost) => Outcome::Unknown,
                _ => Outcome::Failure,
            };
            (outcome, "failed".to_owned(), Some(error.fault()))
        }
    };
    step::end(
        begun,
        End {
            outcome,
            effect,
            result: text,
            output,
            fault,
            attributes,
        },
    );
}
