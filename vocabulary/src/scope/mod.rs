//! Scope: what a session was declared to touch, as entries `ACCESS KIND:PATTERN`.
//!
//! `read http:crm.example/accounts/**` covers reading everything below that
//! path. A pattern is compared with a canonical resource, byte by byte: `*`
//! stands for any run without `/`, `**` for any run, `\` takes the next
//! character as it is. Nothing is implied: `write` does not cover `read`, and
//! `a/**` does not cover `a`.

mod pattern;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::{Access, Kind};
pub use pattern::Pattern;

/// Longest pattern, in bytes; bounds the work of one comparison.
pub const PATTERN_BYTES: usize = 1024;

/// One line of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeEntry {
    access: Access,
    kind: Kind,
    pattern: Pattern,
}

/// A text that is no entry of a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a scope entry like \"read http:crm.example/accounts/**\": {why}")]
pub struct MalformedScope {
    /// What was read, at most 200 characters of it.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl ScopeEntry {
    /// Which access it covers.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Through what kind of interface.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it covers an access to a canonical resource such as
    /// `http:crm.example/accounts/17`. A resource that is not canonical (it
    /// has a `.` or `..` segment, also percent-encoded) is covered by nothing.
    pub fn covers(&self, access: Access, resource: &str) -> bool {
        let Some((kind, rest)) = resource.split_once(':') else {
            return false;
        };
        access == self.access
            && kind == self.kind.as_str()
            && is_canonical(rest)
            && self.pattern.matches(rest)
    }

    /// Whether everything that `other` covers is covered by this entry too.
    /// It may say no where the answer is yes, never the other way round.
    pub fn includes(&self, other: &Self) -> bool {
        self.access == other.access
            && self.kind == other.kind
            && self.pattern.includes(&other.pattern)
    }
}

impl FromStr for ScopeEntry {
    type Err = MalformedScope;

    fn from_str(text: &str) -> Result<Self, MalformedScope> {
        let refuse = |why| MalformedScope {
            text: text.chars().take(200).collect(),
            why,
        };
        let (access, rest) = text
            .split_once(' ')
            .ok_or_else(|| refuse("no access before a space"))?;
        let access = Access::parse(access)
            .ok_or_else(|| refuse("the access is not read, write, delete, execute or send"))?;
        let (kind, pattern) = rest
            .split_once(':')
            .ok_or_else(|| refuse("no kind before a colon"))?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if kind.is_empty() || !kind.bytes().all(plain) {
            return Err(refuse("the kind is not made of a-z, 0-9 and _"));
        }
        let pattern = Pattern::parse(pattern).map_err(refuse)?;
        Ok(Self {
            access,
            kind: Kind::read(kind),
            pattern,
        })
    }
}

impl fmt::Display for ScopeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.access, self.kind, self.pattern)
    }
}

impl Serialize for ScopeEntry {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeEntry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One version of a session's scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope {
    /// The entries, in the order in which they were declared.
    pub entries: Vec<ScopeEntry>,
}

impl Scope {
    /// Reads all entries.
    ///
    /// # Errors
    /// At the first text that is no entry.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, MalformedScope> {
        let entries = entries
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// The first entry that covers an access; `None` when it is outside.
    pub fn covering(&self, access: Access, resource: &str) -> Option<&ScopeEntry> {
        self.entries
            .iter()
            .find(|entry| entry.covers(access, resource))
    }

    /// The entries of a later version that this one does not include: by these
    /// the scope was widened.
    pub fn widened_by<'a>(&self, later: &'a Self) -> Vec<&'a ScopeEntry> {
        let included = |new: &ScopeEntry| self.entries.iter().any(|old| old.includes(new));
        later
            .entries
            .iter()
            .filter(|&entry| !included(entry))
            .collect()
    }
}

/// Whether no segment is `.` or `..`, plain or percent-encoded: such a resource
/// names another place than its text says.
fn is_canonical(resource: &str) -> bool {
    resource.split('/').all(|segment| !is_dots(segment))
}

fn is_dots(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() && dots < 3 {
        let next = rest.strip_prefix('.').or_else(|| rest.strip_prefix("%2e"));
        let Some(next) = next.or_else(|| rest.strip_prefix("%2E")) else {
            return false;
        };
        rest = next;
        dots += 1;
    }
    rest.is_empty() && (dots == 1 || dots == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(entry: &str, access: Access, resource: &str) -> bool {
        entry
            .parse::<ScopeEntry>()
            .unwrap()
            .covers(access, resource)
    }

    #[test]
    fn an_entry_covers_what_its_pattern_says_and_nothing_else() {
        let below = "read http:crm.example/accounts/**";
        assert!(covers(below, Access::Read, "http:crm.example/accounts/17"));
        assert!(covers(
            below,
            Access::Read,
            "http:crm.example/accounts/17/tickets"
        ));
        assert!(!covers(below, Access::Read, "http:crm.example/accounts"));
        assert!(!covers(
            below,
            Access::Write,
            "http:crm.example/accounts/17"
        ));
        assert!(!covers(below, Access::Read, "file:crm.example/accounts/17"));
        assert!(!covers(
            below,
            Access::Read,
            "http:crm.example.evil/accounts/17"
        ));
        let one = "write http:crm.example/accounts/*";
        assert!(covers(one, Access::Write, "http:crm.example/accounts/17"));
        assert!(!covers(
            one,
            Access::Write,
            "http:crm.example/accounts/17/tickets"
        ));
    }

    #[test]
    fn a_resource_that_climbs_out_is_covered_by_nothing() {
        for resource in [
            "file:pending-review/../secrets.md",
            "file:pending-review/%2e%2E/secrets.md",
            "file:pending-review/./x.md",
        ] {
            assert!(
                !covers("write file:pending-review/**", Access::Write, resource),
                "{resource}"
            );
        }
        assert!(covers(
            "write file:pending-review/**",
            Access::Write,
            "file:pending-review/...md"
        ));
    }

    #[test]
    fn an_entry_is_written_as_it_was_read() {
        for text in [
            "read http:crm.example/accounts/**",
            r"write file:a\*b/*",
            "execute process:spell",
        ] {
            assert_eq!(text.parse::<ScopeEntry>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_entry_says_what_is_wrong() {
        for (text, why) in [
            ("read", "no access"),
            ("append http:x", "the access"),
            ("read crm.example", "no kind"),
            ("read HTTP:x", "the kind"),
            ("read http:", "empty"),
            ("read http:x\\", "nothing after"),
            ("read http:a***b", "more than two"),
        ] {
            let error = text.parse::<ScopeEntry>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let long = format!("read http:{}", "a".repeat(PATTERN_BYTES + 1));
        assert!(long.parse::<ScopeEntry>().is_err());
    }

    #[test]
    fn only_entries_that_were_not_included_widen_a_scope() {
        let old = Scope::parse(["read http:crm/**", "write file:pending-review/*"]).unwrap();
        let new = Scope::parse([
            "read http:crm/accounts/*",
            "write file:pending-review/a.md",
            "write file:pending-review/**",
            "send http:mail/send",
        ])
        .unwrap();
        let widened: Vec<String> = old
            .widened_by(&new)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            widened,
            ["write file:pending-review/**", "send http:mail/send"]
        );
    }
}
