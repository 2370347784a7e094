//! Every snippet of the page on instrumenting is part of a file that is built or run, and every miss has its test.

use std::collections::BTreeSet;

use crate::tree;

const DOCUMENT: &str = "docs/instrumenting.md";

/// Languages of which every block is a snippet.
const CHECKED: &[&str] = &["rust", "sh", "python", "json"];

fn page() -> String {
    std::fs::read_to_string(tree::root().join(DOCUMENT)).expect("the page on instrumenting")
}

#[test]
fn every_snippet_is_part_of_a_file_that_is_built_or_run() {
    let page = page();
    let mut wrong = Vec::new();
    for block in blocks(&page) {
        let Some(place) = block.place else {
            wrong.push(format!("line {}: names no file and region", block.line));
            continue;
        };
        let text = std::fs::read_to_string(tree::root().join(place.0)).unwrap_or_default();
        match region(&text, place.1) {
            None => wrong.push(format!(
                "line {}: {}#{} is not there",
                block.line, place.0, place.1
            )),
            Some(found) if found != block.text => wrong.push(format!(
                "line {}: {}#{} now reads:\n{found}",
                block.line, place.0, place.1
            )),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(blocks(&page).len() > 3, "the snippets are not found");
}

#[test]
fn every_row_says_what_can_be_missed_and_names_a_test_that_shows_it() {
    let page = page();
    let functions: BTreeSet<String> = tree::files("rs")
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).expect("a readable source file");
            let names = text.split("fn ").skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                rest[..end.unwrap_or(rest.len())].to_owned()
            });
            names.collect::<Vec<_>>()
        })
        .collect();
    let rows = rows(&page);
    assert!(rows.len() > 5, "the table is not found");
    let wrong: Vec<&str> = rows
        .into_iter()
        .filter(|row| {
            let missed = row.rsplit('|').nth(1).unwrap_or_default();
            let tests: Vec<&str> = missed.split('`').skip(1).step_by(2).collect();
            let named = tests.iter().filter(|name| name.matches('_').count() > 1);
            let known = named
                .clone()
                .filter(|name| functions.contains(**name))
                .count();
            known == 0 || known < named.count()
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "no test, or one that is not there:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_region_loses_its_indentation_and_nothing_else() {
    let text = "fn main() {\n    // region: go\n    if x {\n        y();\n    }\n    // end\n}\n# region: sh\na\n\nb\n# end\n";
    assert_eq!(region(text, "go").as_deref(), Some("if x {\n    y();\n}\n"));
    assert_eq!(region(text, "sh").as_deref(), Some("a\n\nb\n"));
    assert_eq!(region(text, "none"), None);
    let page = "<!-- from a.rs#go -->\n```rust\nx\n```\n```text\nfree\n```\n```sh\ny\n```\n";
    let found = blocks(page);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].place, found[0].text.as_str()),
        (Some(("a.rs", "go")), "x\n")
    );
    assert_eq!(found[1].place, None);
}

/// One fenced block.
struct Block<'a> {
    line: usize,
    /// The file and region that it is from.
    place: Option<(&'a str, &'a str)>,
    text: String,
}

/// The fenced blocks in a language that is checked.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut before = "";
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: String = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .map(|line| format!("{line}\n"))
                .collect();
            if CHECKED.contains(&language) {
                let place = before
                    .strip_prefix("<!-- from ")
                    .and_then(|rest| rest.strip_suffix(" -->"))
                    .map(|place| place.split_once('#').unwrap_or((place, "")));
                found.push(Block {
                    line: number + 1,
                    place,
                    text,
                });
            }
        }
        before = line;
    }
    found
}

/// What stands between `region: NAME` and the next `end`, each in a comment of its own, without their indentation; all
/// of the file where no region is named.
fn region(text: &str, name: &str) -> Option<String> {
    if name.is_empty() {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let is = |line: &str, word: &str| {
        let line = line.trim_start();
        let comment = line.strip_prefix("//").or_else(|| line.strip_prefix('#'));
        comment.is_some_and(|comment| comment.trim() == word)
    };
    let mut lines = text.lines();
    let opening = lines.find(|line| is(line, &format!("region: {name}")))?;
    let indent = opening.len() - opening.trim_start().len();
    let inside = lines.take_while(|line| !is(line, "end"));
    Some(
        inside
            .map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()))
            .collect(),
    )
}

/// The rows of the one table of what is captured.
fn rows(page: &str) -> Vec<&str> {
    let table = page
        .split_once("## What is captured")
        .map_or("", |(_, rest)| rest);
    table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect()
}
