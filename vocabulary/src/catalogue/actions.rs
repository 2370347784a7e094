//! Events of an action: begin, end, diffs, transaction, verdict, approval.

use super::{Entry, Field, Kind, Senders, if_known, optional, required, words};
use crate::action::{
    Access, Durability, Effect, Kind as ActionKind, Outcome, ReadAfter, ReadBefore,
    TransactionOutcome,
};
use crate::attribute as a;
use crate::event::Event;
use crate::verdict::{Approval, Verdict};

fn action_kinds() -> Vec<&'static str> {
    ActionKind::KNOWN.iter().map(ActionKind::as_str).collect()
}

const ACTION: Field = required(a::ACTION_ID, Kind::Uuid, "The action.");
const DECISION: Field = if_known(a::DECISION_ID, Kind::Uuid, "The decision that led here.");
const EFFECT: Field = required(
    a::EFFECT,
    Kind::Word(words::<Effect>),
    "What it left behind; `pending` inside a transaction.",
);
const OUTCOME: Field = required(a::OUTCOME, Kind::Word(words::<Outcome>), "How it ended.");
const RULE: Field = required(a::RULE, Kind::Text, "The rule that said so.");
const POLICY: Field = required(
    a::POLICY_VERSION,
    Kind::Text,
    "Version of the policy that holds the rule.",
);
const REASON: Field = optional(a::REASON, Kind::Text, "Why, in words.");
const TOOL_CALL: Field = optional(
    a::TOOL_CALL_ID,
    Kind::Text,
    "The model's name for the tool call.",
);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        event: Event::ToolInvoke,
        when: "An action is about to run: the begin of any action, safe before it runs.",
        senders: Senders::Any,
        fields: &[
            ACTION,
            if_known(
                a::ACTION_PARENT,
                Kind::Uuid,
                "The action that this one is part of.",
            ),
            required(
                a::ACTION_KIND,
                Kind::OpenWord(action_kinds),
                "Through what kind of interface.",
            ),
            required(
                a::ACTION_ACCESS,
                Kind::Word(words::<Access>),
                "What it does to its target.",
            ),
            required(a::ACTION_NAME, Kind::Text, "Short name to show."),
            required(
                a::ACTION_OPERATION,
                Kind::Text,
                "The operation in the interface's own words: `PATCH`, `UPDATE`, `chat`.",
            ),
            required(
                a::TARGET,
                Kind::Resource,
                "The canonical resource acted on.",
            ),
            required(a::INPUT, Kind::Content, "What goes in."),
            DECISION,
            required(
                a::AUTHORIZATION_ID,
                Kind::Text,
                "The authorization in force; `none` where none was recorded.",
            ),
            required(
                a::DURABILITY,
                Kind::Word(words::<Durability>),
                "What this record must reach before the action runs.",
            ),
            if_known(a::ATTEMPT, Kind::Int, "Number of this attempt, from 1."),
            optional(
                a::RETRY_OF,
                Kind::Uuid,
                "The action of which this one is a repetition.",
            ),
            optional(
                a::RECORDER_OWN,
                Kind::Bool,
                "True where the recorder itself does this to observe; outside the agent's actions and scope.",
            ),
            optional(
                a::OBSERVED_SPAN,
                Kind::Text,
                "From a recorder that stands beside the caller: the span that the caller named for this, trace id, `-`, span id, in hex.",
            ),
            optional(
                a::OBSERVED_TARGET,
                Kind::Resource,
                "The resource as that caller addressed it, where it is not the target: a relay's own address.",
            ),
            TOOL_CALL,
            optional(a::TOOL_NAME, Kind::Text, "The tool."),
            optional(
                a::GEN_AI_OPERATION,
                Kind::Text,
                "`chat`, `execute_tool`, `embeddings`.",
            ),
            optional(a::GEN_AI_PROVIDER, Kind::Text, "`openai` and the like."),
            optional(a::GEN_AI_REQUEST_MODEL, Kind::Text, "Model asked for."),
            optional(
                a::GEN_AI_MESSAGES,
                Kind::Texts,
                "Digests of the messages sent, in order; each names an `agent.context`.",
            ),
            optional(a::HTTP_METHOD, Kind::Text, "Request method."),
            optional(
                a::URL_FULL,
                Kind::Text,
                "URL without user info and without the values of telling query parameters.",
            ),
            optional(a::SERVER_ADDRESS, Kind::Text, "Server asked."),
            optional(a::SERVER_PORT, Kind::Int, "Port asked."),
            optional(a::DB_SYSTEM, Kind::Text, "Database product."),
            optional(a::DB_NAMESPACE, Kind::Text, "Database."),
            optional(a::DB_COLLECTION, Kind::Text, "Table."),
            optional(
                a::DB_OPERATION,
                Kind::Text,
                "`SELECT`, `UPDATE` and the like.",
            ),
            optional(
                a::DB_QUERY_TEXT,
                Kind::Text,
                "Statement, parameters not filled in.",
            ),
            optional(a::FILE_PATH, Kind::Text, "File, as the agent named it."),
            optional(a::PROCESS_EXECUTABLE, Kind::Text, "Executable."),
            optional(
                a::PROCESS_ARGS,
                Kind::Texts,
                "Arguments, credentials removed.",
            ),
            optional(a::TRANSACTION_ID, Kind::Uuid, "The transaction it runs in."),
        ],
    },
    Entry {
        event: Event::ToolResult,
        when: "An action ended, or did not run.",
        senders: Senders::Any,
        fields: &[
            ACTION,
            OUTCOME,
            EFFECT,
            required(
                a::DIFFS,
                Kind::Int,
                "How many diffs it has, all sent before this record.",
            ),
            if_known(a::OUTPUT, Kind::Content, "What came out."),
            if_known(
                a::RESULT,
                Kind::Text,
                "The outcome in a few words: `200 OK`, `3 rows`.",
            ),
            if_known(a::ERROR_TYPE, Kind::Text, "Class of the error."),
            if_known(
                a::ERROR_NATIVE,
                Kind::Text,
                "The error in the counterpart's own code.",
            ),
            if_known(
                a::ERROR_MESSAGE,
                Kind::Text,
                "The error's message, credentials removed.",
            ),
            optional(a::HTTP_STATUS, Kind::Int, "Status of the answer."),
            optional(a::DB_ROWS, Kind::Int, "Rows returned or changed."),
            optional(a::PROCESS_EXIT_CODE, Kind::Int, "Exit code."),
            optional(a::GEN_AI_RESPONSE_MODEL, Kind::Text, "Model that answered."),
            optional(
                a::GEN_AI_RESPONSE_ID,
                Kind::Text,
                "Identifier of the reply.",
            ),
            optional(
                a::GEN_AI_FINISH_REASONS,
                Kind::Texts,
                "Why the model stopped.",
            ),
            optional(a::GEN_AI_INPUT_TOKENS, Kind::Int, "Tokens in."),
            optional(a::GEN_AI_OUTPUT_TOKENS, Kind::Int, "Tokens out."),
        ],
    },
    Entry {
        event: Event::ToolReconcile,
        when: "It became known later what came of an action without an end.",
        senders: Senders::Successor,
        fields: &[
            ACTION,
            OUTCOME,
            EFFECT,
            required(a::REASON, Kind::Text, "How that became known."),
            if_known(a::OUTPUT, Kind::Content, "What was found."),
        ],
    },
    Entry {
        event: Event::Diff,
        when: "The state of one resource changed; sent before the action's end.",
        senders: Senders::Any,
        fields: &[
            required(a::DIFF_ID, Kind::Uuid, "The diff."),
            ACTION,
            required(
                a::RESOURCE,
                Kind::Resource,
                "The canonical resource whose state changed.",
            ),
            required(
                a::BEFORE,
                Kind::Content,
                "State before; `absent` where there was none.",
            ),
            required(
                a::AFTER,
                Kind::Content,
                "State after; `absent` where there is none.",
            ),
            required(
                a::READ_BEFORE,
                Kind::Word(words::<ReadBefore>),
                "How the state before was read.",
            ),
            required(
                a::READ_AFTER,
                Kind::Word(words::<ReadAfter>),
                "How the state after was read.",
            ),
            EFFECT,
            optional(
                a::TRANSACTION_ID,
                Kind::Uuid,
                "The transaction that settles it.",
            ),
        ],
    },
    Entry {
        event: Event::Transaction,
        when: "A transaction settled, and with it the effects of its diffs.",
        senders: Senders::Any,
        fields: &[
            required(a::TRANSACTION_ID, Kind::Uuid, "The transaction."),
            required(
                a::TRANSACTION_OUTCOME,
                Kind::Word(words::<TransactionOutcome>),
                "How it was settled.",
            ),
            optional(a::ACTION_ID, Kind::Uuid, "The action that settled it."),
        ],
    },
    Entry {
        event: Event::Verdict,
        when: "Policy said whether an action may run; also accepted as `agent.policy.decision`.",
        senders: Senders::Any,
        fields: &[
            ACTION,
            required(a::VERDICT, Kind::Word(words::<Verdict>), "What it said."),
            RULE,
            POLICY,
            REASON,
        ],
    },
    Entry {
        event: Event::Approval,
        when: "Somebody approved or refused an action that had to be asked about.",
        senders: Senders::Any,
        fields: &[
            ACTION,
            required(
                a::APPROVAL,
                Kind::Word(words::<Approval>),
                "What came of it.",
            ),
            required(a::APPROVED_BY, Kind::Text, "Who approved or refused."),
            if_known(a::RULE, Kind::Text, "The rule that asked for it."),
            REASON,
        ],
    },
];
