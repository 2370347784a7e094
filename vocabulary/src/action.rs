//! Words of an action: what was attempted, what came of it, what it left behind.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::word::words;

words! {
    /// What an action does to its target.
    pub enum Access: "access" {
        /// Looks, changes nothing.
        Read = "read",
        /// Creates or changes.
        Write = "write",
        /// Removes.
        Delete = "delete",
        /// Runs something.
        Execute = "execute",
        /// Sends something away that cannot be called back.
        Send = "send",
    }
}

impl Access {
    /// The durability of this access when nobody set another: everything that
    /// can have an effect waits for the collector.
    pub const fn default_durability(self) -> Durability {
        match self {
            Self::Read => Durability::Spool,
            Self::Write | Self::Delete | Self::Execute | Self::Send => Durability::Strict,
        }
    }
}

words! {
    /// How an action ended, as its caller saw it. Outcome is not [`Effect`].
    pub enum Outcome: "outcome" or Unknown {
        /// It did what was asked.
        Success = "success",
        /// It ran and failed; a counterpart's 403 is one.
        Failure = "failure",
        /// A verdict forbade it; it did not run.
        Denied = "denied",
        /// It did not run for another reason.
        NotExecuted = "not_executed",
        /// The caller stopped waiting.
        Timeout = "timeout",
        /// The caller cancelled it.
        Cancelled = "cancelled",
        /// It was handed to somebody with more authority.
        Escalated = "escalated",
        /// Nobody knows: no end was recorded.
        Unknown = "unknown",
    }
}

words! {
    /// What an action left behind in the world.
    pub enum Effect: "effect" or Unknown {
        /// Nothing changed.
        None = "none",
        /// Changed inside a transaction that is not settled yet.
        Pending = "pending",
        /// Changed for good.
        Committed = "committed",
        /// Changed and taken back.
        RolledBack = "rolled_back",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// How a transaction was settled.
    pub enum TransactionOutcome: "transaction outcome" or Unknown {
        /// Its changes are durable.
        Committed = "committed",
        /// Its changes are undone.
        RolledBack = "rolled_back",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// What an action's begin had reached before the action ran.
    pub enum Durability: "durability" {
        /// Sealed by the collector and acknowledged.
        Strict = "strict",
        /// Written to the local spool; sealed later.
        Spool = "spool",
        /// Kept nowhere: a loss says so.
        None = "none",
    }
}

words! {
    /// How the state before an action was read.
    pub enum ReadBefore: "read_before" {
        /// In the transaction that then changed it.
        InTransaction = "in_transaction",
        /// Read, and the write demanded that it is still so (`If-Match`).
        PreconditionSent = "precondition_sent",
        /// Read without a lock: somebody may have written in between.
        Unlocked = "unlocked",
        /// Not read.
        NotRead = "not_read",
    }
}

words! {
    /// How the state after an action was read.
    pub enum ReadAfter: "read_after" {
        /// In the transaction that changed it.
        InTransaction = "in_transaction",
        /// From the answer to the write.
        ResponseBody = "response_body",
        /// Read later, with the entity tag that the write returned.
        EtagMatched = "etag_matched",
        /// Read later: somebody may have written in between.
        LaterRead = "later_read",
        /// Not read.
        NotRead = "not_read",
    }
}

words! {
    /// How the patch of a diff is written.
    pub enum PatchFormat: "patch format" {
        /// RFC 6902 JSON Patch.
        JsonPatch = "json-patch",
        /// Unified diff of text lines.
        Unified = "unified",
        /// Only sizes and digests differ: no patch of bytes is made.
        Binary = "binary",
    }
}

/// Through what kind of interface an action goes. Open: a kind that this
/// version has no word for is kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An HTTP request.
    Http,
    /// A file or folder.
    File,
    /// A call of a language model.
    Llm,
    /// A database statement.
    Db,
    /// A tool of the agent's own framework.
    Tool,
    /// A call to an MCP server.
    Mcp,
    /// A process that was started.
    Process,
    /// Another agent.
    Agent,
    /// Any other kind, as it was written.
    Other(Box<str>),
}

impl Kind {
    /// Every kind that has a word of its own.
    pub const KNOWN: &'static [Self] = &[
        Self::Http,
        Self::File,
        Self::Llm,
        Self::Db,
        Self::Tool,
        Self::Mcp,
        Self::Process,
        Self::Agent,
    ];

    /// The kind as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Http => "http",
            Self::File => "file",
            Self::Llm => "llm",
            Self::Db => "db",
            Self::Tool => "tool",
            Self::Mcp => "mcp",
            Self::Process => "process",
            Self::Agent => "agent",
            Self::Other(name) => name,
        }
    }

    /// Reads a kind; never fails, since kinds are open.
    pub fn read(text: &str) -> Self {
        Self::KNOWN
            .iter()
            .find(|kind| kind.as_str() == text)
            .cloned()
            .unwrap_or_else(|| Self::Other(text.into()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::read(text))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        Ok(Self::read(&text))
    }
}
