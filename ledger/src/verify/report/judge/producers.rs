//! What producers say of their own records: signatures, and numbers without a hole.
#![forbid(unsafe_code)]

use super::{count, failed, line};
use crate::verify::report::{Evidence, KeySeen, Line, Producers, Property, PropertyState, Reach};

pub(super) fn signatures(evidence: &Evidence) -> Line {
    let property = Property::ProducerSignatures;
    let Some(producers) = &evidence.producers else {
        let what = "the records' own chains and signatures were not looked at";
        return line(property, PropertyState::NotChecked, what);
    };
    if !producers.broken.is_empty() {
        return failed(property, producers.broken.clone());
    }
    let of = producers.records.saturating_sub(producers.signatures);
    let numbered = format!(
        "{} % are numbered and chained",
        percent(producers.numbered, producers.records)
    );
    let keys = producers.keys.len() as u64;
    if keys == 0 {
        let what = format!(
            "none of {} is signed by its producer; {numbered}",
            count(of, "record")
        );
        return with_keys(line(property, PropertyState::NotShown, what), producers);
    }
    let mut what = format!(
        "{} of {} are covered by valid signatures of {}",
        producers.signed,
        count(of, "record"),
        count(keys, "key"),
    );
    if producers.enrolled < producers.signed {
        what.push_str(&format!(
            ", {} of them by keys that their producers are enrolled with",
            producers.enrolled
        ));
    }
    let state = if producers.enrolled == of {
        PropertyState::Shown
    } else {
        PropertyState::NotShown
    };
    with_keys(
        line(property, state, format!("{what}; {numbered}")),
        producers,
    )
}

fn with_keys(mut line: Line, producers: &Producers) -> Line {
    line.details = producers.keys.iter().map(told).collect();
    if producers.astray > 0 {
        line.details.push(format!(
            "{} over a record that is not here",
            count(producers.astray, "signature")
        ));
    }
    line
}

fn told(key: &KeySeen) -> String {
    let digits: String = key.key.iter().map(|byte| format!("{byte:02x}")).collect();
    let owner = match &key.owner {
        Some(owner) => format!("enrolled for {owner}"),
        None => "not enrolled".to_owned(),
    };
    format!("key {digits}, {owner}: {}", count(key.covered, "record"))
}

/// Whole percent, rounded down; all of nothing is 100.
fn percent(part: u64, of: u64) -> u64 {
    part.saturating_mul(100).checked_div(of).unwrap_or(100)
}

pub(super) fn gaps(evidence: &Evidence) -> Line {
    let property = Property::ProducerGaps;
    let counted = evidence
        .producers
        .as_ref()
        .and_then(|found| Some((found, found.missing?)));
    if evidence.gap_leaves > 0 && counted.is_none() {
        let what = format!(
            "{} in the ledger log: numbers that never came",
            count(evidence.gap_leaves, "gap leaf").replace("leafs", "leaves")
        );
        return line(property, PropertyState::NotShown, what);
    }
    let Some((producers, missing)) = counted else {
        let what = "the records' own numbers were not looked at";
        return line(property, PropertyState::NotChecked, what);
    };
    if missing + producers.declared > 0 {
        let what = format!(
            "{} missing, {} of them declared",
            count(missing + producers.declared, "number"),
            producers.declared
        );
        let mut line = line(property, PropertyState::NotShown, what);
        line.details = producers.gaps.clone();
        return line;
    }
    if evidence.gap_leaves > 0 && evidence.reach == Reach::Part {
        let what = format!(
            "{} in the ledger log: numbers that never came",
            count(evidence.gap_leaves, "gap leaf").replace("leafs", "leaves")
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
