//! The call agent: reads one account, begins to write a call sheet, and crashes in the middle.

use super::Failure;
use crate::world::{CRM_HOST, crm};
use recount::capture::http::Layer;
use recount::vocabulary::id::SessionId;
use recount::{Access, Kind, Principal, Recorder, TriggerKind};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

/// The sub-agent's name.
pub const NAME: &str = "call-agent";

/// Runs until it crashes. The arguments are those that the renewal agent gives.
///
/// # Errors
/// When an argument is malformed or the recorder refuses.
pub async fn run(session: &str, account: &str, crm: &str, folder: &Path) -> Result<(), Failure> {
    let recorder = Recorder::from_env(NAME)?;
    let session = recorder
        .session(super::REQUEST)
        .announced_as(session.parse::<SessionId>()?)
        .agent(NAME, "0.3.1")
        .trigger(TriggerKind::Delegation, "renewal-agent")
        .asked_by(Principal::agent("renewal-agent"))
        .intent(format!("prepare a call sheet for account {account}").as_str())
        .scope([
            "read http:crm.example.test/accounts/*",
            "write file:pending-review/calls/**",
        ])
        .start()
        .await;
    let crm: SocketAddr = crm.parse()?;
    let client = Layer::new(&recorder)
        .session(&session)
        .tell(CRM_HOST)
        .client(crate::http::builder().resolve(CRM_HOST, crm))?;
    let url = format!("http://{CRM_HOST}/accounts/{account}");
    client
        .get(url)
        .bearer_auth(crm::AGENT_TOKEN)
        .send()
        .await?
        .bytes()
        .await?;

    let calls = folder.join("calls");
    let action = session
        .action(Kind::File, "call sheet", Access::Write)
        .operation("write")
        .target(&format!("file:pending-review/calls/{account}.md"))
        .begin()
        .await?;
    std::fs::create_dir_all(&calls)?;
    let mut sheet = std::fs::File::create(calls.join(format!("{account}.md")))?;
    sheet.write_all(b"# Call sheet\n\nAsk about the ren")?;
    sheet.sync_all()?;
    // A crash is not an unwinding panic: nothing of this process runs any more, and the action stays open.
    std::mem::forget(action);
    std::process::abort();
}
