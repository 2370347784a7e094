//! Lines on stdout, written so that a reader who goes away (`| head -1`) ends nothing and changes no exit code.

use std::fmt;
use std::io::{self, Write};

/// As `println!`, without its panic when nobody reads any more; any other failure is said on stderr.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::say::line(format_args!($($text)*))
    };
}

/// Writes one line.
pub(super) fn line(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{text}").or_else(unless_closed) {
        // Where stderr is gone, too, nobody is left to tell.
        let _ = writeln!(
            io::stderr(),
            "recount-collector: cannot write the answer: {error}"
        );
    }
}

/// A closed pipe is no failure of ours: the reader has seen enough.
pub(super) fn unless_closed(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}
