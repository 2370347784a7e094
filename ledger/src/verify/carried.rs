//! Reading an excerpt of the ledger log: the leaves that are there, each proven, about the streams that are there.
#![forbid(unsafe_code)]

use std::collections::HashSet;

use super::ledger::Verifier;
use super::reading::Reading;
use super::scan::Scan;
use super::{FindingKind, Place};
use crate::leaf::{ControlBody, ControlLeaf, StreamId, TreeHead};
use crate::reader::Find;

impl Verifier<'_> {
    pub(super) fn read_carried(&mut self, mut reading: Reading) -> Scan {
        let (found, stored) = (
            self.reader.find(&Find::All),
            self.reader.control(0, u64::MAX),
        );
        let (found, stored) = match (found, stored) {
            (Ok(found), Ok(stored)) => (found, stored),
            (Err(error), _) | (_, Err(error)) => {
                reading.findings.unreadable(Place::Ledger, &error);
                return reading.finish(self);
            }
        };
        let here: HashSet<StreamId> = found.into_iter().map(|hint| hint.stream).collect();
        for stored in stored {
            let place = Place::Control {
                from: stored.index,
                to: stored.index.saturating_add(1),
            };
            let leaf = match self.prove(stored.index) {
                Ok(proven) if proven.signed => proven.leaf,
                Ok(_) => {
                    let what = "the checkpoint does not cover the leaf";
                    reading.findings.add(FindingKind::Control, place, what);
                    continue;
                }
                Err(finding) => {
                    reading.findings.extend(vec![finding]);
                    continue;
                }
            };
            reading.follow_time(&leaf, place);
            reading.follow_previous(&leaf, place);
            self.follow_carried(&mut reading, &leaf);
            let filed = match leaf.body.stream() {
                Some(stream) if here.contains(stream) => reading.file(&leaf, &stored),
                // A leaf of no stream may be there without its private part, and then says nothing.
                None if stored.private.is_some() || leaf.body.commitment().is_none() => {
                    reading.file(&leaf, &stored)
                }
                Some(stream) if stored.private.is_some() => {
                    let what = format!("the records of stream {stream} were left out");
                    reading.findings.add(FindingKind::Missing, place, what);
                    Ok(())
                }
                None => {
                    reading.receipt(&leaf, "(left out)".to_owned());
                    Ok(())
                }
                Some(_) => Ok(()),
            };
            reading.findings.extend(filed.err().into_iter().collect());
        }
        // Whatever the excerpt holds is known now; nothing is looked up a second time.
        reading.scan.scanned = self.state.size;
        reading.finish(self)
    }

    /// The hashes that prove the leaf give the tree before it too.
    fn follow_carried(&mut self, reading: &mut Reading, leaf: &ControlLeaf) {
        let seal = matches!(leaf.body, ControlBody::EpochSeal { .. });
        let before = seal.then(|| self.root_of(leaf.index).ok()).flatten();
        let before = before.map(|root| TreeHead {
            size: leaf.index,
            root,
        });
        reading.follow_epochs_over(leaf, before);
    }
}
