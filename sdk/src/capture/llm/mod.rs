//! Calls of language models, in the chat-completions shape of OpenAI.
//!
//! Works with any client: [`Handle::chat`] takes the request as it is sent, [`ChatCall::answered`] the body as it came.
//! With the feature `http`, [`Client`] does both.
//!
//! Agents resend their history with every call. So each message and tool definition is recorded once per session, by a
//! digest under the session's key, with where it comes from and whether it may instruct or is only material; a call
//! lists digests. Every tool call in a reply is a decision of the model by itself, and [`Handle::tool_call`] makes the
//! action that executes it cite that decision. Credentials are removed from everything before it is encoded, and are
//! in no digest.

#[cfg(feature = "http")]
mod client;
mod request;
mod response;

#[cfg(test)]
mod tests;

use vocabulary::{
    Event,
    action::{Access, Effect, Kind, Outcome},
    attribute,
    content::Content,
    decision::{ContextKind, Point, Trust},
    id::{ActionId, DecisionId},
};

#[cfg(feature = "http")]
pub use self::client::{Chat, ChatError, Client};
pub use self::response::Usage;
use self::{request::Request, response::Response};
use super::{
    Retries,
    step::{self, End, Fault, Plan},
};
use crate::{Action, ActionBuilder, Attributes, Handle, Refused};

/// Media type of a call's input: the request with digests in place of messages and tool definitions.
const REQUEST_TYPE: &str = "application/vnd.recount.chat+json";

/// What is known of a call before it is made.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// `openai` and the like, as in `gen_ai.provider.name`.
    pub provider: &'a str,
    /// Host, and port where it is not the usual one: the place in the target `llm:<host>/<model>`.
    pub host: &'a str,
}

/// A tool call that a model asked for, and the decision that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's name for the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: a text that should be JSON and need not be.
    pub arguments: String,
    /// The recorded decision.
    pub decision: DecisionId,
}

/// A model's reply, as recorded.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The action that the call was.
    pub action: ActionId,
    /// What the model said; `None` if it only calls tools or refuses.
    pub text: Option<String>,
    /// The tools it wants called, in order.
    pub calls: Vec<ToolCall>,
    /// Why it stopped, per choice.
    pub finish_reasons: Vec<String>,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
    /// What the model or a filter refused, in its words.
    pub refused: Option<String>,
    /// The body as it came.
    pub body: String,
}

impl Reply {
    /// The message of the first choice, to be appended to the conversation; `None` if the body is no single JSON object.
    pub fn message(&self) -> Option<serde_json::Value> {
        let mut body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        body.pointer_mut("/choices/0/message")
            .map(serde_json::Value::take)
    }
}

/// A call that has begun and is waiting for its answer. Dropped without one, it is recorded as cancelled.
#[derive(Debug)]
pub struct ChatCall {
    begun: Action,
    /// What the session offered to the model, by name.
    tools: Vec<String>,
}

impl Handle {
    /// Begins a call with the JSON text `request` as it is going to be sent. A request that is no JSON object is
    /// recorded as it is. `retries` numbers attempts where the caller retries.
    ///
    /// # Errors
    /// If the recorder refuses.
    pub async fn chat(
        &self,
        to: Endpoint<'_>,
        request: &str,
        retries: Option<&Retries>,
    ) -> Result<ChatCall, Refused> {
        let (plan, tools) = self.chat_plan(to, request);
        let attempt = retries.map_or((1, None), Retries::next);
        let begun = step::attempt(plan.in_session(self), attempt)
            .begin()
            .await?;
        Ok(ChatCall::begun(begun, tools, retries))
    }

    /// The blocking twin of [`Handle::chat`].
    ///
    /// # Errors
    /// As its twin.
    pub fn chat_blocking(
        &self,
        to: Endpoint<'_>,
        request: &str,
        retries: Option<&Retries>,
    ) -> Result<ChatCall, Refused> {
        let (plan, tools) = self.chat_plan(to, request);
        let attempt = retries.map_or((1, None), Retries::next);
        let begun = step::attempt(plan.in_session(self), attempt).begin_blocking()?;
        Ok(ChatCall::begun(begun, tools, retries))
    }

    /// The execution of a tool call that a model asked for: cites the decision that the call is.
    pub fn tool_call(&self, call: &ToolCall) -> ActionBuilder {
        self.tool(&call.name)
            .because(call.decision)
            .call_id(&call.id)
            .input(Content::redacted(
                call.arguments.as_bytes(),
                "application/json",
            ))
    }

    /// Records what the session has not told yet of the request, and says what is about to be asked.
    fn chat_plan(&self, to: Endpoint<'_>, json: &str) -> (Plan, Vec<String>) {
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::GEN_AI_OPERATION, "chat")
            .str(attribute::GEN_AI_PROVIDER, to.provider);
        let (model, input, tools) = match Request::parse(json) {
            Some(request) => {
                let tools = self.tell_tools(&request);
                let messages = self.tell_messages(&request);
                attributes.texts(attribute::GEN_AI_MESSAGES, &messages);
                if let Some(model) = &request.model {
                    attributes.text(attribute::GEN_AI_REQUEST_MODEL, model);
                }
                let input = Content::redacted(
                    summary(&request, &tools, &messages).as_bytes(),
                    REQUEST_TYPE,
                );
                (
                    request.model,
                    input,
                    request.tools.into_iter().map(|tool| tool.name).collect(),
                )
            }
            None => (
                None,
                Content::redacted(json.as_bytes(), "application/octet-stream"),
                Vec::new(),
            ),
        };
        let model = model.unwrap_or_else(|| "unknown".to_owned());
        let plan = Plan {
            kind: Kind::Llm,
            access: Access::Send,
            name: format!("chat {model}"),
            operation: "chat".to_owned(),
            target: format!("llm:{}/{model}", to.host),
            input,
            attributes,
        };
        (plan, tools)
    }

    fn tell_tools(&self, request: &Request<'_>) -> Vec<String> {
        let tell = |tool: &request::Tool<'_>| {
            self.context(
                ContextKind::Tools,
                &tool.name,
                Trust::Instruction,
                tool.text.as_bytes(),
                "application/json",
            )
        };
        request
            .tools
            .iter()
            .map(|tool| tell(tool).to_string())
            .collect()
    }

    fn tell_messages(&self, request: &Request<'_>) -> Vec<String> {
        let tell = |message: &request::Message<'_>| {
            let bytes = message.text.as_bytes();
            self.context(
                ContextKind::Message,
                &message.origin,
                message.trust,
                bytes,
                "application/json",
            )
        };
        request
            .messages
            .iter()
            .map(|message| tell(message).to_string())
            .collect()
    }
}

/// The request with digests in place of what is recorded by itself. It is our text, not the one sent, and its media
/// type says so.
fn summary(request: &Request<'_>, tools: &[String], messages: &[String]) -> String {
    let mut members = Vec::new();
    if let Some(model) = &request.model {
        members.push(format!(r#""model":{}"#, json(model)));
    }
    members.extend(
        request
            .parameters
            .iter()
            .map(|(name, value)| format!("{}:{value}", json(name))),
    );
    if !tools.is_empty() {
        members.push(format!(r#""tools":{}"#, json(tools)));
    }
    members.push(format!(r#""messages":{}"#, json(messages)));
    format!("{{{}}}", members.join(","))
}

/// Texts as JSON, which cannot fail.
fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl ChatCall {
    fn begun(begun: Action, tools: Vec<String>, retries: Option<&Retries>) -> Self {
        if let Some(retries) = retries {
            retries.made(begun.id());
        }
        Self { begun, tools }
    }

    /// The action that the call is.
    pub fn action(&self) -> ActionId {
        self.begun.id()
    }

    /// An answer came, with this status and body (of a streamed reply: all its events). `retry_after` is in seconds.
    pub fn answered(self, status: u16, retry_after: Option<i64>, body: &str) -> Reply {
        let response = if (200..300).contains(&status) {
            Response::parse(body)
        } else {
            None
        };
        let mut attributes = Attributes::new();
        attributes.int(attribute::HTTP_STATUS, i64::from(status));
        let output = Content::redacted(
            body.as_bytes(),
            if body.starts_with("data:") {
                "text/event-stream"
            } else {
                "application/json"
            },
        );
        let Some(response) = response else {
            return self.not_a_reply(status, retry_after, body, output, attributes);
        };
        describe(&response, &mut attributes);
        if let Some(refused) = &response.refused {
            self.security(Event::SecurityOutputFiltered, refused, &Attributes::new());
        }
        let calls = self.decide(&response);
        let result = match calls.len() {
            0 => response
                .finish_reasons
                .first()
                .cloned()
                .unwrap_or_else(|| "answered".to_owned()),
            1 => "1 tool call".to_owned(),
            count => format!("{count} tool calls"),
        };
        let end = End {
            outcome: Outcome::Success,
            effect: Effect::Committed,
            result,
            output: Some(output),
            fault: None,
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
            body: body.to_owned(),
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
        body: &str,
        output: Content,
        attributes: Attributes,
    ) -> Reply {
        let mut more = Attributes::new();
        more.int(attribute::HTTP_STATUS, i64::from(status));
        if let Some(seconds) = retry_after {
            more.int(attribute::RETRY_AFTER_S, seconds);
        }
        let (class, message, refused) = provider_error(status, body);
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
            body: body.to_owned(),
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
