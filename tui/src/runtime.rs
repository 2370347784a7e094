//! The loop around the pure core: input, effects, frames. The only place of the screens with threads and a clock.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::signal::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

use crate::app::keys::{Code, Key};
use crate::app::{Effect, Model, Msg, update, view};
use crate::background;
use crate::clipboard;
use crate::failure::Failure;

/// At most one frame in this time: a held key or a burst of records is drawn once.
const FRAME: Duration = Duration::from_millis(10);
/// Messages taken before a frame is due again.
const BURST: usize = 1024;

/// Does the slow work that the core asks for. Runs on its own thread.
pub trait Worker: Send + 'static {
    /// Answers one effect; `None` for effects that have no answer.
    fn work(&mut self, effect: Effect) -> Option<Msg>;
}

/// Takes [`Effect::Follow`], and sends news of what it says for as long as somebody takes them.
pub type Watcher = Box<dyn Fn(Effect) + Send>;

/// Runs the screens until the user leaves.
pub fn run(
    mut model: Model,
    first: Vec<Effect>,
    mut worker: impl Worker,
    ask_background: bool,
    watch: impl FnOnce(Sender<Msg>) -> Watcher,
) -> Result<Model, Failure> {
    let mut screen = Screen::enter().map_err(Failure::Terminal)?;
    // The first look at the input registers for resizes: none may be lost between here and the first frame.
    event::poll(Duration::ZERO).map_err(Failure::Terminal)?;
    if ask_background && let Some(light) = background::ask() {
        update(&mut model, Msg::Background { light });
    }
    let (messages, inbox) = mpsc::channel();
    let (jobs, queue) = mpsc::channel::<Effect>();
    let answers = messages.clone();
    std::thread::spawn(move || {
        while let Ok(effect) = queue.recv() {
            if let Some(answer) = worker.work(effect)
                && answers.send(answer).is_err()
            {
                break;
            }
        }
    });
    let watcher = watch(messages.clone());
    let asked_to_stop = messages.clone();
    let mut signals = Signals::new([SIGTERM, SIGHUP]).map_err(Failure::Terminal)?;
    std::thread::spawn(move || {
        // A terminal that is taken away, or a system that shuts down, must find the screen restored.
        for _ in signals.forever() {
            let _ = asked_to_stop.send(Msg::Key(Key::ctrl('c')));
        }
    });
    std::thread::spawn(move || read_input(&messages));
    let (columns, rows) = terminal::size().map_err(Failure::Terminal)?;
    let mut effects = update(&mut model, Msg::Resize(columns, rows));
    effects.extend(first);
    let result = screen.turn(&mut model, effects, &inbox, (&jobs, &watcher));
    drop(screen);
    result.map(|()| model)
}

struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
}

impl Screen {
    fn enter() -> io::Result<Screen> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
            let _ = writeln!(
                io::stderr(),
                "recount {} on {} stopped; the store is unchanged. Next: recount doctor, or recount show --plain",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS
            );
        }));
        terminal::enable_raw_mode()?;
        let guard = Restore;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        std::mem::forget(guard);
        Ok(Screen { terminal })
    }

    fn turn(
        &mut self,
        model: &mut Model,
        mut effects: Vec<Effect>,
        inbox: &Receiver<Msg>,
        (jobs, watcher): (&Sender<Effect>, &Watcher),
    ) -> Result<(), Failure> {
        let mut drawn: Option<Instant> = None;
        let mut alarm: Option<(Instant, u64)> = None;
        loop {
            for effect in effects.drain(..) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Copy(text) => {
                        let ways = clipboard::copy(&text).map_err(Failure::Terminal)?;
                        let _ = update(model, Msg::Copied { text, ways });
                    }
                    Effect::Wake { wake, after } => alarm = Some((Instant::now() + after, wake)),
                    follow @ Effect::Follow { .. } => watcher(follow),
                    Effect::Suspend => self.suspend().map_err(Failure::Terminal)?,
                    other => {
                        let _ = jobs.send(other);
                    }
                }
            }
            let waited = drawn.map_or(FRAME, |at| at.elapsed());
            if model.dirty && waited >= FRAME {
                self.terminal
                    .draw(|frame| view(model, frame.buffer_mut()))
                    .map_err(Failure::Terminal)?;
                model.dirty = false;
                drawn = Some(Instant::now());
            }
            let frame = model.dirty.then(|| FRAME.saturating_sub(waited));
            let rings = alarm.map(|(at, _)| at.saturating_duration_since(Instant::now()));
            let received = match frame.into_iter().chain(rings).min() {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(message) => effects = update(model, message),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some((_, wake)) = alarm.take_if(|(at, _)| *at <= Instant::now()) {
                        effects = update(model, Msg::Woke(wake));
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            for message in inbox.try_iter().take(BURST) {
                effects.extend(update(model, message));
            }
        }
    }

    fn suspend(&mut self) -> io::Result<()> {
        restore();
        let id = std::process::id().to_string();
        // The process stops itself here and goes on when the shell continues it.
        std::process::Command::new("kill")
            .args(["-TSTP", &id])
            .status()?;
        std::thread::sleep(Duration::from_millis(50));
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        let _ = std::panic::take_hook();
    }
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}

/// Leaves out the answer of a terminal that took too long to say what its background is: to the terminal library it looks
/// like keys, from Alt-] up to Ctrl-g or Alt-\.
#[derive(Default)]
struct Late {
    /// How many more keys may belong to it.
    left: u8,
}

/// `11;rgb:ffff/ffff/ffff`, and the end.
const LONGEST_ANSWER: u8 = 26;

impl Late {
    fn is_part(&mut self, code: KeyCode, modifiers: KeyModifiers) -> bool {
        let alt = modifiers.contains(KeyModifiers::ALT);
        if alt && code == KeyCode::Char(']') {
            self.left = LONGEST_ANSWER;
            return true;
        }
        let part = self.left > 0;
        let ends = (alt && code == KeyCode::Char('\\'))
            || (modifiers.contains(KeyModifiers::CONTROL) && code == KeyCode::Char('g'));
        self.left = if ends { 0 } else { self.left.saturating_sub(1) };
        part
    }
}

fn read_input(messages: &Sender<Msg>) {
    let mut late = Late::default();
    while let Ok(event) = event::read() {
        let message = match event {
            Event::Key(key) if late.is_part(key.code, key.modifiers) => None,
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                key_of(key.code, key.modifiers).map(Msg::Key)
            }
            Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
            _ => None,
        };
        if let Some(message) = message
            && messages.send(message).is_err()
        {
            return;
        }
    }
}

fn key_of(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    let ctrl = modifiers.contains(KeyModifiers::CONTROL);
    let code = match code {
        KeyCode::Char(c) => Code::Char(if ctrl { c.to_ascii_lowercase() } else { c }),
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Backspace => Code::Backspace,
        _ => return None,
    };
    Some(Key { code, ctrl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_is_no_key_and_what_follows_is() {
        let mut late = Late::default();
        let mut kept = String::new();
        let mut press = |code: char, modifiers| {
            if !late.is_part(KeyCode::Char(code), modifiers) {
                kept.push(code);
            }
        };
        press('j', KeyModifiers::NONE);
        press(']', KeyModifiers::ALT);
        for code in "11;rgb:ffff/ffff/ffff".chars() {
            press(code, KeyModifiers::NONE);
        }
        press('\\', KeyModifiers::ALT);
        press('2', KeyModifiers::NONE);
        press(']', KeyModifiers::NONE);
        assert_eq!(kept, "j2]");
    }
}
