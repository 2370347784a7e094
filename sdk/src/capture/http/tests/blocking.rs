//! The blocking client: no runtime on the calling thread.

use std::io::Read as _;

use super::*;
use crate::capture::driver::Driver;

/// A server on a thread of its own; the thread that tests has no runtime.
fn crm() -> (Crm, SocketAddr, Driver) {
    let (crm, driver) = (Crm::default(), Driver::start().unwrap());
    crm.account.lock().unwrap().1 = "before".to_owned();
    let app = Router::new()
        .route("/accounts/{id}", any(account))
        .with_state(crm.clone());
    let address = driver.wait(async move { serve(app).await }).unwrap();
    (crm, address, driver)
}

#[test]
fn the_blocking_client_records_what_its_twin_does() {
    let (crm, address, _server) = crm();
    let (recorder, session) = session();
    let url = format!("http://{address}/accounts/1");
    let rule = Rule::for_writes(["PUT"], &format!("http://{address}/accounts/{{id}}")).unwrap();
    let client = Layer::new(&recorder)
        .tell(&address.to_string())
        .rule(rule.answers_with_resource())
        .blocking_client(builder())
        .unwrap();
    let answer = session.run(|| client.send(client.get(&url))).unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let begun = answer
        .extensions()
        .unwrap()
        .get::<Recorded>()
        .unwrap()
        .action;
    assert_eq!(answer.text().unwrap(), "before");
    let mut answer = session
        .run(|| client.send(client.put(&url).body("after")))
        .unwrap();
    let mut text = String::new();
    answer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "after");
    drop(answer);
    let told = crm.seen().last().unwrap().1["baggage"].clone();
    assert!(told.to_str().unwrap().contains(session.id().as_str()));
    let actions = All::of(&recorder).actions();
    assert_eq!(
        actions[0].begin.str(attribute::ACTION_ID),
        Some(&*begun.to_string())
    );
    let written = &actions[1];
    assert_eq!(
        (written.outcome(), written.effect()),
        (Some("success"), Some("committed"))
    );
    let changed = diffs(written);
    let (_, before, after, read_before, read_after) = sides(changed[0]);
    assert_eq!((before, after), (json!("before"), json!("after")));
    assert_eq!((read_before, read_after), ("unlocked", "response_body"));
}

#[test]
fn an_answer_that_is_not_read_ends_its_action_when_it_is_dropped() {
    let (_crm, address, _server) = crm();
    let (recorder, session) = session();
    let client = Layer::new(&recorder)
        .session(&session)
        .blocking_client(builder())
        .unwrap();
    let url = format!("http://{address}/accounts/1");
    let answer = client.send(client.get(url)).unwrap();
    assert_eq!(All::of(&recorder).actions()[0].outcome(), None);
    drop(answer);
    let actions = All::of(&recorder).actions();
    assert_eq!(actions[0].outcome(), Some("success"));
}

#[test]
fn a_refused_begin_sends_nothing_from_a_blocking_client_either() {
    let (crm, address, _server) = crm();
    let (recorder, session) = session();
    refuse_begins(&recorder, true);
    let client = Layer::new(&recorder)
        .session(&session)
        .blocking_client(builder())
        .unwrap();
    let url = format!("http://{address}/accounts/1");
    let error = client.send(client.put(url).body("after")).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(crm.seen().is_empty());
}
