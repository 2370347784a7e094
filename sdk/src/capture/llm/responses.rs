//! Replies of OpenAI's responses: whole, or as the events of a stream.

use serde::Deserialize;

use super::response::{Call, Response, Usage};

/// A whole reply.
#[derive(Deserialize)]
pub(super) struct Whole {
    id: Option<String>,
    model: Option<String>,
    status: Option<String>,
    #[serde(default)]
    output: Vec<Item>,
    usage: Option<Usage>,
    incomplete_details: Option<Incomplete>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    call_id: Option<String>,
    id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    /// What a tool that takes any text is given.
    input: Option<String>,
    #[serde(default)]
    content: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    refusal: Option<String>,
}

/// One event of a stream.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: String,
    response: Option<Whole>,
    item: Option<Item>,
}

impl Whole {
    pub(super) fn add_to(self, response: &mut Response) {
        response.id = response.id.take().or(self.id);
        response.model = response.model.take().or(self.model);
        response.usage = self.usage.or(response.usage);
        for item in self.output {
            item.add_to(response);
        }
        let reason = self.incomplete_details.and_then(|details| details.reason);
        if reason.as_deref() == Some("content_filter") && response.refused.is_none() {
            response.refused.clone_from(&reason);
        }
        match (reason, self.status.as_deref()) {
            (Some(reason), _) => response.finish_reasons.push(reason),
            (None, Some(status @ ("completed" | "failed" | "cancelled" | "incomplete"))) => {
                response.finish_reasons.push(status.to_owned());
            }
            (None, _) => {}
        }
    }
}

impl Item {
    fn add_to(self, response: &mut Response) {
        match self.kind.as_str() {
            "message" => {
                for part in self.content.unwrap_or_default() {
                    if let Some(text) = part.text {
                        response.text.get_or_insert_default().push_str(&text);
                    }
                    if let Some(refusal) = part.refusal {
                        response.refused.get_or_insert_default().push_str(&refusal);
                    }
                }
            }
            "reasoning" => {}
            kind if kind.ends_with("_call") => response.calls.push(Call {
                id: self.call_id.or(self.id).unwrap_or_default(),
                // The provider's own tools have no name but their type.
                name: self
                    .name
                    .unwrap_or_else(|| kind.trim_end_matches("_call").to_owned()),
                arguments: self.arguments.or(self.input).unwrap_or_default(),
            }),
            _ => {}
        }
    }
}

impl Event {
    pub(super) fn add_to(self, response: &mut Response) {
        match self.kind.as_str() {
            "response.created" => {
                if let Some(whole) = self.response {
                    response.id = whole.id;
                    response.model = whole.model;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = self.item {
                    item.add_to(response);
                }
            }
            // The last event has all of it once more.
            "response.completed" | "response.incomplete" | "response.failed" => {
                if let Some(whole) = self.response {
                    *response = Response::default();
                    whole.add_to(response);
                }
            }
            _ => {}
        }
    }
}
