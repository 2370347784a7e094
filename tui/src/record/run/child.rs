//! The command as a child process that notices nothing of us: same terminal and process group, signals passed on.
//!
//! What a terminal sends (Ctrl-C, Ctrl-Z, Ctrl-\, hang-up, size) reaches every process of the group, the child too: it
//! is not passed on, and stops both together. What another process sends to us is. A signal that was ignored when we
//! began stays ignored, for the child as well (`nohup`).

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::Cause;

/// What is passed on.
const PASSED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// What is known between the thread that takes signals and the one that waits.
#[derive(Debug, Default)]
struct Shared {
    /// The child while it may be signalled: until it is reaped.
    child: Mutex<Option<Pid>>,
    /// A signal came when there was no child.
    interrupted: AtomicBool,
}

/// Signals that no longer end us; dropping it gives nothing back.
#[derive(Debug)]
pub(in crate::record) struct Signals {
    shared: Arc<Shared>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Catches all that is not ignored.
    pub(in crate::record) fn catch() -> io::Result<Self> {
        let ignored = ignored();
        let caught = PASSED.iter().filter(|signal| !is_in(ignored, **signal));
        let mut signals = SignalsInfo::<WithOrigin>::new(caught)?;
        let handle = signals.handle();
        let shared = Arc::<Shared>::default();
        let told = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("recount-signals".to_owned())
            .spawn(move || {
                for origin in &mut signals {
                    told.pass_on(origin.signal, origin.cause);
                }
            })?;
        Ok(Self {
            shared,
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn pass_on(&self, signal: i32, cause: Cause) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        match (*child, cause) {
            // The terminal sent it to the whole group.
            (Some(_), Cause::Kernel) => {}
            (Some(child), _) => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process(child, signal);
                }
            }
            (None, _) => self.interrupted.store(true, Ordering::Release),
        }
    }
}

/// The running command.
#[derive(Debug)]
pub(in crate::record) struct Child {
    process: Mutex<std::process::Child>,
    signals: Signals,
}

impl Child {
    /// Starts it with the streams that the command has; not when a signal has come already.
    pub(in crate::record) fn start(mut command: Command, signals: Signals) -> io::Result<Self> {
        // Held meanwhile, so that a signal which comes now is passed on, not lost.
        let mut child = signals
            .shared
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if signals.shared.interrupted.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let process = command.spawn()?;
        // With it go the write ends of its pipes.
        drop(command);
        *child = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        drop(child);
        Ok(Self {
            process: Mutex::new(process),
            signals,
        })
    }

    /// Waits until it has ended, by itself or by a signal.
    pub(in crate::record) fn ended(&self) -> io::Result<ExitStatus> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Not reaped yet: until then its number is nobody else's.
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), end) {}
        }
        *self
            .signals
            .shared
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        process.wait()
    }

    /// Its input and output, where those are pipes of ours; once.
    pub(in crate::record) fn pipes(&self) -> (Option<ChildStdin>, Option<ChildStdout>) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        (process.stdin.take(), process.stdout.take())
    }

    /// Whether a signal came after it had ended: whoever waits for us wants no more.
    pub(in crate::record) fn interrupted(&self) -> bool {
        self.signals.shared.interrupted.load(Ordering::Acquire)
    }
}

/// Ends this process as a child ended: with its code, or by the signal that killed it, without a dump of our own.
pub(in crate::record) fn leave_as(status: ExitStatus) -> i32 {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Some(signal) = status.signal() {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        return 128 + signal;
    }
    status.code().unwrap_or(1)
}

/// The signals that this process was told to ignore, as a bit set.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or_default()
}

fn is_in(set: u64, signal: i32) -> bool {
    set >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_before_the_command_starts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let started = folder.path().join("started");
        let signals = Signals::catch().unwrap();
        signals.shared.pass_on(SIGTERM, Cause::Kernel);
        let mut command = Command::new("touch");
        command.arg(&started);
        let refused = Child::start(command, signals).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Interrupted);
        assert!(!started.exists());
    }

    #[test]
    fn signals_are_read_as_the_system_lists_them() {
        assert!(is_in(1, SIGHUP) && is_in(0x4000, SIGTERM) && !is_in(0x4000, SIGINT));
    }
}
