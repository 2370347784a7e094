//! Agents that only know the stock OpenTelemetry SDK of their language.

use libtest_mimic::{Failed, Trial};
use std::process::Command;
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;
use tests::program::Program::Recount;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "python_over_http_becomes_a_session",
            Some(Need::Python),
            || session("http/protobuf"),
        ),
        trial(
            "python_over_grpc_becomes_a_session",
            Some(Need::Python),
            || session("grpc"),
        ),
    ]
}

fn session(protocol: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = examples::collector::Running::start(&store)?;
    let endpoint = match protocol {
        "grpc" => collector.otlp_grpc()?,
        _ => collector.otlp_http()?,
    };
    let script = tests::root().join("examples/python/stock_opentelemetry.py");
    let mut program = Command::new(python());
    program
        .arg(script)
        .arg("47893")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_EXPORTER_OTLP_INSECURE", "true");
    Outcome::of(&mut program)?.ended(0)?;
    collector.stop()?;

    let mut show = Recount.command()?;
    show.args(["show", "47893", "-o", "json", "--store"])
        .arg(&store);
    show.env("XDG_CONFIG_HOME", folder.path())
        .env("XDG_STATE_HOME", folder.path());
    let account = Outcome::of(&mut show)?.ended(0)?.json()?;
    let sessions = account["sessions"].as_array().ok_or("no sessions")?;
    let tool = account["actions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|action| action["name"] == "execute_tool close_ticket");
    if sessions.len() != 1 || sessions[0]["id"] != "triage-47893" || !tool {
        return Err(format!("not one session with its tool call: {account:#}").into());
    }
    Ok(())
}
