//! Credentials and personal data in some bytes, and the bytes without them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use vocabulary::content::Redaction;
use vocabulary::digest::SessionKey;

use super::{Operator, Personal, escapes, marker, personal};

/// How often what was cleaned is looked at again: a removal can bring together what was apart.
const ROUNDS: usize = 8;

/// What is looked for, and what is done with it.
#[derive(Clone, Default)]
pub(super) struct Cleaner {
    personal: [Option<Operator>; Personal::ALL.len()],
    allowed: Arc<[Box<[u8]>]>,
    #[cfg(feature = "detectors")]
    credentials: bool,
}

/// One thing found.
struct Found {
    place: Range<usize>,
    rule: Cow<'static, str>,
    operator: Operator,
}

impl Cleaner {
    pub(super) fn personal(&mut self, sort: Personal, operator: Operator) {
        let operator = (operator != Operator::Keep).then_some(operator);
        if let Some(place) = self.personal.get_mut(sort as usize) {
            *place = operator;
        }
    }

    pub(super) fn personal_rules(&self) -> impl Iterator<Item = (Personal, Operator)> {
        let all = Personal::ALL.into_iter().zip(self.personal);
        all.filter_map(|(sort, operator)| Some((sort, operator?)))
    }

    pub(super) fn allow(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        let mut allowed = self.allowed.to_vec();
        allowed.push(value.as_bytes().into());
        self.allowed = allowed.into();
    }

    pub(super) fn allowed(&self) -> usize {
        self.allowed.len()
    }

    #[cfg(feature = "detectors")]
    pub(super) fn all_credentials(&mut self) {
        self.credentials = true;
    }

    pub(super) fn has_all_credentials(&self) -> bool {
        #[cfg(feature = "detectors")]
        return self.credentials;
        #[cfg(not(feature = "detectors"))]
        false
    }

    /// Whether it looks for nothing but what every recorder looks for.
    pub(super) fn is_plain(&self) -> bool {
        self.personal.iter().all(Option::is_none) && !self.has_all_credentials()
    }

    /// Whether a rule of this name can have removed something.
    pub(super) fn knows(&self, rule: &str) -> bool {
        vocabulary::redaction::RULES.contains(&rule)
            || rule == "recount_token"
            || rule == "sensitive"
            || rule == "secret"
            || Personal::ALL.iter().any(|sort| sort.rule() == rule)
            || self.knows_credential(rule)
    }

    #[cfg(feature = "detectors")]
    fn knows_credential(&self, rule: &str) -> bool {
        super::credentials::knows(rule)
    }

    #[cfg(not(feature = "detectors"))]
    fn knows_credential(&self, _rule: &str) -> bool {
        false
    }

    /// The bytes without what was found, and what that was; places are after the replacement.
    pub(super) fn clean<'a>(
        &self,
        bytes: &'a [u8],
        personal: bool,
        key: Option<&SessionKey>,
    ) -> (Cow<'a, [u8]>, Vec<Redaction>) {
        let mut clean = Cow::Borrowed(bytes);
        let mut removed = Vec::new();
        for _ in 0..ROUNDS {
            let found = self.find(&clean, personal);
            if found.is_empty() {
                break;
            }
            let edits = found.into_iter().map(|one| {
                let value = clean.get(one.place.clone()).unwrap_or_default();
                let text = marker::instead(one.operator, &one.rule, value, key);
                (one.place, text, one.rule.into_owned())
            });
            let (next, new) = replace(&clean, edits.collect(), &mut removed);
            removed.extend(new);
            clean = Cow::Owned(next);
        }
        (clean, removed)
    }

    fn find(&self, bytes: &[u8], with_personal: bool) -> Vec<Found> {
        let builtin = vocabulary::redaction::find(bytes);
        let mut found: Vec<Found> = builtin
            .into_iter()
            .map(|one| Found {
                place: one.start..one.end,
                rule: Cow::Borrowed(one.rule),
                operator: Operator::Remove,
            })
            .collect();
        if !self.is_plain() {
            self.look(bytes, with_personal, &mut |place, rule, operator| {
                found.push(Found {
                    place,
                    rule,
                    operator,
                });
            });
            for view in escapes::views(bytes) {
                self.look(&view.bytes, with_personal, &mut |place, rule, operator| {
                    found.push(Found {
                        place: view.place(&place),
                        rule,
                        operator,
                    });
                });
            }
        }
        if found.is_empty() {
            return found;
        }
        self.settle(bytes, found)
    }

    /// Everything that the policy looks for, in one reading of the text.
    fn look(
        &self,
        bytes: &[u8],
        with_personal: bool,
        see: &mut dyn FnMut(Range<usize>, Cow<'static, str>, Operator),
    ) {
        #[cfg(feature = "detectors")]
        if self.credentials {
            for (place, rule) in super::credentials::find(bytes) {
                see(place, Cow::Owned(rule), Operator::Remove);
            }
        }
        if with_personal && self.personal.iter().any(Option::is_some) {
            for (place, sort) in personal::find(bytes) {
                if let Some(Some(operator)) = self.personal.get(sort as usize) {
                    see(place, Cow::Borrowed(sort.rule()), *operator);
                }
            }
        }
    }

    /// Without what is allowed, what was put there by us, and what overlaps something longer that began before it.
    fn settle(&self, bytes: &[u8], mut found: Vec<Found>) -> Vec<Found> {
        let ours = marker::all(bytes, |rule| self.knows(rule));
        found.retain(|one| {
            let value = bytes.get(one.place.clone()).unwrap_or_default();
            let builtin = vocabulary::redaction::RULES.contains(&one.rule.as_ref());
            let allowed = !builtin && self.allowed.iter().any(|allowed| **allowed == *value);
            let by_us = ours
                .iter()
                .any(|marker| marker.start < one.place.end && one.place.start < marker.end);
            !allowed && !by_us && !value.is_empty()
        });
        found.sort_by_key(|one| (one.place.start, std::cmp::Reverse(one.place.end)));
        let mut kept: Vec<Found> = Vec::with_capacity(found.len());
        for one in found {
            match kept.last_mut() {
                // What reaches further is removed as far as it reaches: nothing of a credential stays.
                Some(last) if one.place.start < last.place.end => {
                    if one.place.end > last.place.end {
                        last.place.end = one.place.end;
                        last.operator = Operator::Remove;
                    }
                }
                _ => kept.push(one),
            }
        }
        kept
    }
}

/// The bytes with each place replaced, and the removals that this is; places of `earlier` removals follow their text.
pub(super) fn replace(
    bytes: &[u8],
    edits: Vec<(Range<usize>, String, String)>,
    earlier: &mut [Redaction],
) -> (Vec<u8>, Vec<Redaction>) {
    let mut out = Vec::with_capacity(bytes.len());
    let mut removed = Vec::with_capacity(edits.len());
    let mut copied = 0;
    let mut shifts: Vec<(usize, usize, usize)> = Vec::with_capacity(edits.len());
    for (place, text, rule) in edits {
        out.extend_from_slice(bytes.get(copied..place.start).unwrap_or_default());
        removed.push(Redaction {
            path: format!("@{}", out.len()),
            rule,
            len: place.len() as u64,
        });
        out.extend_from_slice(text.as_bytes());
        copied = place.end;
        shifts.push((place.end, place.end, out.len()));
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    for one in earlier {
        let Some(at) = one
            .path
            .strip_prefix('@')
            .and_then(|at| at.parse::<usize>().ok())
        else {
            continue;
        };
        if let Some((_, from, to)) = shifts.iter().rev().find(|(end, ..)| *end <= at) {
            one.path = format!("@{}", at - from + to);
        }
    }
    (out, removed)
}
