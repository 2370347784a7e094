//! From evidence to lines: which findings speak against which property, and in which words.
#![forbid(unsafe_code)]

mod outside;
mod producers;
mod residual;
mod time;

use self::outside::{anchors, witnesses};
use self::residual::residual;
use self::time::{tightest, times};
use super::evidence::{Edge, Evidence, IndexCheck, Reach};
use super::{Line, PolicyOutcome, Property, PropertyState, Report};
use crate::policy::Policy;
use crate::verify::{Finding, FindingKind, KeyState};

impl Report {
    /// Judges what was gathered. Without a policy nobody's witnesses are known, and no property is required.
    #[must_use]
    pub fn judge(evidence: &Evidence, policy: Option<&Policy>) -> Self {
        let (witnesses, weighed) = witnesses(evidence, policy);
        let times = times(evidence, policy, weighed.as_ref());
        let lines = vec![
            integrity(evidence, policy),
            completeness(evidence),
            producers::signatures(evidence),
            producers::gaps(evidence),
            redactions(evidence),
            epochs(evidence),
            witnesses,
            anchors(evidence, policy),
            index(evidence),
        ];
        let mut report = Self {
            lines,
            not_before: tightest(&times, Edge::NotBefore),
            not_after: tightest(&times, Edge::NotAfter),
            times,
            residual: Vec::new(),
            policy: None,
        };
        report.residual = residual(evidence, &report);
        report.policy = policy.map(|policy| required(policy, &report));
        report
    }
}

/// The property that a finding speaks against.
fn against(kind: FindingKind) -> Property {
    match kind {
        FindingKind::Missing | FindingKind::Truncated => Property::Completeness,
        FindingKind::ErasedUnexplained => Property::Redactions,
        FindingKind::Epoch => Property::Epochs,
        FindingKind::Index => Property::Index,
        _ => Property::Integrity,
    }
}

fn words(finding: &Finding) -> String {
    format!("{}: {}", finding.place, finding.what)
}

fn findings(evidence: &Evidence, property: Property) -> Vec<String> {
    let of = evidence
        .findings
        .iter()
        .filter(|it| against(it.kind) == property);
    of.map(words).collect()
}

fn line(property: Property, state: PropertyState, what: impl Into<String>) -> Line {
    Line {
        property,
        state,
        what: what.into(),
        details: Vec::new(),
    }
}

fn failed(property: Property, details: Vec<String>) -> Line {
    let what = match details.as_slice() {
        [one] => one.clone(),
        all => format!("{} findings", all.len()),
    };
    Line {
        property,
        state: PropertyState::Failed,
        what,
        details,
    }
}

/// `1 record`, `2 records`.
fn count(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

fn integrity(evidence: &Evidence, policy: Option<&Policy>) -> Line {
    let mut wrong = findings(evidence, Property::Integrity);
    if let (Some(policy), Some(key)) = (policy, &evidence.key)
        && !policy.accepts(key)
    {
        wrong.push(format!("the policy accepts other keys than {key}"));
    }
    if !wrong.is_empty() {
        return failed(Property::Integrity, wrong);
    }
    let Some(head) = evidence.checkpoint else {
        let what = "there is no checkpoint to check against";
        return line(Property::Integrity, PropertyState::NotChecked, what);
    };
    let key = match (evidence.key_state, policy) {
        (KeyState::Pinned, _) => "the pinned key",
        (_, Some(policy)) if !policy.logs().is_empty() => "a key of the policy",
        _ => "a key seen for the first time",
    };
    let mut what = format!(
        "{} in {} lead to the checkpoint of {} leaves, signed by {key}",
        count(evidence.records, "record"),
        count(evidence.streams, "stream"),
        head.size,
    );
    if !evidence.extends.is_empty() {
        what.push_str(&format!(", which extends {}", evidence.extends.join(", ")));
    }
    let mut line = match &evidence.doubt {
        None => line(Property::Integrity, PropertyState::Shown, what),
        Some(doubt) => line(
            Property::Integrity,
            PropertyState::NotShown,
            format!("{what}; {doubt}"),
        ),
    };
    line.details = evidence
        .key
        .iter()
        .map(|key| format!("key {key}"))
        .collect();
    line
}

fn completeness(evidence: &Evidence) -> Line {
    let wrong = findings(evidence, Property::Completeness);
    if !wrong.is_empty() {
        return failed(Property::Completeness, wrong);
    }
    if evidence.checkpoint.is_none() {
        let what = "there is no signed head to be complete up to";
        return line(Property::Completeness, PropertyState::NotChecked, what);
    }
    if evidence.reach == Reach::Part && evidence.streams == 0 {
        let what = "no stream was asked for: the ledger log alone was checked";
        return line(Property::Completeness, PropertyState::NotChecked, what);
    }
    let running = evidence.streams.saturating_sub(evidence.closed);
    let whole = format!(
        "{} read from 0 to n-1, {} closed, {running} not",
        count(evidence.streams, "stream"),
        evidence.closed
    );
    // A ledger is never finished; what was asked for by name can be.
    let unfinished = evidence.unfinished.unwrap_or(running);
    let open = evidence.reach == Reach::Part && unfinished > 0;
    if evidence.open > 0 {
        let what = format!(
            "{whole}; no signed head covers the last {} yet",
            count(evidence.open, "record")
        );
        return line(Property::Completeness, PropertyState::NotShown, what);
    }
    if let Some(known) = &evidence.unreached {
        let what = format!(
            "{whole}; the leaves that are here do not reach the known checkpoint {known}: export with --known-checkpoint"
        );
        return line(Property::Completeness, PropertyState::NotShown, what);
    }
    if open {
        let what = format!("{whole}; what is there is intact, and it is not over");
        return line(Property::Completeness, PropertyState::NotShown, what);
    }
    line(Property::Completeness, PropertyState::Shown, whole)
}

fn redactions(evidence: &Evidence) -> Line {
    let property = Property::Redactions;
    let wrong = findings(evidence, property);
    if !wrong.is_empty() {
        return failed(property, wrong);
    }
    let what = match evidence.erased {
        0 => "no payload was erased".to_owned(),
        erased => format!(
            "{} erased, each by a leaf that says when and under which reason",
            count(erased, "payload")
        ),
    };
    line(property, PropertyState::Shown, what)
}

fn epochs(evidence: &Evidence) -> Line {
    let property = Property::Epochs;
    let wrong = findings(evidence, property);
    if !wrong.is_empty() {
        return failed(property, wrong);
    }
    match &evidence.epochs {
        None => line(
            property,
            PropertyState::NotChecked,
            "the chain of epoch seals was not read",
        ),
        Some(epochs) => {
            let (state, what) = epochs.describe();
            line(property, state, what)
        }
    }
}

fn index(evidence: &Evidence) -> Line {
    let property = Property::Index;
    let wrong = findings(evidence, property);
    if !wrong.is_empty() {
        return failed(property, wrong);
    }
    match &evidence.index {
        IndexCheck::Rebuilt => line(
            property,
            PropertyState::Shown,
            "made again from the sealed bytes: every row is the same",
        ),
        IndexCheck::Compared => line(
            property,
            PropertyState::Shown,
            "what it says about the streams that were read is what their leaves say",
        ),
        IndexCheck::Asked(streams) => line(
            property,
            PropertyState::Shown,
            format!(
                "what it answers about {}, all there are, is what their leaves say",
                count(*streams, "stream")
            ),
        ),
        IndexCheck::NotChecked(why) => line(property, PropertyState::NotChecked, why.clone()),
    }
}

fn required(policy: &Policy, report: &Report) -> PolicyOutcome {
    let mut unmet = Vec::new();
    for property in policy.required() {
        let state = report.state(*property);
        if state != PropertyState::Shown {
            unmet.push(format!("{property} is required and is {state}"));
        }
    }
    PolicyOutcome { unmet }
}
