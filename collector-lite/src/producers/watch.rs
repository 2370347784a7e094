//! The enrolments in force while a collector runs: who may send, and what changed in the file meanwhile.
//!
//! Every request looks whether the file is still the one that was read, so that a revocation is in force from the next
//! request on; a timer looks too, so that the ledger says it even when nobody sends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ::http::{HeaderMap, header};
use ledger::envelope::ProducerProof;
use ledger::store::{Ledger, Setting};
use tokio::sync::watch;

use super::entry::Enrolment;
use super::file::{self, FileError, Stamp};
use super::roll::Roll;
use super::sender::Sender;
use crate::agent_door::refusal::Refusal;
use crate::doorway::Peer;
use crate::intake::Door;

/// How often the file is looked at when nobody sends.
const LOOK: Duration = Duration::from_millis(500);

/// What requests look at.
#[derive(Debug, Clone)]
struct InForce {
    stamp: Stamp,
    roll: Arc<Roll>,
    recorders: Arc<[String]>,
    /// Why the file as it is now is not in force.
    trouble: Option<String>,
}

/// The enrolments of one store.
#[derive(Debug)]
pub(crate) struct Producers {
    store: PathBuf,
    /// Whether whoever is not enrolled is refused.
    pub(crate) required: bool,
    in_force: RwLock<InForce>,
    /// Held while the file is read and the ledger told; true while something is left to tell.
    telling: Mutex<bool>,
}

impl Producers {
    /// Reads the enrolments of a store.
    ///
    /// # Errors
    /// As [`file::read`]: a collector does not start on enrolments that it cannot read.
    pub(crate) fn open(store: PathBuf, required: bool) -> Result<Self, FileError> {
        let path = file::path(&store);
        // The stamp first: what changes in between is read again.
        let stamp = file::stamp(&path).unwrap_or_default();
        let roll = file::read(&store)?;
        let in_force = InForce {
            stamp,
            recorders: roll.recorders(),
            roll: Arc::new(roll),
            trouble: None,
        };
        Ok(Self {
            store,
            required,
            in_force: RwLock::new(in_force),
            telling: Mutex::new(false),
        })
    }

    fn in_force(&self) -> InForce {
        let read = self.in_force.read();
        read.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn telling(&self) -> MutexGuard<'_, bool> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the enrolments the ledger is to know.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let path = file::path(&self.store);
        self.in_force()
            .roll
            .settings(&format!("file {}", path.display()))
    }

    /// How many are in force, how many were revoked, and why the file is not in force as it is now.
    pub(crate) fn counts(&self) -> (usize, usize, Option<String>) {
        let now = self.in_force();
        let active = now.roll.all().iter().filter(|one| one.is_active()).count();
        (active, now.roll.all().len() - active, now.trouble)
    }

    /// Whether the file is not the one that was read.
    pub(crate) fn is_stale(&self) -> bool {
        let stamp = file::stamp(&file::path(&self.store));
        let now = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        stamp.is_ok_and(|stamp| stamp != now.stamp)
    }

    /// Puts in force what the file says now, and has the ledger say what changed. `known` are the settings that are no
    /// enrolments.
    pub(crate) fn look(&self, ledger: &Ledger, known: &[Setting]) {
        let same = |stamp: Stamp| self.in_force().stamp == stamp;
        let path = file::path(&self.store);
        // A file that cannot even be looked at changes nothing.
        let Ok(stamp) = file::stamp(&path) else {
            return;
        };
        if same(stamp) {
            // Whoever is telling already tells this, too.
            match self.telling.try_lock() {
                Ok(left) if *left => {}
                _ => return,
            }
        }
        let mut left = self.telling();
        if !same(stamp) {
            self.take(stamp);
            *left = true;
        }
        if *left {
            let settings: Vec<Setting> = known.iter().cloned().chain(self.settings()).collect();
            match ledger.reconfigure(&settings) {
                Ok(_) => *left = false,
                Err(error) => {
                    tracing::warn!(%error, "the enrolments that changed are in force, and not in the ledger yet")
                }
            }
        }
    }

    /// Reads the file anew. What cannot be read leaves in force what was.
    fn take(&self, stamp: Stamp) {
        let read = file::read(&self.store);
        let mut now = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        now.stamp = stamp;
        now.trouble = None;
        match read {
            Ok(roll) => {
                now.recorders = roll.recorders();
                now.roll = Arc::new(roll);
                tracing::info!("the enrolments changed");
            }
            Err(error) => {
                tracing::error!(%error, "the enrolments stay as they were");
                now.trouble = Some(error.to_string());
            }
        }
    }

    /// Looks again and again until the stop.
    pub(crate) async fn watch(
        self: Arc<Self>,
        ledger: Arc<Ledger>,
        known: Vec<Setting>,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            tokio::task::block_in_place(|| self.look(&ledger, &known));
        }
    }

    /// Who sends, by what it shows.
    ///
    /// # Errors
    /// A credential that is not in force; none, where one is required.
    pub(crate) fn sender(
        &self,
        door: Door,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<Sender, Refusal> {
        let now = self.in_force();
        let mut sender = match credential(&now.roll, headers, peer)? {
            Some((enrolment, proof)) => Sender::enrolled(enrolment, proof),
            None if self.required => return Err(refused(NOT_ENROLLED.to_owned())),
            None => Sender::unauthenticated(door.unauthenticated()),
        };
        sender.recorders = self.required.then_some(now.recorders);
        Ok(sender)
    }
}

const NOT_ENROLLED: &str = "producers must be enrolled here: present a token that `recount-collector enroll NAME` gave \
                            (authorization: Bearer TOKEN; RECOUNT_TOKEN for the SDK), or a client certificate that was \
                            enrolled";

fn refused(why: String) -> Refusal {
    Refusal::Credential(why)
}

/// Whose credential a request shows: a token, else the client certificate or the user at the other end.
fn credential<'r>(
    roll: &'r Roll,
    headers: &HeaderMap,
    peer: Peer,
) -> Result<Option<(&'r Enrolment, ProducerProof)>, Refusal> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let Some(given) = shown.next() else {
        return by_peer(roll, peer);
    };
    let token = given.to_str().ok().and_then(bearer);
    let Some(token) = token.filter(|_| shown.next().is_none()) else {
        return Err(refused("authorization is not one bearer token".to_owned()));
    };
    let Some(one) = roll.by_token(token) else {
        return Err(refused(
            "the token is of no enrolled producer; `recount-collector producers` lists them"
                .to_owned(),
        ));
    };
    if let Some(at) = one.revoked {
        return Err(refused(format!(
            "the token of {} was revoked at {at}",
            one.name
        )));
    }
    fits(one, roll, peer)?;
    Ok(Some((one.as_ref(), ProducerProof::Token)))
}

/// Whether a token may come from there: as the user that it is bound to, and with no certificate of somebody else.
fn fits(one: &Enrolment, roll: &Roll, peer: Peer) -> Result<(), Refusal> {
    let other = peer.certificate().and_then(|key| roll.by_certificate(&key));
    if let Some(other) = other.filter(|other| other.name != one.name) {
        return Err(refused(format!(
            "the token is of {}, and the certificate of {}",
            one.name, other.name
        )));
    }
    match (one.uid, peer) {
        (None, _) => Ok(()),
        (Some(bound), Peer::User { uid, .. }) if uid == bound => Ok(()),
        (Some(bound), Peer::User { uid, .. }) => Err(refused(format!(
            "the token of {} is bound to user {bound}, and user {uid} presents it",
            one.name
        ))),
        (Some(bound), _) => Err(refused(format!(
            "the token of {} is bound to user {bound}, whom only the agent socket shows",
            one.name
        ))),
    }
}

/// Whose credential the connection itself is.
fn by_peer(roll: &Roll, peer: Peer) -> Result<Option<(&Enrolment, ProducerProof)>, Refusal> {
    if let Peer::User { uid, .. } = peer {
        return Ok(roll
            .by_user(uid)
            .map(|one| (one.as_ref(), ProducerProof::PeerCredentials)));
    }
    let Some(key) = peer.certificate() else {
        return Ok(None);
    };
    let short = key.short();
    match roll.by_certificate(&key) {
        None => Err(refused(format!(
            "the client certificate (key {short}) is of no enrolled producer; enrol it with: recount-collector enroll \
             NAME --certificate FILE"
        ))),
        Some(one) => match one.revoked {
            Some(at) => Err(refused(format!(
                "the client certificate of {} (key {short}) was revoked at {at}",
                one.name
            ))),
            None => Ok(Some((one.as_ref(), ProducerProof::Certificate))),
        },
    }
}

/// The token of `Bearer TOKEN`; the scheme in any case, as RFC 9110 has it.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producers::entry::{CertificateKey, Name, TokenHash};
    use ::http::HeaderValue;
    use vocabulary::Timestamp;

    const TCP: Peer = Peer::Address(std::net::SocketAddr::V4(std::net::SocketAddrV4::new(
        std::net::Ipv4Addr::LOCALHOST,
        4000,
    )));

    fn tls(key: Option<u8>) -> Peer {
        let Peer::Address(address) = TCP else {
            unreachable!("it is one");
        };
        Peer::Tls {
            address,
            certificate: key.map(|key| CertificateKey([key; 32])),
        }
    }

    fn user(uid: u32) -> Peer {
        Peer::User { uid, pid: None }
    }

    fn roll() -> Roll {
        let one = |name: &str, token: Option<&str>, uid| Enrolment {
            name: Name::parse(name).unwrap(),
            enrolled: Timestamp::from_unix_ns(0),
            revoked: None,
            token: token.map(TokenHash::of),
            certificates: match name {
                "open" => vec![CertificateKey([1; 32])],
                "gone" => vec![CertificateKey([2; 32])],
                "shows" => vec![CertificateKey([3; 32])],
                _ => Vec::new(),
            },
            uid,
            key: None,
            recorder: false,
        };
        let mut roll = Roll::of(vec![
            one("shows", None, None),
            one("open", Some("t-open"), None),
            one("bound", Some("t-bound"), Some(7)),
            one("user", None, Some(8)),
            one("gone", Some("t-gone"), None),
        ])
        .unwrap();
        roll.revoke(&Name::parse("gone").unwrap(), Timestamp::from_unix_ns(1));
        roll
    }

    fn shown(
        authorization: &[&str],
        peer: Peer,
    ) -> Result<Option<(String, ProducerProof)>, String> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let roll = roll();
        let found = credential(&roll, &headers, peer).map_err(|refusal| refusal.to_string())?;
        Ok(found.map(|(one, proof)| (one.name.to_string(), proof)))
    }

    #[test]
    fn a_credential_is_what_was_enrolled_and_nothing_else() {
        let is = |name: &str, proof| Ok(Some((name.to_owned(), proof)));
        assert_eq!(
            shown(&["Bearer t-open"], TCP),
            is("open", ProducerProof::Token)
        );
        assert_eq!(
            shown(&["bearer  t-open "], user(9)),
            is("open", ProducerProof::Token)
        );
        assert_eq!(
            shown(&["Bearer t-bound"], user(7)),
            is("bound", ProducerProof::Token)
        );
        assert_eq!(
            shown(&[], user(8)),
            is("user", ProducerProof::PeerCredentials)
        );
        assert_eq!(shown(&[], TCP), Ok(None));
        assert_eq!(shown(&[], tls(None)), Ok(None));
        assert_eq!(
            shown(&[], tls(Some(3))),
            is("shows", ProducerProof::Certificate)
        );
        // A certificate that nobody enrolled says nothing beside a token that counts.
        for key in [None, Some(1), Some(9)] {
            assert_eq!(
                shown(&["Bearer t-open"], tls(key)),
                is("open", ProducerProof::Token)
            );
        }
        // A user whom a token is bound to still has to present it.
        assert_eq!(shown(&[], user(7)), Ok(None));
    }

    #[test]
    fn what_is_wrong_with_a_credential_is_said() {
        for (authorization, peer, words) in [
            (&["Bearer t-other"][..], TCP, "of no enrolled producer"),
            (&["Bearer t-other"], user(8), "of no enrolled producer"),
            (
                &["Bearer t-gone"],
                TCP,
                "the token of gone was revoked at 1970-01-01",
            ),
            (
                &["Bearer t-bound"],
                user(9),
                "bound to user 7, and user 9 presents it",
            ),
            (
                &["Bearer t-bound"],
                TCP,
                "bound to user 7, whom only the agent socket shows",
            ),
            (
                &[],
                tls(Some(9)),
                "the client certificate (key 0909090909090909) is of no enrolled producer",
            ),
            (
                &[],
                tls(Some(2)),
                "the client certificate of gone (key 0202020202020202) was revoked at 1970-01-01",
            ),
            (
                &["Bearer t-open"],
                tls(Some(3)),
                "the token is of open, and the certificate of shows",
            ),
            (&["Basic t-open"], TCP, "not one bearer token"),
            (&["Bearer "], TCP, "not one bearer token"),
            (&["t-open"], TCP, "not one bearer token"),
            (
                &["Bearer t-open", "Bearer t-open"],
                TCP,
                "not one bearer token",
            ),
        ] {
            let refusal = shown(authorization, peer).unwrap_err();
            assert!(refusal.contains(words), "{authorization:?}: {refusal}");
        }
    }
}
