//! Steps 6, 7 and 9: have each email written, put it where a person will look, check its spelling.

use super::choose::{Candidate, Pick};
use super::systems::Clients;
use super::{Failure, RULES, Surroundings};
use crate::world::review_folder;
use recount::capture::http::Retries;
use recount::capture::llm::{ChatError, Reply, ToolCall};
use recount::vocabulary::id::DecisionId;
use recount::{Access, Handle, Kind};
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

pub(crate) async fn drafts(
    session: &Handle,
    systems: &Clients,
    pick: &Pick,
    why: DecisionId,
    around: &mut impl Surroundings,
) -> Result<Vec<PathBuf>, Failure> {
    around.step(6, "have a language model write each email");
    let mut texts = Vec::new();
    for customer in &pick.chosen {
        texts.push(email(session, systems, customer).await?);
    }
    refuse_to_send(session, why);
    around.note("POST /send denied by the agent's own rule R-7 drafts-only");

    around.step(7, "put the drafts where a person will look");
    let folder = &systems.systems.pending_review;
    let mut drafts = Vec::new();
    for (customer, text) in pick.chosen.iter().zip(texts) {
        let path = folder.join(file_name(customer));
        systems.files.write(&path, text).await?;
        drafts.push(path);
    }
    let lines: String = pick
        .chosen
        .iter()
        .map(|customer| format!("- [{0}]({0})\n", file_name(customer)))
        .collect();
    let stale = format!(
        "- [{0}]({0}): last quarter, not sent\n",
        review_folder::STALE_DRAFT
    );
    let index = folder.join(review_folder::INDEX);
    systems
        .files
        .edit(&index, move |text| text.replace(&stale, "") + &lines)
        .await?;
    systems
        .files
        .remove(folder.join(review_folder::STALE_DRAFT))
        .await?;
    Ok(drafts)
}

/// One conversation: the model may ask for the contract's terms before it writes.
async fn email(
    session: &Handle,
    systems: &Clients,
    customer: &Candidate,
) -> Result<String, Failure> {
    let mut messages = vec![
        json!({"role": "system", "content": "You write short, friendly renewal emails. Never promise a price."}),
        json!({"role": "user", "content": prompt(customer)}),
    ];
    loop {
        let request =
            json!({"model": systems.systems.model, "messages": messages, "tools": tools(customer)});
        let reply = ask(session, systems, &request).await?;
        if reply.calls.is_empty() {
            return reply.text.ok_or_else(|| "the model wrote nothing".into());
        }
        messages.extend(reply.message());
        for call in &reply.calls {
            let terms = contract_terms(session, call, customer).await?;
            messages.push(json!({"role": "tool", "tool_call_id": call.id, "content": terms}));
        }
    }
}

/// A model that limits its callers is asked once more.
async fn ask(session: &Handle, systems: &Clients, request: &Value) -> Result<Reply, Failure> {
    let attempts = Retries::new();
    let again = || {
        systems
            .llm
            .chat(request)
            .in_session(session)
            .attempt_of(&attempts)
    };
    match again().await {
        Err(ChatError::Status { status: 429, .. }) => Ok(again().await?),
        first => Ok(first?),
    }
}

/// The tool that the model may call.
async fn contract_terms(
    session: &Handle,
    call: &ToolCall,
    customer: &Candidate,
) -> Result<String, Failure> {
    let action = session
        .tool_call(call)
        .reads()
        .target(&format!("tool:{}", call.name))
        .begin()
        .await?;
    let terms = json!({"account": customer.id, "yearly_value": customer.value, "ends_on": customer.ends_on.to_string()});
    action.output(recount::Content::redacted(
        terms.to_string().as_bytes(),
        "application/json",
    ));
    action.end_success();
    Ok(terms.to_string())
}

fn prompt(customer: &Candidate) -> String {
    let mut prompt = format!(
        "Write a renewal email for account {} ({}). The contract ends on {}.",
        customer.id, customer.name, customer.ends_on
    );
    if customer.id == 1012 {
        // Somebody once pasted a credential into this account's notes: it must not be sealed.
        prompt.push_str(&format!(
            " Notes on the account: portal key sk-{}, valid until spring.",
            letters(32)
        ));
    }
    prompt
}

/// Only the first customer's conversation offers a tool; one call is enough to show how it is recorded.
fn tools(customer: &Candidate) -> Value {
    if customer.id != 1003 {
        return json!([]);
    }
    json!([{
        "type": "function",
        "function": {
            "name": "contract_terms",
            "description": "What the customer pays and until when",
            "parameters": {"type": "object", "properties": {"account": {"type": "integer"}}, "required": ["account"]}
        }
    }])
}

/// The agent's rules say that it drafts and never sends; the attempt is on record and was not made.
fn refuse_to_send(session: &Handle, why: DecisionId) {
    session
        .action(Kind::Http, "send mail", Access::Send)
        .operation("POST")
        .target(&Clients::mail_target())
        .because(why)
        .denied(
            "R-7 drafts-only",
            RULES,
            "drafts wait for a person; the agent sends nothing",
        );
}

pub(crate) async fn check_spelling(
    session: &Handle,
    drafts: &[PathBuf],
    around: &mut impl Surroundings,
) -> Result<(), Failure> {
    around.step(9, "check the drafts' spelling");
    let output = session
        .command(std::env::current_exe()?)
        .arg(crate::demo::SPELL_CHECK)
        .args(drafts)
        .output()
        .await?;
    around.note(
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .last()
            .unwrap_or("no answer"),
    );
    Ok(())
}

fn file_name(customer: &Candidate) -> String {
    let name: String = customer
        .name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    format!("{}-{name}.md", customer.id)
}

/// Random letters: a credential that is nobody's.
fn letters(count: usize) -> String {
    let mut state = RandomState::new().hash_one(count);
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + ((state >> 33) % 26) as u8)
        })
        .collect()
}
