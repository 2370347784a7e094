//! Reading the JSON of requests and results without changing a byte of it, and what each method is.

use std::collections::HashMap;

use serde_json::value::RawValue;
use vocabulary::action::Access;

/// The members of an object as they are written; of one that is there twice, the last, as most readers have it.
pub(super) type Map<'a> = HashMap<String, &'a RawValue>;

/// The members of a text that is an object; none of any other.
pub(super) fn object(json: &str) -> Map<'_> {
    serde_json::from_str(json).unwrap_or_default()
}

/// A member that is a string.
pub(super) fn text(map: &Map<'_>, key: &str) -> Option<String> {
    serde_json::from_str(map.get(key)?.get()).ok()
}

/// What a request is called, and what it does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// `None`: as the tool's own definition says.
    pub(super) access: Option<Access>,
    pub(super) name: String,
    /// The member that is its input; all of the parameters without one.
    pub(super) asked: Option<&'static str>,
    /// Whether the server asks it of the client.
    pub(super) by_server: bool,
}

/// What a request is as an action; `None` where it only serves the protocol.
pub(super) fn names(method: &str, params: &Map<'_>) -> Option<Names> {
    let of = |access, key: &str, asked| {
        Some(Names {
            access,
            name: text(params, key).unwrap_or_else(|| method.to_owned()),
            asked,
            by_server: false,
        })
    };
    let by_server = |access| {
        Some(Names {
            access: Some(access),
            name: method.to_owned(),
            asked: None,
            by_server: true,
        })
    };
    match method {
        "tools/call" => of(None, "name", Some("arguments")),
        "resources/read" => of(Some(Access::Read), "uri", None),
        "prompts/get" => of(Some(Access::Read), "name", Some("arguments")),
        "tasks/result" => of(Some(Access::Read), "taskId", None),
        "sampling/createMessage" => by_server(Access::Execute),
        "elicitation/create" => by_server(Access::Send),
        "initialize"
        | "server/discover"
        | "ping"
        | "completion/complete"
        | "logging/setLevel"
        | "tools/list"
        | "prompts/list"
        | "resources/list"
        | "resources/templates/list"
        | "resources/subscribe"
        | "resources/unsubscribe"
        | "subscriptions/listen"
        | "roots/list"
        | "tasks/get"
        | "tasks/list" => None,
        // Nobody knows what it does: as much as anything.
        _ => of(Some(Access::Execute), "", None),
    }
}

/// The first text of a tool's result.
pub(super) fn first_text(result: &Map<'_>) -> Option<String> {
    let parts: Vec<Map<'_>> = serde_json::from_str(result.get("content")?.get()).ok()?;
    parts.iter().find_map(|part| text(part, "text"))
}
