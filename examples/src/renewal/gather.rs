//! Steps 1 to 4: who could be written to, and what speaks against it.

use super::choose::{Candidate, WITHIN_DAYS};
use super::systems::Clients;
use super::{Failure, Surroundings};
use jiff::{ToSpan, civil::Date};
use recount::Handle;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::Value;

pub(crate) async fn candidates(
    session: &Handle,
    systems: &Clients,
    today: Date,
    around: &mut impl Surroundings,
) -> Result<Vec<Candidate>, Failure> {
    around.step(1, "ask the CRM for enterprise accounts");
    let accounts = enterprise_accounts(systems).await?;
    around.note(&format!("{} enterprise accounts", accounts.len()));

    around.step(2, "read when their contracts end");
    let contracts = contracts(session, systems)?;

    around.step(3, &format!("keep those that end within {WITHIN_DAYS} days"));
    let last = today.saturating_add(WITHIN_DAYS.days());
    let mut candidates = Vec::new();
    for (id, name) in accounts {
        let Some((_, ends_on, value)) = contracts.iter().find(|(account, _, _)| *account == id)
        else {
            continue;
        };
        if *ends_on <= last {
            candidates.push(Candidate {
                id,
                name,
                ends_on: *ends_on,
                value: *value,
                blocked_by: None,
            });
        }
    }
    around.note(&format!("{} contracts end soon", candidates.len()));

    around.step(4, "read their support tickets");
    for candidate in &mut candidates {
        let tickets = systems.tickets(candidate.id).await?;
        candidate.blocked_by = severity_one(&tickets);
    }
    Ok(candidates)
}

async fn enterprise_accounts(systems: &Clients) -> Result<Vec<(u32, String)>, Failure> {
    let mut accounts = Vec::new();
    let mut page = Some(0);
    while let Some(number) = page {
        let path = format!("/accounts?tier=enterprise&page={number}");
        let answer: Value = systems
            .crm(Method::GET, &path)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        for account in answer["accounts"].as_array().into_iter().flatten() {
            let id = account["id"]
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or("an account without a number")?;
            accounts.push((id, account["name"].as_str().unwrap_or_default().to_owned()));
        }
        page = answer["next"].as_u64();
    }
    Ok(accounts)
}

fn contracts(session: &Handle, systems: &Clients) -> Result<Vec<(u32, Date, i64)>, Failure> {
    let database = session.sqlite(Connection::open(&systems.systems.contracts)?);
    let rows = tokio::task::block_in_place(|| {
        database.query_map(
            "SELECT account, ends_on, yearly_value FROM contracts ORDER BY account",
            [],
            |row| {
                Ok((
                    row.get::<_, u32>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )
    })?;
    rows.into_iter()
        .map(|(account, ends_on, value)| Ok((account, ends_on.parse()?, value)))
        .collect()
}

fn severity_one(answer: &Value) -> Option<String> {
    let urgent = answer["tickets"]
        .as_array()?
        .iter()
        .find(|ticket| ticket["severity"] == 1 && ticket["state"] == "open")?;
    urgent["title"].as_str().map(str::to_owned)
}
