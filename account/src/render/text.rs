//! An account as lines: the first word of each is the stable name of its field.

use std::fmt::Write as _;

use super::facts::facts;
use crate::model::Account;

/// How many lines of one field are written unless everything is asked for.
const LINES: usize = 200;

/// The account as text, one fact per line: field, what it says, the records that show it.
#[must_use]
pub fn text(account: &Account, all: bool) -> String {
    let mut out = String::new();
    for fact in facts(account, if all { usize::MAX } else { LINES }) {
        let _ = write!(out, "{:<8} {}{}", fact.field, fact.mark(), fact.text);
        if fact.stated {
            out.push_str("  [stated]");
        }
        if !fact.refs.is_empty() {
            let _ = write!(out, "  {}", fact.references());
        }
        out.push('\n');
    }
    out
}
