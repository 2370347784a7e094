//! Standard output: buffered; a reader that goes away (`| head -1`) ends nothing and changes no exit code.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Set once nobody reads any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the reader went away. What is still to be found out decides the exit code; nothing is printed any more.
pub(crate) fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Whether nobody reads any more, found out without printing anything: a pipe says so by itself.
pub(crate) fn is_unread() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let out = io::stdout();
    let mut polled = [PollFd::new(&out, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let gone = matches!(poll(&mut polled, Some(&at_once)), Ok(1..))
        && polled[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP);
    is_closed() || gone
}

/// Prints bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    if is_closed() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other.map_err(Failure::Output),
    }
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
    printed(serde_json::to_string_pretty(value))
}

/// Prints a value as JSON on one line.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Result<(), Failure> {
    printed(serde_json::to_string(value))
}

/// JSON in which nothing acts on a terminal: the same value, with such characters as `\uXXXX`.
fn printed(json: serde_json::Result<String>) -> Result<(), Failure> {
    let json = json.map_err(|error| Failure::Output(error.into()))?;
    text(&account::shown::json(json))
}

/// Asks a person which of several things is meant; `None` for no answer, or one that is no number of the list.
pub(crate) fn choose(
    query: &str,
    candidates: &[crate::app::Candidate],
) -> Result<Option<usize>, Failure> {
    use crate::app::line::shown;
    let mut err = io::stderr().lock();
    let mut told = format!("{} could be:\n", shown(query));
    for (n, it) in candidates.iter().enumerate() {
        told.push_str(&format!("{:>3}  {}\n", n + 1, shown(&it.told())));
    }
    told.push_str("which one? ");
    let said = err.write_all(told.as_bytes()).and_then(|()| err.flush());
    said.map_err(Failure::Output)?;
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(Failure::Terminal)?;
    let number: Option<usize> = line.trim().parse().ok();
    Ok(number.and_then(|number| number.checked_sub(1)))
}
