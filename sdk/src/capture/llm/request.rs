//! A request taken apart without re-encoding it: parameters, tool definitions, messages.

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::decision::Trust;

use super::Api;

/// The parts of a request; the messages and tools are the exact texts that were sent.
#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) model: Option<String>,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    /// Every other member, in order, as sent.
    pub(super) parameters: Vec<(String, &'a str)>,
}

/// One message of the conversation.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) text: &'a str,
    /// Where it comes from: its role, for a tool's answer with the call that it answers (`tool:call_1`).
    pub(super) origin: String,
    pub(super) trust: Trust,
}

/// One tool definition.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    pub(super) text: &'a str,
    pub(super) name: String,
}

/// What of a message says where it comes from.
#[derive(Default)]
struct Head {
    role: String,
    kind: String,
    /// The call that it answers.
    answers: Option<String>,
}

impl Head {
    /// Member by member: a name that occurs twice is no reason to know nothing.
    fn of(text: &str) -> Self {
        let mut head = Self::default();
        for (name, value) in members(text).unwrap_or_default() {
            let word = || serde_json::from_str::<String>(value).ok();
            match name.as_str() {
                "role" => head.role = word().unwrap_or_default(),
                "type" => head.kind = word().unwrap_or_default(),
                "tool_call_id" | "call_id" => head.answers = word().or(head.answers),
                "content" => head.answers = head.answers.take().or_else(|| answered(value)),
                _ => {}
            }
        }
        head
    }
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    tool_use_id: Option<String>,
}

#[derive(Deserialize)]
struct ToolHead {
    function: Option<ToolName>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct ToolName {
    #[serde(default)]
    name: String,
}

/// The members of a JSON object in order, each value as its own text; `None` if `json` is no object. Of a name that
/// occurs twice both are given.
fn members(json: &str) -> Option<Vec<(String, &str)>> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(member) = map.next_entry()? {
                all.push(member);
            }
            Ok(all)
        }
    }
    let mut input = serde_json::Deserializer::from_str(json);
    let all = serde::Deserializer::deserialize_map(&mut input, Members).ok()?;
    Some(
        all.into_iter()
            .map(|(name, value)| (name, value.get()))
            .collect(),
    )
}

/// The items of a JSON array, each as its own text; nothing if it is no array.
fn items(json: &str) -> Vec<&str> {
    serde_json::from_str::<Vec<&RawValue>>(json)
        .unwrap_or_default()
        .into_iter()
        .map(RawValue::get)
        .collect()
}

impl<'a> Request<'a> {
    /// Takes a request apart; whatever has another shape than expected is a parameter.
    pub(super) fn parse(api: Api, json: &'a str) -> Option<Self> {
        let mut request = Self::default();
        for (name, value) in members(json)? {
            match (name.as_str(), api) {
                ("messages", Api::ChatCompletions | Api::Messages) => request
                    .messages
                    .extend(items(value).into_iter().map(message)),
                ("system", Api::Messages) | ("instructions", Api::Responses) if value != "null" => {
                    // Whatever the order of the members, it comes first.
                    request.messages.insert(0, said("system", value));
                }
                ("input", Api::Responses) if value.starts_with('[') => request
                    .messages
                    .extend(items(value).into_iter().map(message)),
                ("input", Api::Responses) => request.messages.push(said("user", value)),
                ("tools" | "functions", _) => {
                    request.tools.extend(items(value).into_iter().map(tool));
                }
                ("model", _) if request.model.is_none() => match serde_json::from_str(value) {
                    Ok(model) => request.model = Some(model),
                    Err(_) => request.parameters.push((name, value)),
                },
                _ => request.parameters.push((name, value)),
            }
        }
        Some(request)
    }
}

/// What the developer or the user says in a member of its own.
fn said<'a>(origin: &str, text: &'a str) -> Message<'a> {
    Message {
        text,
        origin: origin.to_owned(),
        trust: Trust::Instruction,
    }
}

fn message(text: &str) -> Message<'_> {
    let head = Head::of(text);
    // What the developer wrote and what the user asked may instruct; what models and tools said is material, also
    // where it comes in the user's name.
    let role = match (head.role.as_str(), head.kind.as_str()) {
        ("user", _) if head.answers.is_some() => "tool",
        ("", kind) if kind.ends_with("_output") => "tool",
        ("", kind) if kind.ends_with("_call") || kind == "reasoning" => "assistant",
        ("", _) => "unknown",
        (role, _) => role,
    };
    let trust = match role {
        "system" | "developer" | "user" => Trust::Instruction,
        _ => Trust::Data,
    };
    let origin = match &head.answers {
        Some(call) if role == "tool" => format!("{role}:{call}"),
        _ => role.to_owned(),
    };
    Message {
        text,
        origin,
        trust,
    }
}

/// The call that a message of Anthropic's answers, if it holds the answer of a tool.
fn answered(content: &str) -> Option<String> {
    if !content.contains("tool_result") {
        return None;
    }
    items(content).into_iter().find_map(|block| {
        let block: Block = serde_json::from_str(block).ok()?;
        let answers = block.kind.ends_with("tool_result");
        answers.then(|| block.tool_use_id.unwrap_or_default())
    })
}

fn tool(text: &str) -> Tool<'_> {
    let name = serde_json::from_str::<ToolHead>(text)
        .ok()
        .and_then(|head| head.function.map(|function| function.name).or(head.name))
        .unwrap_or_else(|| "unknown".to_owned());
    Tool { text, name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_exact_text_and_say_where_they_come_from() {
        let json = r#"{"model":"m","temperature":0.10,"messages":[{"role":"system","content":"be kind"},
            {"role": "tool", "tool_call_id":"c1", "content":"9007199254740993", "content":"twice"}],
            "tools":[{"type":"function","function":{"name":"lookup","parameters":{}}}]}"#;
        let request = Request::parse(Api::ChatCompletions, json).unwrap();
        assert_eq!(request.model.as_deref(), Some("m"));
        assert_eq!(request.parameters, [("temperature".to_owned(), "0.10")]);
        assert_eq!(request.messages[0].trust, Trust::Instruction);
        assert_eq!(
            (
                request.messages[1].origin.as_str(),
                request.messages[1].trust
            ),
            ("tool:c1", Trust::Data)
        );
        assert!(
            request.messages[1]
                .text
                .contains(r#""content":"9007199254740993", "content":"twice""#)
        );
        assert_eq!(request.tools[0].name, "lookup");
        assert!(Request::parse(Api::ChatCompletions, "[]").is_none());
    }

    #[test]
    fn what_a_tool_said_is_material_in_whoever_s_name_it_comes() {
        let json = r#"{"model":"c","max_tokens":9,"messages":[{"role":"user","content":"look"},
            {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"lookup","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"seven"}]}],
            "system":[{"type":"text","text":"be kind"}],"tools":[{"name":"lookup","input_schema":{}}]}"#;
        let request = Request::parse(Api::Messages, json).unwrap();
        let told = |request: &Request<'_>| -> Vec<(String, Trust)> {
            let all = request.messages.iter();
            all.map(|message| (message.origin.clone(), message.trust))
                .collect()
        };
        let of = |name: &str, trust| (name.to_owned(), trust);
        assert_eq!(
            told(&request),
            [
                of("system", Trust::Instruction),
                of("user", Trust::Instruction),
                of("assistant", Trust::Data),
                of("tool:t1", Trust::Data)
            ]
        );
        assert_eq!(request.tools[0].name, "lookup");
        let json = r#"{"model":"g","instructions":"be kind","input":[{"role":"user","content":"look"},
            {"type":"function_call","call_id":"c1","name":"lookup","arguments":"{}"},
            {"type":"function_call_output","call_id":"c1","output":"seven"}]}"#;
        assert_eq!(
            told(&Request::parse(Api::Responses, json).unwrap()),
            [
                of("system", Trust::Instruction),
                of("user", Trust::Instruction),
                of("assistant", Trust::Data),
                of("tool:c1", Trust::Data)
            ]
        );
        let json = r#"{"model":"g","input":"hello"}"#;
        let request = Request::parse(Api::Responses, json).unwrap();
        assert_eq!(told(&request), [of("user", Trust::Instruction)]);
    }
}
