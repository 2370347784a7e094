//! Writes the store that every later version must verify: `tests/golden/0.1/`, checked by the tests of the repository.
//!
//! `RECOUNT_BLESS=1 cargo test -p tests --test end_to_end first_release` writes it where it is missing. One that is
//! there is never changed, or it would prove nothing.

use libtest_mimic::{Failed, Trial};
use recount::{Access, Principal, Recorder};
use std::path::Path;
use std::time::Duration;

/// What is kept: everything except the private key and the lock.
const KEPT: [&str; 4] = ["ledger.db", "last_signed", "acked", "ledger.pub"];

pub(crate) fn trials() -> Vec<Trial> {
    match std::env::var_os("RECOUNT_BLESS") {
        Some(_) => vec![Trial::test("first_release_leaves_a_store", || {
            let folder = tests::root().join("tests/golden/0.1");
            if folder.exists() {
                return Ok(());
            }
            written(&folder)
        })],
        None => Vec::new(),
    }
}

/// A session of the SDK with one action that reads and one that sends and fails, a span of a stock exporter in JSON, a payload that is
/// refused, and a stop in order.
fn written(to: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = examples::collector::Running::start(&store)?;
    let endpoint = format!("http://{}", collector.otlp_http()?);
    agent(&endpoint, &folder.path().join("spool"))?;
    let span = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"triage"}}]},"#,
        r#""scopeSpans":[{"scope":{"name":"stock"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","#,
        r#""spanId":"eee19b7ec3c1b174","name":"execute_tool close_ticket","kind":1,"#,
        r#""startTimeUnixNano":"1773479524000000001","endTimeUnixNano":"1773479524900000001","attributes":["#,
        r#"{"key":"session.id","value":{"stringValue":"triage-47893"}},"#,
        r#"{"key":"recount.request.id","value":{"stringValue":"47893"}},"#,
        r#"{"key":"row","value":{"intValue":"9223372036854775807"}}],"unknown":[1e400,1e400]}]}]}]}"#,
    );
    for (body, wanted) in [(span, 200), (r#"{"resourceSpans":[{"#, 400)] {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        let answer = ureq::Agent::new_with_config(agent)
            .post(format!("{endpoint}/v1/traces"))
            .header("content-type", "application/json")
            .send(body)?;
        if answer.status() != wanted {
            return Err(format!("{} where {wanted} was expected", answer.status()).into());
        }
    }
    collector.stop()?;
    std::fs::create_dir_all(to)?;
    for name in KEPT {
        std::fs::copy(store.join(name), to.join(name))?;
    }
    Ok(())
}

fn agent(endpoint: &str, spool: &Path) -> Result<(), Failed> {
    let recorder = Recorder::builder("renewal-agent")
        .collector(endpoint)
        .spool(spool)
        .build()?;
    let session = recorder
        .session("47892")
        .intent("draft a renewal email for Acme")
        .asked_by(Principal::user("https://idp.example.test", "u-104"))
        .scope(["read tool:draft", "write file:pending-review/**"])
        .start_blocking();
    let read = session.tool("draft").reads().begin_blocking()?;
    let draft = read.run_blocking(|| Ok::<_, std::io::Error>("Dear Acme"));
    let write = session.tool("send").access(Access::Send).begin_blocking()?;
    let sent: Result<(), _> = write.run_blocking(|| Err(std::io::Error::other("403 Forbidden")));
    assert!(draft.is_ok() && sent.is_err());
    session.end_blocking(&draft);
    match recorder.close_blocking(Duration::from_secs(60)) {
        unsent if unsent.is_none() => Ok(()),
        unsent => Err(format!("{} records unsent", unsent.0).into()),
    }
}
