//! Plain OpenTelemetry spans as actions, by OpenTelemetry's own names.
//!
//! The table is that of the semantic conventions 1.37 (GenAI, MCP, database, HTTP, file, process). What a span
//! cannot say (authority, decision, effect) stays unknown and is listed as such.

use vocabulary::Timestamp;
use vocabulary::action::{Access, Effect, Kind, Outcome};
use vocabulary::attribute as key;
use vocabulary::source::Source;

use super::action::{error, fill, hex};
use super::{Act, Fold};
use crate::content;
use crate::model::{ActionError, Content};
use crate::told::Told;

/// `gen_ai.tool.call.arguments`.
const TOOL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
/// `gen_ai.tool.call.result`.
const TOOL_RESULT: &str = "gen_ai.tool.call.result";
/// `gen_ai.input.messages`.
const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// `gen_ai.output.messages`.
const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// `mcp.method.name`.
const MCP_METHOD: &str = "mcp.method.name";
/// Span status: error.
const ERROR: i32 = 2;

impl Fold {
    pub(super) fn span(&mut self, told: &Told<'_>) {
        self.model(told);
        let (kind, access) = kind(told);
        let mut act = Act::new(span_id(told), told, Self::source(told, Source::Observed));
        act.began = Some(told.at);
        act.begins = 1;
        act.row.evidence.refs.push(told.at);
        act.row.kind = kind;
        act.row.access = access;
        act.row.name = Some(told.item.name.to_string());
        act.row.began_at = Some(told.time);
        if told.item.end_time_unix_nano != 0 {
            act.ended = Some(told.at);
            act.row.ended_at = Some(Timestamp::from_unix_ns(told.item.end_time_unix_nano));
        }
        act.row.parent = told.item.parent_span_id.map(|id| named(&id));
        act.row.trace_id = told.item.trace_id.map(|id| hex(&id));
        act.row.span_id = told.item.span_id.map(|id| hex(&id));
        act.span_target(told);
        act.span_outcome(told);
        act.span_content(told);
        self.acts.push(act);
    }

    /// A log record with a name outside the catalogue: kept, counted, and a witness of the span it belongs to.
    pub(super) fn stray(&mut self, told: &Told<'_>) {
        let (Some(trace), Some(span)) = (told.item.trace_id, told.item.span_id) else {
            return;
        };
        self.strays
            .push((hex(&trace), hex(&span), told.at, super::claims(told)));
    }

    /// Spans of an action that the recorder told of already confirm it; the others stand for themselves.
    pub(super) fn join_spans(&mut self) {
        use std::collections::HashMap;
        let mut of: HashMap<(String, String), usize> = HashMap::new();
        for (index, act) in self.acts.iter().enumerate() {
            if let (Some(trace), Some(span)) = (&act.row.trace_id, &act.row.span_id) {
                let slot = (trace.clone(), span.clone());
                if !act.is_span() || !of.contains_key(&slot) {
                    of.insert(slot, index);
                }
            }
        }
        let mut twice = Vec::new();
        for (index, act) in self
            .acts
            .iter()
            .enumerate()
            .filter(|(_, act)| act.is_span())
        {
            let slot = (
                act.row.trace_id.clone().unwrap_or_default(),
                act.row.span_id.clone().unwrap_or_default(),
            );
            if let Some(first) = of.get(&slot).filter(|first| **first != index) {
                twice.push((*first, index));
            }
        }
        for (first, index) in &twice {
            let refs = self.acts[*index].row.evidence.refs.clone();
            let act = &mut self.acts[*first];
            if act.is_span() {
                act.begins += 1;
                act.row.evidence.refs.extend(refs);
            } else {
                act.row.corroborated_by.extend(refs);
            }
            self.acts[*index].recorder_own = true;
        }
        for (trace, span, at, _) in std::mem::take(&mut self.strays) {
            if let Some(act) = of
                .get(&(trace, span))
                .and_then(|index| self.acts.get_mut(*index))
            {
                act.row.corroborated_by.push(at);
            }
        }
    }
}

impl Act {
    /// Whether it was told of by a span alone.
    pub(crate) fn is_span(&self) -> bool {
        self.row.id.starts_with("span:")
    }

    fn span_target(&mut self, told: &Told<'_>) {
        let operation = match self.row.kind {
            Kind::Http => told.text(key::HTTP_METHOD),
            Kind::Db => told.text(key::DB_OPERATION),
            Kind::Mcp => told.text(MCP_METHOD),
            _ => told.text(key::GEN_AI_OPERATION),
        };
        self.row.operation = operation;
        self.row.target.resource = target(&self.row.kind, told);
        self.row.call_id = told.text(key::TOOL_CALL_ID);
        for name in [
            key::URL_FULL,
            key::SERVER_ADDRESS,
            key::DB_SYSTEM,
            key::DB_NAMESPACE,
            key::DB_COLLECTION,
            key::DB_QUERY_TEXT,
            key::FILE_PATH,
            key::GEN_AI_PROVIDER,
            key::GEN_AI_REQUEST_MODEL,
            key::TOOL_NAME,
        ] {
            if let Some(value) = told.text(name) {
                self.row.target.detail.insert(name.to_owned(), value);
            }
        }
        self.row.usage.input_tokens = told.count(key::GEN_AI_INPUT_TOKENS);
        self.row.usage.output_tokens = told.count(key::GEN_AI_OUTPUT_TOKENS);
    }

    fn span_outcome(&mut self, told: &Told<'_>) {
        self.status = told.item.attributes.int(key::HTTP_STATUS);
        self.row.error = error(told);
        let refused = self.status.is_some_and(|status| status >= 400);
        if told.item.status_code == ERROR || self.row.error.is_some() || refused {
            self.row.outcome = Outcome::Failure;
            let found = self.row.error.get_or_insert_with(ActionError::default);
            fill(&mut found.class, || {
                self.status.map(|status| status.to_string())
            });
            fill(&mut found.message, || {
                Some(told.item.status_message.to_string()).filter(|text| !text.is_empty())
            });
        } else if self.ended.is_some() {
            self.row.outcome = Outcome::Success;
        }
        self.row
            .evidence
            .source_of
            .insert("outcome".to_owned(), Source::Derived);
        self.row.result = self.status.map(|status| status.to_string());
        self.row.effect = match self.row.access {
            Some(Access::Read) => Effect::None,
            _ => Effect::Unknown,
        };
    }

    fn span_content(&mut self, told: &Told<'_>) {
        let find = |names: &[&str]| {
            let found = names
                .iter()
                .find_map(|name| content::read(&told.item.attributes, name));
            found.unwrap_or_else(|| Content::unknown("the span does not carry it"))
        };
        self.row.input = find(&[TOOL_ARGUMENTS, INPUT_MESSAGES, key::DB_QUERY_TEXT]);
        self.row.output = find(&[TOOL_RESULT, OUTPUT_MESSAGES]);
    }
}

/// What a span is an action of, and what it does to its target; first match wins.
fn kind(told: &Told<'_>) -> (Kind, Option<Access>) {
    let has = |name: &str| told.item.attributes.get(name).is_some();
    if let Some(operation) = told.item.attributes.str(key::GEN_AI_OPERATION) {
        return match operation {
            "execute_tool" => (Kind::Tool, Some(Access::Execute)),
            "create_agent" | "invoke_agent" | "invoke_workflow" => {
                (Kind::Agent, Some(Access::Send))
            }
            _ => (Kind::Llm, Some(Access::Send)),
        };
    }
    if let Some(method) = told.item.attributes.str(MCP_METHOD) {
        let access = match method {
            "tools/call" => Access::Execute,
            _ => Access::Read,
        };
        return (Kind::Mcp, Some(access));
    }
    if has(key::DB_SYSTEM) {
        return (
            Kind::Db,
            told.item
                .attributes
                .str(key::DB_OPERATION)
                .and_then(db_access),
        );
    }
    if let Some(method) = told.item.attributes.str(key::HTTP_METHOD) {
        return (Kind::Http, http_access(method));
    }
    if has(key::FILE_PATH) {
        return (Kind::File, None);
    }
    if has(key::PROCESS_EXECUTABLE) {
        return (Kind::Process, Some(Access::Execute));
    }
    (Kind::Other("span".into()), None)
}

fn http_access(method: &str) -> Option<Access> {
    match method {
        "GET" | "HEAD" | "OPTIONS" | "QUERY" => Some(Access::Read),
        "DELETE" => Some(Access::Delete),
        "PUT" | "PATCH" | "POST" => Some(Access::Write),
        _ => None,
    }
}

fn db_access(operation: &str) -> Option<Access> {
    match operation.to_ascii_uppercase().as_str() {
        "SELECT" | "FIND" | "GET" | "QUERY" | "SCAN" | "HGET" | "MGET" => Some(Access::Read),
        "DELETE" | "DROP" | "TRUNCATE" | "DEL" => Some(Access::Delete),
        "INSERT" | "UPDATE" | "UPSERT" | "MERGE" | "REPLACE" | "SET" | "CREATE" | "ALTER" => {
            Some(Access::Write)
        }
        "CALL" | "EXECUTE" => Some(Access::Execute),
        _ => None,
    }
}

fn target(kind: &Kind, told: &Told<'_>) -> Option<String> {
    let joined = |parts: [Option<String>; 2]| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    };
    let body = match kind {
        Kind::Http => told
            .text(key::URL_FULL)
            .as_deref()
            .map(place)
            .or_else(|| told.text(key::SERVER_ADDRESS)),
        Kind::Db => joined([told.text(key::DB_NAMESPACE), told.text(key::DB_COLLECTION)]),
        Kind::Llm => joined([
            told.text(key::GEN_AI_PROVIDER),
            told.text(key::GEN_AI_REQUEST_MODEL),
        ]),
        Kind::Tool | Kind::Mcp => told.text(key::TOOL_NAME),
        Kind::Agent => told.text(key::AGENT_NAME),
        Kind::File => told.text(key::FILE_PATH),
        Kind::Process => told.text(key::PROCESS_EXECUTABLE),
        _ => None,
    };
    body.map(|body| format!("{kind}:{body}"))
}

/// Host and path of a URL: no scheme, no user info, no query, no fragment.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match path {
        Some(path) => format!("{host}/{path}"),
        None => host,
    }
}

fn span_id(told: &Told<'_>) -> String {
    told.item
        .span_id
        .map_or_else(|| format!("span:{}", told.at), |id| named(&id))
}

fn named(id: &[u8]) -> String {
    format!("span:{}", hex(id))
}
