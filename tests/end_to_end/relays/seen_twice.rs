//! An agent with the SDK behind a relay: what both tell of is one action, and what only the relay saw is told too.

use collector_lite::Hidden;
use libtest_mimic::{Failed, Trial};
use recount::capture::http::{Layer, Rule};
use recount::{EndReason, Recorder};
use tests::outcome::Outcome;
use tests::program::Program::Collector;

use super::{LONG, Relay, account, crm, problems, rows, same};

pub(super) fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "relay_and_sdk_tell_one_action_with_one_diff",
        one_action,
    )]
}

fn one_action() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let mut command = Collector.command()?;
    command
        .args(["serve", "--init", "--reader", "none"])
        .args([
            "--otlp-http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "none",
            "--store",
        ])
        .arg(&store);
    let mut collector = Hidden::spawn(&mut command, true)?;
    let address = collector.ready().otlp_http.clone().ok_or("a door")?;
    let endpoint = format!("http://{address}");
    let mut command = Collector.command()?;
    command.args(["enroll", "-o", "json", "crm-relay", "--recorder", "--store"]);
    let told = Outcome::of(command.arg(&store))?.ended(0)?.json()?;
    let token = told["token"].as_str().ok_or("a token")?;

    let server = crm()?;
    let rules = super::rules();
    let args = ["http", "--upstream", &server.url(), "--rules", &rules];
    let relay = Relay::with(folder.path(), &endpoint, &args, &[("RECOUNT_TOKEN", token)])?;

    let recorder = Recorder::builder("agent")
        .collector(&endpoint)
        .spool(folder.path().join("spool"))
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let template = format!("{}/accounts/{{id}}", relay.url);
    let session = recorder.session("47898").start_blocking();
    let layer = Layer::new(&recorder)
        .session(&session)
        .tell(relay.host())
        .rule(Rule::for_writes(["PATCH"], &template)?.answers_with_resource());
    runtime.block_on(async {
        let client = layer.client(reqwest::Client::builder().no_proxy())?;
        let url = format!("{}/accounts/17", relay.url);
        let request = client.patch(url).body(r#"{"stage":"won"}"#);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        answer.bytes().await?;
        Ok::<(), Failed>(())
    })?;
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    relay.stop()?;
    collector.stop()?;

    let account = account(folder.path(), "47898")?;
    same("sessions", rows(&account, "sessions").count(), 1)?;
    let actions: Vec<_> = rows(&account, "actions").collect();
    same("actions", actions.len(), 1)?;
    let corroborated = actions[0]["corroborated_by"].as_array().map_or(0, Vec::len);
    same("records that show it too", corroborated >= 2, true)?;
    let behind = actions[0]["target"]["detail"]["recount.target"].as_str();
    let wanted = format!(
        "http:{}/accounts/17",
        server.url().trim_start_matches("http://")
    );
    same("the server behind", behind, Some(wanted.as_str()))?;
    let diffs: Vec<_> = rows(&account, "diffs").collect();
    same("diffs", diffs.len(), 1)?;
    let refs = diffs[0]["refs"].as_array().map_or(0, Vec::len);
    same("records that show the diff", refs, 2)?;
    let found = problems(&account);
    same("claims", found.contains("identity_claimed"), false)?;
    same(
        &format!("{found:?}: they agree"),
        found.contains("contradiction"),
        false,
    )?;
    // The server behind was not told which session asks.
    let told = server
        .asked()
        .iter()
        .any(|asked| asked.header("baggage").is_some());
    same("baggage behind the relay", told, false)
}
