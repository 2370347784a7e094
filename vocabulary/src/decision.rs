//! Words of a decision: where it was made, by what, and how context is trusted.

use crate::word::words;

words! {
    /// At which point of its work the agent chose.
    pub enum Point: "decision point" {
        /// What to do at all, and in which order.
        Plan = "plan",
        /// Which tool to call.
        ToolSelect = "tool_select",
        /// With which arguments.
        Argument = "argument",
        /// Which candidates to keep.
        Filter = "filter",
        /// Which candidates come first.
        Rank = "rank",
        /// Whether to go ahead.
        Approve = "approve",
        /// To stop.
        Stop = "stop",
        /// To ask somebody with more authority.
        Escalate = "escalate",
        /// To hand work to another agent.
        Delegate = "delegate",
    }
}

words! {
    /// What made the decision.
    pub enum MadeBy: "decider" {
        /// A language model.
        Model = "model",
        /// The agent's own code.
        Code = "code",
        /// A policy.
        Policy = "policy",
        /// A person at the controls.
        Operator = "operator",
    }
}

words! {
    /// How something loaded into the context is meant to be taken.
    pub enum Trust: "trust" {
        /// It may tell the agent what to do.
        Instruction = "instruction",
        /// It is only material.
        Data = "data",
    }
}

words! {
    /// What was loaded into the context.
    pub enum ContextKind: "context kind" or Unknown {
        /// A model and its parameters.
        Model = "model",
        /// A system prompt or prompt template.
        Prompt = "prompt",
        /// One message of a conversation.
        Message = "message",
        /// Tool definitions.
        Tools = "tools",
        /// A retrieved or attached document.
        Document = "document",
        /// Something remembered from an earlier session.
        Memory = "memory",
        /// A policy text or rule set.
        Policy = "policy",
        /// A kind this version has no word for.
        Unknown = "unknown",
    }
}
