//! The first sixty seconds on the demo's request: in a terminal, by keys that the screen shows, to a report.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::need::{Need, trial};
use tests::outcome::Outcome;
use tests::program::Program::Recount;

use crate::demo::{demo, recount};

/// The page that shows the captures; each between `<!-- NAME -->` and the end of its block.
const PAGE: &str = "docs/investigating.md";

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "sixty_seconds_by_keys_that_the_screen_shows",
        Some(Need::Tmux),
        every_question_is_answered,
    )]
}

fn every_question_is_answered() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    demo(folder.path(), &[])?;
    let captures = folder.path().join("captures");
    std::fs::create_dir(&captures)?;
    walk(folder.path(), &captures)?;
    let account = recount(folder.path(), &["show", "47892", "-o", "json"])?
        .ended(0)?
        .json()?;
    let facts = facts(&account)?;
    for form in ["md", "html"] {
        let report = std::fs::read_to_string(captures.join(format!("recount-47892.{form}")))?;
        let report = bare(&report);
        for fact in &facts {
            if !report.contains(&bare(fact)) {
                return Err(format!("the report as {form} does not say: {fact}").into());
            }
        }
    }
    for (name, fact) in [
        ("1-what-and-who", "draft a renewal email"),
        ("1-what-and-who", "asked user@example.test"),
        (
            "1-what-and-who",
            "1 of 32 effects is outside what was declared",
        ),
        ("2-why", "stated by the agent, not observed"),
        ("3-whole-or-not", "every stream that was read is whole"),
        ("4-out-of-scope", "accounts/1031/discount percent 0 -> 10"),
        (
            "5-who-could-have-allowed-it",
            "have allowed it: user@example.test, who declared scope",
        ),
        (
            "5-who-could-have-allowed-it",
            "have allowed it: ops@example.test, who granted crm-agents",
        ),
        ("6-state-just-before", "\"percent\": 0"),
    ] {
        let shown = std::fs::read_to_string(captures.join(format!("{name}.txt")))?;
        let words: Vec<&str> = shown.split_whitespace().collect();
        if !words.join(" ").contains(fact) {
            return Err(format!("{name} does not show: {fact}\n{shown}").into());
        }
    }
    page_is_current(&captures)
}

/// Runs the script, with this test binary as the program.
fn walk(folder: &Path, captures: &Path) -> Result<(), Failed> {
    let program = Recount.command()?;
    let mut script = Command::new("bash");
    script
        .arg(tests::root().join("scripts/sixty-seconds"))
        .arg(folder.join("recount-demo"))
        .arg(captures)
        .arg(program.get_program())
        .args(program.get_args());
    Outcome::of(&mut script)?.ended(0)?;
    // The demo starts itself again for what it runs; here that is this test.
    let own = std::env::current_exe()?;
    let own = own.file_name().unwrap_or_default().to_string_lossy();
    for entry in std::fs::read_dir(captures)? {
        let file = entry?.path();
        if file.extension().is_some_and(|it| it == "txt") {
            let shown = std::fs::read_to_string(&file)?;
            std::fs::write(&file, shown.replace(&*own, "recount-demo"))?;
        }
    }
    Ok(())
}

/// What the screens told, as the account has it.
fn facts(account: &Value) -> Result<Vec<String>, Failed> {
    let mut facts = Vec::new();
    let mut add = |pointer: &str| -> Result<(), Failed> {
        let found = account.pointer(pointer).and_then(Value::as_str);
        facts.push(found.ok_or(format!("{pointer} is missing"))?.to_owned());
        Ok(())
    };
    for pointer in [
        "/asked/0/intent/inline",
        "/asked/0/principal/subject",
        "/outcome/summary",
        "/decisions/0/question",
        "/decisions/0/rationale",
        "/decisions/0/discarded/0/option",
        "/problems/0/what",
        "/problems/0/why",
        "/problems/0/could_allow/0/identity",
        "/problems/0/could_allow/0/why",
        "/problems/0/could_allow/1/identity",
        "/problems/0/could_allow/1/why",
        "/problems/0/refs/0",
        "/who/0/identity",
        "/who/1/identity",
        "/who/2/identity",
        "/integrity/ledgers/0/id",
        "/integrity/not_proven/0",
    ] {
        add(pointer)?;
    }
    facts.push("INTACT".to_owned());
    Ok(facts)
}

/// A text without the signs that keep it inert in Markdown and HTML.
fn bare(text: &str) -> String {
    let text = text
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    text.chars().filter(|c| !matches!(c, '\\' | '`')).collect()
}

/// The page shows what the program shows today, as far as runs do not differ; `RECOUNT_BLESS=1` renews it.
fn page_is_current(captures: &Path) -> Result<(), Failed> {
    let path = tests::root().join(PAGE);
    let page = std::fs::read_to_string(&path)?;
    let mut parts = page.split("<!-- capture ");
    let mut renewed = parts.next().unwrap_or_default().to_owned();
    let mut old = Vec::new();
    for part in parts {
        let (name, rest) = part
            .split_once(" -->\n")
            .ok_or("a capture without an end")?;
        let (shown, rest) = rest
            .strip_prefix("```text\n")
            .and_then(|rest| rest.split_once("```\n"))
            .ok_or(format!("no block after {name}"))?;
        let now = std::fs::read_to_string(captures.join(format!("{name}.txt")))?;
        if steady(shown) != steady(&now) {
            old.push(format!("{name}:\n{}\n---\n{}", steady(shown), steady(&now)));
        }
        renewed.push_str(&format!(
            "<!-- capture {name} -->\n```text\n{now}```\n{rest}"
        ));
    }
    if std::env::var_os("RECOUNT_BLESS").is_some() {
        std::fs::write(&path, renewed)?;
        return Ok(());
    }
    if old.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{PAGE} is old: RECOUNT_BLESS=1, and this test again\n{}",
        old.join("\n")
    )
    .into())
}

/// A screen without what differs from run to run: numbers, ids, drawn lines, and how far a line was cut.
fn steady(screen: &str) -> String {
    let mut lines = Vec::new();
    for line in screen.lines() {
        let words = line.split_whitespace().filter(|word| {
            let varies = word.chars().any(|c| c.is_ascii_digit() || !c.is_ascii());
            let path = word.contains('/') || word.contains("..");
            let unit = matches!(*word, "s" | "ms" | "us" | "min");
            !varies && !path && !unit
        });
        let words: Vec<&str> = words.take(4).collect();
        lines.push(words.join(" "));
    }
    lines.join("\n")
}
