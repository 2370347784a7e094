//! Attacks by agents and on the way to the collector: other names, replays, silence, floods, lies, accidents.

mod certificates;
mod clocks;
mod files;
mod floods;
mod names;
mod numbers;
mod silence;
mod tokens;

use super::attack::{Attack, End, Tier, When};
use certificates::wrong_certificate;
use clocks::clock_step;
use files::undone_between_looks;
use floods::{flood, oversize, queue_overflow};
use names::{chosen_ids, hostile_text, lying_clock};
use numbers::{changed_bytes, lost_answer, replay, restarted_numbers, suppress};
use silence::{dangling, killed_collector, never_starts};
use tokens::{foreign_session, stolen_token};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        id: "P01",
        name: "write into another agent's session",
        tier: Tier::A0,
        can: "sends exports that name the session",
        by: "where enrolment is required: refused at ingest, and a conflict leaf, which the account of the session tells. Elsewhere a stream of its own, shown as claims; nothing sealed before is changed",
        when: &[When::Ingest, When::Verify],
        residual: "where enrolment is not required, senders without a credential share one stream per session: they can add to it, and it is called unauthenticated",
        end: End::Detected(foreign_session),
    },
    Attack {
        id: "P02",
        name: "choose a session's name: one that exists as a stream's id, or one that another ledger uses",
        tier: Tier::A0,
        can: "sends exports",
        by: "stream ids are derived from the collector's own random nonce; a name is a label and nothing else",
        when: &[When::Ingest],
        residual: "none",
        end: End::Prevented(chosen_ids),
    },
    Attack {
        id: "P03",
        name: "replay an export, same bytes",
        tier: Tier::A0,
        can: "sends exports",
        by: "the answer at ingest: the old receipt, marked as duplicate; nothing is sealed",
        when: &[When::Ingest],
        residual: "exports without numbers: beyond a bounded window a copy is sealed again, and the account says `received n times`",
        end: End::Prevented(replay),
    },
    Attack {
        id: "P04",
        name: "replay a number with other bytes",
        tier: Tier::A0,
        can: "sends exports",
        by: "the answer at ingest counts a conflict; the first bytes stay, and a conflict leaf holds the digests of both",
        when: &[When::Ingest],
        residual: "none for numbered senders",
        end: End::Detected(changed_bytes),
    },
    Attack {
        id: "P05",
        name: "leave out records",
        tier: Tier::A0,
        can: "decides what its SDK sends",
        by: "a gap leaf at the close of the session; the account: the numbers that never came",
        when: &[When::Ingest, When::Verify],
        residual: "plain OpenTelemetry has no numbers: gap detection none, and the account says so",
        end: End::Detected(suppress),
    },
    Attack {
        id: "P06",
        name: "never start a session",
        tier: Tier::A0,
        can: "acts without recording",
        by: "nothing: a ledger cannot see what is never sent; every account says `that the agent told all` is not proven",
        when: &[],
        residual: "all of it; a recorder that the agent does not control (a proxy, an enrolled wrapper) narrows it",
        end: End::Reported(never_starts),
    },
    Attack {
        id: "P07",
        name: "overflow the queue between agent and collector",
        tier: Tier::Accident,
        can: "more records than the spool may hold",
        by: "the account: the loss is counted and is itself a record",
        when: &[When::Verify],
        residual: "which records were lost is known by number, not by content",
        end: End::Detected(queue_overflow),
    },
    Attack {
        id: "P08",
        name: "stop or kill the collector",
        tier: Tier::A1,
        can: "sends signals to the collector",
        by: "at once: a strict action is refused and does not run; afterwards: the startup leaf says that the last run did not end in order",
        when: &[When::Ingest, When::Verify],
        residual: "what a spooled action did meanwhile is sealed later, marked so",
        end: End::Detected(killed_collector),
    },
    Attack {
        id: "P09",
        name: "flood the collector with refusable exports",
        tier: Tier::A0,
        can: "sends as much as it likes",
        by: "at ingest: refusals leave few leaves and their count; memory for exports is bounded; others are answered meanwhile",
        when: &[When::Ingest],
        residual: "well-formed records in any number are sealed: they fill the disk until retryable refusals begin",
        end: End::Prevented(flood),
    },
    Attack {
        id: "P10",
        name: "oversize: a bomb, deep nesting, a million attributes, a huge value",
        tier: Tier::A0,
        can: "sends exports",
        by: "at ingest: limits on decompressed size, depth and count; refused whole, and a leaf says so",
        when: &[When::Ingest],
        residual: "none",
        end: End::Prevented(oversize),
    },
    Attack {
        id: "P11",
        name: "set the collector's clock back or forward",
        tier: Tier::A2,
        can: "sets the machine's clock",
        by: "the collector compares wall clock with time since boot: a clock_step leaf says by how much; times of the log never go back",
        when: &[When::Ingest],
        residual: "a clock that is set while no collector runs shows only between startup leaves",
        end: End::Detected(clock_step),
    },
    Attack {
        id: "P12",
        name: "lie about when something happened",
        tier: Tier::A0,
        can: "writes any time into its records",
        by: "the account: the collector's own time of receipt is sealed beside it, and the clocks disagree",
        when: &[When::Verify],
        residual: "lies of less than a minute; backdating what was not sent `strict`, which may have waited: the time of receipt stands beside it",
        end: End::Detected(lying_clock),
    },
    Attack {
        id: "P13",
        name: "restart the numbering",
        tier: Tier::A0,
        can: "restarts its SDK without ending the session",
        by: "the account: each run has numbers of its own, and the session is neither ended nor abandoned",
        when: &[When::Verify],
        residual: "what a killed run never sent, after its last number, is not known",
        end: End::Detected(restarted_numbers),
    },
    Attack {
        id: "P14",
        name: "use a stolen agent token",
        tier: Tier::A0,
        can: "holds another agent's token, and runs as another user",
        by: "once it is revoked: refused from the next request on, with a leaf that names the producer; bound to a user: refused at once, over the socket and over a port; where a signing key is enrolled: the account says that nobody signed",
        when: &[When::Ingest, When::Verify],
        residual: "between theft and revocation, a token that is not bound: the thief's records are called the agent's, and told apart only by its signing key; a thief who has that, too, is the agent",
        end: End::Detected(stolen_token),
    },
    Attack {
        id: "P15",
        name: "inject control characters: terminal escapes, bidirectional overrides, forged lines",
        tier: Tier::A0,
        can: "writes any text into its records",
        by: "readers: every control character is shown escaped; the bytes stay in the ledger as sent",
        when: &[When::Verify],
        residual: "text that persuades a reader, human or model, is still text: it is marked as the agent's own",
        end: End::Prevented(hostile_text),
    },
    Attack {
        id: "P16",
        name: "crash between commit and acknowledgement",
        tier: Tier::Accident,
        can: "kills the collector before its answer arrives",
        by: "the answer to the retry: the old receipt; nothing is sealed twice",
        when: &[When::Ingest],
        residual: "none",
        end: End::Prevented(lost_answer),
    },
    Attack {
        id: "P17",
        name: "die between an effect and its record",
        tier: Tier::Accident,
        can: "kills the agent during an action",
        by: "the account: the begin was sealed before the action ran, so the action is shown as dangling",
        when: &[When::Verify],
        residual: "whether the effect happened is not known, and is said to be unknown",
        end: End::Detected(dangling),
    },
    Attack {
        id: "P18",
        name: "change a file and restore it between two looks",
        tier: Tier::A0,
        can: "writes files while a recorder compares before with after",
        by: "nothing: a recorder that compares before with after does not look in between; the account says that the state was read without a lock (`read_unlocked`)",
        when: &[],
        residual: "what happened between the two looks, and was undone",
        end: End::Reported(undone_between_looks),
    },
    Attack {
        id: "P19",
        name: "show a client certificate that does not count: of another authority, expired, revoked, or nobody's",
        tier: Tier::A0,
        can: "reaches the agent door over TLS, and holds such a certificate with its key",
        by: "the handshake, or the answer at ingest: refused, counted, and a leaf says whose it was or why it does not count",
        when: &[When::Ingest],
        residual: "a stolen key counts until its certificate is revoked here: the collector asks no revocation list of the authority; a connection outlives its certificate's last day, not its revocation",
        end: End::Prevented(wrong_certificate),
    },
];
