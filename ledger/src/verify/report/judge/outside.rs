//! What others outside hold: witnesses' cosignatures and anchors' copies.
#![forbid(unsafe_code)]

use super::{count, failed, line};
use crate::checkpoint::Checkpoint;
use crate::note::{Note, NoteError};
use crate::policy::{Anchor, Policy, Quorum, Witness};
use crate::verify::report::{AnchorSeen, Answer, Evidence, Line, Property, PropertyState};
use vocabulary::Timestamp;

/// Kind of a receipt that holds a witness's cosignature.
pub(super) const WITNESS: u8 = 4;

/// What the policy's quorum comes to, and over how many leaves.
pub(super) struct Weighed {
    pub(super) quorum: Quorum,
    pub(super) size: u64,
}

pub(super) fn witnesses(evidence: &Evidence, policy: Option<&Policy>) -> (Line, Option<Weighed>) {
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
        Ok(weighed) => (told(&weighed, evidence), Some(weighed)),
        Err(error) => (failed(property, vec![error.to_string()]), None),
    }
}

/// The quorum over the newest checkpoint; where that is too young for it, over the one that was witnessed last.
fn weigh(evidence: &Evidence, policy: &Policy, note: &Note<'_>) -> Result<Weighed, NoteError> {
    let size = evidence.checkpoint.map_or(0, |head| head.size);
    let newest = Weighed {
        quorum: policy.quorum(note)?,
        size,
    };
    let Some(witnessed) = evidence.witnessed.as_deref().filter(|_| !newest.quorum.met) else {
        return Ok(newest);
    };
    let older = Note::parse(witnessed)?;
    let size = Checkpoint::parse(older.text)?.head.size;
    let quorum = policy.quorum(&older)?;
    Ok(match quorum.met {
        true => Weighed { quorum, size },
        false => newest,
    })
}

fn told(weighed: &Weighed, evidence: &Evidence) -> Line {
    let Weighed { quorum, size } = weighed;
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
    if *size < signed {
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

/// Whether the policy names this witness, by its verifier key.
pub(super) fn names(policy: Option<&Policy>, holder: &str) -> bool {
    policy.is_some_and(|policy| {
        let witness = |it: &Witness| it.key.to_string() == holder;
        let anchor = |it: &Anchor| it.kind == WITNESS && it.holder == holder;
        policy.witnesses().iter().any(witness) || policy.anchors().iter().any(anchor)
    })
}

/// How a receipt was checked, in words.
fn described(it: &AnchorSeen, speaks: bool) -> String {
    let at = |seconds: u64| Timestamp::from_unix_ns(seconds.saturating_mul(1_000_000_000));
    match (it.verified, &it.answer) {
        (Some(true), _) => "compared with the holder's copy".to_owned(),
        (Some(false), _) => "the holder's copy is another one".to_owned(),
        (None, Answer::Cosigned(time)) if speaks => format!("cosigned at {}", at(*time)),
        (None, Answer::Cosigned(time)) => format!(
            "cosigned at {}, as the collector says by a witness: no policy names it",
            at(*time)
        ),
        (None, Answer::Stamped { time_s, .. }) if speaks => {
            format!("stamped at {}, traced to its authority", at(*time_s))
        }
        (None, Answer::Stamped { time_s, .. }) => format!(
            "stamped at {}, stated by the collector: not traced to an authority",
            at(*time_s)
        ),
        (None, Answer::Void(why)) => format!("stated by the collector, and void: {why}"),
        (None, Answer::Unread) => "stated by the collector".to_owned(),
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
    let speaks = |it: &AnchorSeen| match it.answer {
        Answer::Cosigned(_) => names(policy, &it.holder),
        Answer::Stamped { traced, .. } => traced && it.recomputed == Some(true),
        _ => false,
    };
    let describe = |it: &AnchorSeen| {
        let seen = described(it, speaks(it));
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
    let of = |wanted: &dyn Fn(&AnchorSeen) -> bool| {
        let it = evidence.anchors.iter();
        it.filter(|it| wanted(it) && counts(it.kind, &it.holder))
            .map(|it| it.head.size)
            .collect::<Vec<u64>>()
    };
    let held = of(&|it| it.verified == Some(true) || (it.verified.is_none() && speaks(it)));
    let total = count(evidence.anchors.len() as u64, "receipt");
    let (state, what) = if !of(&|it| it.verified == Some(false)).is_empty() {
        (
            PropertyState::Failed,
            "an anchor holds another history than this ledger".to_owned(),
        )
    } else if let Some(newest) = held.iter().max() {
        let stated = of(&|it| it.verified.is_none() && !speaks(it)).len();
        let what = format!(
            "{total}; up to leaf {newest} what is held outside agrees, {stated} stated by the collector only"
        );
        (PropertyState::Shown, what)
    } else if evidence.anchors.is_empty() {
        let what = "no receipt: nobody outside is known to hold a checkpoint".to_owned();
        (PropertyState::NotShown, what)
    } else {
        let what =
            format!("{total} stated by the collector, none compared with what its holder has");
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
