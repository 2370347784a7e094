//! What no line of a report proves.
#![forbid(unsafe_code)]

use crate::verify::KeyState;
use crate::verify::report::{Evidence, Property, PropertyState, Reach, Report};

/// What no line proves, most important first.
pub(super) fn residual(evidence: &Evidence, report: &Report) -> Vec<String> {
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
        "that nothing was written earlier than it says: no beacon in front of it was checked",
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
