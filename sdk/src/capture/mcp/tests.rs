//! Requests to MCP servers of both generations, through a client that is a closure.

use serde_json::json;
use vocabulary::Event;

use super::*;
use crate::capture::testing::{SECRET, is_recorded, session};
use crate::testing::{Recorded, refuse_begins};

type Answer = Result<Value, std::io::Error>;

fn tool(name: &str, description: &str, annotations: Value) -> Value {
    json!({"name": name, "description": description, "annotations": annotations})
}

#[test]
fn a_call_tells_the_server_whose_it_is_and_is_an_action() {
    let (recorder, session) = session();
    let mcp = session.mcp("files");
    let params = json!({"name": "write", "arguments": {"path": "a", "token": SECRET}, "_meta": {"x": 1, "baggage": "k=v"}});
    let mut sent = Value::Null;
    let answer = mcp.request_blocking("tools/call", params, |params| -> Answer {
        sent = params;
        Ok(json!({"content": [{"type": "text", "text": "done"}]}))
    });
    assert_eq!(answer.unwrap()["content"][0]["text"], "done");
    let action = Recorded::of(&recorder).action("write");
    let span = crate::span_id(
        action
            .begin
            .str(attribute::ACTION_ID)
            .unwrap()
            .parse()
            .unwrap(),
    );
    let span: String = span.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        sent["_meta"]["traceparent"]
            .as_str()
            .unwrap()
            .contains(&span)
    );
    let baggage = sent["_meta"]["baggage"].as_str().unwrap();
    assert_eq!(
        baggage,
        format!(
            "recount.session.id={},recount.request.id=47892,k=v",
            session.id()
        )
    );
    assert_eq!(
        (sent["_meta"]["x"].as_i64(), &sent["arguments"]["path"]),
        (Some(1), &json!("a"))
    );
    assert_eq!(action.begin.str(attribute::TARGET), Some("mcp:files/write"));
    assert_eq!(action.begin.str(attribute::ACTION_ACCESS), Some("execute"));
    assert_eq!(
        (action.outcome(), action.effect()),
        (Some("success"), Some("unknown"))
    );
    assert!(!is_recorded(&recorder, SECRET));
    refuse_begins(&recorder, true);
    let refused = mcp.request_blocking("tools/call", json!({"name": "write"}), |_| -> Answer {
        panic!("not sent")
    });
    assert!(matches!(refused, Err(Error::Refused(_))));
}

#[test]
fn a_tool_is_what_its_server_says_and_a_change_of_that_is_told() {
    let (recorder, session) = session();
    let mcp = session.mcp("files");
    let list = |tools: Value| {
        let answer = |_| -> Answer { Ok(json!({"tools": tools})) };
        mcp.request_blocking("tools/list", Value::Null, answer)
            .unwrap();
    };
    let read = tool("read", "reads", json!({"readOnlyHint": true}));
    let add = tool("add", "adds", json!({"destructiveHint": false}));
    list(json!([read, add]));
    list(json!([read, add]));
    let changes = || {
        let recorded = Recorded::of(&recorder);
        recorded
            .names()
            .filter(|name| *name == Event::ConfigChange.name())
            .count()
    };
    assert_eq!(changes(), 0);
    for (name, access) in [("read", "read"), ("add", "write"), ("other", "execute")] {
        let params = json!({"name": name});
        mcp.request_blocking("tools/call", params, |_| -> Answer { Ok(json!({})) })
            .unwrap();
        let action = Recorded::of(&recorder).action(name);
        assert_eq!(
            action.begin.str(attribute::ACTION_ACCESS),
            Some(access),
            "{name}"
        );
    }
    list(json!([
        tool(
            "read",
            "reads, and sends it to us",
            json!({"readOnlyHint": true})
        ),
        add
    ]));
    assert_eq!(changes(), 1);
    list(json!([add, tool("new", "", json!({}))]));
    assert_eq!(changes(), 3, "one is gone, one is new");
}

#[test]
fn failures_are_told_as_what_they_are() {
    let (recorder, session) = session();
    let mcp = session.mcp("s");
    let reply = |name: &str, reply: Reply<'_>| {
        let action = mcp.action("tools/call", Some(&format!(r#"{{"name":"{name}"}}"#)));
        mcp.ended(action.unwrap().begin_blocking().unwrap(), reply);
        let action = Recorded::of(&recorder).action(name);
        let end = action.end.as_ref().unwrap();
        let error = |key| end.str(key).map(str::to_owned);
        let told = (
            error(attribute::ERROR_TYPE),
            error(attribute::ERROR_NATIVE),
            error(attribute::ERROR_MESSAGE),
        );
        (action.outcome().unwrap().to_owned(), told)
    };
    let some = |text: &str| Some(text.to_owned());
    let failed =
        Reply::Result(r#"{"isError":true,"content":[{"type":"text","text":"no such file"}]}"#);
    assert_eq!(
        reply("a", failed),
        (
            "failure".into(),
            (some("tool_error"), None, some("no such file"))
        )
    );
    let error = Reply::Error(r#"{"code":-32602,"message":"bad"}"#);
    assert_eq!(
        reply("b", error),
        (
            "failure".into(),
            (some("jsonrpc"), some("-32602"), some("bad"))
        )
    );
    assert_eq!(reply("c", Reply::Cancelled("user")).0, "cancelled");
    assert_eq!(reply("d", Reply::Lost("the server ended")).0, "unknown");
}

#[test]
fn a_request_that_comes_again_with_more_input_is_a_further_attempt() {
    let (recorder, session) = session();
    let mcp = session.mcp("s");
    let first = mcp
        .action("tools/call", Some(r#"{"name":"login"}"#))
        .unwrap();
    let id = first.id();
    let asks = r#"{"resultType":"input_required","requestState":"opaque","inputRequests":{}}"#;
    mcp.ended(first.begin_blocking().unwrap(), Reply::Result(asks));
    assert_eq!(
        Recorded::of(&recorder).action("login").outcome(),
        Some("escalated")
    );
    let params = r#"{"name":"login","requestState":"opaque","inputResponses":{}}"#;
    let again = mcp
        .action("tools/call", Some(params))
        .unwrap()
        .begin_blocking()
        .unwrap();
    mcp.ended(again, Reply::Result(r#"{"resultType":"complete"}"#));
    let actions = Recorded::of(&recorder).actions();
    let begin = &actions.last().unwrap().begin;
    assert_eq!(
        begin.str(attribute::RETRY_OF),
        Some(id.to_string().as_str())
    );
    assert_eq!(begin.int(attribute::ATTEMPT), Some(2));
}

#[test]
fn what_only_serves_the_protocol_is_no_action_and_what_nobody_knows_is() {
    let (_recorder, session) = session();
    let mcp = session.mcp("s");
    for method in [
        "initialize",
        "ping",
        "tools/list",
        "server/discover",
        "completion/complete",
    ] {
        assert!(mcp.action(method, None).is_none(), "{method}");
    }
    for method in [
        "resources/read",
        "prompts/get",
        "sampling/createMessage",
        "vendor/launch",
    ] {
        assert!(mcp.action(method, Some("no json")).is_some(), "{method}");
    }
}

#[cfg(feature = "tokio")]
struct Client;

#[cfg(feature = "tokio")]
impl Client {
    async fn send(&self, method: &str, params: Value) -> Answer {
        assert_eq!(
            (method, &params["name"]),
            ("tools/call", &json!("write_file"))
        );
        Ok(json!({"content": []}))
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_client_of_any_kind_is_a_closure() -> Result<(), Box<dyn std::error::Error>> {
    let (recorder, session) = session();
    let client = Client;
    // region: client
    let files = session.mcp("files");
    let arguments = json!({"path": "draft.md", "content": "Dear Acme,"});
    let written = files
        .call_tool("write_file", arguments, |params| {
            client.send("tools/call", params)
        })
        .await?;
    // end
    assert!(written["content"].is_array());
    assert_eq!(
        Recorded::of(&recorder).action("write_file").outcome(),
        Some("success")
    );
    Ok(())
}
