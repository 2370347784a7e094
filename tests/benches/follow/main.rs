//! Following: frames per second and processor time of the screens while a session is recorded, and while it is quiet.
//!
//! `cargo bench -p tests --bench follow [-- --seconds 20 --rate 1000]`. A collector, an agent that records actions of
//! two records each, and `recount` in a terminal of 160x45 that stands at the end of the timeline. Each frame of the
//! terminal library hides the cursor once, which is counted; processor time is what the system says of the process.
#![expect(
    clippy::expect_used,
    reason = "a benchmark may panic: that is how it fails"
)]

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use recount::{EndReason, Recorder};
use tests::program::Program::Recount;

/// What the terminal library sends with each frame.
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";
/// Ticks of processor time in a second, as Linux counts them for programs.
const TICKS: f64 = 100.0;

fn main() -> ExitCode {
    if let Some(code) = tests::program::run_if_asked() {
        return code;
    }
    let (seconds, rate) = (argument("--seconds", 20), argument("--rate", 1000));
    let folder = tempfile::tempdir().expect("a folder for the benchmark");
    let collector =
        examples::collector::Running::start(&folder.path().join("store")).expect("a collector");
    let endpoint = format!("http://{}", collector.otlp_http().expect("a door"));
    let recorder = Recorder::builder("agent")
        .collector(endpoint)
        .spool(folder.path().join("spool"))
        .build()
        .expect("a recorder");
    let session = recorder.session("47").intent("work").start_blocking();
    let first = session.tool("first").begin_blocking().expect("a receipt");
    first.end_success();

    let terminal = Terminal::open(&folder, collector.reader());
    terminal.press("2G");
    std::thread::sleep(Duration::from_secs(2));
    let stop = Arc::new(AtomicBool::new(false));
    let agent = {
        let (stop, session) = (Arc::clone(&stop), session.handle());
        std::thread::spawn(move || produce(&session, rate, &stop))
    };
    let (frames, cpu) = terminal.over(Duration::from_secs(seconds));
    stop.store(true, Ordering::SeqCst);
    let sent = agent.join().expect("an agent");
    // What came last is signed and settled before it is quiet.
    std::thread::sleep(Duration::from_secs(20));
    let (idle_frames, idle_cpu) = terminal.over(Duration::from_secs(10));
    println!(
        "one session, {} cores",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "recorded          {:8.0} records/s for {seconds} s",
        2.0 * sent as f64 / seconds as f64
    );
    println!("frames            {frames:8.1} /s");
    println!("processor time    {:8.1} % of one core", cpu * 100.0);
    println!("frames, quiet     {idle_frames:8.1} /s");
    println!("processor, quiet  {:8.1} % of one core", idle_cpu * 100.0);
    println!("resident          {:8.1} MB", terminal.resident_mb());
    terminal.press("Q");
    session.end_blocking(EndReason::Completed);
    ExitCode::SUCCESS
}

fn argument(name: &str, default: u64) -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(default)
}

/// Records `rate` records a second until it is stopped; how many actions that were.
fn produce(session: &recount::Handle, rate: u64, stop: &AtomicBool) -> u64 {
    let began = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        let due = began.elapsed().as_millis() as u64 * rate / 2000;
        while sent < due {
            let tool = session
                .tool("work")
                .reads()
                .target(&format!("file:in/{}", sent % 97));
            tool.begin_blocking()
                .expect("a spooled action")
                .end_success();
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    sent
}

/// A terminal with the program in it.
struct Terminal {
    process: u32,
    frames: Arc<AtomicU64>,
    input: std::sync::Mutex<Box<dyn std::io::Write + Send>>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    fn open(folder: &tempfile::TempDir, socket: &std::path::Path) -> Self {
        let size = PtySize {
            rows: 45,
            cols: 160,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let recount = Recount.command().expect("a program");
        let mut command = CommandBuilder::new(recount.get_program());
        command.args(recount.get_args());
        command.args(["47", "--collector"]);
        command.arg(socket);
        command.env("HOME", folder.path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let child = pair.slave.spawn_command(command).expect("a child");
        let process = child.process_id().expect("a process");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let input = pair.master.take_writer().expect("its input");
        let frames = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&frames);
        std::thread::spawn(move || {
            let mut seen: Vec<u8> = Vec::new();
            let mut chunk = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                seen.extend(&chunk[..read]);
                let found = seen
                    .windows(HIDE_CURSOR.len())
                    .filter(|it| *it == HIDE_CURSOR);
                counted.fetch_add(found.count() as u64, Ordering::SeqCst);
                // A sequence may lie across two chunks; one that was counted is not seen again.
                let keep = seen.len().saturating_sub(HIDE_CURSOR.len() - 1);
                seen.drain(..keep);
            }
        });
        Self {
            process,
            frames,
            input: input.into(),
            _master: pair.master,
        }
    }

    fn press(&self, keys: &str) {
        let mut input = self.input.lock().expect("its input");
        input.write_all(keys.as_bytes()).expect("keys");
        input.flush().expect("keys");
    }

    /// Frames a second and the share of one core, over a while.
    fn over(&self, time: Duration) -> (f64, f64) {
        let before = (self.frames.load(Ordering::SeqCst), self.ticks());
        std::thread::sleep(time);
        let frames = self.frames.load(Ordering::SeqCst) - before.0;
        let ticks = self.ticks() - before.1;
        let seconds = time.as_secs_f64();
        (frames as f64 / seconds, ticks / TICKS / seconds)
    }

    /// Processor time so far.
    fn ticks(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process));
        let stat = stat.expect("the process runs");
        // Behind the name, which may contain anything, the 12th and 13th fields.
        let fields: Vec<&str> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' ').collect())
            .expect("fields");
        let field = |n: usize| fields[n].parse::<f64>().expect("a number");
        field(11) + field(12)
    }

    fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process));
        let status = status.expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        kb.expect("a size") / 1024.0
    }
}
