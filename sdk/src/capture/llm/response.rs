//! A chat response taken apart: what was said, which tools are to be called, what it cost, what was refused.

use serde::Deserialize;

/// A tool call as a reply has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// Tokens as the provider counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(default, rename = "prompt_tokens")]
    pub input: u64,
    /// Tokens of the reply.
    #[serde(default, rename = "completion_tokens")]
    pub output: u64,
}

/// What a reply of the chat-completions shape says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Response {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) text: Option<String>,
    pub(super) calls: Vec<Call>,
    pub(super) finish_reasons: Vec<String>,
    pub(super) usage: Option<Usage>,
    /// What a filter or the model itself refused, in its words.
    pub(super) refused: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "delta")]
    message: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<serde_json::Value>,
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<SaidCall>>,
    function_call: Option<Function>,
}

#[derive(Deserialize)]
struct SaidCall {
    index: Option<usize>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

impl Response {
    /// Reads a whole reply: one JSON object, or the event stream of a streamed one. `None` if it is neither.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let mut response = Self::default();
        if let Ok(body) = serde_json::from_str::<Body>(body) {
            response.add(body, false);
            return Some(response);
        }
        let mut any = false;
        for line in body.lines() {
            let Some(data) = line.strip_prefix("data:").map(str::trim) else {
                continue;
            };
            if let Ok(body) = serde_json::from_str::<Body>(data) {
                any = true;
                response.add(body, true);
            }
        }
        any.then_some(response)
    }

    /// Adds a whole reply, or one event of a streamed one (`piece`).
    fn add(&mut self, body: Body, piece: bool) {
        self.id = self.id.take().or(body.id);
        self.model = self.model.take().or(body.model);
        self.usage = body.usage.or(self.usage);
        for choice in body.choices {
            if let Some(reason) = choice.finish_reason {
                if reason == "content_filter" && self.refused.is_none() {
                    self.refused = Some("content_filter".to_owned());
                }
                self.finish_reasons.push(reason);
            }
            let Some(said) = choice.message else { continue };
            if let Some(text) = said.content.as_ref().and_then(serde_json::Value::as_str) {
                self.text.get_or_insert_default().push_str(text);
            }
            if let Some(refusal) = said.refusal {
                self.refused.get_or_insert_default().push_str(&refusal);
            }
            if let Some(function) = said.function_call {
                self.call(
                    SaidCall {
                        index: None,
                        id: None,
                        function: Some(function),
                    },
                    false,
                );
            }
            for call in said.tool_calls.unwrap_or_default() {
                self.call(call, piece);
            }
        }
    }

    fn call(&mut self, said: SaidCall, piece: bool) {
        let at = said.index.filter(|_| piece).unwrap_or(self.calls.len());
        if at >= self.calls.len() {
            self.calls.push(Call {
                id: String::new(),
                name: String::new(),
                arguments: String::new(),
            });
        }
        let at = at.min(self.calls.len() - 1);
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        if let Some(id) = said.id {
            call.id = id;
        }
        if let Some(function) = said.function {
            call.name
                .push_str(function.name.as_deref().unwrap_or_default());
            call.arguments
                .push_str(function.arguments.as_deref().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_gives_its_calls_usage_and_refusal() {
        let body = r#"{"id":"r1","model":"m-2","choices":[{"finish_reason":"tool_calls","message":{"content":null,
            "tool_calls":[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{\"id\": 7}"}}]}}],
            "usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#;
        let response = Response::parse(body).unwrap();
        assert_eq!(
            response.calls,
            [Call {
                id: "c1".into(),
                name: "lookup".into(),
                arguments: "{\"id\": 7}".into()
            }]
        );
        assert_eq!(
            response.usage,
            Some(Usage {
                input: 12,
                output: 3
            })
        );
        assert_eq!(response.refused, None);
        let refused =
            r#"{"choices":[{"finish_reason":"content_filter","message":{"content":""}}]}"#;
        assert_eq!(
            Response::parse(refused).unwrap().refused.as_deref(),
            Some("content_filter")
        );
        assert_eq!(Response::parse("not json"), None);
    }

    #[test]
    fn a_streamed_reply_is_put_together() {
        let body = concat!(
            "data: {\"id\":\"r\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"lo\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: [DONE]\n\n",
        );
        let response = Response::parse(body).unwrap();
        assert_eq!(response.text.as_deref(), Some("Hello"));
        assert_eq!(
            response.calls,
            [Call {
                id: "c".into(),
                name: "f".into(),
                arguments: "{}".into()
            }]
        );
        assert_eq!(response.finish_reasons, ["tool_calls"]);
    }
}
