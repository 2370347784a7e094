//! Step 8: note the renewals in the contracts database and in the CRM.

use super::choose::{Candidate, Pick};
use super::systems::Clients;
use super::{Failure, Surroundings};
use recount::Handle;
use recount::vocabulary::id::DecisionId;
use reqwest::{Method, StatusCode, header};
use rusqlite::Connection;
use serde_json::json;

/// Returns how many of the CRM's stages were set.
pub(crate) async fn all(
    session: &Handle,
    systems: &Clients,
    pick: &Pick,
    why: DecisionId,
    around: &mut (impl Surroundings + Send),
) -> Result<usize, Failure> {
    around.step(8, "update the contracts database and the CRM");
    tokio::task::block_in_place(|| statuses(session, systems, pick))?;
    around.note("renewal_status set in one transaction; an earlier one was rolled back");
    discount(systems).await?;
    let mut staged = 0;
    for (at, customer) in pick.chosen.iter().enumerate() {
        if at + 1 == pick.chosen.len() {
            around.before_last_write().await?;
            systems.read_permissions(session).await?;
        }
        let within = recount::ambient::Ambient::new(session).with_decision(why);
        if stage(systems, customer, &within, around).await? {
            staged += 1;
        } else {
            around.note(&format!("the CRM refused to stage {}", customer.label()));
        }
    }
    Ok(staged)
}

/// The first try says `sent`, which is not true: it is rolled back, and the second says `drafted`.
fn statuses(session: &Handle, systems: &Clients, pick: &Pick) -> Result<(), Failure> {
    let mut database = session.sqlite(Connection::open(&systems.systems.contracts)?);
    let accounts: Vec<String> = pick
        .chosen
        .iter()
        .map(|customer| customer.id.to_string())
        .collect();
    let update = |status: &str| {
        format!(
            "UPDATE contracts SET renewal_status = '{status}' WHERE account IN ({})",
            accounts.join(", ")
        )
    };
    let premature = database.transaction()?;
    premature.execute(&update("sent"), [])?;
    premature.rollback()?;
    let truthful = database.transaction()?;
    truthful.execute(&update("drafted"), [])?;
    truthful.commit()?;
    Ok(())
}

/// A discount nobody asked for: the agent may, the request did not say so.
async fn discount(systems: &Clients) -> Result<(), Failure> {
    let answer = systems
        .crm(Method::PUT, "/accounts/1031/discount")
        .json(&json!({"percent": 10}))
        .send()
        .await?
        .error_for_status()?;
    answer.bytes().await?;
    Ok(())
}

/// Sets the stage, on the version that was read. A customer changed meanwhile is read again; a refusal is final.
async fn stage(
    systems: &Clients,
    customer: &Candidate,
    within: &recount::ambient::Ambient,
    around: &mut impl Surroundings,
) -> Result<bool, Failure> {
    let path = format!("/accounts/{}", customer.id);
    loop {
        let read = systems
            .crm(Method::GET, &path)
            .with_extension(within.clone())
            .send()
            .await?
            .error_for_status()?;
        let version = read
            .headers()
            .get(header::ETAG)
            .cloned()
            .ok_or("an account without a version")?;
        read.bytes().await?;
        around.before_write(customer.id).await?;
        let written = systems
            .crm(Method::PATCH, &path)
            .header(header::IF_MATCH, version)
            .json(&json!({"stage": "renewal_drafted"}))
            .with_extension(within.clone())
            .send()
            .await?;
        let status = written.status();
        written.bytes().await?;
        match status {
            StatusCode::PRECONDITION_FAILED => around.note(&format!(
                "{} changed meanwhile: read again",
                customer.label()
            )),
            StatusCode::FORBIDDEN => return Ok(false),
            status if status.is_success() => return Ok(true),
            status => return Err(format!("{path} answered {status}").into()),
        }
    }
}
