//! From evidence to lines: which findings speak against which property, and in which words.
#![forbid(unsafe_code)]

use super::evidence::{Bound, Evidence, IndexCheck, Reach};
use super::{Line, PolicyOutcome, Property, PropertyState, Report};
use crate::note::Note;
use crate::policy::{Policy, Quorum};
use crate::verify::{Finding, FindingKind, KeyState};

impl Report {
    /// Judges what was gathered. Without a policy nobody's witnesses are known, and no property is required.
    #[must_use]
    pub fn judge(evidence: &Evidence, policy: Option<&Policy>) -> Self {
        let (witnesses, quorum) = witnesses(evidence, policy);
        let not_after = not_after(evidence, quorum.as_ref());
        let not_before = evidence.not_before.clone();
        let lines = vec![
            integrity(evidence, policy),
            completeness(evidence),
            producer_signatures(evidence),
            producer_gaps(evidence),
            redactions(evidence),
            epochs(evidence),
            witnesses,
            anchors(evidence, policy),
            index(evidence),
        ];
        let mut report = Self {
            lines,
            not_before,
            not_after,
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
    line(Property::Integrity, PropertyState::Shown, what)
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
    if open {
        let what = format!("{whole}; what is there is intact, and it is not over");
        return line(Property::Completeness, PropertyState::NotShown, what);
    }
    line(Property::Completeness, PropertyState::Shown, whole)
}

fn producer_signatures(evidence: &Evidence) -> Line {
    let property = Property::ProducerSignatures;
    let Some(producers) = &evidence.producers else {
        let what = "the records' own chains and signatures were not looked at";
        return line(property, PropertyState::NotChecked, what);
    };
    if !producers.broken.is_empty() {
        return failed(property, producers.broken.clone());
    }
    let percent = |part: u64| (100 * part).checked_div(producers.records).unwrap_or(100);
    let Some(signed) = producers.signed else {
        let what = format!(
            "signatures were not counted here; {} % of {} are numbered and chained by their producer",
            percent(producers.numbered),
            count(producers.records, "record"),
        );
        return line(property, PropertyState::NotChecked, what);
    };
    let what = format!(
        "{} % signed by their producer ({signed} of {}), {} % numbered and chained",
        percent(signed),
        count(producers.records, "record"),
        percent(producers.numbered),
    );
    let state = if signed == producers.records && producers.records > 0 {
        PropertyState::Shown
    } else {
        PropertyState::NotShown
    };
    line(property, state, what)
}

fn producer_gaps(evidence: &Evidence) -> Line {
    let property = Property::ProducerGaps;
    if evidence.gap_leaves > 0 && evidence.producers.is_none() {
        let what = format!(
            "{} in the ledger log: numbers that never came",
            count(evidence.gap_leaves, "gap leaf").replace("leafs", "leaves")
        );
        return line(property, PropertyState::NotShown, what);
    }
    let Some(producers) = &evidence.producers else {
        let what = "the records' own numbers were not looked at";
        return line(property, PropertyState::NotChecked, what);
    };
    if producers.missing + producers.declared > 0 {
        let what = format!(
            "{} missing, {} of them declared",
            count(producers.missing + producers.declared, "number"),
            producers.declared
        );
        let mut line = line(property, PropertyState::NotShown, what);
        line.details = producers.gaps.clone();
        return line;
    }
    let unnumbered = producers.records.saturating_sub(producers.numbered);
    let what = format!(
        "no number is missing among {}",
        count(producers.numbered, "numbered record")
    );
    match (producers.numbered, unnumbered) {
        (0, _) => line(
            property,
            PropertyState::NotChecked,
            "no producer numbers its records: what was never sent does not show",
        ),
        (_, 0) => line(property, PropertyState::Shown, what),
        (_, rest) => line(
            property,
            PropertyState::Shown,
            format!("{what}; {rest} more carry no number"),
        ),
    }
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

fn witnesses(evidence: &Evidence, policy: Option<&Policy>) -> (Line, Option<Quorum>) {
    let property = Property::Witnesses;
    let note = evidence.note.as_deref().map(Note::parse);
    let (Some(policy), Some(Ok(note))) = (policy, note) else {
        let what = match policy {
            None => "no policy names witnesses; give one with --policy",
            Some(_) => "there is no checkpoint that could carry cosignatures",
        };
        return (line(property, PropertyState::NotChecked, what), None);
    };
    let quorum = match policy.quorum(&note) {
        Ok(quorum) => quorum,
        Err(error) => return (failed(property, vec![error.to_string()]), None),
    };
    let k_of_n = format!("{} of {} witnesses", quorum.cosigned.len(), quorum.of);
    let (state, what) = if !quorum.demanded {
        (
            PropertyState::NotChecked,
            "the policy's quorum is none".to_owned(),
        )
    } else if quorum.met {
        (
            PropertyState::Shown,
            format!("{k_of_n} cosigned; quorum {} is met", quorum.name),
        )
    } else {
        (
            PropertyState::NotShown,
            format!("{k_of_n} cosigned; quorum {} is not met", quorum.name),
        )
    };
    let mut line = line(property, state, what);
    line.details = quorum
        .cosigned
        .iter()
        .map(|(name, time)| format!("{name} at Unix second {time}"))
        .collect();
    (line, Some(quorum))
}

/// What the quorum proves about time, and what else does; the earlier of the two.
fn not_after(evidence: &Evidence, quorum: Option<&Quorum>) -> Option<Bound> {
    let by = quorum.filter(|quorum| quorum.met).and_then(|quorum| {
        Some(Bound {
            unix_ns: quorum.by?.checked_mul(1_000_000_000)?,
            by: format!("quorum {}", quorum.name),
        })
    });
    match (by, evidence.not_after.clone()) {
        (Some(one), Some(other)) if other.unix_ns < one.unix_ns => Some(other),
        (one, other) => one.or(other),
    }
}

fn anchor_kind(kind: u8) -> &'static str {
    match kind {
        1 => "file",
        2 => "git",
        3 => "object store",
        4 => "witness",
        5 => "RFC 3161",
        _ => "other",
    }
}

fn anchors(evidence: &Evidence, policy: Option<&Policy>) -> Line {
    let property = Property::Anchors;
    let pinned = policy.map(Policy::anchors).unwrap_or_default();
    let counts = |kind: u8, holder: &str| {
        pinned.is_empty()
            || pinned
                .iter()
                .any(|it| it.kind == kind && it.holder == holder)
    };
    let describe = |it: &super::AnchorSeen| {
        let seen = match it.verified {
            Some(true) => "compared with the holder's copy",
            Some(false) => "the holder's copy is another one",
            None => "stated by the collector",
        };
        let foreign = if counts(it.kind, &it.holder) {
            ""
        } else {
            ", not named by the policy"
        };
        format!(
            "{} {}: {} leaves, {seen}{foreign}",
            anchor_kind(it.kind),
            it.holder,
            it.head.size
        )
    };
    let details: Vec<String> = evidence.anchors.iter().map(describe).collect();
    let of = |verified| {
        let it = evidence.anchors.iter();
        it.filter(move |it| it.verified == verified && counts(it.kind, &it.holder))
    };
    let total = count(evidence.anchors.len() as u64, "receipt");
    let (state, what) = if of(Some(false)).next().is_some() {
        (
            PropertyState::Failed,
            "an anchor holds another history than this ledger".to_owned(),
        )
    } else if let Some(newest) = of(Some(true)).map(|it| it.head.size).max() {
        let what = format!("{total}; up to leaf {newest} the holder's copy agrees");
        (PropertyState::Shown, what)
    } else if evidence.anchors.is_empty() {
        let what = "no receipt: nobody outside is known to hold a checkpoint".to_owned();
        (PropertyState::NotShown, what)
    } else {
        let what = format!("{total} stated by the collector, none compared with its holder's copy");
        (PropertyState::NotShown, what)
    };
    Line {
        property,
        state,
        what,
        details,
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
        IndexCheck::NotChecked(why) => line(property, PropertyState::NotChecked, why.clone()),
    }
}

/// What no line proves, most important first.
fn residual(evidence: &Evidence, report: &Report) -> Vec<String> {
    let shown = |property| report.state(property) == PropertyState::Shown;
    let mut out = Vec::new();
    let mut say = |condition: bool, what: &str| {
        if condition {
            out.push(what.to_owned());
        }
    };
    say(
        evidence.key_state == KeyState::FirstSeen,
        "that the key is the right one: compare it with the words that init printed, or name it with --key",
    );
    say(
        !shown(Property::Witnesses) && !shown(Property::Anchors),
        "that nobody else was shown another history: no witness and no anchor outside was checked",
    );
    say(
        report.not_after.is_none(),
        "when this was sealed: the times are the collector's own clock",
    );
    say(
        report.not_before.is_none(),
        "that nothing is older than it says: no beacon was sealed before it",
    );
    say(
        !shown(Property::Epochs),
        "that whoever holds the identity key today did not write the past anew",
    );
    say(
        evidence.reach == Reach::Part && !evidence.all_leaves,
        "that no other stream names this request or session: only reading the whole ledger shows that",
    );
    say(
        evidence.unsure > 0,
        "that the newest head was found for every stream",
    );
    say(
        !shown(Property::ProducerGaps) || !shown(Property::ProducerSignatures),
        "that the agents sent everything, and that the collector added nothing in their name",
    );
    say(
        true,
        "that what an agent says is true, and what was never sent at all",
    );
    out.extend(evidence.residual.iter().cloned());
    out
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
