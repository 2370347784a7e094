//! What others outside hold: witnesses' cosignatures, anchors' copies, and the time that they bear out.
#![forbid(unsafe_code)]

use super::{count, failed, line};
use crate::checkpoint::Checkpoint;
use crate::note::{Note, NoteError};
use crate::policy::{Policy, Quorum};
use crate::verify::report::{AnchorSeen, Bound, Evidence, Line, Property, PropertyState};
use vocabulary::Timestamp;

pub(super) fn witnesses(evidence: &Evidence, policy: Option<&Policy>) -> (Line, Option<Quorum>) {
    let property = Property::Witnesses;
    let note = evidence.note.as_deref().map(Note::parse);
    let (Some(policy), Some(Ok(note))) = (policy, note) else {
        let what = match policy {
            None => "no policy names witnesses; give one with --policy",
            Some(_) => "there is no checkpoint that could carry cosignatures",
        };
        return (line(property, PropertyState::NotChecked, what), None);
    };
    match weigh(evidence, policy, &note) {
        Ok((quorum, older)) => (told(&quorum, evidence, older), Some(quorum)),
        Err(error) => (failed(property, vec![error.to_string()]), None),
    }
}

/// The quorum over the newest checkpoint; where that is too young for it, over the one that was witnessed last, and
/// then the size of that.
fn weigh(
    evidence: &Evidence,
    policy: &Policy,
    note: &Note<'_>,
) -> Result<(Quorum, Option<u64>), NoteError> {
    let quorum = policy.quorum(note)?;
    let Some(witnessed) = evidence.witnessed.as_deref().filter(|_| !quorum.met) else {
        return Ok((quorum, None));
    };
    let older = Note::parse(witnessed)?;
    let size = Checkpoint::parse(older.text)?.head.size;
    let over = policy.quorum(&older)?;
    Ok(if over.met {
        (over, Some(size))
    } else {
        (quorum, None)
    })
}

fn told(quorum: &Quorum, evidence: &Evidence, older: Option<u64>) -> Line {
    let k_of_n = format!("{} of {} witnesses", quorum.cosigned.len(), quorum.of);
    let state = match (quorum.demanded, quorum.met) {
        (false, _) => PropertyState::NotChecked,
        (true, true) => PropertyState::Shown,
        (true, false) => PropertyState::NotShown,
    };
    let mut what = match state {
        PropertyState::NotChecked => "the policy's quorum is none".to_owned(),
        PropertyState::Shown => format!("{k_of_n} cosigned; quorum {} is met", quorum.name),
        _ => format!("{k_of_n} cosigned; quorum {} is not met", quorum.name),
    };
    let signed = evidence.checkpoint.map_or(0, |head| head.size);
    if let Some(size) = older.filter(|size| *size < signed) {
        what.push_str(&format!(
            " over the first {size} leaves; the {} signed since are not witnessed yet",
            signed - size
        ));
    }
    let mut line = line(Property::Witnesses, state, what);
    line.details = quorum
        .cosigned
        .iter()
        .map(|(name, time)| format!("{name} at Unix second {time}"))
        .collect();
    line
}

/// What the quorum proves about time, and what else does; the earlier of the two.
pub(super) fn not_after(evidence: &Evidence, quorum: Option<&Quorum>) -> Option<Bound> {
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

pub(super) fn anchors(evidence: &Evidence, policy: Option<&Policy>) -> Line {
    let property = Property::Anchors;
    let pinned = policy.map(Policy::anchors).unwrap_or_default();
    let counts = |kind: u8, holder: &str| {
        pinned.is_empty()
            || pinned
                .iter()
                .any(|it| it.kind == kind && it.holder == holder)
    };
    let describe = |it: &AnchorSeen| {
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
        let stated = of(None).count();
        let what = format!(
            "{total}; up to leaf {newest} the holder's copy agrees, {stated} stated by the collector only"
        );
        (PropertyState::Shown, what)
    } else if evidence.anchors.is_empty() {
        let what = "no receipt: nobody outside is known to hold a checkpoint".to_owned();
        (PropertyState::NotShown, what)
    } else {
        let what = format!("{total} stated by the collector, none compared with its holder's copy");
        (PropertyState::NotShown, what)
    };
    let newest = evidence.anchors.iter().max_by_key(|it| it.unix_ns);
    let last = newest.map(|it| {
        format!(
            "; last anchored {} ({}, {} leaves)",
            Timestamp::from_unix_ns(it.unix_ns),
            it.holder,
            it.head.size
        )
    });
    Line {
        property,
        state,
        what: what + &last.unwrap_or_default(),
        details,
    }
}
