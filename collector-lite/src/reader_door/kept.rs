//! Lists of the reader door that a filter keeps a part of: the grammar of the screens and of `recount log --where`.
//!
//! What a question may cost is bounded: by the length of the filter, by the rows of one answer, and by the account of
//! one request, which `/v1/account/{request}` makes for the same price.

use account::filter::{Actions, Facts, Filter, Flag, Malformed, Number, Text};
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use std::borrow::Cow;
use vocabulary::Timestamp;

use super::Door;
use super::answer::{Asked, bad_request, json, read, refused};
use super::views::{SessionView, account_of, no_account};

/// Longest filter, in bytes.
const FILTER: usize = 1024;

/// Rows in one answer, and the most that may be asked for.
const ROWS: usize = 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "where", default)]
    filter: String,
    #[serde(default)]
    from: usize,
    most: Option<usize>,
}

/// Reads a filter; what is none is told with the place of the mistake.
pub(super) fn filter(text: &str) -> Result<Filter, Box<Response>> {
    if text.len() > FILTER {
        let long = format!(
            "a filter has at most {FILTER} bytes; this one has {}",
            text.len()
        );
        return Err(Box::new(bad_request(&long)));
    }
    // No clock here: a time is a moment, not how long ago.
    let time = |text: &str| text.parse::<Timestamp>().ok();
    Filter::parse(text, &time).map_err(|wrong| {
        let Malformed {
            at,
            len,
            what,
            hint,
        } = wrong;
        let told = serde_json::json!({ "error": what, "hint": hint, "at": at, "len": len });
        Box::new(refused(&told))
    })
}

/// The actions of a request that a filter keeps, as this collector computes them: `checked_by: collector`.
pub(super) async fn actions(
    State(door): Door,
    Path(request): Path<String>,
    Asked(asked): Asked<Kept>,
) -> Response {
    let filter = match filter(&asked.filter) {
        Ok(filter) => filter,
        Err(response) => return *response,
    };
    let key = door.ledger.key().clone();
    let found = read(&door, move |folder| Ok(account_of(folder, key, &request))).await;
    let account = match found {
        Ok(Ok(account)) => account,
        Ok(Err(error)) => return no_account(error),
        Err(response) => return response,
    };
    let all = Actions::of(&account);
    let kept: Vec<_> = all.rows().filter(|row| filter.keeps(row)).collect();
    let most = asked.most.unwrap_or(ROWS).min(ROWS);
    let part: Vec<_> = kept
        .iter()
        .skip(asked.from)
        .take(most)
        .map(|row| row.action)
        .collect();
    let next = asked.from.saturating_add(part.len());
    json(&serde_json::json!({
        "checked_by": account.query.checked_by,
        "integrity": account.integrity.status,
        "total": account.actions.total(),
        "kept": kept.len(),
        "next": (next < kept.len()).then_some(next),
        "actions": part,
    }))
}

/// What the index says of a session: its names and when it was.
impl Facts for SessionView {
    fn words(&self) -> Cow<'_, str> {
        format!("{} {}", self.session, self.requests.join(" ")).into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        match key {
            Text::Request => self.requests.iter().map(|it| it.as_str().into()).collect(),
            Text::Session => vec![self.session.as_str().into()],
            _ => Vec::new(),
        }
    }

    fn number(&self, key: Number) -> Option<u64> {
        match key {
            Number::Took => Some(self.last_ns.saturating_sub(self.first_ns) / 1_000_000),
            Number::Seq | Number::Tokens | Number::Attempt => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        Some(Timestamp::from_unix_ns(self.first_ns))
    }

    fn is(&self, flag: Flag) -> bool {
        flag == Flag::Live && !self.closed
    }
}
