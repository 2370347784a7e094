//! Step 10: one customer wants a call, which is another agent's work.

use super::choose::Pick;
use super::systems::Clients;
use super::{Failure, Surroundings, subagent};
use recount::Handle;

/// Starts the sub-agent as a process of its own, in a child session, and closes that session if the process dies.
pub(crate) async fn first_customer(
    session: &Handle,
    systems: &Clients,
    pick: &Pick,
    around: &mut impl Surroundings,
) -> Result<(), Failure> {
    around.step(10, "hand one customer to the call agent");
    let customer = pick.chosen.first().ok_or("nobody was chosen")?;
    let child = session.delegate(subagent::NAME).session_id().clone();
    let crm = systems.systems.crm_address().ok_or("no CRM")?;
    let output = session
        .command(std::env::current_exe()?)
        .args([
            crate::demo::SUB_AGENT,
            child.as_str(),
            &customer.id.to_string(),
            &crm.to_string(),
        ])
        .arg(&systems.systems.pending_review)
        .env("RECOUNT_COLLECTOR", &systems.systems.collector)
        .env("RECOUNT_SPOOL", systems.systems.spool.join(subagent::NAME))
        .output()
        .await?;
    if !output.status.success() {
        around.note(&format!("the call agent died: {}", output.status));
        session.recorder().abandoned(
            &child,
            session.request(),
            &format!("its process ended with {}", output.status),
        );
    }
    Ok(())
}
