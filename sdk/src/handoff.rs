//! Handing work over to an agent elsewhere: the words that travel with it.

use std::fmt;
use std::str::FromStr;

use vocabulary::id::{RequestId, SessionId};

/// What a text begins with that hands work over.
const FORMAT: &str = "recount-handoff-1";

/// A child session that was announced and is going to start elsewhere: in a task, a thread, a process or on a host of
/// its own. As text ([`fmt::Display`], [`FromStr`]) it goes with the work: in a message, a queue, a header.
///
/// It holds identifiers and no secret. Who starts the session is decided by who sends it: the parent's own record
/// says which session it announced, and to which agent, so one that nobody announced is seen to be none of its own.
///
/// ```
/// # let recorder = recount::Recorder::testing();
/// # let elsewhere = recount::Recorder::testing();
/// # let session = recorder.session("47892").start_blocking();
/// let token = session.hand_over("speller").to_string();
/// // … elsewhere:
/// let handed: recount::Handoff = token.parse()?;
/// let child = elsewhere.session_without_request().handed_over(&handed).start_blocking();
/// assert_eq!(child.id(), handed.session());
/// assert_eq!(child.request(), session.request());
/// # child.end_blocking(recount::EndReason::Completed);
/// # session.end_blocking(recount::EndReason::Completed);
/// # Ok::<(), recount::MalformedHandoff>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    pub(crate) session: SessionId,
    pub(crate) parent: SessionId,
    pub(crate) request: Option<RequestId>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) by: String,
}

/// A text that hands nothing over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no handoff like {FORMAT};session=…;parent=…;trace=…;by=…: {why}")]
pub struct MalformedHandoff {
    /// What was read, at most 200 characters of it.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Handoff {
    /// The id that the child session was announced under.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The session that hands over.
    pub fn parent(&self) -> &SessionId {
        &self.parent
    }
}

impl fmt::Display for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{FORMAT};session={};parent={}",
            percent(self.session.as_str()),
            percent(self.parent.as_str())
        )?;
        if let Some(request) = &self.request {
            write!(f, ";request={}", percent(request.as_str()))?;
        }
        let trace = u128::from_be_bytes(self.trace_id);
        write!(f, ";trace={trace:032x};by={}", percent(&self.by))
    }
}

impl FromStr for Handoff {
    type Err = MalformedHandoff;

    fn from_str(text: &str) -> Result<Self, MalformedHandoff> {
        let wrong = |why| MalformedHandoff {
            text: text.chars().take(200).collect(),
            why,
        };
        let rest = text
            .trim()
            .strip_prefix(FORMAT)
            .ok_or_else(|| wrong("another beginning"))?;
        let field = |name: &str| {
            let value = rest
                .split(';')
                .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
            unpercent(value)
        };
        let id = |name: &str| field(name).and_then(|text| text.parse().ok());
        let trace = field("trace").filter(|hex| hex.len() == 32);
        let trace = trace.and_then(|hex| u128::from_str_radix(&hex, 16).ok());
        let request = match field("request") {
            None => None,
            Some(request) => Some(request.parse().map_err(|_| wrong("no request id"))?),
        };
        Ok(Self {
            session: id("session").ok_or_else(|| wrong("no session id"))?,
            parent: id("parent").ok_or_else(|| wrong("no id of the parent"))?,
            request,
            trace_id: trace
                .filter(|trace| *trace != 0)
                .ok_or_else(|| wrong("no trace id"))?
                .to_be_bytes(),
            by: field("by").ok_or_else(|| wrong("no name of an agent"))?,
        })
    }
}

/// Everything but unreserved characters percent-encoded.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unpercent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_handoff_is_read_back_as_it_is(
            session in "\\PC{1,40}", parent in "\\PC{1,40}", request in prop::option::of("\\PC{1,40}"),
            trace in 1_u128.., by in "\\PC{0,40}",
        ) {
            let (Ok(session), Ok(parent)) = (session.parse(), parent.parse()) else { return Ok(()) };
            let request = request.and_then(|request| request.parse().ok());
            let handoff = Handoff { session, parent, request, trace_id: trace.to_be_bytes(), by };
            let text = handoff.to_string();
            prop_assert!(text.is_ascii() && !text.contains([' ', ',', '"']), "{}", text);
            prop_assert_eq!(text.parse::<Handoff>(), Ok(handoff));
        }

        #[test]
        fn a_text_that_is_none_is_refused(text in "(recount-handoff-1)?[;a-z=%0-9]{0,60}") {
            let _ = text.parse::<Handoff>();
            prop_assert!("".parse::<Handoff>().is_err());
        }
    }
}
