//! Calls of language models: chat completions and responses as OpenAI has them, messages as Anthropic has them.
//!
//! Works with any client: [`Handle::chat`] takes the request as it is sent, [`ChatCall::answered`] the body as it came.
//! [`Handle::llm`] is the same for the other interfaces, and [`ChatCall::heard`] for a reply that is read while it comes.
//! With the feature `http`, `Client` does both.
//!
//! Agents resend their history with every call. So each message and tool definition is recorded once per session, by a
//! digest under the session's key, with where it comes from and whether it may instruct or is only material; a call
//! lists digests. Every tool call in a reply is a decision of the model by itself, and [`Handle::tool_call`] makes the
//! action that executes it cite that decision. Credentials are removed from everything before it is encoded, and are
//! in no digest.

mod api;
mod call;
#[cfg(feature = "http")]
mod client;
mod heard;
mod messages;
mod request;
mod response;
mod responses;

#[cfg(test)]
mod tests;

use vocabulary::{
    action::{Access, Kind},
    attribute,
    content::Content,
    decision::{ContextKind, Trust},
    id::{ActionId, DecisionId},
};

pub use self::api::Api;
pub use self::call::{ChatCall, Cut};
#[cfg(feature = "http")]
pub use self::client::{Chat, ChatError, Client};
pub use self::heard::Heard;
use self::request::Request;
pub use self::response::Usage;
use super::{
    Retries,
    step::{self, Plan},
};
use crate::{ActionBuilder, Attributes, Handle, Refused};

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
    /// The message of the first choice, or the message that the body is, to be appended to the conversation; `None` if
    /// the body is no single JSON object. Responses have no such message: send `previous_response_id`, or the items of
    /// `output`.
    pub fn message(&self) -> Option<serde_json::Value> {
        let mut body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        if let Some(message) = body.pointer_mut("/choices/0/message") {
            return Some(message.take());
        }
        let content = body
            .get_mut("content")
            .filter(|content| content.is_array())?;
        let content = content.take();
        let role = body.get("role")?;
        Some(serde_json::json!({"role": role, "content": content}))
    }
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
        self.llm(Api::ChatCompletions, to, request, retries).await
    }

    /// As [`Handle::chat`], of another interface.
    ///
    /// # Errors
    /// If the recorder refuses.
    pub async fn llm(
        &self,
        api: Api,
        to: Endpoint<'_>,
        request: &str,
        retries: Option<&Retries>,
    ) -> Result<ChatCall, Refused> {
        let (plan, tools) = self.chat_plan(api, to, request);
        let attempt = retries.map_or((1, None), Retries::next);
        let begun = step::attempt(plan.in_session(self), attempt)
            .begin()
            .await?;
        Ok(ChatCall::begun(begun, api, tools, retries))
    }

    /// The blocking twin of `Handle::chat`.
    ///
    /// # Errors
    /// As its twin.
    pub fn chat_blocking(
        &self,
        to: Endpoint<'_>,
        request: &str,
        retries: Option<&Retries>,
    ) -> Result<ChatCall, Refused> {
        self.llm_blocking(Api::ChatCompletions, to, request, retries)
    }

    /// The blocking twin of `Handle::llm`.
    ///
    /// # Errors
    /// As its twin.
    pub fn llm_blocking(
        &self,
        api: Api,
        to: Endpoint<'_>,
        request: &str,
        retries: Option<&Retries>,
    ) -> Result<ChatCall, Refused> {
        let (plan, tools) = self.chat_plan(api, to, request);
        let attempt = retries.map_or((1, None), Retries::next);
        let begun = step::attempt(plan.in_session(self), attempt).begin_blocking()?;
        Ok(ChatCall::begun(begun, api, tools, retries))
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
    fn chat_plan(&self, api: Api, to: Endpoint<'_>, json: &str) -> (Plan, Vec<String>) {
        self.can_see("llm:content");
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::GEN_AI_OPERATION, api.operation())
            .str(attribute::GEN_AI_PROVIDER, to.provider);
        let (model, input, tools) = match Request::parse(api, json) {
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
            name: format!("{} {model}", api.operation()),
            operation: api.operation().to_owned(),
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
