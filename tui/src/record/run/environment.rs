//! What the command is told of its session, so that what it records or emits by itself joins it.

use std::process::Command;

use recount::{ActionHandle, Handle};
use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

use crate::command::Context;

/// With these a sender proves who it is: the command could write in the recorder's name. One that has a credential of
/// its own gets it by `env RECOUNT_TOKEN=… CMD`.
pub(in crate::record) const CREDENTIALS: [&str; 2] = ["RECOUNT_TOKEN", "RECOUNT_AGENT_KEY"];

const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const OTLP_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Sets what the command is told beside `TRACEPARENT` and `RECOUNT_SESSION`; gives what could not be.
pub(super) fn tell(
    command: &mut Command,
    context: &Context,
    endpoint: &str,
    session: &Handle,
    action: &ActionHandle,
) -> Option<String> {
    let given = |name: &str| context.environment.text(name);
    let ours = action.baggage();
    let request = session
        .request()
        .map_or_else(|| session.id().as_str(), |request| request.as_str());
    command
        .env("RECOUNT_REQUEST", request)
        .env("BAGGAGE", merged(&ours, given("BAGGAGE").as_deref()))
        // Both are lists of `key=value` with the same escapes.
        .env(RESOURCE, merged(&ours, given(RESOURCE).as_deref()));
    for name in CREDENTIALS {
        command.env_remove(name);
    }
    if given("RECOUNT_COLLECTOR").is_none() {
        command.env("RECOUNT_COLLECTOR", endpoint);
    }
    match given(OTLP_ENDPOINT) {
        Some(other) if other.trim_end_matches('/') != endpoint.trim_end_matches('/') => {
            Some(format!(
                "{OTLP_ENDPOINT} is {other}: what the command emits goes there, not to {endpoint}"
            ))
        }
        _ if endpoint.starts_with("unix:") => Some(format!(
            "OpenTelemetry exporters cannot send to {endpoint}: what the command emits is not joined"
        )),
        given_too => {
            command.env(OTLP_ENDPOINT, endpoint);
            if given_too.is_none() {
                command.env(OTLP_PROTOCOL, "http/protobuf");
            }
            None
        }
    }
}

/// Our members, then those of others.
fn merged(ours: &str, given: Option<&str>) -> String {
    let others = given.unwrap_or_default().split(',').filter(|member| {
        let key = member.split(['=', ';']).next().unwrap_or_default().trim();
        !key.is_empty() && key != BAGGAGE_SESSION && key != BAGGAGE_REQUEST
    });
    std::iter::once(ours)
        .chain(others)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_members_take_the_place_of_older_ones_and_leave_others_alone() {
        let ours = "recount.session.id=s-2,recount.request.id=47892";
        assert_eq!(merged(ours, None), ours);
        assert_eq!(
            merged(
                ours,
                Some("team=a%20b, recount.session.id=s-1;p=1,recount.request.id=9,x=y;z,")
            ),
            format!("{ours},team=a%20b,x=y;z")
        );
    }
}
