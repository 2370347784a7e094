//! Model Context Protocol: what is asked of a server and what it answers, whichever client carries the messages.
//!
//! A request that does something (a tool call, a resource read, a prompt, sampling, elicitation, and every method that
//! is not known) is an action; the rest of the protocol is not. A tool's access is what its server says of it
//! (`readOnlyHint`, `destructiveHint`): a claim, kept with the tool list in the session's context. A tool whose
//! definition changes midway is an `agent.config.change`. Both generations of the protocol are read: with `initialize`
//! and without, where an answer may ask for more input and the request comes again.
//!
//! [`Mcp::request`] wraps a client: it puts `traceparent` and `baggage` into `_meta`, where servers and proxies that
//! record find whose call it is. [`Mcp::action`], [`Mcp::ended`] and [`Mcp::answered`] are its parts, for whoever
//! carries messages without changing them. What a server does beyond its answers is not seen.

mod message;
mod tools;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use vocabulary::{
    action::{Durability, Kind, Outcome},
    attribute,
    content::Content,
    decision::{ContextKind, Trust},
    id::ActionId,
};

use self::{
    message::{Map, Names, names, object, text},
    tools::Tools,
};
use super::Error;
use crate::{Action, ActionBuilder, Handle, spool::lock};

/// So many requests that wait for more input are remembered.
const WAITING: usize = 256;

const JSON: &str = "application/json";

/// One MCP server, as used in one session; see [`Handle::mcp`]. Clones share what is known of its tools.
#[derive(Debug, Clone)]
pub struct Mcp {
    session: Handle,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    name: String,
    tools: Mutex<Tools>,
    /// Requests that the server answered with a question, by its opaque state.
    waiting: Mutex<HashMap<String, (ActionId, u32)>>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The JSON of its `result`.
    Result(&'a str),
    /// The JSON of its `error`.
    Error(&'a str),
    /// It was cancelled, with the reason given.
    Cancelled(&'a str),
    /// No answer came, and why.
    Lost(&'a str),
}

impl Handle {
    /// Records what is asked of the MCP server of this name in this session.
    pub fn mcp(&self, server: &str) -> Mcp {
        self.can_see("mcp:content");
        Mcp {
            session: self.clone(),
            server: Arc::new(Server {
                name: server.to_owned(),
                tools: Mutex::default(),
                waiting: Mutex::default(),
            }),
        }
    }
}

impl Mcp {
    /// The same server, used in another session.
    #[must_use]
    pub fn in_session(&self, session: &Handle) -> Self {
        session.can_see("mcp:content");
        Self {
            session: session.clone(),
            server: Arc::clone(&self.server),
        }
    }

    /// The session.
    pub fn session(&self) -> &Handle {
        &self.session
    }

    /// Sends a request through `send`, which gets the parameters with `_meta` and gives the result, and records both.
    /// A protocol method that does nothing by itself (`tools/list`) passes unchanged; what it answers is looked at.
    ///
    /// # Errors
    /// Those of `send`, or that the recorder refused: it was not sent.
    pub async fn request<F, S, E>(
        &self,
        method: &str,
        params: Value,
        send: S,
    ) -> Result<Value, Error<E>>
    where
        S: FnOnce(Value) -> F,
        F: Future<Output = Result<Value, E>>,
        E: std::error::Error + 'static,
    {
        let asked = params.to_string();
        let Some(builder) = self.action(method, Some(&asked)) else {
            let result = send(params).await.map_err(Error::Own)?;
            self.answered(method, Some(&asked), &result.to_string());
            return Ok(result);
        };
        let action = builder.begin().await?;
        let result = send(with_meta(params, &action)).await;
        self.end_by(action, &result);
        result.map_err(Error::Own)
    }

    /// The blocking twin of [`Mcp::request`].
    ///
    /// # Errors
    /// As its twin.
    pub fn request_blocking<E: std::error::Error + 'static>(
        &self,
        method: &str,
        params: Value,
        send: impl FnOnce(Value) -> Result<Value, E>,
    ) -> Result<Value, Error<E>> {
        let asked = params.to_string();
        let Some(builder) = self.action(method, Some(&asked)) else {
            let result = send(params).map_err(Error::Own)?;
            self.answered(method, Some(&asked), &result.to_string());
            return Ok(result);
        };
        let action = builder.begin_blocking()?;
        let result = send(with_meta(params, &action));
        self.end_by(action, &result);
        result.map_err(Error::Own)
    }

    /// Calls a tool; else as [`Mcp::request`].
    ///
    /// # Errors
    /// As [`Mcp::request`].
    pub async fn call_tool<F, S, E>(
        &self,
        name: &str,
        arguments: Value,
        send: S,
    ) -> Result<Value, Error<E>>
    where
        S: FnOnce(Value) -> F,
        F: Future<Output = Result<Value, E>>,
        E: std::error::Error + 'static,
    {
        let params = serde_json::json!({"name": name, "arguments": arguments});
        self.request("tools/call", params, send).await
    }

    /// The action that a request is, not begun yet; `None` for a method that does nothing by itself. `params` is JSON,
    /// as it is sent.
    pub fn action(&self, method: &str, params: Option<&str>) -> Option<ActionBuilder> {
        let params_map = object(params.unwrap_or_default());
        let Names {
            access,
            name,
            asked,
            by_server,
        } = names(method, &params_map)?;
        let server = &self.server.name;
        let access = access.unwrap_or_else(|| lock(&self.server.tools).access(&name));
        let input = asked.map_or(params, |key| params_map.get(key).map(|raw| raw.get()));
        let mut builder = self
            .session
            .action(Kind::Mcp, &name, access)
            .operation(method)
            .target(&format!("mcp:{server}/{name}"))
            .input(input.map_or_else(Content::absent, json));
        if by_server {
            // The server asks the client: to hold that up would protect nothing.
            builder = builder.durability(Durability::Spool);
        }
        if method == "tools/call" {
            builder = builder.attribute(attribute::TOOL_NAME, name.as_str().into());
        }
        if let Some(id) = call_id(&params_map) {
            builder = builder.call_id(&id);
        }
        let state = params_map.get("requestState").map(|raw| raw.get());
        let before = state.and_then(|state| lock(&self.server.waiting).remove(state));
        Some(match before {
            Some((action, attempt)) => builder.retry_of(action).attempt(attempt + 1),
            None => builder,
        })
    }

    /// Ends the action of a request.
    pub fn ended(&self, action: Action, reply: Reply<'_>) {
        match reply {
            Reply::Result(result) => self.end_result(action, result),
            Reply::Error(error) => {
                let map = object(error);
                let code = map.get("code").map(|raw| raw.get().to_owned());
                let message = text(&map, "message").unwrap_or_default();
                action.output(json(error));
                action.error("jsonrpc", code.as_deref(), &clean(&message));
                action.end_as(Outcome::Failure);
            }
            Reply::Cancelled(reason) => {
                action.error("cancelled", None, &clean(reason));
                action.end_as(Outcome::Cancelled);
            }
            Reply::Lost(why) => {
                action.error("no_answer", None, &clean(why));
                action.end_as(Outcome::Unknown);
            }
        }
    }

    /// Looks at the answer to a request that is no action: tools, and what the server would have the agent told.
    pub fn answered(&self, method: &str, params: Option<&str>, result: &str) {
        let map = object(result);
        let server = &self.server.name;
        match method {
            "tools/list" => {
                let params = object(params.unwrap_or_default());
                let whole = !params.contains_key("cursor") && !map.contains_key("nextCursor");
                if let Some(listed) = map.get("tools") {
                    let name = format!("tools of {server}");
                    self.told(ContextKind::Tools, &name, listed.get());
                    lock(&self.server.tools).listed(&self.session, server, listed.get(), whole);
                }
            }
            "initialize" | "server/discover" => {
                if let Some(instructions) = map.get("instructions") {
                    let name = format!("instructions of {server}");
                    self.told(ContextKind::Prompt, &name, instructions.get());
                }
                if let Some(info) = map.get("serverInfo") {
                    self.told(
                        ContextKind::Unknown,
                        &format!("server {server}"),
                        info.get(),
                    );
                }
            }
            _ => {}
        }
    }

    /// Definitions and instructions come from the server, and tell the model what to do.
    fn told(&self, kind: ContextKind, name: &str, json: &str) {
        let trust = Trust::Instruction;
        self.session
            .context(kind, name, trust, json.as_bytes(), JSON);
    }

    fn end_result(&self, action: Action, result: &str) {
        let map = object(result);
        action.output(json(result));
        let is = |key: &str, value: &str| map.get(key).is_some_and(|raw| raw.get() == value);
        if is("resultType", "\"input_required\"") {
            action.result("the server asks for more input");
            if let Some(state) = map.get("requestState") {
                let mut waiting = lock(&self.server.waiting);
                if waiting.len() >= WAITING {
                    waiting.clear();
                }
                waiting.insert(state.get().to_owned(), (action.id(), 1));
            }
            action.end_as(Outcome::Escalated);
        } else if is("isError", "true") {
            let said = message::first_text(&map).unwrap_or_default();
            action.error("tool_error", None, &clean(&said));
            action.end_as(Outcome::Failure);
        } else {
            action.end_success();
        }
    }

    fn end_by<E: std::error::Error>(&self, action: Action, result: &Result<Value, E>) {
        match result {
            Ok(result) => self.end_result(action, &result.to_string()),
            Err(_) => action.end_with(result),
        }
    }
}

/// The parameters with whose call it is in `_meta`; what the caller put there stays.
fn with_meta(mut params: Value, action: &Action) -> Value {
    if params.is_null() {
        params = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(params) = &mut params {
        let meta = params
            .entry("_meta")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(meta) = meta {
            let baggage = match meta.get("baggage").and_then(Value::as_str) {
                Some(theirs) => format!("{},{theirs}", action.baggage()),
                None => action.baggage(),
            };
            meta.insert("traceparent".to_owned(), action.traceparent().into());
            meta.insert("baggage".to_owned(), baggage.into());
        }
    }
    params
}

/// The model's name for the call, where the client tells it.
fn call_id(params: &Map<'_>) -> Option<String> {
    let meta = object(params.get("_meta")?.get());
    text(&meta, "claudecode/toolUseId")
}

fn json(text: &str) -> Content {
    Content::redacted(text.as_bytes(), JSON)
}

/// Few words, for a list.
fn clean(text: &str) -> String {
    text.chars().take(500).collect()
}
