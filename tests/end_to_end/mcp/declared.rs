//! What the flags of `recount mcp` declare for the sessions that it opens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tests::outcome::Outcome;

use super::proxy;
use crate::world::{World, is, of, same};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("mcp_declares_scope_intent_and_content", declares),
        Trial::test("mcp_refuses_a_scope_that_is_none", refuses),
    ]
}

/// Answers each line with an empty result.
const SERVER: &str =
    "while read line; do echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}'; done";

fn declares() -> Result<(), Failed> {
    let world = World::new()?;
    let flags = [
        "--name",
        "notes",
        "--request",
        "47",
        "--scope",
        "execute mcp:notes/inside",
        "--intent",
        "note what was said",
        "--content",
        "digest",
    ];
    let mut command = proxy(&world, &flags, &["sh", "-c", SERVER])?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut asks = child.stdin.take().ok_or("no stdin")?;
    let mut answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    for tool in ["inside", "outside"] {
        let ask = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\"arguments\":{{\"text\":\"said in private\"}}}}}}\n"
        );
        asks.write_all(ask.as_bytes())?;
        answers.read_line(&mut String::new())?;
    }
    drop(asks);
    same(child.wait()?.success(), true)?;
    let account = world.account()?;
    is(&account["asked"][0]["intent"]["inline"], "")
        .or_else(|_| is(&account["asked"][0]["intent"]["state"], "redacted"))?;
    let scope = &account["scope"][0];
    is(&scope["entries"][0], "execute mcp:notes/inside")?;
    is(&scope["declared_by"], "recount mcp --scope")?;
    is(&scope["verdict"], "exceeded")?;
    let outside = scope["outside"].as_array().map_or(0, Vec::len);
    same(outside, 1)?;
    let inside = of(&account["actions"], "name", "inside")?;
    is(&inside["input"]["state"], "redacted")?;
    same(account.to_string().contains("said in private"), false)
}

fn refuses() -> Result<(), Failed> {
    let world = World::new()?;
    let mut command = proxy(&world, &["--scope", "everything"], &["true"])?;
    let ended = Outcome::of(&mut command)?.ended(2)?;
    is(&Value::from(ended.err), "write it like")
}
