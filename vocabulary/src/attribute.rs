//! Every attribute key that records carry, as constants.
//!
//! `docs/records.md` says which event has which; a test proves that this list
//! and the catalogue name the same keys. To add one: a constant here, a row in
//! [`crate::catalogue`], then `RECOUNT_BLESS=1 cargo test -p vocabulary`.

/// Declares the keys and the list of all of them from one table.
macro_rules! keys {
    ($( $(#[$meta:meta])* $name:ident = $key:literal; )+) => {
        $( $(#[$meta])* pub const $name: &str = $key; )+

        /// Every key declared here, in the order of declaration.
        pub const ALL: &[&str] = &[ $( $name, )+ ];
    };
}

keys! {
    // --- Resource: the producer and its surroundings
    /// Name of the program that records.
    SERVICE_NAME = "service.name";
    /// Version of the program that records.
    SERVICE_VERSION = "service.version";
    /// Instance of the program that records.
    SERVICE_INSTANCE_ID = "service.instance.id";
    /// Stable identifier of the agent.
    AGENT_ID = "gen_ai.agent.id";
    /// Name of the agent.
    AGENT_NAME = "gen_ai.agent.name";
    /// Version of the agent.
    AGENT_VERSION = "gen_ai.agent.version";
    /// Who owns the agent: a person or team that answers for it.
    AGENT_OWNER = "recount.agent.owner";
    /// Host name.
    HOST_NAME = "host.name";
    /// Container.
    CONTAINER_ID = "container.id";
    /// Process number.
    PROCESS_PID = "process.pid";
    /// UUID of one recorder instance; an export that has it is committed or
    /// refused whole.
    PRODUCER = "recount.producer";
    /// UUID of one run of the producer's process; numbers its records.
    RUN = "recount.run";
    /// `recount`.
    TELEMETRY_SDK_NAME = "telemetry.sdk.name";
    /// Version of the SDK.
    TELEMETRY_SDK_VERSION = "telemetry.sdk.version";
    /// `rust`.
    TELEMETRY_SDK_LANGUAGE = "telemetry.sdk.language";

    // --- every record
    /// The session, as its producer calls it.
    SESSION_ID = "session.id";
    /// The request, as the outside calls it.
    REQUEST_ID = "recount.request.id";
    /// Number of the record in its run, from 0.
    SEQ = "recount.seq";
    /// 16 random bytes.
    NONCE = "recount.nonce";
    /// 32 bytes of the producer chain; the last attribute of an item.
    CHAIN = "recount.chain";
    /// Nanoseconds of the producer's monotonic clock.
    MONO_NS = "recount.mono_ns";
    /// What was removed from the record's attributes before it was encoded.
    REDACTIONS = "recount.redactions";

    // --- session
    /// Our own name for a session; wins over `session.id`.
    RECOUNT_SESSION_ID = "recount.session.id";
    /// The session that this one is a child of.
    SESSION_PARENT = "recount.session.parent";
    /// 32 bytes: the key of this session's HMAC digests, sealed in its start.
    SESSION_KEY = "recount.session.key";
    /// Why the session ended.
    SESSION_END_REASON = "recount.session.end_reason";
    /// 64 bytes: an Ed25519 signature over a link of the producer chain.
    SIGNATURE = "recount.signature";
    /// 32 bytes: the public key that it is by.
    SIGNATURE_KEY = "recount.signature.key";
    /// Number of the record of this session whose link is signed.
    SIGNATURE_SEQ = "recount.signature.seq";
    /// What the session says it achieved.
    SESSION_SUMMARY = "recount.session.summary";
    /// How many records the session's own calls wrote, its end included.
    SESSION_RECORDS = "recount.session.records";
    /// Why a session was resumed or abandoned, in words.
    SESSION_NOTE = "recount.session.note";
    /// Other names of the request.
    REQUEST_ALIASES = "recount.request.aliases";
    /// What sort of thing set the session going.
    TRIGGER_KIND = "recount.trigger.kind";
    /// Where that came from: a chat, a crontab line, a queue.
    TRIGGER_ORIGIN = "recount.trigger.origin";
    /// What sort of principal.
    PRINCIPAL_KIND = "recount.principal.kind";
    /// Issuer of the principal's identity.
    PRINCIPAL_ISSUER = "recount.principal.issuer";
    /// Subject at that issuer.
    PRINCIPAL_SUBJECT = "recount.principal.subject";
    /// Name to show.
    PRINCIPAL_DISPLAY = "recount.principal.display";
    /// How well the sender says it is proven; the collector decides.
    PRINCIPAL_PROOF = "recount.principal.proof";
    /// On whose behalf, nearest first.
    ON_BEHALF_OF = "recount.on_behalf_of";

    // --- intent, scope, authorization, context, capture, configuration
    /// What was asked, in the asker's words.
    INTENT = "recount.intent";
    /// Version of the scope; 1 is the first.
    SCOPE_VERSION = "recount.scope.version";
    /// Entries `ACCESS KIND:PATTERN`.
    SCOPE_ENTRIES = "recount.scope.entries";
    /// Who declared the scope.
    SCOPE_DECLARED_BY = "recount.scope.declared_by";
    /// Which authorization an action used.
    AUTHORIZATION_ID = "recount.authorization.id";
    /// Name of the policy.
    AUTHORIZATION_POLICY = "recount.authorization.policy";
    /// Version of the policy under which it was granted.
    AUTHORIZATION_VERSION = "recount.authorization.version";
    /// What it permits, in the counterpart's words.
    AUTHORIZATION_PERMISSIONS = "recount.authorization.permissions";
    /// Who granted it.
    AUTHORIZATION_GRANTED_BY = "recount.authorization.granted_by";
    /// What sort of thing was loaded.
    CONTEXT_KIND = "recount.context.kind";
    /// Its name.
    CONTEXT_NAME = "recount.context.name";
    /// Whether it may instruct the agent.
    CONTEXT_TRUST = "recount.context.trust";
    /// The content that the record is about.
    CONTENT = "recount.content";
    /// What this recorder can see: `kind:depth`, depth being `none`, `calls`,
    /// `content` or `diffs`.
    CAPTURE = "recount.capture";
    /// What changed in the configuration: `model`, `prompt`, `tools`, `policy`.
    CONFIG_KIND = "recount.config.kind";
    /// Its name.
    CONFIG_NAME = "recount.config.name";

    // --- action
    /// The action.
    ACTION_ID = "recount.action.id";
    /// The action that this one is part of.
    ACTION_PARENT = "recount.action.parent";
    /// Through what kind of interface.
    ACTION_KIND = "recount.action.kind";
    /// What it does to its target.
    ACTION_ACCESS = "recount.action.access";
    /// Short name to show.
    ACTION_NAME = "recount.action.name";
    /// Operation in the interface's own words: `PATCH`, `UPDATE`, `chat`.
    ACTION_OPERATION = "recount.action.operation";
    /// The canonical resource acted on.
    TARGET = "recount.target";
    /// What went in.
    INPUT = "recount.input";
    /// What came out.
    OUTPUT = "recount.output";
    /// Number of this attempt, from 1.
    ATTEMPT = "recount.attempt";
    /// The action of which this one is a repetition.
    RETRY_OF = "recount.retry_of";
    /// What the begin had reached before the action ran.
    DURABILITY = "recount.durability";
    /// How it ended.
    OUTCOME = "recount.outcome";
    /// What it left behind.
    EFFECT = "recount.effect";
    /// The outcome in a few words: `200 OK`, `3 rows`.
    RESULT = "recount.result";
    /// How many diffs the action has.
    DIFFS = "recount.diffs";
    /// The error in the counterpart's own code.
    ERROR_NATIVE = "recount.error.native";
    /// The error's message.
    ERROR_MESSAGE = "recount.error.message";
    /// True when the recorder itself did this to observe (its own GETs).
    RECORDER_OWN = "recount.recorder_own";
    /// The span that the caller named for what a recorder beside it saw: trace
    /// id, `-`, span id, in hex.
    OBSERVED_SPAN = "recount.observed.span";
    /// The resource as the caller addressed it, where that is not the target:
    /// a relay's own address.
    OBSERVED_TARGET = "recount.observed.target";

    // --- diff and transaction
    /// The diff.
    DIFF_ID = "recount.diff.id";
    /// The canonical resource whose state changed.
    RESOURCE = "recount.resource";
    /// State before.
    BEFORE = "recount.before";
    /// State after.
    AFTER = "recount.after";
    /// How the state before was read.
    READ_BEFORE = "recount.read_before";
    /// How the state after was read.
    READ_AFTER = "recount.read_after";
    /// The transaction it happened in.
    TRANSACTION_ID = "recount.transaction.id";
    /// How the transaction was settled.
    TRANSACTION_OUTCOME = "recount.transaction.outcome";

    // --- verdict and approval
    /// What policy said.
    VERDICT = "recount.verdict";
    /// The rule that said it.
    RULE = "recount.rule";
    /// The version of the policy that holds the rule.
    POLICY_VERSION = "recount.policy.version";
    /// What came of an approval.
    APPROVAL = "recount.approval";
    /// Who approved or refused.
    APPROVED_BY = "recount.approved_by";
    /// A reason in words.
    REASON = "recount.reason";

    // --- decision
    /// The decision.
    DECISION_ID = "recount.decision.id";
    /// At which point.
    DECISION_POINT = "recount.decision.point";
    /// What made it.
    DECISION_MADE_BY = "recount.decision.made_by";
    /// What was to be decided.
    DECISION_QUESTION = "recount.decision.question";
    /// By what it was decided.
    DECISION_CRITERIA = "recount.decision.criteria";
    /// In which order candidates were put.
    DECISION_ORDERING = "recount.decision.ordering";
    /// Why, in the decider's words.
    DECISION_RATIONALE = "recount.decision.rationale";
    /// What was chosen.
    DECISION_CHOSEN = "recount.decision.chosen";
    /// What was considered.
    DECISION_CONSIDERED = "recount.decision.considered";
    /// Records or actions that were looked at.
    DECISION_REFS = "recount.decision.refs";
    /// How many candidates there were at the start, and their digest.
    CANDIDATES = "recount.candidates";
    /// What was discarded: maps of option and reason.
    DISCARDED = "recount.discarded";

    // --- delegation
    /// The session that the work was handed to.
    DELEGATE_SESSION = "recount.delegate.session";
    /// The agent that the work was handed to.
    DELEGATE_AGENT = "recount.delegate.agent";

    // --- loss, heartbeat, security, log lines
    /// How many records were lost; absent when nobody knows.
    LOSS_COUNT = "recount.loss.count";
    /// Where the loss began, in the producer's numbering.
    LOSS_FROM_SEQ = "recount.loss.from_seq";
    /// What lost them: `spool_full`, `spool_unwritable`, `end_not_kept`, `crash`.
    LOSS_CAUSE = "recount.loss.cause";
    /// Records still waiting to be sent.
    PENDING = "recount.pending";
    /// Where a log line came from.
    LINE_SOURCE = "recount.line.source";
    /// Number of a log line in its file, from 1.
    LINE_NUMBER = "recount.line.number";
    /// Digest of the file that a log line was imported from.
    LINE_FILE = "recount.line.file";
    /// Who imported what others wrote.
    IMPORTED_BY = "recount.imported.by";
    /// Seconds after which a counterpart asks to be tried again.
    RETRY_AFTER_S = "recount.retry_after_s";

    // --- names of OpenTelemetry
    /// Class of an error.
    ERROR_TYPE = "error.type";
    /// The model's name for a tool call.
    TOOL_CALL_ID = "gen_ai.tool.call.id";
    /// The tool.
    TOOL_NAME = "gen_ai.tool.name";
    /// `chat`, `execute_tool`, `embeddings`.
    GEN_AI_OPERATION = "gen_ai.operation.name";
    /// `openai` and the like.
    GEN_AI_PROVIDER = "gen_ai.provider.name";
    /// Model asked for.
    GEN_AI_REQUEST_MODEL = "gen_ai.request.model";
    /// Model that answered.
    GEN_AI_RESPONSE_MODEL = "gen_ai.response.model";
    /// Identifier of the reply.
    GEN_AI_RESPONSE_ID = "gen_ai.response.id";
    /// Why the model stopped.
    GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons";
    /// Tokens in.
    GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens";
    /// Tokens out.
    GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /// Digests of the messages sent, in order: each names an `agent.context`.
    GEN_AI_MESSAGES = "recount.llm.messages";
    /// Request method.
    HTTP_METHOD = "http.request.method";
    /// Status of the answer.
    HTTP_STATUS = "http.response.status_code";
    /// URL, without user info and with masked query values.
    URL_FULL = "url.full";
    /// Server asked.
    SERVER_ADDRESS = "server.address";
    /// Port asked.
    SERVER_PORT = "server.port";
    /// Database product.
    DB_SYSTEM = "db.system.name";
    /// Database.
    DB_NAMESPACE = "db.namespace";
    /// Table.
    DB_COLLECTION = "db.collection.name";
    /// `SELECT`, `UPDATE` and the like.
    DB_OPERATION = "db.operation.name";
    /// Statement text, parameters not filled in.
    DB_QUERY_TEXT = "db.query.text";
    /// Rows returned or changed.
    DB_ROWS = "db.response.returned_rows";
    /// File.
    FILE_PATH = "file.path";
    /// Executable.
    PROCESS_EXECUTABLE = "process.executable.name";
    /// Arguments, credentials masked.
    PROCESS_ARGS = "process.command_args";
    /// Exit code.
    PROCESS_EXIT_CODE = "process.exit.code";
    /// User as OpenTelemetry names one.
    USER_ID = "user.id";
}

/// Keys inside the map that a content value is.
pub mod content {
    /// `present`, `absent`, …
    pub const STATE: &str = "state";
    /// `sha256:<hex>` or `hmac-sha256:<hex>`, of the whole.
    pub const DIGEST: &str = "digest";
    /// Bytes, of the whole.
    pub const SIZE: &str = "size";
    /// Media type.
    pub const MEDIA_TYPE: &str = "media_type";
    /// The bytes: a string when they are UTF-8, else bytes.
    pub const INLINE: &str = "inline";
    /// Where the bytes are instead.
    pub const REF: &str = "ref";
    /// What was removed: maps of path, rule and length.
    pub const REDACTIONS: &str = "redactions";
    /// Why it is not all there.
    pub const WHY: &str = "why";
    /// Inside a redaction: where.
    pub const PATH: &str = "path";
    /// Inside a redaction: by which rule.
    pub const RULE: &str = "rule";
    /// Inside a redaction: how many bytes were removed.
    pub const LEN: &str = "len";
}

/// Keys inside one map of [`DISCARDED`].
pub mod discarded {
    /// What was discarded.
    pub const OPTION: &str = "option";
    /// Why.
    pub const REASON: &str = "reason";
}

/// Keys inside the map of [`CANDIDATES`].
pub mod candidates {
    /// How many there were.
    pub const COUNT: &str = "count";
    /// `sha256:<hex>` over their identifiers, one per line, sorted.
    pub const DIGEST: &str = "digest";
    /// Their identifiers, when there are few.
    pub const IDS: &str = "ids";
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_key_is_declared_twice() {
        let mut keys = super::ALL.to_vec();
        keys.sort_unstable();
        let before = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), before);
    }
}
