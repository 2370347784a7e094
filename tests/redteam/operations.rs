//! What happens to a ledger in operation: failing disks, second collectors, restores, anchors that are down, upgrades.

mod disk;
mod outside;
mod service;

use super::attack::{Attack, End, Tier, When};
use disk::{failed_sync, full_disk, two_failures};
use outside::{anchors_down, conflict, expired_certificate};
use service::{crash_before_signing, incomplete_erasure, restore, second_collector, upgrade};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        id: "O01",
        name: "a sync fails (EIO)",
        tier: Tier::Accident,
        can: "the device fails once",
        by: "the collector: it acknowledges nothing and ends at once; the next start recomputes what is unsigned before it signs",
        when: &[When::Ingest],
        residual: "none: what was not acknowledged may be there after all, and a retry gets one receipt",
        end: End::Prevented(failed_sync),
    },
    Attack {
        id: "O02",
        name: "the disk is full",
        tier: Tier::Accident,
        can: "no space left",
        by: "the answer at ingest: retryable; nothing acknowledged is lost",
        when: &[When::Ingest],
        residual: "agents wait, or spool, until there is space",
        end: End::Prevented(full_disk),
    },
    Attack {
        id: "O03",
        name: "two collectors on one ledger",
        tier: Tier::Accident,
        can: "starts a second collector",
        by: "the second collector's start: the ledger is in use; a run that lost its lock finds the state row changed",
        when: &[When::Verify],
        residual: "none on one machine; a file system shared without locks is not supported",
        end: End::Prevented(second_collector),
    },
    Attack {
        id: "O04",
        name: "a restore from a backup, in good faith",
        tier: Tier::Accident,
        can: "puts an old copy back",
        by: "the collector refuses the old copy and says `recover`, which goes on under a new name; `verify` says what the new ledger continues and what the old one lacks",
        when: &[When::Verify],
        residual: "what was acknowledged after the backup and is nowhere else: its absence stays visible",
        end: End::Detected(restore),
    },
    Attack {
        id: "O05",
        name: "two transient failures in a row",
        tier: Tier::Accident,
        can: "the device fails twice, then works",
        by: "the answer at ingest: retryable; the state is read again from the disk before the next commit",
        when: &[When::Ingest],
        residual: "none",
        end: End::Prevented(two_failures),
    },
    Attack {
        id: "O06",
        name: "a crash between commit and signature",
        tier: Tier::Accident,
        can: "kills the collector after a commit",
        by: "the next start: it says that the last run did not end in order, and signs what was committed, on top of what was signed",
        when: &[When::Verify],
        residual: "none",
        end: End::Prevented(crash_before_signing),
    },
    Attack {
        id: "O07",
        name: "anchors down for days",
        tier: Tier::Accident,
        can: "no network",
        by: "`anchor status`: which fails since when, and how many leaves it is behind; recording and signing go on",
        when: &[When::Ingest],
        residual: "what was recorded since the last checkpoint left the machine is as safe as the machine",
        end: End::Reported(anchors_down),
    },
    Attack {
        id: "O08",
        name: "a witness that holds another history of this ledger",
        tier: Tier::Accident,
        can: "a witness answers with a conflict",
        by: "the collector stops signing, seals a conflict leaf with both checkpoints, and `anchor status` ends with 3 until a person says which history is the true one",
        when: &[When::Anchor],
        residual: "records go on unsigned meanwhile",
        end: End::Detected(conflict),
    },
    Attack {
        id: "O09",
        name: "an erasure that leaves a copy behind",
        tier: Tier::Accident,
        can: "a copy of the plaintext lies in another folder",
        by: "`erase`: it looks for the plaintext in the store and in every folder named with `--search`, and names each copy that is left",
        when: &[When::Verify],
        residual: "copies in places nobody named; backups and bundles already given away",
        end: End::Detected(incomplete_erasure),
    },
    Attack {
        id: "O10",
        name: "the certificate of a timestamp expires",
        tier: Tier::Accident,
        can: "time passes",
        by: "nothing checks a stored time stamp again: `verify` calls it stated; each new stamp covers everything before it",
        when: &[],
        residual: "after the last certificate has ended, a stamp is worth what its authority's word is; no evidence records (RFC 4998)",
        end: End::Reported(expired_certificate),
    },
    Attack {
        id: "O11",
        name: "upgrade the programs",
        tier: Tier::Accident,
        can: "later releases read stores of earlier ones",
        by: "a store that each release wrote is kept in the repository, and verifies; one bit of it changed, it does not",
        when: &[When::Verify],
        residual: "none",
        end: End::Detected(upgrade),
    },
];
