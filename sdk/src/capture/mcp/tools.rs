//! What a server says of its tools, and when it begins to say something else.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use vocabulary::{action::Access, content::Content};

use super::message::{object, text};
use crate::Handle;

/// The tools as last listed.
#[derive(Debug, Default)]
pub(super) struct Tools {
    known: BTreeMap<String, Tool>,
    /// Whether all of them were listed once: what comes later is new.
    complete: bool,
}

#[derive(Debug)]
struct Tool {
    definition: String,
    access: Access,
}

impl Tools {
    /// What a tool does, in its server's word; one that nobody has listed may do anything.
    pub(super) fn access(&self, name: &str) -> Access {
        self.known
            .get(name)
            .map_or(Access::Execute, |tool| tool.access)
    }

    /// Takes a list, or one page of it; tells what is another than before.
    pub(super) fn listed(&mut self, session: &Handle, server: &str, list: &str, whole: bool) {
        let list: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
        let mut named = Vec::new();
        for definition in list {
            let map = object(definition.get());
            let Some(name) = text(&map, "name") else {
                continue;
            };
            let tool = Tool {
                definition: definition.get().to_owned(),
                access: map
                    .get("annotations")
                    .map_or(Access::Execute, |annotations| access(annotations.get())),
            };
            named.push(name.clone());
            let before = self.known.get(&name).map(|tool| tool.definition.clone());
            let told = match &before {
                Some(before) => *before != tool.definition,
                None => self.complete,
            };
            if told {
                let before = before.map_or_else(Content::absent, |before| content(&before));
                let after = content(&tool.definition);
                session.config_change("tools", &format!("{server}/{name}"), Some(&before), &after);
            }
            self.known.insert(name, tool);
        }
        if whole {
            let gone = self.known.extract_if(.., |name, _| !named.contains(name));
            for (name, tool) in gone {
                let before = content(&tool.definition);
                let name = format!("{server}/{name}");
                session.config_change("tools", &name, Some(&before), &Content::absent());
            }
            self.complete = true;
        }
    }
}

/// What annotations say a tool does. Left out, it may do anything.
fn access(annotations: &str) -> Access {
    let map = object(annotations);
    let says = |key: &str, value: &str| map.get(key).is_some_and(|raw| raw.get() == value);
    if says("readOnlyHint", "true") {
        Access::Read
    } else if says("destructiveHint", "false") {
        Access::Write
    } else {
        Access::Execute
    }
}

fn content(definition: &str) -> Content {
    Content::redacted(definition.as_bytes(), "application/json")
}
