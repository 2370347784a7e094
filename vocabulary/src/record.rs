//! Words of a record: who recorded it, how it was delivered, what of its content is there.

use crate::word::{codes, words};

words! {
    /// Who recorded: the agent itself, an enrolled recorder, or an import.
    /// The collector decides this, not the sender.
    pub enum RecordingMode: "recording mode" or Unknown {
        /// The agent's own process, or anything that is not enrolled.
        SelfRecorded = "self",
        /// A recorder that is enrolled with the collector.
        Independent = "independent",
        /// Taken over from files or another system.
        Imported = "imported",
        /// Nothing is said about it.
        Unknown = "unknown",
    }
}

codes! { RecordingMode { Unknown = 0, SelfRecorded = 1, Independent = 2, Imported = 3, } }

words! {
    /// How a record reached the collector.
    pub enum Delivery: "delivery" or Unknown {
        /// The sender waited for the acknowledgement before it acted.
        Strict = "strict",
        /// It came from a spool, some time after the fact: it is no evidence
        /// that begin preceded the action.
        Spooled = "spooled",
        /// An ordinary export whose sender said nothing.
        Direct = "direct",
        /// Adopted from a spool folder by the collector.
        Adopted = "adopted",
        /// Nothing is said about it.
        Unknown = "unknown",
    }
}

codes! { Delivery { Unknown = 0, Strict = 1, Spooled = 2, Direct = 3, Adopted = 4, } }

words! {
    /// How a producer proved who it is.
    pub enum ProducerProof: "producer proof" or Unknown {
        /// It did not: its claim is kept, its name is `unauthenticated:<door>`.
        Unauthenticated = "unauthenticated",
        /// The operating system told its user (Unix socket peer credentials).
        PeerCredentials = "peer_credentials",
        /// A bearer credential of an enrolled agent.
        Token = "token",
        /// A client certificate.
        Certificate = "certificate",
        /// Nothing is said about it.
        Unknown = "unknown",
    }
}

codes! { ProducerProof {
    Unknown = 0, Unauthenticated = 1, PeerCredentials = 2, Token = 3, Certificate = 4,
} }

words! {
    /// What a session's records show of their sender: whether a missing one
    /// would show, and whether somebody's key answers for them.
    pub enum SenderKind: "sender" or Unknown {
        /// Every record has a number, and an agent's key signed.
        Signed = "signed",
        /// Every record has a number; nobody signed.
        Unsigned = "unsigned",
        /// Some records have no number.
        Mixed = "mixed",
        /// No record has a number: one that is missing does not show.
        PlainOtlp = "plain_otlp",
        /// No record could be read.
        Unknown = "unknown",
    }
}

words! {
    /// What of a content is there.
    pub enum ContentState: "content state" or Unknown {
        /// All of it, inline or by reference.
        Present = "present",
        /// There is none, and that is a fact (a file that does not exist).
        Absent = "absent",
        /// Nobody knows whether there is any.
        Unknown = "unknown",
        /// It was there; all of it was removed before sealing.
        Redacted = "redacted",
        /// It was sealed and erased later; its commitment still holds.
        Erased = "erased",
        /// Only its beginning is there; digest and size are of the whole.
        Truncated = "truncated",
        /// It exists, and the recorder was not told to keep it.
        NotCaptured = "not_captured",
    }
}

words! {
    /// What contradicts what, in a conflict that a collector notes.
    pub enum ConflictKind: "conflict" or Other {
        /// One number of a run with two contents.
        NumberReused = "number_reused",
        /// Two trees of one size with two roots.
        Fork = "fork",
        /// Another producer named a session.
        SessionClaimed = "session_claimed",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// Whether what was asked for is all there and unchanged.
    pub enum IntegrityStatus: "integrity status" or Unchecked {
        /// A check failed.
        Broken = "broken",
        /// A gap or a loss.
        Incomplete = "incomplete",
        /// What is there is intact; a session neither ended nor was abandoned.
        Open = "open",
        /// Not verified.
        Unchecked = "unchecked",
        /// Every stream read is whole and equals a signed head.
        Intact = "intact",
    }
}

words! {
    /// Whether the ledger's key was known before.
    pub enum KeyTrust: "key trust" {
        /// It equals the pinned key.
        Pinned = "pinned",
        /// It was seen for the first time.
        FirstSeen = "first_seen",
    }
}

words! {
    /// Who checked the answer.
    pub enum CheckedBy: "checker" {
        /// The program that shows it.
        Reader = "reader",
        /// The collector that sent it.
        Collector = "collector",
        /// Nobody.
        Nobody = "nobody",
    }
}
