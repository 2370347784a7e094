//! Whether the terminal's background is light: what a variable says, or what the terminal answers when it is asked.
//!
//! Sources: `COLORFGBG` as rxvt sets it; OSC 11 of xterm's control sequences, whose answer is `rgb:RRRR/GGGG/BBBB`.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long the terminal may take. It is asked once, before the first frame.
const PATIENCE: Duration = Duration::from_millis(50);

/// The background's colour, and behind it a question that every terminal answers: no answer before that one means that
/// there is none.
const QUESTION: &[u8] = b"\x1b]11;?\x1b\\\x1b[c";

/// What `COLORFGBG` says: its last field is the background, one of sixteen colours.
pub(crate) fn of_variable(said: &str) -> Option<bool> {
    let background: u8 = said.rsplit(';').next()?.parse().ok()?;
    match background {
        7 | 9..=15 => Some(true),
        0..=6 | 8 => Some(false),
        _ => None,
    }
}

/// Asks the terminal, which has to be in raw mode. Keys that are pressed in these few milliseconds are lost.
pub(crate) fn ask() -> Option<bool> {
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    terminal.write_all(QUESTION).ok()?;
    let until = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let left = until.saturating_duration_since(Instant::now());
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut polled = [PollFd::new(&terminal, PollFlags::IN)];
        if left.is_zero() || !matches!(poll(&mut polled, Some(&wait)), Ok(1..)) {
            break;
        }
        let mut chunk = [0; 256];
        let read = terminal.read(&mut chunk).ok().filter(|read| *read > 0)?;
        answer.extend(chunk.get(..read)?);
    }
    of_answer(&answer)
}

/// Whether the last answer is there: `ESC [ ? ... c`.
fn is_whole(answer: &[u8]) -> bool {
    let begins = answer.windows(3).position(|at| at == b"\x1b[?");
    begins.is_some_and(|at| answer[at..].contains(&b'c'))
}

/// Whether the colour in an answer is light, as eyes see it.
fn of_answer(answer: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(answer);
    let colour = text.split_once("]11;rgb:")?.1;
    let mut channels = colour
        .split(|c: char| !c.is_ascii_hexdigit() && c != '/')
        .next()?
        .split('/');
    // One to four digits each; the first two say enough.
    let mut channel = || {
        let digits = channels.next().filter(|it| (1..=4).contains(&it.len()))?;
        let full = 16_u32.pow(u32::try_from(digits.len()).ok()?) - 1;
        Some(u32::from_str_radix(digits, 16).ok()? * 1000 / full)
    };
    let (red, green, blue) = (channel()?, channel()?, channel()?);
    Some(red * 299 + green * 587 + blue * 114 > 500 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_the_background_last() {
        assert_eq!(of_variable("15;0"), Some(false));
        assert_eq!(of_variable("0;15"), Some(true));
        assert_eq!(of_variable("0;default;15"), Some(true));
        assert_eq!(of_variable("12;8"), Some(false));
        assert_eq!(of_variable("0;default"), None);
        assert_eq!(of_variable(""), None);
    }

    #[test]
    fn answers_of_terminals_are_told_apart() {
        for (answer, light) in [
            (
                &b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c"[..],
                Some(true),
            ),
            (b"\x1b]11;rgb:0000/0000/0000\x07\x1b[?1;2c", Some(false)),
            (b"\x1b]11;rgb:fd/f6/e3\x07", Some(true)),
            (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", Some(false)),
            (b"\x1b]11;rgb:f/f/f\x07", Some(true)),
            (b"\x1b[?6c", None),
            (b"\x1b]11;rgb:zz/0/0\x07", None),
            (b"\x1b]11;rgb:ffff/ffff\x07", None),
            (b"", None),
        ] {
            assert_eq!(
                of_answer(answer),
                light,
                "{:?}",
                answer.escape_ascii().to_string()
            );
        }
        assert!(is_whole(b"\x1b]11;rgb:0/0/0\x07\x1b[?1;2c"));
        assert!(!is_whole(b"\x1b]11;rgb:cc/cc/cc\x07\x1b[?1;2"));
    }
}
