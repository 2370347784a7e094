//! Signatures of agents over the producer chain, checked against the records in front of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use ledger::otlp::Attributes;
use ledger::producer::Signed;
use ledger::tree::Hash;
use vocabulary::attribute as key;
use vocabulary::id::{SessionRef, StreamRef};
use vocabulary::problem::ProblemKind;

use super::{Fold, Note};
use crate::told::Told;

/// How far in front of a signature its record is looked for: a flush of an SDK is far smaller.
const LOOKED_BACK: usize = 65_536;

/// What is known of who wrote the records of each session.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    /// Number and link of each record of a stream, in order; no link where a mask changed the record.
    links: HashMap<StreamRef, Vec<(u64, Option<Hash>)>>,
    pub(crate) of: BTreeMap<SessionRef, Signing>,
}

/// The signatures in one session.
#[derive(Debug, Default)]
pub(crate) struct Signing {
    pub(crate) records: u64,
    /// Records that carry a number, without which a gap would not show.
    pub(crate) numbered: u64,
    /// Records up to a link that is signed.
    pub(crate) covered: u64,
    /// The public keys, in hexadecimal.
    pub(crate) keys: BTreeSet<String>,
    /// Those of them that the collector had enrolled for the very producer.
    pub(crate) enrolled: BTreeSet<String>,
    /// Producers whose enrolment names a key.
    pub(crate) with_key: BTreeSet<String>,
}

impl Fold {
    /// Takes note of a record's link, and checks the signature it may carry.
    pub(super) fn signed(&mut self, told: &Told<'_>) {
        let signing = self
            .signatures
            .of
            .entry(told.at.stream.session)
            .or_default();
        signing.records += 1;
        if told.collector.enrolled_key.is_some()
            && !signing.with_key.contains(&told.collector.producer)
        {
            signing.with_key.insert(told.collector.producer.clone());
        }
        let links = self.signatures.links.entry(told.at.stream).or_default();
        if let Some(number) = told.count(key::SEQ) {
            signing.numbered += 1;
            links.push((number, told.link.as_ref().map(|link| *link.value())));
        }
        let Some(signature) = told.item.attributes.bytes(key::SIGNATURE) else {
            return;
        };
        let Some(public) = fixed::<32>(&told.item.attributes, key::SIGNATURE_KEY) else {
            return;
        };
        let wanted = told.count(key::SIGNATURE_SEQ);
        let at = links
            .iter()
            .rev()
            .take(LOOKED_BACK)
            .position(|(number, _)| Some(*number) == wanted);
        // A record that is not here, or was masked, leaves nothing to check.
        let found = at.and_then(|back| links.get(links.len() - 1 - back));
        let (Some(back), Some(&(number, Some(link)))) = (at, found) else {
            return;
        };
        if is_by(told, number, link, &public, signature) {
            signing.covered = signing.covered.max((links.len() - back) as u64);
            signing.keys.insert(hex(&public));
            match told.collector.enrolled_key {
                Some(key) if key == public => drop(signing.enrolled.insert(hex(&public))),
                Some(key) => self.notes.push(foreign(told, &public, &key)),
                None => {}
            }
        } else {
            self.notes.push(Note {
                kind: ProblemKind::IdentityClaimed,
                session: told.at.stream.session,
                action: None,
                what: format!("a signature by key {} does not hold", short(&hex(&public))),
                why: format!("the holder of the key did not sign record {number} as it is here"),
                refs: vec![told.at],
            });
        }
    }
}

/// The signature is good, and not by the key that was enrolled for this producer.
fn foreign(told: &Told<'_>, public: &[u8; 32], enrolled: &[u8; 32]) -> Note {
    let producer = &told.collector.producer;
    let (public, enrolled) = (hex(public), hex(enrolled));
    Note {
        kind: ProblemKind::IdentityClaimed,
        session: told.at.stream.session,
        action: None,
        what: format!("signed by key {}, not by {producer}'s", short(&public)),
        why: format!(
            "the key enrolled for {producer} is {}: somebody else used its credential, or it signs with a new key",
            short(&enrolled)
        ),
        refs: vec![told.at],
    }
}

fn is_by(told: &Told<'_>, number: u64, link: Hash, public: &[u8; 32], signature: &[u8]) -> bool {
    let uuid = |key| {
        let text = told.resource.str(key)?;
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let number = u128::from_str_radix(&digits, 16).ok()?;
        (digits.len() == 32).then(|| number.to_be_bytes())
    };
    let (Some(producer), Some(run)) = (uuid(key::PRODUCER), uuid(key::RUN)) else {
        return false;
    };
    let (Some(session), Ok(signature)) = (
        told.item.attributes.str(key::SESSION_ID),
        <&[u8; 64]>::try_from(signature),
    ) else {
        return false;
    };
    let signed = Signed {
        producer,
        run,
        number,
        link,
        session,
    };
    signed.is_signed(public, signature)
}

fn fixed<const N: usize>(attributes: &Attributes<'_>, key: &str) -> Option<[u8; N]> {
    attributes.bytes(key)?.try_into().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}

/// What stays open about who wrote what, in words; nothing where all is signed.
pub(crate) fn not_proven(signatures: &Signatures) -> Vec<String> {
    let names = |of: &dyn Fn(&Signing) -> bool| {
        let all: Vec<String> = signatures
            .of
            .iter()
            .filter(|(_, signing)| of(signing))
            .map(|(session, _)| session.to_string())
            .collect();
        match all.as_slice() {
            [] => None,
            [.., _] if all.len() > 3 => Some(format!("{} sessions", all.len())),
            few => Some(few.join(", ")),
        }
    };
    let mut list = Vec::new();
    if let Some(names) = names(&|signing| signing.keys.is_empty() && signing.with_key.is_empty()) {
        list.push(format!(
            "which program wrote {names}: no record is signed by an agent"
        ));
    }
    let silent = |signing: &Signing| signing.keys.is_empty() && !signing.with_key.is_empty();
    if let Some(names) = names(&silent) {
        let all = signatures.of.values().filter(|signing| silent(signing));
        let producers: BTreeSet<&str> = all
            .flat_map(|signing| &signing.with_key)
            .map(String::as_str)
            .collect();
        let producers: Vec<&str> = producers.into_iter().collect();
        list.push(format!(
            "that {} wrote {names}: no record is signed, although a key is enrolled",
            producers.join(", ")
        ));
    }
    if let Some(names) = names(&|signing| signing.numbered == 0) {
        list.push(format!(
            "that nothing of {names} is missing: its sender numbers no records, so no gap would show"
        ));
    }
    let keys: BTreeSet<&str> = signatures
        .of
        .values()
        .flat_map(|signing| signing.keys.difference(&signing.enrolled))
        .map(|key| short(key))
        .collect();
    if !keys.is_empty() {
        let keys: Vec<&str> = keys.into_iter().collect();
        let (covered, of) = signatures
            .of
            .values()
            .filter(|signing| !signing.keys.is_subset(&signing.enrolled))
            .fold((0, 0), |(covered, of), signing| {
                (covered + signing.covered, of + signing.records)
            });
        list.push(format!(
            "who holds the agent's key {}, which signed {covered} of {of} records",
            keys.join(", ")
        ));
    }
    list.extend(unsigned(signatures));
    list
}

/// Records of sessions whose agent's key is enrolled, and that it did not sign.
fn unsigned(signatures: &Signatures) -> Option<String> {
    let known = signatures
        .of
        .values()
        .filter(|signing| !signing.keys.is_empty() && signing.keys.is_subset(&signing.enrolled));
    let (covered, of) = known.fold((0, 0), |(covered, of), signing| {
        (covered + signing.covered, of + signing.records)
    });
    let left = of - covered.min(of);
    (left > 0).then(|| {
        format!("which program wrote {left} of {of} records: the enrolled key signed the others")
    })
}
