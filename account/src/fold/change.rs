//! Diffs and the transactions that settle them.

use std::collections::HashMap;
use vocabulary::action::{Effect, Kind, TransactionOutcome};
use vocabulary::attribute as key;
use vocabulary::source::Source;

use super::Fold;
use crate::content;
use crate::model::{Content, Diff, Evidence};
use crate::patch;
use crate::told::Told;

/// One diff while its records are read.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) row: Diff,
    /// The transaction it belongs to.
    pub(crate) transaction: Option<String>,
    /// It comes from another producer's claims.
    pub(crate) claims: bool,
    /// Its action, by position in the fold.
    pub(crate) act: Option<usize>,
    /// Why its sides cannot be compared.
    pub(crate) no_patch: Option<&'static str>,
}

impl Fold {
    pub(super) fn diff(&mut self, told: &Told<'_>) {
        let side = |name: &str| {
            content::read(&told.item.attributes, name)
                .unwrap_or_else(|| Content::unknown("the diff has no such side"))
        };
        let (before, after) = (side(key::BEFORE), side(key::AFTER));
        self.removed(told, Some(&before));
        self.removed(told, Some(&after));
        let (patch, patch_format, no_patch) = patch::between(&before, &after);
        let row = Diff {
            id: told
                .text(key::DIFF_ID)
                .unwrap_or_else(|| told.at.to_string()),
            session: told.at.stream.session,
            action: told.text(key::ACTION_ID),
            at: Some(told.time),
            resource: told.text(key::RESOURCE).unwrap_or_default(),
            kind: Kind::Other("unknown".into()),
            before,
            after,
            patch,
            patch_format,
            read_before: told.word(key::READ_BEFORE),
            read_after: told.word(key::READ_AFTER),
            effect: told.word(key::EFFECT).unwrap_or(Effect::Unknown),
            in_scope: None,
            evidence: Evidence::new(Self::source(told, Source::Observed), vec![told.at]),
        };
        let transaction = told.text(key::TRANSACTION_ID);
        self.changes.push(Change {
            row,
            transaction,
            claims: super::claims(told),
            act: None,
            no_patch,
        });
    }

    pub(super) fn transaction(&mut self, told: &Told<'_>) {
        let Some(id) = told.text(key::TRANSACTION_ID) else {
            return;
        };
        let outcome = told
            .word(key::TRANSACTION_OUTCOME)
            .unwrap_or(TransactionOutcome::Unknown);
        if !super::claims(told) {
            self.transactions
                .insert((told.at.stream.session, id), (outcome, told.at));
        }
    }

    /// Effects that waited for their transaction, and actions that waited for their diffs.
    pub(super) fn settle(&mut self) {
        for change in &mut self.changes {
            let settled = change
                .transaction
                .as_ref()
                .and_then(|id| self.transactions.get(&(change.row.session, id.clone())));
            if let (Effect::Pending, Some((outcome, at))) = (change.row.effect, settled) {
                change.row.effect = effect(*outcome);
                change.row.evidence.refs.push(*at);
                derive(&mut change.row.evidence, "effect");
            }
            let id = change.row.action.as_deref().unwrap_or_default();
            let slot = (change.row.session, change.claims, id.to_owned());
            change.act = self.act_of.get(&slot).copied();
            if let Some(act) = change.act.and_then(|index| self.acts.get(index)) {
                change.row.kind = act.row.kind.clone();
            } else if let Some((kind, _)) = change.row.resource.split_once(':') {
                change.row.kind = Kind::read(kind);
            }
        }
        self.settle_actions();
    }

    fn settle_actions(&mut self) {
        let mut effects: HashMap<usize, Effect> = HashMap::new();
        for change in &self.changes {
            let Some(index) = change.act else { continue };
            let worst = effects.entry(index).or_insert(change.row.effect);
            if *worst != change.row.effect {
                *worst = Effect::Unknown;
            }
        }
        for (index, act) in self.acts.iter_mut().enumerate() {
            if act.row.effect != Effect::Pending {
                continue;
            }
            let by_transaction = act
                .transaction
                .as_ref()
                .and_then(|id| self.transactions.get(&(act.row.session, id.clone())));
            let settled = effects
                .get(&index)
                .copied()
                .filter(|effect| *effect != Effect::Pending);
            let settled = settled.or_else(|| by_transaction.map(|(outcome, _)| effect(*outcome)));
            if let Some(effect) = settled {
                act.row.effect = effect;
                derive(&mut act.row.evidence, "effect");
            }
        }
    }
}

fn effect(outcome: TransactionOutcome) -> Effect {
    match outcome {
        TransactionOutcome::Committed => Effect::Committed,
        TransactionOutcome::RolledBack => Effect::RolledBack,
        TransactionOutcome::Unknown => Effect::Unknown,
    }
}

/// Marks one field as derived.
fn derive(evidence: &mut Evidence, field: &str) {
    evidence.source_of.insert(field.to_owned(), Source::Derived);
}
