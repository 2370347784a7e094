//! Events of choosing: decisions and reasoning.

use super::{Entry, Kind, Senders, if_known, optional, required, words};
use crate::attribute as a;
use crate::decision::{MadeBy, Point};
use crate::event::Event;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        event: Event::DecisionLog,
        when: "The agent chose; every tool call in a model's reply is a decision by itself.",
        senders: Senders::Any,
        fields: &[
            required(a::DECISION_ID, Kind::Uuid, "The decision; actions cite it."),
            required(
                a::DECISION_POINT,
                Kind::Word(words::<Point>),
                "At which point of the work.",
            ),
            required(
                a::DECISION_MADE_BY,
                Kind::Word(words::<MadeBy>),
                "What made it.",
            ),
            required(a::DECISION_QUESTION, Kind::Text, "What was to be decided."),
            if_known(a::DECISION_CRITERIA, Kind::Text, "By what it was decided."),
            if_known(
                a::DECISION_ORDERING,
                Kind::Text,
                "In which order candidates were put.",
            ),
            if_known(
                a::CANDIDATES,
                Kind::Candidates,
                "How many candidates there were at the start, and which.",
            ),
            if_known(a::DECISION_CONSIDERED, Kind::Texts, "What was considered."),
            required(
                a::DECISION_CHOSEN,
                Kind::Texts,
                "What was chosen; empty where nothing was.",
            ),
            if_known(
                a::DISCARDED,
                Kind::Discarded,
                "What was discarded, each with its reason.",
            ),
            if_known(
                a::DECISION_RATIONALE,
                Kind::Text,
                "Why, in the decider's words; stated.",
            ),
            optional(
                a::DECISION_REFS,
                Kind::Texts,
                "Actions and digests that were looked at.",
            ),
            optional(
                a::TOOL_CALL_ID,
                Kind::Text,
                "The tool call that this decision is.",
            ),
            optional(a::TOOL_NAME, Kind::Text, "The tool that was chosen."),
            optional(
                a::ACTION_ID,
                Kind::Uuid,
                "The action whose reply holds the decision.",
            ),
            optional(a::INPUT, Kind::Content, "The arguments that were chosen."),
        ],
    },
    Entry {
        event: Event::Reasoning,
        when: "A model gave reasoning text.",
        senders: Senders::Any,
        fields: &[
            required(a::CONTENT, Kind::Content, "The text; stated."),
            optional(a::ACTION_ID, Kind::Uuid, "The call whose reply holds it."),
            optional(a::DECISION_ID, Kind::Uuid, "The decision it belongs to."),
        ],
    },
];
