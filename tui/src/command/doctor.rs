//! `recount doctor`: what this program found on this machine.

use std::fmt::Write as _;

use super::{Context, out};
use crate::app::line::shown;
use crate::failure::{Exit, Failure};
use crate::source::Source;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let mut text = String::new();
    let mut fact = |name: &str, what: &str| {
        let _ = writeln!(text, "{name:<10} {}", shown(what));
    };
    fact("recount", env!("CARGO_PKG_VERSION"));
    let environment = &context.environment;
    let variable = |name: &str| {
        environment
            .text(name)
            .unwrap_or_else(|| "not set".to_owned())
    };
    let size = crossterm::terminal::size().map_or_else(
        |_| "unknown".to_owned(),
        |(columns, rows)| format!("{columns}x{rows}"),
    );
    let kind = if context.terminal {
        "a terminal"
    } else {
        "no terminal"
    };
    fact(
        "output",
        &format!(
            "{kind}, {size}, TERM {}, NO_COLOR {}",
            variable("TERM"),
            variable("NO_COLOR")
        ),
    );
    let result = Source::open(&context.common, environment);
    let exit = match &result {
        Ok(source) => {
            fact(
                "store",
                &format!("{} ({})", source.place(), source.chosen.because),
            );
            let keys = source.key_file().map_or_else(
                || "none: HOME is not set".to_owned(),
                |file| file.display().to_string(),
            );
            fact("keys", &keys);
            match source.verifier() {
                Ok(verifier) => {
                    let seen = verifier.ledger();
                    let key = seen
                        .key
                        .as_ref()
                        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
                    fact("ledger", &format!("{} leaves, key {key}", seen.size));
                    for finding in &seen.findings {
                        fact("finding", &finding.what);
                    }
                    if seen.findings.is_empty() {
                        Exit::Answered
                    } else {
                        Exit::NotIntact
                    }
                }
                Err(failure) => {
                    fact("problem", &failure.to_string());
                    failure.exit()
                }
            }
        }
        Err(failure) => {
            fact("store", &format!("cannot be opened: {failure}"));
            if let Some(hint) = failure.hint() {
                fact("hint", &hint);
            }
            failure.exit()
        }
    };
    out::text(&text)?;
    Ok(exit)
}
