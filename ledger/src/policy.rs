//! What a person demands before a ledger is believed: keys, witnesses, properties (C2SP tlog-policy and more).
//!
//! The lines `log`, `witness`, `group` and `quorum` are those of C2SP tlog-policy. recount adds two, which a
//! program that reads only the C2SP format refuses (`docs/ledger-format.md` §13):
//!
//! ```text
//! require <property>            the property must be shown; may stand more than once
//! anchor <kind> <holder>        receipts count only if one of these lines names their holder
//! ```
//!
//! Without a `require` line everything in [`Property::DEMANDED`] is required, and witnesses unless the quorum
//! is `none`: nothing is waived by being left out.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use crate::cosignature::WitnessKey;
use crate::note::{Note, NoteError, VerifierKey};
use crate::verify::report::Property;

/// Longest policy that is read, in bytes.
pub const MAX_POLICY: usize = 1 << 20;
/// Most lines of one sort.
pub const MAX_LINES: usize = 256;

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
    quorum_name: String,
    anchors: Vec<Anchor>,
    required: BTreeSet<Property>,
}

/// A witness that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the policy, with no meaning elsewhere.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// Where it takes checkpoints, if the policy says.
    pub url: Option<String>,
}

/// A holder of checkpoints whose receipts count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The kind of an anchor receipt leaf: 1 file, 2 git, 3 object store, 4 witness, 5 RFC 3161.
    pub kind: u8,
    /// Who holds them, as in the receipt.
    pub holder: String,
}

/// What can witness: a witness or a group, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A line of a policy that cannot be read; nothing of such a policy counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {why}")]
pub struct PolicyError {
    /// Its number, from 1; one past the last for what is missing.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// What the cosignatures of one note are worth under a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Name of the quorum, `none` if the policy demands no witness.
    pub name: String,
    /// Whether the policy demands one at all.
    pub demanded: bool,
    /// Whether it is reached.
    pub met: bool,
    /// The witnesses that cosigned, with the Unix second of each, in the policy's order.
    pub cosigned: Vec<(String, u64)>,
    /// How many witnesses the policy names.
    pub of: usize,
    /// Unix second by which the quorum had cosigned; `None` where it is not met or not demanded, or where a
    /// witness that it needs states no time.
    pub by: Option<u64>,
}

impl Policy {
    /// Reads a policy file, strictly.
    ///
    /// # Errors
    /// The first line that is not understood, a name used twice or before it is defined, a key listed twice, no
    /// quorum or two, a quorum of `none` together with `require witnesses`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > MAX_POLICY {
            return Err(wrong(1, "the policy is longer than a mebibyte"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "not UTF-8"))?;
        let mut reading = Reading::default();
        let mut last = 0;
        for (number, line) in (1..).zip(text.split_terminator('\n')) {
            last = number;
            reading.line(line).map_err(|why| wrong(number, why))?;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(wrong(last, "the last line has no end"));
        }
        reading.finish().map_err(|why| wrong(last + 1, why))
    }

    /// The logs whose checkpoints are accepted; none means that the log is known from elsewhere.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses that it names.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The anchors whose receipts count; none means that every receipt is shown and none is believed.
    #[must_use]
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// The properties that must be shown.
    #[must_use]
    pub fn required(&self) -> &BTreeSet<Property> {
        &self.required
    }

    /// Whether a log's key is accepted.
    #[must_use]
    pub fn accepts(&self, key: &VerifierKey) -> bool {
        self.logs.is_empty() || self.logs.contains(key)
    }

    /// Weighs a note's cosignatures.
    ///
    /// # Errors
    /// A signature that claims to be by a witness of the policy and is not.
    pub fn quorum(&self, note: &Note<'_>) -> Result<Quorum, NoteError> {
        let mut times = Vec::with_capacity(self.witnesses.len());
        for witness in &self.witnesses {
            times.push(witness.key.cosigned(note)?);
        }
        let cosigned = self.witnesses.iter().zip(&times);
        let cosigned = cosigned.filter_map(|(it, time)| Some((it.name.clone(), (*time)?)));
        Ok(Quorum {
            name: self.quorum_name.clone(),
            demanded: self.quorum.is_some(),
            met: self.met_by(&times, u64::MAX),
            cosigned: cosigned.collect(),
            of: self.witnesses.len(),
            by: self.by(&times),
        })
    }

    /// Whether those who had cosigned by a time reach the quorum.
    fn met_by(&self, times: &[Option<u64>], by: u64) -> bool {
        let witnessed: Vec<bool> = times
            .iter()
            .map(|time| time.is_some_and(|time| time <= by))
            .collect();
        // A group names only what stands before it, so one pass in order decides all of them.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let has = |member: &Member, groups: &[bool]| match member {
            Member::Witness(at) => witnessed.get(*at) == Some(&true),
            Member::Group(at) => groups.get(*at) == Some(&true),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|it| has(it, &groups)).count();
            groups.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|quorum| has(&quorum, &groups))
    }

    fn by(&self, times: &[Option<u64>]) -> Option<u64> {
        self.quorum?;
        let mut candidates: Vec<u64> = times.iter().flatten().copied().collect();
        candidates.sort_unstable();
        let by = candidates.into_iter().find(|by| self.met_by(times, *by))?;
        (by > 0).then_some(by)
    }
}

fn wrong(line: usize, why: impl Into<String>) -> PolicyError {
    PolicyError {
        line,
        why: why.into(),
    }
}

#[derive(Default)]
struct Reading<'a> {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: BTreeMap<&'a str, Member>,
    /// Names that a group lists: each may be listed once, so that no witness counts twice.
    used: BTreeSet<&'a str>,
    quorum: Option<(String, Option<Member>)>,
    anchors: Vec<Anchor>,
    required: BTreeSet<Property>,
}

impl<'a> Reading<'a> {
    fn line(&mut self, line: &'a str) -> Result<(), String> {
        if line.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
            return Err("it holds a control character".to_owned());
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(first) = words.next().filter(|word| !word.starts_with('#')) else {
            return Ok(());
        };
        let rest: Vec<&str> = words.collect();
        match (first, rest.as_slice()) {
            ("log", [vkey] | [vkey, _]) => self.log(vkey),
            ("witness", [name, vkey]) => self.witness(name, vkey, None),
            ("witness", [name, vkey, url]) => self.witness(name, vkey, Some(url)),
            ("group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            ("quorum", [name]) => self.quorum(name),
            ("require", [property]) => self.require(property),
            ("anchor", [kind, holder]) => self.anchor(kind, holder),
            ("log" | "witness" | "group" | "quorum" | "require" | "anchor", _) => {
                Err(format!("{first} has too few or too many words"))
            }
            _ => Err(format!("{first:?} is not a word of a policy")),
        }
    }

    fn log(&mut self, vkey: &str) -> Result<(), String> {
        let key = VerifierKey::parse(vkey).map_err(|error| error.to_string())?;
        if self.logs.iter().any(|log| log.bytes() == key.bytes()) {
            return Err("the log's key is listed already".to_owned());
        }
        if self.logs.len() == MAX_LINES {
            return Err(format!("more than {MAX_LINES} logs"));
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &'a str, vkey: &str, url: Option<&str>) -> Result<(), String> {
        let key = WitnessKey::parse(vkey).map_err(|error| error.to_string())?;
        let listed = |it: &Witness| it.key.bytes() == key.bytes();
        if self.witnesses.iter().any(listed) {
            return Err("the witness's key is listed already".to_owned());
        }
        if self.witnesses.len() == MAX_LINES {
            return Err(format!("more than {MAX_LINES} witnesses"));
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness {
            name: name.to_owned(),
            key,
            url: url.map(str::to_owned),
        });
        Ok(())
    }

    fn group(&mut self, name: &'a str, threshold: &str, members: &[&'a str]) -> Result<(), String> {
        if members.is_empty() {
            return Err("a group without members".to_owned());
        }
        if self.groups.len() == MAX_LINES {
            return Err(format!("more than {MAX_LINES} groups"));
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            number => crate::checkpoint::parse_size(number)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=members.len()).contains(number))
                .ok_or_else(|| {
                    format!(
                        "{number:?} is not any, all or a number from 1 to {}",
                        members.len()
                    )
                })?,
        };
        let mut listed = Vec::with_capacity(members.len());
        for member in members {
            listed.push(self.named(member)?);
            if !self.used.insert(member) {
                return Err(format!("{member:?} is a member already"));
            }
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group {
            threshold,
            members: listed,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is a quorum already".to_owned());
        }
        let member = match name {
            "none" => None,
            name => Some(self.named(name)?),
        };
        self.quorum = Some((name.to_owned(), member));
        Ok(())
    }

    fn require(&mut self, property: &str) -> Result<(), String> {
        let property = Property::parse(property)
            .ok_or_else(|| format!("there is no property {property:?}"))?;
        if !self.required.insert(property) {
            return Err(format!("{property} is required already"));
        }
        Ok(())
    }

    fn anchor(&mut self, kind: &str, holder: &str) -> Result<(), String> {
        let kind = match kind {
            "file" => 1,
            "git" => 2,
            "object_store" => 3,
            "witness" => 4,
            "rfc3161" => 5,
            other => return Err(format!("{other:?} is not a kind of anchor")),
        };
        let anchor = Anchor {
            kind,
            holder: holder.to_owned(),
        };
        if self.anchors.contains(&anchor) || self.anchors.len() == MAX_LINES {
            return Err("the anchor is listed already, or one too many".to_owned());
        }
        self.anchors.push(anchor);
        Ok(())
    }

    fn define(&mut self, name: &'a str, member: Member) -> Result<(), String> {
        if name == "none" {
            return Err("nothing can be called none".to_owned());
        }
        match self.names.insert(name, member) {
            None => Ok(()),
            Some(_) => Err(format!("{name:?} is defined already")),
        }
    }

    fn named(&self, name: &str) -> Result<Member, String> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| format!("{name:?} is not defined before this line"))
    }

    fn finish(self) -> Result<Policy, String> {
        let (quorum_name, quorum) = self.quorum.ok_or("there is no quorum line")?;
        let mut required = self.required;
        if required.is_empty() {
            required.extend(Property::DEMANDED);
        }
        // A quorum that is named is meant.
        if quorum.is_some() {
            required.insert(Property::Witnesses);
        } else if required.contains(&Property::Witnesses) {
            return Err("witnesses are required and the quorum is none".to_owned());
        }
        Ok(Policy {
            logs: self.logs,
            witnesses: self.witnesses,
            groups: self.groups,
            quorum,
            quorum_name,
            anchors: self.anchors,
            required,
        })
    }
}
