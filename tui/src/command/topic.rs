//! `recount topic`: what no single command's help can say, made from the tables that decide it.

use std::fmt::Write as _;

use account::filter::{Flag, Number, Text};

use super::out;
use crate::app::bindings::BINDINGS;
use crate::app::keys::{Binding, Screen};
use crate::args::{Topic, TopicArgs};
use crate::failure::{Exit, Failure};

pub(super) fn run(args: &TopicArgs) -> Result<Exit, Failure> {
    let text = match args.topic {
        Topic::Keys => keys(),
        Topic::Filters => filters(),
        Topic::ExitCodes => exit_codes(),
        Topic::Files => files(),
        Topic::Formats => formats(),
    };
    out::text(&text).map(|()| Exit::Answered)
}

/// Every key, by group; where it works if that is not everywhere.
fn keys() -> String {
    let mut text = String::from("# Keys\n");
    let mut group = "";
    for binding in BINDINGS {
        if binding.group != group {
            group = binding.group;
            let _ = write!(text, "\n## {group}\n\n");
        }
        let keys: Vec<&str> = binding.keys.split(' ').collect();
        let line = format!(
            "{:<16} {}{}",
            keys.join(", "),
            binding.what,
            places(binding)
        );
        let _ = writeln!(text, "    {}", line.trim_end());
    }
    text
}

fn places(binding: &Binding) -> String {
    let tabs = Screen::TABS.iter();
    if binding.on.is_empty() {
        return String::new();
    }
    if tabs.clone().all(|screen| binding.works_on(*screen)) {
        return "  (in an account)".to_owned();
    }
    let names: Vec<&str> = binding.on.iter().map(|screen| screen.name()).collect();
    format!("  ({})", names.join(", "))
}

fn filters() -> String {
    let words = |words: Vec<&'static str>| words.join(", ");
    let texts = words(Text::ALL.iter().map(|it| it.word()).collect());
    let numbers = words(Number::ALL.iter().map(|it| it.word()).collect());
    let flags = words(Flag::ALL.iter().map(|it| it.word()).collect());
    format!(
        "\
# Filters

What `f` on the screens, `:until` in a replay and `recount log --where` take.

    word \"two words\"        both are in the row's own words, without regard to case
    kind:http path:*.md      a part of the value; with * the whole of it
    user=ops@example.test    the whole of it; != for anything else
    rule~^R-[0-9]            a regular expression
    seq:100..120 tokens>500  numbers and ranges; took is in milliseconds
    since:2h until:2026-03-14T10:00Z
    is:denied has:note       what is so
    -kind:llm  not (a or b)  turned around; and binds closer than or
    @findings                a filter that was saved with S

Texts:   {texts}
Numbers: {numbers}
Times:   time, since, until
is, has: {flags}
"
    )
}

fn exit_codes() -> String {
    "\
# Exit codes

      0  answered and intact
      1  nothing matched
      2  usage or malformed input
      3  record not intact: a check failed, and what failed is named
      4  not allowed
      5  store or collector unavailable
      6  integrity incomplete or unchecked: a gap, a loss, nothing signed yet
      7  verification policy not met
    130  interrupted

A running session whose records verify is 0 for every look at it and 6 for verify.
`run` ends as the command that it ran.
"
    .to_owned()
}

fn files() -> String {
    "\
# Files and variables

Which ledger is looked at: --store or --collector; RECOUNT_STORE; store or collector in the
config file; a running collector's reader socket; /var/lib/recount; the XDG data folder.

    $XDG_CONFIG_HOME/recount/config.toml   store, collector; recount config says what comes from where
    $XDG_STATE_HOME/recount/               pinned keys, and notes.jsonl: the case log
    $XDG_DATA_HOME/recount/                a user's own ledger
    $XDG_RUNTIME_DIR/recount/reader.sock   a collector's reader door

    RECOUNT_STORE      the ledger's folder
    RECOUNT_NOTES      the case log's file
    RECOUNT_TOKEN      presented to a collector
    RECOUNT_COLLECTOR  where recording commands and agents send
    RECOUNT_SPOOL      where they keep what is not sent yet
    RECOUNT_AGENT_KEY  the key that signs their records
    NO_COLOR           no colours
"
    .to_owned()
}

fn formats() -> String {
    "\
# Formats

    recount.account/1  the answer: recount show -o json; docs/schema, docs/account.md
    recount.verify/2   one property per entry: recount verify -o json
    recount.state/1    resources at one record: recount replay --at REF -o json
    JSON lines         one object per line: recount log -o json, and -o jsonl of every other list
    CSV                cells that no spreadsheet runs: -o csv of every list
    HTML               the answer as one file that runs and fetches nothing: recount export -f html
    bundle             one request with its proofs, for others: recount export -f bundle
    tlog-proof         one record under a checkpoint: recount proof

docs/ledger-format.md says what lies on the disk, and how to check it without recount.
"
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_that_the_topic_shows_can_be_read() {
        let topic = filters();
        let examples = topic.lines().filter_map(|line| line.strip_prefix("    "));
        for example in examples {
            let filter = example.split("  ").next().unwrap_or_default();
            if filter.starts_with('@') {
                continue;
            }
            let now = "2026-03-14T09:12:04Z".parse().unwrap();
            let read = account::filter::Filter::parse(filter, &|text| {
                crate::app::time::read(text, Some(now))
            });
            assert!(read.is_ok(), "{filter}: {read:?}");
        }
    }

    #[test]
    fn the_page_of_keys_is_the_table() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keys.md");
        let wanted = format!(
            "{}\nMade from the program's own table: `recount topic keys`.\n",
            keys()
        );
        if std::env::var_os("RECOUNT_BLESS").is_some() {
            std::fs::write(&page, &wanted).unwrap();
        }
        let written = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(
            written == wanted,
            "docs/keys.md is old: RECOUNT_BLESS=1 cargo test -p tui page_of_keys"
        );
    }
}
