//! One account, four forms: lines of text, Markdown, HTML, JSON.
//!
//! Text, Markdown and HTML are written from the same list of [`Fact`]s, so none can say more than the other; JSON is
//! the account itself. Everything untrusted goes through [`crate::shown`]; JSON carries values exactly, with what a
//! terminal would act on written as `\uXXXX`.

mod facts;
mod html;
mod markdown;
mod text;

pub use facts::{Fact, facts};
pub use html::{escaped as html_text, html};
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
