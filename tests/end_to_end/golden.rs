//! The golden account: the demo's answer, whole, with only what must differ from run to run made equal.
//!
//! `RECOUNT_BLESS=1 cargo test -p tests --test end_to_end golden` writes it anew.

use crate::demo::{demo, recount};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::collections::HashMap;
use tests::need::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "golden_account_of_the_demo_is_unchanged",
        None,
        unchanged,
    )]
}

fn unchanged() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    demo(folder.path(), &[])?;
    // Shown twice, so that the key is pinned however the demo was looked at.
    recount(folder.path(), &["show", "47892"])?.ended(0)?;
    let account = recount(folder.path(), &["show", "47892", "-o", "json"])?
        .ended(0)?
        .json()?;
    let mut seen = HashMap::new();
    let found = format!("{:#}\n", calm(&account, "", &mut seen));
    let path = tests::root().join("tests/golden/account-47892.json");
    if std::env::var_os("RECOUNT_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().ok_or("a folder")?)?;
        std::fs::write(&path, &found)?;
    }
    let golden = std::fs::read_to_string(&path)?;
    for (number, (golden, found)) in golden.lines().zip(found.lines()).enumerate() {
        if golden != found {
            return Err(
                format!("line {}: golden\n  {golden}\nfound\n  {found}", number + 1).into(),
            );
        }
    }
    if golden.lines().count() != found.lines().count() {
        return Err("the account has another length".into());
    }
    Ok(())
}

/// The same value with times, ids, digests, versions of the machine and random bytes replaced by what they stand for.
fn calm(value: &Value, key: &str, seen: &mut HashMap<String, usize>) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), calm(value, key, seen)))
                .collect(),
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| calm(item, key, seen)).collect())
        }
        Value::String(text) => Value::String(calm_text(text, key, seen)),
        Value::Number(_) if ["size", "input_tokens", "output_tokens"].contains(&key) => {
            Value::String("<n>".into())
        }
        other => other.clone(),
    }
}

fn calm_text(text: &str, key: &str, seen: &mut HashMap<String, usize>) -> String {
    if ["host", "digest", "root", "log", "trace_id", "span_id"].contains(&key) {
        return format!("<{key}>");
    }
    // How many records went through the spool before the collector took them is a matter of milliseconds.
    if text.ends_with("records were written: they came out of a spool") {
        return "when <n> records were written: they came out of a spool".into();
    }
    let mut calm = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-:._+/".contains(c)))
    {
        let end =
            word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || "-:._+/".contains(c)));
        calm.push_str(&calm_word(end, seen));
        calm.push_str(&word[end.len()..]);
    }
    calm
}

fn calm_word(word: &str, seen: &mut HashMap<String, usize>) -> String {
    let hex = |part: &str, least: usize| {
        part.len() >= least && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    };
    let is_time =
        word.len() >= 20 && word.as_bytes()[4] == b'-' && word.contains('T') && word.ends_with('Z');
    let is_date = word.len() == 10 && word.as_bytes()[4] == b'-' && word.as_bytes()[7] == b'-';
    if is_time || is_date {
        return "<time>".into();
    }
    if word.starts_with("recount.local/") {
        return "<ledger>".into();
    }
    if word.contains("/tmp") || word.starts_with('/') {
        return "<path>".into();
    }
    if word.starts_with("hmac-sha256:") {
        return "<keyed digest>".into();
    }
    let bare = word.strip_prefix("s-").unwrap_or(word);
    if hex(bare, 32) {
        let next = seen.len() + 1;
        return format!("<id {}>", seen.entry(bare.to_owned()).or_insert(next));
    }
    if word.contains("end_to_end") {
        return word
            .split("end_to_end")
            .next()
            .unwrap_or_default()
            .to_owned()
            + "<program>";
    }
    word.to_owned()
}
