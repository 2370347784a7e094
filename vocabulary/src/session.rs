//! Words of a session: what set it going, where its identity came from, how it ended.

use crate::word::{codes, words};

words! {
    /// What set a session going.
    pub enum TriggerKind: "trigger" or Unknown {
        /// A message in a chat.
        Chat = "chat",
        /// A command line.
        Command = "command",
        /// An API call.
        Api = "api",
        /// A schedule.
        Schedule = "schedule",
        /// A webhook or queue message.
        Message = "message",
        /// Another agent handed work over.
        Delegation = "delegation",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// Why a session ended.
    pub enum EndReason: "end reason" or Unknown {
        /// Everything asked was done.
        Completed = "completed",
        /// Part of it was done.
        Partial = "partial",
        /// It failed.
        Failed = "failed",
        /// It was not allowed.
        Denied = "denied",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// Nobody ended it; somebody else closed it later.
        Abandoned = "abandoned",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// How a request as a whole came out.
    pub enum OutcomeStatus: "outcome status" or Unknown {
        /// Everything asked was done.
        Completed = "completed",
        /// Part of it was done.
        Partial = "partial",
        /// It failed.
        Failed = "failed",
        /// It was not allowed.
        Denied = "denied",
        /// A session is still running.
        Running = "running",
        /// A session never ended.
        Abandoned = "abandoned",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// By which rule a record's session was found: the first that matches, in
    /// this order.
    pub enum SessionSource: "session source" or Unknown {
        /// Our own attribute `recount.session.id`.
        Recount = "recount.session.id",
        /// W3C baggage of an authenticated peer.
        Baggage = "baggage",
        /// `session.id` of OpenTelemetry (what the SDK sends).
        SessionId = "session.id",
        /// `gen_ai.conversation.id` of OpenTelemetry.
        GenAiConversation = "gen_ai.conversation.id",
        /// Langfuse.
        Langfuse = "langfuse.session.id",
        /// OpenLLMetry.
        Traceloop = "traceloop.association.properties.session_id",
        /// Codex.
        Conversation = "conversation.id",
        /// Vercel AI SDK.
        AiTelemetry = "ai.telemetry.metadata.sessionId",
        /// AgentOps.
        Workflow = "workflow.session_id",
        /// MLflow.
        Mlflow = "mlflow.trace.session",
        /// MCP.
        Mcp = "mcp.session.id",
        /// Another record of the same trace has a session.
        Trace = "trace",
        /// None of these: the trace stands for the session (`trace:<id>`).
        Derived = "derived",
        /// The SDK had no session in its context: its per-process session.
        Unattributed = "unattributed",
        /// A rule of a newer version.
        Unknown = "unknown",
    }
}

codes! { SessionSource {
    Unknown = 0, Recount = 1, Baggage = 2, SessionId = 3, GenAiConversation = 4, Langfuse = 5,
    Traceloop = 6, Conversation = 7, AiTelemetry = 8, Workflow = 9, Mlflow = 10, Mcp = 11,
    Trace = 12, Derived = 13, Unattributed = 14,
} }
