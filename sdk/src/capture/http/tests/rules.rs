//! Requests with resource rules.

use super::*;

#[tokio::test]
async fn a_write_with_a_rule_shows_the_resource_before_and_after() {
    let (recorder, session) = session();
    let world = Crm::default();
    let address = crm(&world).await;
    let layer = Layer::new(&recorder)
        .session(&session)
        .rule(rule(address).answers_with_resource());
    let client = layer.client(builder()).unwrap();
    let url = format!("http://{address}/accounts/17?access_token=hush");
    let response = client
        .put(&url)
        .header("authorization", "Bearer tok")
        .body("new")
        .send()
        .await
        .unwrap();
    assert!(response.extensions().get::<Recorded>().is_some());
    assert_eq!(
        (response.url().as_str(), response.content_length()),
        (url.as_str(), Some(3))
    );
    assert_eq!(response.text().await.unwrap(), "new");
    let all = All::of(&recorder);
    let [own] = &only_own_to(&all, true)[..] else {
        panic!("one own read")
    };
    let [write] = &only_own_to(&all, false)[..] else {
        panic!("one request")
    };
    assert_eq!(
        own.begin.str(attribute::ACTION_PARENT),
        write.begin.str(attribute::ACTION_ID)
    );
    let resource = format!("http:{address}/accounts/17");
    assert_eq!(write.begin.str(attribute::TARGET), Some(resource.as_str()));
    let found = diffs(write);
    assert_eq!(found.len(), 1);
    assert_eq!(
        sides(found[0]),
        (
            resource.as_str(),
            json!("old"),
            json!("new"),
            "unlocked",
            "response_body"
        )
    );
    assert_eq!(
        (write.outcome(), write.effect()),
        (Some("success"), Some("committed"))
    );
    let seen = world.seen();
    assert_eq!(
        seen.iter()
            .map(|(method, _)| method.as_str())
            .collect::<Vec<_>>(),
        ["GET", "PUT"]
    );
    assert_eq!(
        seen[0].1["recount-own-read"],
        write.begin.str(attribute::ACTION_ID).unwrap()
    );
    assert_eq!(seen[0].1["authorization"], "Bearer tok");
    for name in ["if-match", "traceparent", "baggage", "recount-own-read"] {
        assert!(!seen[1].1.contains_key(name), "{name} was added");
    }
    assert!(!is_recorded(&recorder, "hush") && !is_recorded(&recorder, "Bearer tok"));
}

#[tokio::test]
async fn if_match_is_sent_only_where_a_rule_asks_and_then_before_is_certain() {
    let (recorder, session) = session();
    let world = Crm {
        contended: true,
        ..Crm::default()
    };
    let address = crm(&world).await;
    let layer = |rule| {
        Layer::new(&recorder)
            .session(&session)
            .rule(rule)
            .client(builder())
            .unwrap()
    };
    let url = format!("http://{address}/accounts/17");
    let careful = layer(rule(address).if_match().answers_with_resource());
    assert_eq!(
        careful
            .put(&url)
            .body("mine")
            .send()
            .await
            .unwrap()
            .status(),
        412
    );
    let plain = layer(rule(address).answers_with_resource());
    assert_eq!(
        plain
            .put(&url)
            .body("mine")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "mine"
    );
    let quiet = Crm::default();
    let address = crm(&quiet).await;
    let careful = layer(rule(address).if_match().read_again());
    careful
        .put(format!("http://{address}/accounts/17"))
        .body("mine")
        .send()
        .await
        .unwrap();
    let all = All::of(&recorder);
    let writes = only_own_to(&all, false);
    assert_eq!(
        (
            writes[0].outcome(),
            writes[0].effect(),
            diffs(&writes[0]).len()
        ),
        (Some("failure"), Some("none"), 0)
    );
    assert_eq!(
        writes[0].end.as_ref().unwrap().str(attribute::ERROR_TYPE),
        Some("412")
    );
    let unlocked = sides(diffs(&writes[1])[0]);
    assert_eq!((&unlocked.1, unlocked.3), (&json!("theirs"), "unlocked"));
    let certain = sides(diffs(&writes[2])[0]);
    assert_eq!(
        (certain.1, certain.2, certain.3, certain.4),
        (
            json!("old"),
            json!("mine"),
            "precondition_sent",
            "etag_matched"
        )
    );
}

#[tokio::test]
async fn an_own_read_that_fails_changes_nothing_for_the_user() {
    let (recorder, session) = session();
    let world = Crm {
        reads_fail: true,
        ..Crm::default()
    };
    let address = crm(&world).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .rule(rule(address).if_match().read_again())
        .client(builder())
        .unwrap();
    let response = client
        .put(format!("http://{address}/accounts/17"))
        .body("new")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status(), response.text().await.unwrap().as_str()),
        (StatusCode::OK, "new")
    );
    let all = All::of(&recorder);
    let write = &only_own_to(&all, false)[0];
    assert_eq!(write.outcome(), Some("success"));
    let (_, before, after, read_before, read_after) = sides(diffs(write)[0]);
    assert_eq!(
        (before, after),
        (json!("not_captured"), json!("not_captured"))
    );
    assert_eq!((read_before, read_after), ("not_read", "not_read"));
}

#[tokio::test]
async fn own_reads_stop_at_their_budget_and_where_a_rule_forbids_them() {
    let (recorder, session) = session();
    let world = Crm::default();
    let address = crm(&world).await;
    let budget = Budget {
        reads: 1,
        ..Budget::default()
    };
    let client = Layer::new(&recorder)
        .session(&session)
        .budget(budget)
        .rule(rule(address))
        .client(builder())
        .unwrap();
    for _ in 0..2 {
        client
            .put(format!("http://{address}/accounts/17"))
            .body("x")
            .send()
            .await
            .unwrap();
    }
    let none = Layer::new(&recorder)
        .session(&session)
        .rule(rule(address).do_not_read())
        .client(builder())
        .unwrap();
    none.delete(format!("http://{address}/accounts/17"))
        .send()
        .await
        .unwrap();
    let all = All::of(&recorder);
    assert_eq!(only_own_to(&all, true).len(), 1);
    let read: Vec<_> = only_own_to(&all, false)
        .iter()
        .map(|write| sides(diffs(write)[0]).3.to_owned())
        .collect();
    assert_eq!(read, ["unlocked", "not_read", "not_read"]);
    let gone = sides(diffs(&only_own_to(&all, false)[2])[0]).2;
    assert_eq!(gone, json!("absent"));
}
