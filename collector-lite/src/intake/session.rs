//! Which session a record belongs to, and for which request: the rules, in their order.
//!
//! The table is that of the OpenTelemetry mapping in `docs/collector.md`; the first attribute that is there wins, and
//! the rule that fired is kept with the record.

use ledger::envelope::SessionRule;
use ledger::otlp::Attributes;
use vocabulary::attribute;

/// Longest session or request name that is taken, in bytes; a longer one names nothing.
pub(crate) const MAX_NAME: usize = 1024;

/// What a sender may call its session, best first, and the rule that each is.
const NAMES: &[(&str, SessionRule)] = &[
    (attribute::RECOUNT_SESSION_ID, SessionRule::SessionAttribute),
    (attribute::SESSION_ID, SessionRule::SessionAttribute),
    ("gen_ai.conversation.id", SessionRule::Conversation),
    ("langfuse.session.id", SessionRule::Dialect),
    (
        "traceloop.association.properties.session_id",
        SessionRule::Dialect,
    ),
    ("conversation.id", SessionRule::Dialect),
    ("ai.telemetry.metadata.sessionId", SessionRule::Dialect),
    ("workflow.session_id", SessionRule::Dialect),
    ("mlflow.trace.session", SessionRule::Dialect),
    ("mcp.session.id", SessionRule::Dialect),
];

/// The session that attributes name, and by which rule.
pub(crate) fn named<'a>(
    item: &'a Attributes<'_>,
    resource: &'a Attributes<'_>,
) -> Option<(&'a str, SessionRule)> {
    NAMES.iter().find_map(|(key, rule)| {
        if let Some(name) = name(item, key) {
            return Some((name, *rule));
        }
        let rule = match rule {
            SessionRule::SessionAttribute => SessionRule::SessionResource,
            other => *other,
        };
        Some((name(resource, key)?, rule))
    })
}

/// The request that attributes name: on the record, else on the resource.
pub(crate) fn request<'a>(
    item: &'a Attributes<'_>,
    resource: &'a Attributes<'_>,
) -> Option<(&'a str, RequestRule)> {
    if let Some(name) = name(item, attribute::REQUEST_ID) {
        return Some((name, RequestRule::Record));
    }
    Some((
        name(resource, attribute::REQUEST_ID)?,
        RequestRule::Resource,
    ))
}

/// Other names of the same request.
pub(crate) fn aliases<'a>(item: &'a Attributes<'_>) -> impl Iterator<Item = &'a str> {
    item.strings(attribute::REQUEST_ALIASES)
        .filter(|name| is_name(name))
}

fn name<'a>(attributes: &'a Attributes<'_>, key: &str) -> Option<&'a str> {
    attributes.str(key).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME
}

/// How a request binding was found. The numbers are those of the control leaf's private part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum RequestRule {
    Record = 1,
    Resource = 2,
    Alias = 4,
    SessionLabel = 5,
}

/// The label of a trace whose session is not known.
pub(crate) fn trace_label(trace: &[u8; 16]) -> String {
    let mut label = String::with_capacity(38);
    label.push_str("trace:");
    for byte in trace {
        for nibble in [byte >> 4, byte & 15] {
            label.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    label
}

/// The trace that a label of [`trace_label`] names.
pub(crate) fn labelled_trace(label: &str) -> Option<[u8; 16]> {
    let digits = label
        .strip_prefix("trace:")
        .filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::otlp::Value;

    fn attributes(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), Value::Str((*value).into())))
            .collect()
    }

    #[test]
    fn the_best_name_wins_and_says_by_which_rule() {
        let none = Attributes::default();
        let item = attributes(&[
            ("conversation.id", "codex"),
            ("gen_ai.conversation.id", "chat"),
        ]);
        assert_eq!(
            named(&item, &none),
            Some(("chat", SessionRule::Conversation))
        );
        let resource = attributes(&[("session.id", "process")]);
        assert_eq!(
            named(&item, &resource),
            Some(("process", SessionRule::SessionResource))
        );
        let item = attributes(&[("session.id", "mine")]);
        assert_eq!(
            named(&item, &resource),
            Some(("mine", SessionRule::SessionAttribute))
        );
        assert_eq!(named(&none, &none), None);
    }

    #[test]
    fn a_request_is_read_from_the_record_before_the_resource() {
        let item = attributes(&[("recount.request.id", "47892")]);
        let resource = attributes(&[("recount.request.id", "1")]);
        assert_eq!(
            request(&item, &resource),
            Some(("47892", RequestRule::Record))
        );
        assert_eq!(
            request(&Attributes::default(), &resource),
            Some(("1", RequestRule::Resource))
        );
    }

    #[test]
    fn an_empty_or_endless_name_names_nothing() {
        let long: &'static str = Box::leak("x".repeat(MAX_NAME + 1).into_boxed_str());
        for name in ["", long] {
            assert_eq!(
                named(&attributes(&[("session.id", name)]), &Attributes::default()),
                None
            );
        }
    }

    #[test]
    fn a_trace_is_labelled_in_hexadecimal() {
        assert_eq!(
            trace_label(&[0xab; 16]),
            format!("trace:{}", "ab".repeat(16))
        );
    }
}
