//! One account, three forms: lines of text, Markdown, JSON.
//!
//! Text and Markdown are written from the same list of [`Fact`]s, so neither can say more than the other; JSON is
//! the account itself. Everything untrusted goes through [`crate::shown`]; JSON carries values exactly, with what a
//! terminal would act on written as `\uXXXX`.

mod facts;
mod markdown;
mod text;

pub use facts::{Fact, facts};
pub use markdown::{markdown, plain as markdown_text};
pub use text::text;

use crate::model::{Account, PAGE};

/// The account as JSON (`recount.account/1`). Lists are cut at [`PAGE`] unless `all`.
///
/// # Errors
/// Never for an account that [`crate::build`] made.
pub fn json(account: &Account, all: bool) -> Result<String, serde_json::Error> {
    let text = if all {
        serde_json::to_string_pretty(account)
    } else {
        serde_json::to_string_pretty(&account.paged(PAGE))
    };
    text.map(crate::shown::json)
}
