//! Standard output: buffered, and a reader that goes away is told apart from a real failure.

use std::io::Write as _;

use crate::failure::Failure;

/// Prints bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(Failure::Output)
}

/// Prints text, with a line end where it has none.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut text = text.to_owned();
    if !text.ends_with('\n') && !text.is_empty() {
        text.push('\n');
    }
    bytes(text.as_bytes())
}

/// Prints a value as JSON over several lines.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let printed =
        serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
    text(&printed)
}

/// Prints a value as JSON on one line.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Result<(), Failure> {
    let printed = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    text(&printed)
}
