//! The smallest session: what was asked, what may be touched, one action, an end.
//!
//! `RECOUNT_COLLECTOR` names the collector; without one the records stay in the spool.

use std::time::Duration;

use recount::{Principal, Recorder};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // region: start
    let recorder = Recorder::from_env("smallest-agent")?;
    let session = recorder
        .session("47892")
        .intent("draft a renewal email for Acme")
        .asked_by(Principal::user("https://idp.example.test", "u-104"))
        .scope(["read tool:draft", "write file:pending-review/**"])
        .start()
        .await;
    let draft = session
        .tool("draft")
        .reads()
        .begin()
        .await?
        .run(write_draft())
        .await;
    session.end(&draft).await;
    let unsent = recorder.close(Duration::from_secs(2)).await;
    // end
    println!("{}\n{} records unsent", draft?, unsent.0);
    Ok(())
}

async fn write_draft() -> Result<String, std::io::Error> {
    Ok("Dear Acme, your contract ends in 40 days.".to_owned())
}
