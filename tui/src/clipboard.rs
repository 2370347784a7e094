//! The clipboard of whoever sits at the terminal: by the terminal itself first, then by the desktop's own programs.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;

/// What terminals take at least: xterm's limit for one sequence, in bytes of base64.
const MOST: usize = 74_994;

/// How long a program may take to have read the text.
const PATIENCE: Duration = Duration::from_millis(500);

/// The programs that hold a desktop's clipboard: the variable that says that there is one, the program, its arguments.
const PROGRAMS: [(&str, &str, &[&str]); 2] = [
    ("WAYLAND_DISPLAY", "wl-copy", &[]),
    ("DISPLAY", "xclip", &["-selection", "clipboard"]),
];

/// Puts text on the clipboard, and says by which ways. A terminal never says whether it took it.
///
/// # Errors
///
/// The terminal cannot be written to.
pub(crate) fn copy(text: &str) -> io::Result<String> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut out = io::stdout();
    write!(out, "\x1b]52;c;{encoded}\x07")?;
    out.flush()?;
    let mut ways = vec!["OSC 52".to_owned()];
    for (variable, program, arguments) in PROGRAMS {
        let desktop = std::env::var_os(variable).is_some_and(|it| !it.is_empty());
        if let Some(program) = desktop.then(|| found(program)).flatten()
            && hand_over(&program, arguments, text).unwrap_or(false)
        {
            let name = program.file_name().unwrap_or_default();
            ways.push(name.to_string_lossy().into_owned());
            break;
        }
    }
    let long = match encoded.len() > MOST && ways.len() == 1 {
        true => "; it is longer than many terminals take",
        false => "",
    };
    Ok(format!("by {}{long}", ways.join(" and ")))
}

/// Where a program is.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Gives text to a program that keeps it; `false` where it failed or hangs.
fn hand_over(program: &PathBuf, arguments: &[&str], text: &str) -> io::Result<bool> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let text = text.to_owned();
        // One that never reads must not hold the screens up.
        std::thread::spawn(move || input.write_all(text.as_bytes()));
    }
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
