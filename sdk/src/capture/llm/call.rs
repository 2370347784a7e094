//! A begun call: what its answer, or the lack of one, says.

use vocabulary::{
    Event,
    action::{Effect, Outcome},
    attribute,
    content::Content,
    decision::Point,
    id::ActionId,
};

use super::{
    Api, Heard, Reply, ToolCall,
    response::{self, Response},
};
use crate::{
    Action, Attributes,
    capture::{
        Retries,
        step::{self, End, Fault},
    },
};

/// What ended an answer before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// Who read it went away.
    Gone,
    /// The connection failed, in the system's words.
    Failed(String),
}

impl Cut {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Gone => "not read any further",
            Self::Failed(_) => "the connection failed here",
        }
    }
}

/// A call that has begun and is waiting for its answer. Dropped without one, it is recorded as cancelled.
#[derive(Debug)]
pub struct ChatCall {
    pub(super) begun: Action,
    api: Api,
    /// What the session offered to the model, by name.
    tools: Vec<String>,
}

impl ChatCall {
    pub(super) fn begun(
        begun: Action,
        api: Api,
        tools: Vec<String>,
        retries: Option<&Retries>,
    ) -> Self {
        if let Some(retries) = retries {
            retries.made(begun.id());
        }
        Self { begun, api, tools }
    }

    /// The action that the call is.
    pub fn action(&self) -> ActionId {
        self.begun.id()
    }

    /// An answer came, with this status and body (of a streamed reply: all its events). `retry_after` is in seconds.
    pub fn answered(self, status: u16, retry_after: Option<i64>, body: &str) -> Reply {
        let heard = Heard::all(self.api, body);
        self.heard(status, retry_after, heard, None)
    }

    /// An answer came and was read as it came. `cut` says what ended it before its end.
    pub fn heard(
        self,
        status: u16,
        retry_after: Option<i64>,
        mut heard: Heard,
        cut: Option<Cut>,
    ) -> Reply {
        let (response, failed) = heard.response();
        let response = response.filter(|_| (200..300).contains(&status));
        let mut attributes = Attributes::new();
        attributes.int(attribute::HTTP_STATUS, i64::from(status));
        let output = match self.api {
            Api::Embeddings if response.is_some() => {
                Content::not_captured(Some(heard.size()), "embeddings are not kept")
            }
            _ => heard.content(cut.as_ref().map(Cut::as_str)),
        };
        let Some(mut response) = response.filter(|_| failed.is_none() || cut.is_some()) else {
            return self.not_a_reply(status, retry_after, (&heard, failed), output, attributes);
        };
        describe(&response, &mut attributes);
        if let Some(refused) = &response.refused {
            self.security(Event::SecurityOutputFiltered, refused, &Attributes::new());
        }
        if cut.is_some() {
            // What was cut off was not asked for.
            let whole = |call: &response::Call| {
                serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok()
            };
            response.calls.retain(whole);
        }
        let calls = self.decide(&response);
        let result = match calls.len() {
            _ if self.api == Api::Embeddings => "answered".to_owned(),
            0 => response
                .finish_reasons
                .first()
                .cloned()
                .unwrap_or_else(|| "answered".to_owned()),
            1 => "1 tool call".to_owned(),
            count => format!("{count} tool calls"),
        };
        let (outcome, effect, fault) = match &cut {
            None => (Outcome::Success, Effect::Committed, None),
            Some(Cut::Gone) => (Outcome::Cancelled, Effect::Unknown, None),
            Some(Cut::Failed(message)) => {
                let fault = Fault {
                    class: "body".to_owned(),
                    native: None,
                    message: message.clone(),
                };
                (Outcome::Failure, Effect::Unknown, Some(fault))
            }
        };
        let end = End {
            outcome,
            effect,
            result,
            output: Some(output),
            fault,
            attributes,
        };
        let action = self.begun.id();
        step::end(self.begun, end);
        let Response {
            text,
            finish_reasons,
            usage,
            refused,
            ..
        } = response;
        Reply {
            action,
            text,
            calls,
            finish_reasons,
            usage,
            refused,
            body: heard.text().to_owned(),
        }
    }

    /// No answer came. `sent` tells whether the request may have arrived.
    pub fn failed(self, class: &str, message: &str, sent: bool) {
        let outcome = if class == "timeout" {
            Outcome::Timeout
        } else {
            Outcome::Failure
        };
        let effect = if sent { Effect::Unknown } else { Effect::None };
        let fault = Some(Fault {
            class: class.to_owned(),
            native: None,
            message: message.to_owned(),
        });
        step::end(
            self.begun,
            End {
                outcome,
                effect,
                result: "no answer".to_owned(),
                output: None,
                fault,
                attributes: Attributes::new(),
            },
        );
    }

    /// An error of the provider, or a body of another shape.
    fn not_a_reply(
        self,
        status: u16,
        retry_after: Option<i64>,
        (heard, failed): (&Heard, Option<(String, String)>),
        output: Content,
        attributes: Attributes,
    ) -> Reply {
        let mut more = Attributes::new();
        more.int(attribute::HTTP_STATUS, i64::from(status));
        if let Some(seconds) = retry_after {
            more.int(attribute::RETRY_AFTER_S, seconds);
        }
        let (class, message, refused) = match failed {
            Some((class, message)) => (class, message, false),
            None => provider_error(status, heard.text()),
        };
        let event = match status {
            401 => Some(Event::SecurityAuthFailed),
            403 => Some(Event::SecurityAccessUnauthorized),
            429 => Some(Event::SecurityRateLimited),
            _ if refused => Some(Event::SecurityOutputFiltered),
            _ => None,
        };
        if let Some(event) = event {
            self.security(event, &message, &more);
        }
        let action = self.begun.id();
        let effect = match status {
            400..=499 => Effect::None,
            _ => Effect::Unknown,
        };
        let fault = Some(Fault {
            class,
            native: Some(status.to_string()),
            message: message.clone(),
        });
        let end = End {
            outcome: Outcome::Failure,
            effect,
            result: format!("status {status}"),
            output: Some(output),
            fault,
            attributes,
        };
        step::end(self.begun, end);
        let refused = refused.then_some(message);
        Reply {
            action,
            text: None,
            calls: Vec::new(),
            finish_reasons: Vec::new(),
            usage: None,
            refused,
            body: heard.text().to_owned(),
        }
    }

    /// Records each tool call as the decision that it is.
    fn decide(&self, response: &Response) -> Vec<ToolCall> {
        let model = response.model.as_deref().unwrap_or("unknown");
        let decide = |call: &response::Call| {
            let arguments = Content::redacted(call.arguments.as_bytes(), "application/json");
            let mut decision = self
                .begun
                .session()
                .decide("which tool to call, and with what?")
                .point(Point::ToolSelect)
                .by_model(model)
                .considered(&self.tools)
                .tool_call(&call.id, &call.name, &arguments)
                .in_reply_of(self.begun.id());
            if let Some(text) = response.text.as_deref().filter(|text| !text.is_empty()) {
                decision = decision.rationale(text);
            }
            let decision = decision.record().id();
            ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                decision,
            }
        };
        response.calls.iter().map(decide).collect()
    }

    fn security(&self, event: Event, reason: &str, more: &Attributes) {
        self.begun.security(event, reason, more);
    }
}

/// The names that OpenTelemetry has for what a reply says.
fn describe(response: &Response, attributes: &mut Attributes) {
    attributes
        .text_if(attribute::GEN_AI_RESPONSE_MODEL, response.model.as_deref())
        .text_if(attribute::GEN_AI_RESPONSE_ID, response.id.as_deref())
        .texts(attribute::GEN_AI_FINISH_REASONS, &response.finish_reasons);
    if let Some(usage) = response.usage {
        let int = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        attributes
            .int(attribute::GEN_AI_INPUT_TOKENS, int(usage.input))
            .int(attribute::GEN_AI_OUTPUT_TOKENS, int(usage.output));
    }
}

/// Class and message of a provider's error, and whether a filter refused the request.
fn provider_error(status: u16, body: &str) -> (String, String, bool) {
    let error = serde_json::from_str::<serde_json::Value>(body).ok();
    let text = |name: &str| {
        error
            .as_ref()?
            .pointer(&format!("/error/{name}"))?
            .as_str()
            .map(str::to_owned)
    };
    let code = text("code").or_else(|| text("type"));
    let refused = code
        .as_deref()
        .is_some_and(|code| matches!(code, "content_filter" | "content_policy_violation"));
    let shape = || {
        if (200..300).contains(&status) {
            "not a chat reply"
        } else {
            "no message"
        }
        .to_owned()
    };
    (
        code.unwrap_or_else(|| status.to_string()),
        text("message").unwrap_or_else(shape),
        refused,
    )
}
