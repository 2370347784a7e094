//! Which fields a label is about, and which resources.

use vocabulary::action::Access;
use vocabulary::scope::ScopeEntry;

use super::PolicyError;

/// A JSON Pointer in which `*` stands for one step and `**` for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// Steps are written as in RFC 6901: `~1` is a slash, `~0` a tilde.
    pub(super) fn parse(text: &str) -> Self {
        let steps = text.strip_prefix('/').unwrap_or(text);
        if steps.is_empty() {
            return Self(Vec::new());
        }
        let unescaped = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Self(steps.split('/').map(unescaped).collect())
    }

    /// Whether it is about the field at `path`.
    pub(super) fn is_about(&self, path: &[String]) -> bool {
        matches(&self.0, path)
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&written(&self.0))
    }
}

/// Steps as a JSON Pointer.
pub(super) fn written(path: &[String]) -> String {
    let escaped = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
    path.iter().map(escaped).collect()
}

/// A pattern of resources, as scope entries have it.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub(super) text: String,
    entry: ScopeEntry,
}

impl Resources {
    pub(super) fn parse(of: &str) -> Result<Self, PolicyError> {
        let entry = format!("read {of}").parse();
        Ok(Self {
            text: of.to_owned(),
            entry: entry.map_err(|source| PolicyError::Pattern {
                of: of.to_owned(),
                source,
            })?,
        })
    }

    pub(super) fn has(&self, resource: &str) -> bool {
        // A scope covers nothing that is not canonical; what is hidden must not depend on how it is spelled.
        let odd = resource
            .split('/')
            .any(|segment| matches!(segment, "." | ".."));
        odd || resource.contains("%2") || self.entry.covers(Access::Read, resource)
    }
}

/// Two lists of steps; takes time in the product of their lengths.
fn matches(pattern: &[String], path: &[String]) -> bool {
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for step in pattern {
        let mut next = vec![false; path.len() + 1];
        if step == "**" {
            let mut any = false;
            for (at, was) in reached.iter().enumerate() {
                any |= was;
                next[at] = any;
            }
        } else {
            for (at, name) in path.iter().enumerate() {
                next[at + 1] = reached[at] && fits(step.as_bytes(), name.as_bytes());
            }
        }
        reached = next;
    }
    reached[path.len()]
}

/// One step: `*` in it stands for any text.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
        } else if pattern.get(at) == name.get(read) {
            at += 1;
            read += 1;
        } else if let Some((back, from)) = star {
            at = back + 1;
            read = from + 1;
            star = Some((back, from + 1));
        } else {
            return false;
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}
