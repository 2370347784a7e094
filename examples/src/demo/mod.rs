//! `recount-demo`: the renewal agent, recorded from its first step to its last, and the terminal on what it did.

mod args;
mod story;

use crate::collector::Running;
use crate::renewal::{self, spelling, subagent, systems::Systems};
use crate::world::World;
use args::Args;
use clap::Parser;
use jiff::Zoned;
use recount::Recorder;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use story::Story;

/// Hidden argument: this process is the spell checker.
pub(crate) const SPELL_CHECK: &str = "__spell-check";

/// Hidden argument: this process is the call agent.
pub(crate) const SUB_AGENT: &str = "__call-agent";

/// How long the end waits for the last records to be sealed.
const LAST_RECORDS: Duration = Duration::from_secs(20);

/// Runs the command line, the program's name first, and says how it ended.
pub fn run<I>(args: I) -> ExitCode
where
    I: IntoIterator<Item = OsString>,
{
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(code) = run_if_hidden(&args) {
        return code;
    }
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // clap knows by itself whether this is help on stdout or an error on stderr.
            let _printed = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match record(&args) {
        Ok(created) => look(&args.store, created),
        Err(error) => {
            eprintln!("recount-demo: {error}");
            eprintln!("hint: --fresh starts over; --store DIR puts the ledger elsewhere");
            ExitCode::from(5)
        }
    }
}

/// Runs one of the demo's helper processes, if the arguments, the program's name first, ask for it.
///
/// To be called first in the `main` of a program that runs the demo.
#[must_use]
pub fn run_if_hidden(args: &[OsString]) -> Option<ExitCode> {
    if let Some(code) = collector_lite::run_if_hidden(args.iter().cloned()) {
        return Some(code);
    }
    let text = |at: usize| args.get(at).and_then(|argument| argument.to_str());
    match text(1)? {
        SPELL_CHECK => {
            let files: Vec<String> = args
                .iter()
                .skip(2)
                .map(|file| file.to_string_lossy().into_owned())
                .collect();
            Some(ExitCode::from(spelling::check(&files)))
        }
        SUB_AGENT => {
            let (session, account, crm) = (text(2)?, text(3)?, text(4)?);
            let ended = runtime().map(|runtime| {
                runtime
                    .block_on(subagent::run(
                        session,
                        account,
                        crm,
                        Path::new(args.get(5)?),
                    ))
                    .err()
            });
            Some(match ended {
                Ok(Some(error)) => {
                    eprintln!("call-agent: {error}");
                    ExitCode::FAILURE
                }
                Ok(None) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("call-agent: {error}");
                    ExitCode::FAILURE
                }
            })
        }
        _ => None,
    }
}

/// Records a run, unless there is one already; says whether it did.
fn record(args: &Args) -> Result<bool, renewal::Failure> {
    if args.store.join("ledger.db").exists() {
        if !args.fresh {
            eprintln!(
                "{} holds an earlier run: opening it (--fresh starts over)",
                args.store.display()
            );
            return Ok(false);
        }
        remove(&args.store)?;
        remove(&args.world())?;
    }
    let collector = Arc::new(Mutex::new(Running::start(&args.store)?));
    let recorded = runtime()?.block_on(agent(args, &collector));
    // Only this function still holds it: the story that could kill it is over.
    if let Some(collector) =
        Arc::into_inner(collector).and_then(|collector| collector.into_inner().ok())
    {
        collector.stop()?;
    }
    recorded.map(|()| true)
}

async fn agent(args: &Args, collector: &Arc<Mutex<Running>>) -> Result<(), renewal::Failure> {
    let today = Zoned::now().date();
    let folder = args.world();
    let world = World::start(&folder, today).await?;
    let address = collector
        .lock()
        .map_err(|_| "the collector's handle is poisoned")?
        .otlp_http()?;
    let address = format!("http://{address}");
    let spool = folder.join("spool");
    let recorder = Recorder::builder("renewal-agent")
        .agent("renewal-agent", renewal::VERSION)
        .collector(&address)
        .spool(&spool)
        .build()?;
    let systems = Systems::of(&world, address, spool);
    let mut story = Story::new(&world, collector, args.kill_collector_at);
    let done = renewal::run(&recorder, &systems, today, &mut story).await;
    story.over();
    let unsent = recorder.close(LAST_RECORDS).await;
    if !unsent.is_none() {
        return Err(format!("the collector has not taken everything: {unsent:?}").into());
    }
    done
}

/// Opens the terminal on the run (in a pipe: prints the account), then says what to type next.
///
/// A ledger created just now is opened with the key its collector wrote a moment ago: an earlier demo at this place had
/// another, and its pinned key would be missed.
fn look(store: &Path, created: bool) -> ExitCode {
    let mut arguments = ["recount", renewal::REQUEST, "--store"]
        .map(OsString::from)
        .to_vec();
    arguments.push(store.as_os_str().to_owned());
    if created {
        let key = store.join("ledger.pub").into_os_string();
        arguments.extend([OsString::from("--key"), key]);
    }
    let code = tui::run(arguments);
    let mut err = io::stderr().lock();
    let store = store.display();
    let next = [
        format!(
            "recount {} --store {store}          the same account again",
            renewal::REQUEST
        ),
        format!(
            "recount why {} --store {store}      each decision, with what was discarded and why",
            renewal::REQUEST
        ),
        format!(
            "recount diff {} --store {store}     what changed",
            renewal::REQUEST
        ),
        format!(
            "recount verify {} --store {store}   recompute and compare everything",
            renewal::REQUEST
        ),
    ];
    let install = "cargo install --path tui && cargo install --path collector-lite";
    // A closed stderr is nobody's problem here.
    let _written = writeln!(
        err,
        "\nNext:\n  {}\nInstall both programs:\n  {install}",
        next.join("\n  ")
    );
    code
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
