//! The services answer as the story needs, over real connections.

use examples::world::{World, crm, customers, review_folder};
use jiff::civil::date;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn world(folder: &tempfile::TempDir) -> (World, Client) {
    let world = World::start(folder.path(), date(2026, 3, 14))
        .await
        .unwrap();
    (world, examples::http::client().unwrap())
}

#[tokio::test]
async fn crm_lists_the_enterprise_accounts_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let mut names = Vec::new();
    let mut page = Some(0);
    while let Some(number) = page {
        let url = format!("{}/accounts?tier=enterprise&page={number}", world.crm());
        let reply: Value = http
            .get(url)
            .bearer_auth(crm::AGENT_TOKEN)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        names.extend(
            reply["accounts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a["name"].clone()),
        );
        page = reply["next"].as_u64();
    }
    assert_eq!(names.len(), 24);
}

#[tokio::test]
async fn crm_refuses_a_write_whose_etag_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let url = format!("{}/accounts/1003", world.crm());
    let read = http
        .get(&url)
        .bearer_auth(crm::AGENT_TOKEN)
        .send()
        .await
        .unwrap();
    let etag = read.headers()["etag"].clone();
    world
        .edit_account_as_someone_else(1003, "+00 555 9999")
        .await
        .unwrap();
    let write = |tag| {
        http.patch(&url)
            .bearer_auth(crm::AGENT_TOKEN)
            .header("if-match", tag)
            .json(&json!({"stage": "renewal_sent"}))
    };
    assert_eq!(
        write(etag).send().await.unwrap().status(),
        StatusCode::PRECONDITION_FAILED
    );
    let etag = http
        .get(&url)
        .bearer_auth(crm::AGENT_TOKEN)
        .send()
        .await
        .unwrap()
        .headers()["etag"]
        .clone();
    let after: Value = write(etag).send().await.unwrap().json().await.unwrap();
    assert_eq!(after["stage"], "renewal_sent");
}

#[tokio::test]
async fn crm_forbids_what_was_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    world.take_permission("accounts:stage").unwrap();
    let url = format!("{}/accounts/1044", world.crm());
    let reply = http
        .patch(url)
        .bearer_auth(crm::AGENT_TOKEN)
        .json(&json!({"stage": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tickets_fail_once_and_then_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let url = format!(
        "{}/accounts/{}/tickets",
        world.tickets(),
        customers::TICKETS_FAIL_ONCE
    );
    assert_eq!(
        http.get(&url).send().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        http.get(&url).send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn llm_limits_once_then_asks_for_a_tool_then_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let url = format!("{}/chat/completions", world.llm());
    let ask = json!({"role": "user", "content": "Write for account 1003 (Aster Freight)."});
    let tools = json!([{"type": "function", "function": {"name": "contract_terms"}}]);
    let first = json!({"model": "m", "messages": [ask], "tools": tools});
    assert_eq!(
        http.post(&url).json(&first).send().await.unwrap().status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    let reply: Value = http
        .post(&url)
        .json(&first)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(reply["choices"][0]["finish_reason"], "tool_calls");
    let called = reply["choices"][0]["message"].clone();
    let id = called["tool_calls"][0]["id"].clone();
    let second = json!({"model": "m", "messages": [ask, called, {"role": "tool", "tool_call_id": id, "content": "{}"}], "tools": tools});
    let reply: Value = http
        .post(&url)
        .json(&second)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(
        reply["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("Aster Freight")
    );
    assert!(reply["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_agent_sees_in_its_permissions_what_was_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let permissions = async || -> Value {
        let url = format!("{}/permissions", world.crm());
        let request = http.get(url).bearer_auth(crm::AGENT_TOKEN);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(
        permissions().await,
        json!({"principal": "renewal-agent", "grant": "v7", "permissions": ["accounts:discount", "accounts:read", "accounts:stage"]})
    );
    world.take_permission("accounts:stage").unwrap();
    assert_eq!(
        permissions().await,
        json!({"principal": "renewal-agent", "grant": "v8", "permissions": ["accounts:discount", "accounts:read"]})
    );
    world
        .edit_account_as_someone_else(1003, "+00 555 1")
        .await
        .unwrap();
}

#[tokio::test]
async fn crm_knows_its_callers_and_its_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let get = |path: &str| http.get(format!("{}{path}", world.crm()));
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(
        status(get("/accounts/1003")).await,
        StatusCode::UNAUTHORIZED
    );
    let known = |path| get(path).bearer_auth(crm::AGENT_TOKEN);
    assert_eq!(status(known("/accounts/9999")).await, StatusCode::NOT_FOUND);
    let phone = http
        .patch(format!("{}/accounts/1003", world.crm()))
        .bearer_auth(crm::AGENT_TOKEN)
        .json(&json!({"phone": "+00"}));
    assert_eq!(status(phone).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn fourteen_contracts_end_within_sixty_days_and_one_of_them_has_an_open_severity_one_ticket()
{
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let contracts = rusqlite::Connection::open(world.contracts()).unwrap();
    let mut query = contracts
        .prepare("SELECT account FROM contracts WHERE ends_on BETWEEN '2026-03-14' AND '2026-05-13' ORDER BY yearly_value DESC")
        .unwrap();
    let ending: Vec<u32> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(ending.len(), 14);
    let mut chosen = Vec::new();
    for account in ending {
        let url = format!("{}/accounts/{account}/tickets", world.tickets());
        let mut reply = http.get(&url).send().await.unwrap();
        if reply.status() == StatusCode::SERVICE_UNAVAILABLE {
            reply = http.get(&url).send().await.unwrap();
        }
        let list: Value = reply.json().await.unwrap();
        let urgent = |ticket: &Value| ticket["severity"] == 1 && ticket["state"] == "open";
        if !list["tickets"].as_array().unwrap().iter().any(urgent) {
            chosen.push(account);
        }
    }
    let left_out: Vec<u32> = chosen.split_off(10);
    let name = |id: &u32| {
        customers::CUSTOMERS
            .iter()
            .find(|c| c.id == *id)
            .unwrap()
            .name
    };
    let left_out: Vec<&str> = left_out.iter().map(name).collect();
    assert_eq!(
        left_out,
        ["Kestrel Retail", "Lumen Media", "Tarn Logistics"]
    );
    assert!(!chosen.contains(&customers::SEVERITY_ONE));
}

#[tokio::test]
async fn the_folder_holds_an_index_and_a_stale_draft_and_no_mail_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (world, http) = world(&folder).await;
    let mut names: Vec<_> = std::fs::read_dir(world.pending_review())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [review_folder::STALE_DRAFT, review_folder::INDEX]);
    assert_eq!(world.mails_sent(), 0);
    let url = format!("{}/send", world.mail());
    http.post(url).json(&json!({})).send().await.unwrap();
    assert_eq!(world.mails_sent(), 1);
}
