//! A chat request taken apart without re-encoding it: parameters, tool definitions, messages.

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::decision::Trust;

/// The parts of a request of the chat-completions shape; the messages and tools are the exact texts that were sent.
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

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    role: String,
    tool_call_id: Option<String>,
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
    pub(super) fn parse(json: &'a str) -> Option<Self> {
        let mut request = Self::default();
        for (name, value) in members(json)? {
            match name.as_str() {
                "messages" => request
                    .messages
                    .extend(items(value).into_iter().map(message)),
                "tools" | "functions" => request.tools.extend(items(value).into_iter().map(tool)),
                "model" if request.model.is_none() => match serde_json::from_str(value) {
                    Ok(model) => request.model = Some(model),
                    Err(_) => request.parameters.push((name, value)),
                },
                _ => request.parameters.push((name, value)),
            }
        }
        Some(request)
    }
}

fn message(text: &str) -> Message<'_> {
    let head = serde_json::from_str(text).unwrap_or(Head {
        role: String::new(),
        tool_call_id: None,
    });
    // What the developer wrote and what the user asked may instruct; what models and tools said is material.
    let trust = match head.role.as_str() {
        "system" | "developer" | "user" => Trust::Instruction,
        _ => Trust::Data,
    };
    let origin = match (head.role.is_empty(), head.tool_call_id) {
        (true, _) => "unknown".to_owned(),
        (false, Some(call)) => format!("{}:{call}", head.role),
        (false, None) => head.role,
    };
    Message {
        text,
        origin,
        trust,
    }
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
        let request = Request::parse(json).unwrap();
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
        assert!(Request::parse("[]").is_none());
    }
}
