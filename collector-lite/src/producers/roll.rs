//! All enrolments of a store: whom a credential belongs to, and what a change of them says.

use std::sync::Arc;

use ledger::store::Setting;
use vocabulary::Timestamp;

use super::entry::{CertificateKey, Enrolment, Name, TokenHash};
use super::same;

/// How many producers may be enrolled, revoked ones included: each request with a token looks at all of them.
pub(crate) const MOST: usize = 10_000;

/// Every enrolment, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Roll {
    all: Vec<Arc<Enrolment>>,
}

/// Why an enrolment cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{name} is enrolled since {since}")]
    Enrolled { name: Name, since: Timestamp },
    #[error("user {uid} is the credential of {name}")]
    User { uid: u32, name: Name },
    #[error("the certificate's key {key} is the credential of {name}")]
    Certificate { key: String, name: Name },
    #[error("there are {MOST} enrolments")]
    Full,
}

impl Roll {
    /// The enrolments in this order.
    ///
    /// # Errors
    /// Two that cannot be told apart are in force at once.
    pub(crate) fn of(all: Vec<Enrolment>) -> Result<Self, Refused> {
        let mut roll = Self::default();
        for enrolment in all {
            roll.add(enrolment)?;
        }
        Ok(roll)
    }

    pub(crate) fn all(&self) -> &[Arc<Enrolment>] {
        &self.all
    }

    /// The enrolment of a name that is in force.
    pub(crate) fn active(&self, name: &Name) -> Option<&Arc<Enrolment>> {
        self.all
            .iter()
            .find(|one| one.is_active() && one.name == *name)
    }

    pub(crate) fn add(&mut self, new: Enrolment) -> Result<(), Refused> {
        if self.all.len() >= MOST {
            return Err(Refused::Full);
        }
        if new.is_active() {
            if let Some(there) = self.active(&new.name) {
                return Err(Refused::Enrolled {
                    name: new.name,
                    since: there.enrolled,
                });
            }
            let mut shared = new.certificates.iter();
            let shared = shared.find_map(|key| {
                let there = self.by_certificate(key).filter(|one| one.is_active())?;
                Some((key.short(), there.name.clone()))
            });
            if let Some((key, name)) = shared {
                return Err(Refused::Certificate { key, name });
            }
            if let (None, Some(uid)) = (new.token, new.uid)
                && let Some(there) = self.by_user(uid)
            {
                let name = there.name.clone();
                return Err(Refused::User { uid, name });
            }
        }
        self.all.push(Arc::new(new));
        Ok(())
    }

    /// Takes a name's enrolment out of force; `None` if it has none.
    pub(crate) fn revoke(&mut self, name: &Name, at: Timestamp) -> Option<()> {
        let there = self
            .all
            .iter_mut()
            .find(|one| one.is_active() && one.name == *name)?;
        let mut revoked = Enrolment::clone(there);
        revoked.revoked = Some(at);
        *there = Arc::new(revoked);
        Some(())
    }

    /// Whose token it is, revoked ones included. Looks at all of them, however early it finds one.
    pub(crate) fn by_token(&self, token: &str) -> Option<&Arc<Enrolment>> {
        let given = TokenHash::of(token);
        let mut found = None;
        for one in &self.all {
            if is_its(one, &given) {
                found = Some(one);
            }
        }
        found
    }

    /// Whose certificate it is by its key: the enrolment in force, else the newest that was revoked.
    pub(crate) fn by_certificate(&self, key: &CertificateKey) -> Option<&Arc<Enrolment>> {
        let its = |one: &&Arc<Enrolment>| one.certificates.contains(key);
        let mut newest = self.all.iter().rev().filter(its);
        let first = newest.next()?;
        let mut others = std::iter::once(first).chain(newest);
        others.find(|one| one.is_active()).or(Some(first))
    }

    /// Whose credential this user alone is.
    pub(crate) fn by_user(&self, uid: u32) -> Option<&Arc<Enrolment>> {
        self.all
            .iter()
            .find(|one| one.is_active() && one.token.is_none() && one.uid == Some(uid))
    }

    /// Producers in force that are recorders.
    pub(crate) fn recorders(&self) -> Arc<[String]> {
        let recorders = self
            .all
            .iter()
            .filter(|one| one.is_active() && one.recorder);
        recorders.map(|one| one.name.to_string()).collect()
    }

    /// One setting per name, for the ledger to say what changes: `producer <name>`.
    pub(crate) fn settings(&self, origin: &str) -> Vec<Setting> {
        let mut settings: Vec<Setting> = Vec::new();
        for one in &self.all {
            let name = format!("producer {}", one.name);
            let value = one.described();
            match settings.iter_mut().find(|setting| setting.name == name) {
                // The newest of a name counts: an earlier one was revoked before.
                Some(setting) => setting.value = value,
                None => settings.push(Setting {
                    name,
                    value,
                    origin: origin.to_owned(),
                    said_first: true,
                }),
            }
        }
        settings
    }
}

fn is_its(one: &Enrolment, given: &TokenHash) -> bool {
    one.token.is_some_and(|token| same(&token.0, &given.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> Timestamp {
        Timestamp::from_unix_ns(ns)
    }

    fn enrolment(name: &str, token: Option<&str>, uid: Option<u32>) -> Enrolment {
        Enrolment {
            name: Name::parse(name).unwrap(),
            enrolled: at(0),
            revoked: None,
            token: token.map(TokenHash::of),
            certificates: Vec::new(),
            uid,
            key: None,
            recorder: false,
        }
    }

    #[test]
    fn a_token_finds_its_producer_also_after_it_was_revoked_and_renewed() {
        let mut roll = Roll::default();
        roll.add(enrolment("a", Some("first"), None)).unwrap();
        roll.add(enrolment("b", Some("other"), None)).unwrap();
        let name = Name::parse("a").unwrap();
        roll.revoke(&name, at(1_000_000_000)).unwrap();
        roll.add(enrolment("a", Some("second"), None)).unwrap();
        let found = |token| {
            let one = roll.by_token(token)?;
            Some((one.name.to_string(), one.is_active()))
        };
        assert_eq!(found("first"), Some(("a".to_owned(), false)));
        assert_eq!(found("second"), Some(("a".to_owned(), true)));
        assert_eq!(found("other"), Some(("b".to_owned(), true)));
        assert_eq!(found("third"), None);
        let said: Vec<_> = roll
            .settings("file")
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect();
        assert_eq!(said.len(), 2);
        assert_eq!(said[0].0, "producer a");
        assert!(
            said[0].1.starts_with("enrolled token=") && said[0].1.contains(" at=1970-"),
            "{said:?}"
        );
    }

    #[test]
    fn a_certificate_finds_its_producer_and_is_of_one_at_a_time() {
        let with = |name: &str, keys: &[u8]| Enrolment {
            certificates: keys.iter().map(|n| CertificateKey([*n; 32])).collect(),
            ..enrolment(name, None, None)
        };
        let mut roll = Roll::default();
        roll.add(with("a", &[1, 2])).unwrap();
        let refused = roll.add(with("b", &[3, 2])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the certificate's key 0202020202020202 is the credential of a"
        );
        let found = |roll: &Roll, n: u8| {
            let one = roll.by_certificate(&CertificateKey([n; 32]))?;
            Some((one.name.to_string(), one.is_active()))
        };
        assert_eq!(found(&roll, 2), Some(("a".to_owned(), true)));
        assert_eq!(found(&roll, 3), None);
        roll.revoke(&Name::parse("a").unwrap(), at(1)).unwrap();
        assert_eq!(found(&roll, 2), Some(("a".to_owned(), false)));
        roll.add(with("b", &[2])).unwrap();
        assert_eq!(found(&roll, 2), Some(("b".to_owned(), true)));
        assert_eq!(found(&roll, 1), Some(("a".to_owned(), false)));
    }

    #[test]
    fn two_that_cannot_be_told_apart_are_not_in_force_at_once() {
        let mut roll = Roll::default();
        roll.add(enrolment("a", None, Some(1000))).unwrap();
        let refused = roll.add(enrolment("a", Some("t"), None)).unwrap_err();
        assert!(matches!(refused, Refused::Enrolled { .. }), "{refused}");
        let refused = roll.add(enrolment("b", None, Some(1000))).unwrap_err();
        assert_eq!(refused.to_string(), "user 1000 is the credential of a");
        // With a token of its own it can be told apart.
        roll.add(enrolment("b", Some("t"), Some(1000))).unwrap();
        assert_eq!(roll.by_user(1000).unwrap().name.as_str(), "a");
        roll.revoke(&Name::parse("a").unwrap(), at(1)).unwrap();
        assert_eq!(roll.by_user(1000), None);
    }
}
