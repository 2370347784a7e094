//! A reply taken apart: what was said, which tools are to be called, what it cost, what was refused.

use serde::Deserialize;

use super::{Api, messages, responses};

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
    #[serde(default, rename = "prompt_tokens", alias = "input_tokens")]
    pub input: u64,
    /// Tokens of the reply.
    #[serde(default, rename = "completion_tokens", alias = "output_tokens")]
    pub output: u64,
}

/// What a reply says.
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
    /// Reads one JSON text; `None` if it is no reply of this interface.
    pub(super) fn whole(api: Api, json: &str) -> Option<Self> {
        let mut response = Self::default();
        match api {
            Api::ChatCompletions | Api::Embeddings => {
                response.add(serde_json::from_str::<Body>(json).ok()?, false);
            }
            Api::Messages => {
                let message: messages::Message = serde_json::from_str(json).ok()?;
                message.add_to(&mut response);
            }
            Api::Responses => {
                let whole: responses::Whole = serde_json::from_str(json).ok()?;
                whole.add_to(&mut response);
            }
        }
        Some(response)
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

/// A reply that comes as server-sent events.
#[derive(Debug)]
pub(super) struct Stream {
    api: Api,
    response: Response,
    any: bool,
    /// Which block of a message is which call.
    blocks: Vec<(usize, usize)>,
    error: Option<(String, String)>,
}

#[derive(Deserialize)]
struct Failed {
    error: Option<Error>,
    response: Option<FailedResponse>,
}

#[derive(Deserialize)]
struct FailedResponse {
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<serde_json::Value>,
    message: Option<String>,
}

impl Stream {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            response: Response::default(),
            any: false,
            blocks: Vec::new(),
            error: None,
        }
    }

    /// One line, without its end. Each of these interfaces puts one JSON text into one `data` line.
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else {
            return;
        };
        let Ok(json) = std::str::from_utf8(data).map(str::trim) else {
            return;
        };
        let added = match self.api {
            Api::ChatCompletions | Api::Embeddings => serde_json::from_str(json)
                .map(|body: Body| self.response.add(body, true))
                .is_ok(),
            Api::Messages => serde_json::from_str(json)
                .map(|event: messages::Event| {
                    event.add_to(&mut self.response, &mut self.blocks);
                })
                .is_ok(),
            Api::Responses => serde_json::from_str(json)
                .map(|event: responses::Event| event.add_to(&mut self.response))
                .is_ok(),
        };
        self.any |= added;
        // Almost no event has the word in it.
        if json.contains("\"error\"") {
            self.failed(json);
        }
    }

    fn failed(&mut self, json: &str) {
        let Ok(failed) = serde_json::from_str::<Failed>(json) else {
            return;
        };
        let within = failed.response.and_then(|response| response.error);
        if let Some(error) = failed.error.or(within) {
            let code = error.code.as_ref().and_then(serde_json::Value::as_str);
            let class = code.map(str::to_owned).or(error.kind);
            self.error = Some((
                class.unwrap_or_else(|| "error".to_owned()),
                error.message.unwrap_or_else(|| "no message".to_owned()),
            ));
        }
    }

    /// What was said up to here.
    pub(super) fn end(&mut self) -> (Option<Response>, Option<(String, String)>) {
        let response = std::mem::take(&mut self.response);
        (self.any.then_some(response), self.error.take())
    }
}

#[cfg(test)]
mod tests {
    use super::super::heard::Heard;
    use super::*;

    fn parse(api: Api, body: &str) -> Option<Response> {
        Heard::all(api, body).response().0
    }

    #[test]
    fn a_reply_gives_its_calls_usage_and_refusal() {
        let body = r#"{"id":"r1","model":"m-2","choices":[{"finish_reason":"tool_calls","message":{"content":null,
            "tool_calls":[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{\"id\": 7}"}}]}}],
            "usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#;
        let response = parse(Api::ChatCompletions, body).unwrap();
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
            parse(Api::ChatCompletions, refused)
                .unwrap()
                .refused
                .as_deref(),
            Some("content_filter")
        );
        assert_eq!(parse(Api::ChatCompletions, "not json"), None);
    }

    #[test]
    fn a_streamed_reply_is_put_together() {
        let body = concat!(
            "data: {\"id\":\"r\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"lo\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: [DONE]\n\n",
        );
        let response = parse(Api::ChatCompletions, body).unwrap();
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

    #[test]
    fn a_message_of_anthropic_gives_the_same_whole_and_streamed() {
        let whole = r#"{"id":"m1","type":"message","role":"assistant","model":"c-1","content":[{"type":"text","text":"Let me look."},
            {"type":"tool_use","id":"t1","name":"lookup","input":{"id": 7}},{"type":"tool_use","id":"t2","name":"now","input":{}}],
            "stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":5}}"#;
        let events = [
            r#"{"type":"message_start","message":{"id":"m1","model":"c-1","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me "}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"look."}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"lookup","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"id\":"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":" 7}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t2","name":"now","input":{}}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#,
            r#"{"type":"message_stop"}"#,
        ];
        let stream: String = events
            .iter()
            .map(|data| format!("event: x\r\ndata: {data}\r\n\r\n"))
            .collect();
        let whole = parse(Api::Messages, whole).unwrap();
        assert_eq!(whole.calls[0].arguments, r#"{"id": 7}"#);
        assert_eq!(whole.finish_reasons, ["tool_use"]);
        assert_eq!(parse(Api::Messages, &stream).unwrap(), whole);
    }

    #[test]
    fn a_response_of_openai_gives_the_same_whole_and_streamed() {
        let whole = r#"{"id":"r1","object":"response","model":"g-1","status":"completed","output":[
            {"type":"reasoning","id":"rs","summary":[]},
            {"type":"message","content":[{"type":"output_text","text":"Looking."}]},
            {"type":"function_call","id":"fc","call_id":"c1","name":"lookup","arguments":"{\"id\":7}"}],
            "usage":{"input_tokens":10,"output_tokens":5}}"#;
        let stream = format!(
            "data: {}\n\ndata: {}\n\ndata: {}\n\n",
            r#"{"type":"response.created","response":{"id":"r1","model":"g-1","status":"in_progress","output":[]}}"#,
            r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"Looking."}]}}"#,
            format_args!(
                "{{\"type\":\"response.completed\",\"response\":{}}}",
                whole.replace('\n', " ")
            ),
        );
        let whole = parse(Api::Responses, whole).unwrap();
        assert_eq!(whole.text.as_deref(), Some("Looking."));
        assert_eq!(whole.calls[0].id, "c1");
        assert_eq!(parse(Api::Responses, &stream).unwrap(), whole);
        let refused = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}"#;
        assert_eq!(
            parse(Api::Responses, refused).unwrap().refused.as_deref(),
            Some("no")
        );
    }

    #[test]
    fn however_a_stream_is_cut_into_pieces_it_says_the_same() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"h\u{e9}\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        for size in 1..=body.len() {
            let mut heard = Heard::new(Api::ChatCompletions, "text/event-stream; charset=utf-8");
            body.as_bytes()
                .chunks(size)
                .for_each(|piece| heard.push(piece));
            assert_eq!(
                heard.response().0.unwrap().text.as_deref(),
                Some("h\u{e9}llo")
            );
        }
    }

    #[test]
    fn an_error_in_the_midst_of_a_stream_is_told() {
        let body = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
        let (_, error) = Heard::all(Api::Messages, body).response();
        assert_eq!(
            error,
            Some(("overloaded_error".to_owned(), "Overloaded".to_owned()))
        );
    }
}
