//! Decisions, and what they led to.

use ledger::otlp::{Attributes, Value};
use vocabulary::attribute as key;
use vocabulary::source::Source;

use super::Fold;
use crate::content;
use crate::model::{Candidates, Content, Decision, Discarded, Evidence, Reasoning};
use crate::told::{Told, plain};

impl Fold {
    pub(super) fn decision(&mut self, told: &Told<'_>) {
        let session = told.at.stream.session;
        let id = told
            .text(key::DECISION_ID)
            .unwrap_or_else(|| told.at.to_string());
        let slot = (session, super::claims(told), id.clone());
        if let Some(known) = self
            .decision_of
            .get(&slot)
            .and_then(|index| self.decisions.get_mut(*index))
        {
            known.evidence.refs.push(told.at);
            return;
        }
        self.decision_of.insert(slot, self.decisions.len());
        if let (Some(of), Some(call)) = (told.text(key::ACTION_ID), told.text(key::TOOL_CALL_ID)) {
            self.calls.push((self.decisions.len(), of, call));
        }
        self.decisions.push(Decision {
            id,
            session,
            at: Some(told.time),
            point: told.word(key::DECISION_POINT),
            made_by: told.word(key::DECISION_MADE_BY),
            question: told.text(key::DECISION_QUESTION),
            criteria: told.text(key::DECISION_CRITERIA),
            ordering: told.text(key::DECISION_ORDERING),
            candidates: candidates(told.item.attributes.get(key::CANDIDATES)),
            considered: told.texts(key::DECISION_CONSIDERED),
            chosen: told.texts(key::DECISION_CHOSEN),
            discarded: discarded(told.item.attributes.get(key::DISCARDED)),
            rationale: told.text(key::DECISION_RATIONALE),
            led_to: Vec::new(),
            evidence: Evidence::new(Source::Stated, vec![told.at])
                .with(&[("led_to", Source::Derived)]),
        });
    }

    pub(super) fn reasoning(&mut self, told: &Told<'_>) {
        let read = content::read(&told.item.attributes, key::CONTENT);
        self.removed(told, read.as_ref());
        let content = read.unwrap_or_else(|| Content::unknown("the record has no content"));
        let row = Reasoning {
            session: told.at.stream.session,
            at: Some(told.time),
            decision: told.text(key::DECISION_ID),
            content,
            evidence: Evidence::new(Source::Stated, vec![told.at]),
        };
        self.reasons.push((row, super::claims(told)));
    }

    /// Reasoning to the decisions that give no reason themselves; it is told on its own as well.
    fn join_reasons(&mut self) {
        for (row, claims) in std::mem::take(&mut self.reasons) {
            let slot = row.decision.clone().map(|id| (row.session, claims, id));
            let index = slot.and_then(|slot| self.decision_of.get(&slot)).copied();
            let decision = index.and_then(|index| self.decisions.get_mut(index));
            if let (Some(decision), Some(text)) = (decision, row.content.as_text()) {
                decision.rationale.get_or_insert_with(|| text.to_owned());
                decision.evidence.refs.extend(&row.evidence.refs);
            }
            self.reasoning.push(row);
        }
    }

    /// Actions to the decisions they name.
    pub(super) fn join_decisions(&mut self) {
        self.join_reasons();
        for act in &self.acts {
            let Some(id) = act.row.decision.clone().filter(|_| !act.recorder_own) else {
                continue;
            };
            let slot = (act.row.session, act.claims, id);
            if let Some(decision) = self
                .decision_of
                .get(&slot)
                .and_then(|index| self.decisions.get_mut(*index))
            {
                decision.led_to.push(act.row.id.clone());
            }
        }
    }
}

fn candidates(value: Option<&Value<'_>>) -> Candidates {
    let count = |number: i64| u64::try_from(number).ok();
    match value {
        Some(Value::Int(number)) => Candidates {
            count: count(*number),
            digest: None,
        },
        Some(Value::Map(map)) => Candidates {
            count: map.int(key::candidates::COUNT).and_then(count),
            digest: map.str(key::candidates::DIGEST).map(str::to_owned),
        },
        _ => Candidates::default(),
    }
}

fn discarded(value: Option<&Value<'_>>) -> Vec<Discarded> {
    let of = |map: &Attributes<'_>| Discarded {
        option: map
            .get(key::discarded::OPTION)
            .and_then(plain)
            .unwrap_or_default(),
        reason: map.get(key::discarded::REASON).and_then(plain),
    };
    let members = value.and_then(Value::as_array).unwrap_or_default();
    members.iter().filter_map(Value::as_map).map(of).collect()
}
