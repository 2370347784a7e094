//! Whose call a message is: what its `_meta` tells, and what this process inherited.

use std::ffi::OsString;

use serde_json::Value;
use vocabulary::id::{RequestId, SessionId};
use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

/// A trace and the span in it.
pub(super) type Span = ([u8; 16], [u8; 8]);

/// What `_meta` tells of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) session: Option<SessionId>,
    pub(super) request: Option<RequestId>,
    pub(super) span: Option<Span>,
}

impl Told {
    /// Reads `_meta` of parameters.
    pub(super) fn read(params: &str) -> Self {
        // Most calls carry none: to look for the word is quicker than to read them.
        if !params.contains("\"_meta\"") {
            return Self::default();
        }
        let params: Value = serde_json::from_str(params).unwrap_or_default();
        let meta = &params["_meta"];
        let baggage = meta["baggage"].as_str().unwrap_or_default();
        Self {
            session: member(baggage, BAGGAGE_SESSION).and_then(|id| id.parse().ok()),
            request: member(baggage, BAGGAGE_REQUEST).and_then(|id| id.parse().ok()),
            span: meta["traceparent"].as_str().and_then(span),
        }
    }
}

/// The session that this process was started in.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) session: Option<SessionId>,
    pub(super) request: Option<RequestId>,
    pub(super) trace: Option<[u8; 16]>,
}

impl Inherited {
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let baggage = variable("BAGGAGE").unwrap_or_default();
        let session = variable("RECOUNT_SESSION").or_else(|| member(&baggage, BAGGAGE_SESSION));
        let session: Option<SessionId> = session.and_then(|id| id.parse().ok());
        let request = member(&baggage, BAGGAGE_REQUEST).or_else(|| variable("RECOUNT_REQUEST"));
        let request: Option<RequestId> = request.and_then(|id| id.parse().ok());
        // A session that stands for its request has none of its own.
        let own = |request: &RequestId| {
            session
                .as_ref()
                .is_some_and(|session| session.as_str() == request.as_str())
        };
        Self {
            request: request.filter(|request| !own(request)),
            trace: variable("TRACEPARENT")
                .and_then(|text| span(&text))
                .map(|(trace, _)| trace),
            session,
        }
    }
}

/// One value of a W3C `baggage`, percent-decoded.
fn member(baggage: &str, key: &str) -> Option<String> {
    let value = baggage.split(',').find_map(|member| {
        let (name, value) = member.split(';').next()?.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8(bytes).ok()
}

/// A W3C `traceparent`.
fn span(text: &str) -> Option<Span> {
    let mut parts = text.split('-').skip(1);
    let (trace, span) = (parts.next()?, parts.next()?);
    let long = (trace.len(), span.len()) == (32, 16);
    let trace = u128::from_str_radix(trace, 16)
        .ok()
        .filter(|trace| long && *trace != 0)?;
    let span = u64::from_str_radix(span, 16)
        .ok()
        .filter(|span| *span != 0)?;
    Some((trace.to_be_bytes(), span.to_be_bytes()))
}

/// A name for a server by the command that starts it: what a known runner runs (`npx -y @scope/server-x` is
/// `server-x`), else the program.
pub(super) fn server_name(command: &[OsString]) -> String {
    const RUNNERS: [&str; 9] = [
        "npx", "bunx", "uvx", "pipx", "node", "bun", "deno", "python", "python3",
    ];
    let mut parts = command
        .iter()
        .map(|part| part.to_string_lossy().into_owned());
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let program = last(&parts.next().unwrap_or_default());
    if !RUNNERS.contains(&program.as_str()) {
        return program;
    }
    let run = parts.find(|part| !part.starts_with('-') && part != "run");
    let run = run.map_or(program, |run| last(&run));
    match run.rsplit_once('.') {
        Some((stem, "js" | "mjs" | "cjs" | "ts" | "py")) => stem.to_owned(),
        _ => run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_call_it_is_stands_in_meta() {
        let params = r#"{"name":"x","_meta":{"traceparent":"00-ab000000000000000000000000000001-0000000000000002-01","baggage":"a=b, recount.session.id=s%201;p,recount.request.id=47"}}"#;
        let told = Told::read(params);
        assert_eq!(told.session, "s 1".parse().ok());
        assert_eq!(told.request, "47".parse().ok());
        assert_eq!(told.span.unwrap().1, [0, 0, 0, 0, 0, 0, 0, 2]);
        for none in [
            "{}",
            r#"{"_meta":3}"#,
            r#"{"_meta":{"traceparent":"00-0-0-0","baggage":"x"}}"#,
            "\"_meta\"",
        ] {
            assert_eq!(Told::read(none), Told::default(), "{none}");
        }
    }

    #[test]
    fn a_server_is_called_as_what_is_run() {
        let of = |command: &str| {
            let parts: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            server_name(&parts)
        };
        assert_eq!(
            of("npx -y @modelcontextprotocol/server-filesystem /srv"),
            "server-filesystem"
        );
        assert_eq!(of("/usr/bin/node /srv/dist/notes.js --x"), "notes");
        assert_eq!(of("python3 -m weather_server"), "weather_server");
        assert_eq!(of("/opt/bin/github-mcp stdio"), "github-mcp");
    }
}
