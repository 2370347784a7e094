//! Whether a witness may cosign a checkpoint: pure, and in the order in which C2SP tlog-witness asks.

use ledger::leaf::TreeHead;
use ledger::note::VerifierKey;
use ledger::tree::{ProofError, empty_root, verify_consistency};

use super::request::Request;

/// Why a checkpoint is not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// 400
    #[error("the old size {old} is larger than the checkpoint's {size}")]
    OldIsNewer { old: u64, size: u64 },
    /// 403
    #[error("no signature by a key that is trusted for {origin}")]
    Unsigned { origin: String },
    /// 404
    #[error("{origin} is not a log that is known here")]
    Unknown { origin: String },
    /// 409
    #[error("the newest checkpoint that was cosigned has size {held}, not {old}")]
    OtherSize { held: u64, old: u64 },
    /// 409
    #[error("another root of size {held} was cosigned")]
    OtherRoot { held: u64 },
    /// 422
    #[error("it does not extend the checkpoint of size {held}: {why}")]
    Inconsistent { held: u64, why: ProofError },
}

impl Refusal {
    /// The status that says so.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::OldIsNewer { .. } => 400,
            Self::Unsigned { .. } => 403,
            Self::Unknown { .. } => 404,
            Self::OtherSize { .. } | Self::OtherRoot { .. } => 409,
            Self::Inconsistent { .. } => 422,
        }
    }
}

/// Checks the signature against the keys trusted for the origin. The keys of another origin do not count.
pub(crate) fn signed(request: &Request<'_>, keys: &[VerifierKey]) -> Result<(), Refusal> {
    let origin = &request.checkpoint.origin;
    let mut known = keys.iter().filter(|key| key.name() == origin).peekable();
    if known.peek().is_none() {
        return Err(Refusal::Unknown {
            origin: origin.clone(),
        });
    }
    if known.any(|key| request.note.verify(key).is_ok()) {
        Ok(())
    } else {
        Err(Refusal::Unsigned {
            origin: origin.clone(),
        })
    }
}

/// Whether the checkpoint extends what is held of its log; `None`: nothing was ever cosigned.
pub(crate) fn extends(request: &Request<'_>, held: Option<TreeHead>) -> Result<(), Refusal> {
    let new = request.checkpoint.head;
    let held = held.unwrap_or(TreeHead {
        size: 0,
        root: empty_root(),
    });
    if request.old > new.size {
        return Err(Refusal::OldIsNewer {
            old: request.old,
            size: new.size,
        });
    }
    if request.old != held.size {
        return Err(Refusal::OtherSize {
            held: held.size,
            old: request.old,
        });
    }
    // There is one empty tree; a log that signs another root of size 0 is at odds with all of them.
    if held.size == new.size && held.root != new.root {
        return Err(Refusal::OtherRoot { held: held.size });
    }
    verify_consistency(held.size, &held.root, new.size, &new.root, &request.proof).map_err(|why| {
        Refusal::Inconsistent {
            held: held.size,
            why,
        }
    })
}

#[cfg(test)]
mod tests {
    use ledger::checkpoint::Checkpoint;
    use ledger::note::SignerKey;
    use ledger::tree::{Frontier, Hash, consistency, hash_leaf};
    use proptest::prelude::*;

    use super::super::request::body;
    use super::*;

    /// The leaves of one history; the fork differs from leaf `at` on.
    fn leaves(n: u64, fork: Option<u64>) -> Vec<Hash> {
        let leaf = |i: u64| match fork {
            Some(at) if i >= at => hash_leaf(format!("fork {i}").as_bytes()),
            _ => hash_leaf(format!("leaf {i}").as_bytes()),
        };
        (0..n).map(leaf).collect()
    }

    fn head(leaves: &[Hash]) -> TreeHead {
        let mut tree = Frontier::default();
        for leaf in leaves {
            tree.append(*leaf);
        }
        TreeHead {
            size: tree.size(),
            root: tree.root(),
        }
    }

    fn key() -> SignerKey {
        SignerKey::new("example.test/log", &[1; 32]).unwrap()
    }

    fn asked(old: u64, leaves: &[Hash]) -> Vec<u8> {
        let head = head(leaves);
        let note = Checkpoint {
            origin: "example.test/log".to_owned(),
            head,
        }
        .sign(&key())
        .unwrap();
        let proof = consistency(&mut &leaves[..], old, head.size).unwrap();
        body(old, &proof, &note)
    }

    fn status(body: &[u8], held: Option<TreeHead>) -> u16 {
        let request = Request::parse(body).unwrap();
        extends(&request, held).map_or_else(|refusal| refusal.status(), |()| 200)
    }

    #[test]
    fn each_refusal_has_the_status_of_the_specification() {
        let (ten, seven) = (leaves(10, None), head(&leaves(7, None)));
        assert_eq!(status(&asked(7, &ten), Some(seven)), 200);
        assert_eq!(status(&asked(0, &ten), None), 200);
        assert_eq!(status(&asked(0, &ten), Some(seven)), 409);
        assert_eq!(status(&asked(7, &ten), None), 409);
        assert_eq!(status(&asked(10, &ten), Some(head(&ten))), 200);
        let fork = leaves(10, Some(3));
        assert_eq!(status(&asked(10, &fork), Some(head(&ten))), 409);
        assert_eq!(status(&asked(7, &fork), Some(seven)), 422);
        let mut too_old = asked(7, &ten);
        too_old.splice(4..5, *b"11");
        assert_eq!(status(&too_old, Some(seven)), 400);
    }

    #[test]
    fn only_a_key_of_the_origin_counts() {
        let asked = asked(0, &leaves(3, None));
        let request = Request::parse(&asked).unwrap();
        let status =
            |keys: &[VerifierKey]| signed(&request, keys).map_err(|refusal| refusal.status());
        let other = SignerKey::new("example.test/log", &[2; 32]).unwrap();
        let elsewhere = SignerKey::new("example.test/other", &[1; 32]).unwrap();
        assert_eq!(status(&[]), Err(404));
        assert_eq!(status(&[elsewhere.verifier()]), Err(404));
        assert_eq!(status(&[other.verifier()]), Err(403));
        assert_eq!(status(&[other.verifier(), key().verifier()]), Ok(()));
    }

    /// redteam: E06
    #[test]
    fn an_empty_tree_has_one_root() {
        let note = Checkpoint {
            origin: "example.test/log".to_owned(),
            head: TreeHead {
                size: 0,
                root: [7; 32],
            },
        };
        let body = body(0, &[], &note.sign(&key()).unwrap());
        assert_eq!(status(&body, None), 409);
    }

    proptest! {
        /// redteam: K06. Whatever is asked in whatever order, all that was accepted lies on one history.
        #[test]
        fn no_order_of_requests_gets_two_histories_cosigned(
            asks in proptest::collection::vec((0_u64..40, 0_u64..40, any::<bool>()), 1..60),
            fork in 0_u64..30,
        ) {
            let mut held: Option<TreeHead> = None;
            let mut accepted: Vec<(TreeHead, Vec<Hash>)> = Vec::new();
            for (old, size, forked) in asks {
                let old = if forked { old } else { held.map_or(0, |head| head.size) };
                let all = leaves(size, forked.then_some(fork));
                let asked = asked(old.min(size), &all);
                let request = Request::parse(&asked).unwrap();
                if extends(&request, held).is_ok() {
                    held = Some(request.checkpoint.head);
                    accepted.push((request.checkpoint.head, all));
                }
            }
            for pair in accepted.windows(2) {
                let [(before, old), (after, new)] = pair else { unreachable!() };
                prop_assert!(before.size <= after.size);
                prop_assert_eq!(&new[..old.len()], &old[..]);
            }
        }
    }
}
