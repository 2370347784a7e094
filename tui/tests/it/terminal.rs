//! The program in a real terminal: it opens, jumps, leaves the terminal as it was, and obeys `NO_COLOR`.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::store::{Store, store};

fn parser(rows: u16, columns: u16) -> vt100::Parser {
    let size = |cells: u16| std::num::NonZero::new(cells).unwrap();
    vt100::Parser::new(size(rows), size(columns), 0)
}

/// A terminal with the program in it.
struct Terminal {
    parser: vt100::Parser,
    output: Receiver<Vec<u8>>,
    input: Box<dyn std::io::Write + Send>,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    raw: Vec<u8>,
}

impl Terminal {
    fn open(store: &Store, arguments: &[&str], variables: &[(&str, &str)]) -> Terminal {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows: 24,
                cols: 80,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_recount"));
        command.args(arguments);
        command.arg("--store");
        command.arg(store.dir());
        command.env_clear();
        command.env("HOME", store.home());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let input = pair.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read) = reader.read(&mut chunk) {
                if read == 0 || send.send(chunk[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            parser: parser(24, 80),
            output,
            input,
            master: pair.master,
            child,
            raw: Vec::new(),
        }
    }

    fn resized(&mut self, rows: u16, columns: u16) {
        let size = |cells: u16| std::num::NonZero::new(cells).unwrap();
        self.parser.screen_mut().set_size(size(rows), size(columns));
    }

    fn shown(&self) -> String {
        self.parser.screen().contents()
    }

    fn take(&mut self, wait: Duration) -> bool {
        match self.output.recv_timeout(wait) {
            Ok(bytes) => {
                self.parser.process(&bytes);
                self.raw.extend(bytes);
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until the screen contains a text.
    fn wait_for(&mut self, wanted: &str) {
        let began = Instant::now();
        while !self.shown().contains(wanted) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{wanted:?} never came:\n{}",
                self.shown()
            );
            self.take(Duration::from_millis(50));
        }
        // The rest of the frame.
        while self.take(Duration::from_millis(100)) {}
    }

    fn press(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits until the program has left; its exit code.
    fn left(&mut self) -> u32 {
        let began = Instant::now();
        loop {
            while self.take(Duration::from_millis(20)) {}
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.take(Duration::from_millis(50)) {}
                return status.exit_code();
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not leave:\n{}",
                self.shown()
            );
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn it_opens_on_the_answer_jumps_to_a_denial_and_leaves_the_terminal_as_it_was() {
    let store = store();
    let mut terminal = Terminal::open(&store, &["47892"], &[]);
    terminal.wait_for("RESULT  PARTIAL");
    assert!(terminal.parser.screen().alternate_screen());
    assert!(terminal.parser.screen().hide_cursor());
    terminal.press("]d");
    terminal.wait_for("[2 Timeline]");
    terminal.wait_for("POST mail.example.test/send");
    terminal.press("4");
    terminal.wait_for("Dear Acme");
    terminal.press("Q");
    assert_eq!(terminal.left(), 0);
    assert!(!terminal.parser.screen().alternate_screen());
    assert!(!terminal.parser.screen().hide_cursor());
}

#[test]
fn home_lists_the_sessions_and_opens_one() {
    let store = store();
    let mut terminal = Terminal::open(&store, &[], &[]);
    terminal.wait_for("sessions: 2");
    terminal.press("/47892\r\r");
    terminal.wait_for("[1 Answer]");
    terminal.press("q");
    terminal.wait_for("sessions: 2");
    terminal.press("\u{3}");
    terminal.left();
    assert!(!terminal.parser.screen().alternate_screen());
}

#[test]
fn no_color_emits_no_colour_and_keeps_the_selection_reversed() {
    let store = store();
    let mut terminal = Terminal::open(&store, &["47892"], &[("NO_COLOR", "1")]);
    terminal.wait_for("RESULT  PARTIAL");
    terminal.press("2");
    terminal.wait_for("[2 Timeline]");
    let screen = terminal.parser.screen();
    let reversed = (0..24)
        .filter(|row| screen.cell(*row, 10).is_some_and(vt100::Cell::inverse))
        .count();
    assert_eq!(reversed, 1);
    for row in 0..24 {
        for column in 0..80 {
            let colour = screen
                .cell(row, column)
                .map(|cell| (cell.fgcolor(), cell.bgcolor()));
            assert!(
                colour
                    .is_none_or(|colour| colour == (vt100::Color::Default, vt100::Color::Default)),
                "{row},{column}"
            );
        }
    }
    terminal.press("Q");
    terminal.left();
    let raw = String::from_utf8_lossy(&terminal.raw);
    for sequence in raw.split("\u{1b}[").skip(1) {
        let Some((codes, _)) = sequence.split_once('m') else {
            continue;
        };
        let coloured = |code: &str| {
            matches!(
                code.parse::<u8>(),
                Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)
            )
        };
        if codes.chars().all(|c| c.is_ascii_digit() || c == ';') {
            assert!(
                !codes.split(';').any(coloured),
                "a colour was sent: {codes}"
            );
        }
    }
}

#[test]
fn colours_are_there_where_they_are_wanted() {
    let store = store();
    let mut terminal = Terminal::open(
        &store,
        &["47892", "--color", "always"],
        &[("NO_COLOR", "1")],
    );
    terminal.wait_for("RESULT  PARTIAL");
    let screen = terminal.parser.screen();
    let coloured = (0..24).any(|row| {
        (0..80).any(|column| {
            screen
                .cell(row, column)
                .is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    });
    assert!(coloured);
    terminal.press("Q");
    terminal.left();
}

#[test]
fn a_resized_terminal_is_drawn_again_to_its_size() {
    let store = store();
    let mut terminal = Terminal::open(&store, &["47892"], &[]);
    terminal.wait_for("RESULT  PARTIAL");
    terminal
        .master
        .resize(PtySize {
            rows: 9,
            cols: 38,
            pixel_width: 0,
            pixel_height: 0,
        })
        .unwrap();
    terminal.resized(9, 38);
    terminal.wait_for("terminal is 38x9");
    terminal
        .master
        .resize(PtySize {
            rows: 45,
            cols: 160,
            pixel_width: 0,
            pixel_height: 0,
        })
        .unwrap();
    terminal.resized(45, 160);
    terminal.wait_for("Not proven");
    terminal.press("Q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn a_terminated_program_restores_the_terminal() {
    let store = store();
    let mut terminal = Terminal::open(&store, &["47892"], &[]);
    terminal.wait_for("RESULT  PARTIAL");
    let id = terminal.child.process_id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(id)
            .status()
            .unwrap()
            .success()
    );
    terminal.left();
    assert!(!terminal.parser.screen().alternate_screen());
    assert!(!terminal.parser.screen().hide_cursor());
}

#[test]
fn an_unknown_request_is_told_without_touching_the_screen() {
    let store = store();
    let mut terminal = Terminal::open(&store, &["47982"], &[]);
    assert_eq!(terminal.left(), 1);
    assert!(
        terminal.shown().contains("did you mean 47892?"),
        "{}",
        terminal.shown()
    );
    assert!(!String::from_utf8_lossy(&terminal.raw).contains("\u{1b}[?1049h"));
}
