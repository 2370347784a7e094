//! Events of a session's life: start, intent, scope, authorization, context, end.

use super::{Entry, Field, Kind, Senders, if_known, optional, required, words};
use crate::action::Access;
use crate::attribute as a;
use crate::decision::{ContextKind, Trust};
use crate::event::Event;
use crate::principal::{PrincipalKind, PrincipalProof};
use crate::session::{EndReason, TriggerKind};

const NOTE: Field = optional(a::SESSION_NOTE, Kind::Text, "Why, in words.");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        event: Event::SessionStart,
        when: "A session begins; its first record.",
        senders: Senders::Owner,
        fields: &[
            optional(
                a::SESSION_PARENT,
                Kind::Text,
                "The session that this one is a child of.",
            ),
            optional(
                a::REQUEST_ALIASES,
                Kind::Texts,
                "Other names of the request.",
            ),
            required(
                a::TRIGGER_KIND,
                Kind::OpenWord(words::<TriggerKind>),
                "What sort of thing set the session going.",
            ),
            if_known(
                a::TRIGGER_ORIGIN,
                Kind::Text,
                "Where that came from: a chat, a crontab line, a queue.",
            ),
            required(
                a::PRINCIPAL_KIND,
                Kind::Word(words::<PrincipalKind>),
                "What sort of principal.",
            ),
            if_known(
                a::PRINCIPAL_ISSUER,
                Kind::Text,
                "Issuer of the principal's identity.",
            ),
            required(
                a::PRINCIPAL_SUBJECT,
                Kind::Text,
                "Subject at that issuer; `unknown` where nobody knows.",
            ),
            if_known(a::PRINCIPAL_DISPLAY, Kind::Text, "Name to show."),
            if_known(
                a::PRINCIPAL_PROOF,
                Kind::Word(words::<PrincipalProof>),
                "How well the sender says it is proven; the collector decides.",
            ),
            optional(
                a::ON_BEHALF_OF,
                Kind::Texts,
                "On whose behalf, nearest first.",
            ),
            required(
                a::SESSION_KEY,
                Kind::Bytes(32),
                "Key of this session's HMAC digests; erased with the record.",
            ),
        ],
    },
    Entry {
        event: Event::SessionResume,
        when: "A session goes on in a new run of its producer.",
        senders: Senders::Owner,
        fields: &[NOTE],
    },
    Entry {
        event: Event::SessionCheckpoint,
        when: "A session says where it stands: in words, or by its agent's signature over all that the run has recorded so far.",
        senders: Senders::Owner,
        fields: &[
            optional(a::SESSION_SUMMARY, Kind::Text, "What was achieved so far."),
            NOTE,
            optional(
                a::SIGNATURE,
                Kind::Bytes(64),
                "Ed25519 signature over a link of the producer chain: `docs/ledger-format.md` §15.",
            ),
            optional(
                a::SIGNATURE_KEY,
                Kind::Bytes(32),
                "The public key it is by.",
            ),
            optional(
                a::SIGNATURE_SEQ,
                Kind::Int,
                "Number of the record, in this session and this run, whose link is signed.",
            ),
        ],
    },
    Entry {
        event: Event::SessionAbandoned,
        when: "A session was found without an end and is closed.",
        senders: Senders::Successor,
        fields: &[NOTE],
    },
    Entry {
        event: Event::SessionEnd,
        when: "A session ends; later records of it are marked late.",
        senders: Senders::Owner,
        fields: &[
            required(
                a::SESSION_END_REASON,
                Kind::Word(words::<EndReason>),
                "Why it ended.",
            ),
            if_known(
                a::SESSION_SUMMARY,
                Kind::Text,
                "What the session says it achieved; stated.",
            ),
            optional(
                a::SESSION_RECORDS,
                Kind::Int,
                "How many records the session's own calls wrote, this one included.",
            ),
        ],
    },
    Entry {
        event: Event::Intent,
        when: "Something was asked of the agent.",
        senders: Senders::Owner,
        fields: &[required(
            a::INTENT,
            Kind::Content,
            "What was asked, in the asker's words.",
        )],
    },
    Entry {
        event: Event::Scope,
        when: "A scope is declared, or replaced by a later version.",
        senders: Senders::Owner,
        fields: &[
            required(
                a::SCOPE_VERSION,
                Kind::Int,
                "Version; 1 is the first, each later one is higher.",
            ),
            required(
                a::SCOPE_ENTRIES,
                Kind::Texts,
                "Entries `ACCESS KIND:PATTERN`.",
            ),
            required(a::SCOPE_DECLARED_BY, Kind::Text, "Who declared it."),
        ],
    },
    Entry {
        event: Event::Authorization,
        when: "The session acts under an authorization from here on.",
        senders: Senders::Owner,
        fields: &[
            required(a::AUTHORIZATION_ID, Kind::Text, "How actions cite it."),
            required(a::AUTHORIZATION_POLICY, Kind::Text, "Name of the policy."),
            if_known(
                a::AUTHORIZATION_VERSION,
                Kind::Text,
                "Version of the policy under which it was granted.",
            ),
            required(
                a::AUTHORIZATION_PERMISSIONS,
                Kind::Texts,
                "What it permits, in the counterpart's words.",
            ),
            if_known(a::AUTHORIZATION_GRANTED_BY, Kind::Text, "Who granted it."),
        ],
    },
    Entry {
        event: Event::Context,
        when: "Something was loaded into the agent's context; once per session and digest.",
        senders: Senders::Any,
        fields: &[
            required(
                a::CONTEXT_KIND,
                Kind::OpenWord(words::<ContextKind>),
                "What sort of thing.",
            ),
            if_known(
                a::CONTEXT_NAME,
                Kind::Text,
                "Its name; for a message its role.",
            ),
            required(
                a::CONTEXT_TRUST,
                Kind::Word(words::<Trust>),
                "Whether it may instruct the agent.",
            ),
            required(
                a::CONTENT,
                Kind::Content,
                "The content, by HMAC digest where it may be guessed.",
            ),
        ],
    },
    Entry {
        event: Event::Capture,
        when: "A recorder says what it can see.",
        senders: Senders::Any,
        fields: &[required(
            a::CAPTURE,
            Kind::Texts,
            "`kind:depth` each, depth being `none`, `calls`, `content` or `diffs`.",
        )],
    },
    Entry {
        event: Event::ConfigChange,
        when: "The agent's model, prompt, tool set or policy changed midway.",
        senders: Senders::Owner,
        fields: &[
            required(
                a::CONFIG_KIND,
                Kind::Text,
                "`model`, `prompt`, `tools` or `policy`.",
            ),
            required(a::CONFIG_NAME, Kind::Text, "Its name."),
            if_known(a::BEFORE, Kind::Content, "What it was."),
            required(a::AFTER, Kind::Content, "What it is now."),
        ],
    },
    Entry {
        event: Event::Delegate,
        when: "Work is handed to another agent.",
        senders: Senders::Owner,
        fields: &[
            required(
                a::DELEGATE_AGENT,
                Kind::Text,
                "The agent that gets the work.",
            ),
            if_known(a::DELEGATE_SESSION, Kind::Text, "Its session."),
            optional(a::ACTION_ID, Kind::Uuid, "The action that hands it over."),
            optional(
                a::ACTION_ACCESS,
                Kind::Word(words::<Access>),
                "The access handed over.",
            ),
            optional(a::DECISION_ID, Kind::Uuid, "The decision that led here."),
            if_known(a::INTENT, Kind::Content, "What was asked of it."),
        ],
    },
];
