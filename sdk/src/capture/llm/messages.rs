//! Replies of Anthropic's messages: whole, or as the events of a stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::{Call, Response, Usage};

/// A whole reply.
#[derive(Deserialize)]
pub(super) struct Message {
    id: Option<String>,
    model: Option<String>,
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
}

/// One event of a stream.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: String,
    message: Option<Message>,
    index: Option<usize>,
    content_block: Option<Block>,
    delta: Option<Delta>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
}

impl Message {
    pub(super) fn add_to(self, response: &mut Response) {
        response.id = response.id.take().or(self.id);
        response.model = response.model.take().or(self.model);
        if let Some(usage) = self.usage {
            response.usage = Some(usage);
        }
        for block in self.content {
            block.add_to(response, true);
        }
        stopped(self.stop_reason, response);
    }
}

impl Block {
    /// `whole`: the arguments are in it; in a stream they follow.
    fn add_to(self, response: &mut Response, whole: bool) {
        match self.kind.as_str() {
            "text" => {
                let text = self.text.unwrap_or_default();
                response.text.get_or_insert_default().push_str(&text);
            }
            // What the provider's own servers execute is asked for in the same way.
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                let input = self.input.filter(|_| whole);
                response.calls.push(Call {
                    id: self.id.unwrap_or_default(),
                    name: self.name.unwrap_or_default(),
                    arguments: input
                        .map(|input| input.get().to_owned())
                        .unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
}

impl Event {
    /// Adds one event; `at` knows which block is which call.
    pub(super) fn add_to(self, response: &mut Response, at: &mut Vec<(usize, usize)>) {
        match self.kind.as_str() {
            "message_start" => {
                if let Some(message) = self.message {
                    message.add_to(response);
                }
            }
            "content_block_start" => {
                if let (Some(index), Some(block)) = (self.index, self.content_block) {
                    let calls = response.calls.len();
                    block.add_to(response, false);
                    if response.calls.len() > calls {
                        at.push((index, calls));
                    }
                }
            }
            "content_block_delta" => {
                let Some(delta) = self.delta else { return };
                if let Some(text) = delta.text {
                    response.text.get_or_insert_default().push_str(&text);
                }
                let call = at.iter().find(|(index, _)| Some(*index) == self.index);
                if let (Some(json), Some((_, call))) = (delta.partial_json, call)
                    && let Some(call) = response.calls.get_mut(*call)
                {
                    call.arguments.push_str(&json);
                }
            }
            "content_block_stop" => {
                let call = at.iter().find(|(index, _)| Some(*index) == self.index);
                if let Some(call) = call.and_then(|(_, call)| response.calls.get_mut(*call))
                    && call.arguments.is_empty()
                {
                    call.arguments.push_str("{}"); // no argument at all comes as nothing
                }
            }
            "message_delta" => {
                if let Some(usage) = self.usage {
                    // It counts what came out; what went in was told at the start, and may be told again.
                    let known = response.usage.get_or_insert_default();
                    known.output = usage.output;
                    known.input = known.input.max(usage.input);
                }
                stopped(self.delta.and_then(|delta| delta.stop_reason), response);
            }
            _ => {}
        }
    }
}

fn stopped(reason: Option<String>, response: &mut Response) {
    let Some(reason) = reason else { return };
    if reason == "refusal" && response.refused.is_none() {
        response.refused = Some(response.text.clone().unwrap_or_else(|| reason.clone()));
    }
    response.finish_reasons.push(reason);
}
