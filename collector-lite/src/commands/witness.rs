//! `witness`: create one, name its key, tell it which logs to know, and let it answer.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ledger::note::VerifierKey;

use crate::cli::{Cli, Witness, WitnessCommand};
use crate::error::{Error, exit};
use crate::serve::{listen, log, stop_signals};
use crate::witness::door;
use crate::witness::shelf::{self, Newcomers, Shelf};

/// Runs one of the witness's commands.
pub(super) fn witness(cli: &Cli, options: &Witness) -> Result<u8, Error> {
    let dir = cli.common.store.as_deref().map(Path::new);
    // Never by default: the default is a ledger's folder, and who holds a ledger is no witness of it.
    let dir = dir.ok_or_else(|| usage("store", "--store", "", "name the folder of the witness"))?;
    match &options.command {
        Some(WitnessCommand::Init { name }) => init(dir, name),
        Some(WitnessCommand::Vkey) => {
            say!("{}", shelf::public(dir)?);
            Ok(exit::DONE)
        }
        Some(WitnessCommand::Trust { vkey }) => trust(dir, vkey),
        None => serve(cli, options, dir),
    }
}

fn usage(name: &'static str, flag: &'static str, value: &str, why: &str) -> Error {
    Error::Setting {
        name,
        flag,
        value: value.to_owned(),
        origin: format!("flag {flag}"),
        why: why.to_owned(),
    }
}

fn init(dir: &Path, name: &str) -> Result<u8, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::System {
        doing: "draw random bytes",
        source: std::io::Error::other(error.to_string()),
    })?;
    let key = shelf::create(dir, name, &seed)?;
    say!("created witness {} in {}", key.name(), dir.display());
    say!("key     {key}");
    say!("Collectors name it in a [[witness]] table, verifiers in their policy.");
    say!(
        "Next:   recount-collector witness trust --store {0} VKEY   (the key in the log's ledger.pub)\n        \
         recount-collector witness --store {0} --listen ADDR",
        dir.display()
    );
    Ok(exit::DONE)
}

fn trust(dir: &Path, vkey: &str) -> Result<u8, Error> {
    let key = log_key(vkey)?;
    if shelf::trust(dir, &key)? {
        say!("{} is witnessed from the next start on", key.name());
    } else {
        say!("{} was known already", key.name());
    }
    Ok(exit::DONE)
}

fn log_key(vkey: &str) -> Result<VerifierKey, Error> {
    VerifierKey::parse(vkey).map_err(|error| usage("vkey", "--trust", vkey, &error.to_string()))
}

fn serve(cli: &Cli, options: &Witness, dir: &Path) -> Result<u8, Error> {
    log(cli.common.log.as_deref().unwrap_or("info"));
    for vkey in &options.logs {
        shelf::trust(dir, &log_key(vkey)?)?;
    }
    let newcomers = if options.trust_on_first_use {
        Newcomers::Trusted(options.origin.clone())
    } else {
        Newcomers::Refused
    };
    let shelf = Arc::new(Shelf::open(dir, newcomers)?);
    if shelf.known() == 0 && !options.trust_on_first_use {
        tracing::warn!("no log is known yet: add one with `witness trust VKEY`");
    }
    // One thread: a request is a few hashes and one fsync, and the memory is the machine's smallest part.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System {
            doing: "start the runtime",
            source,
        })?;
    runtime.block_on(async {
        let stop = stop_signals();
        let listening = listen(Some(options.listen), "--listen").await?;
        let Some((listener, address)) = listening else {
            return Ok(exit::DONE);
        };
        announce(&address.to_string(), dir, shelf.known());
        let served = door::serve(listener, shelf, stop).await;
        served.map_err(|source| Error::System {
            doing: "answer",
            source,
        })?;
        Ok(exit::DONE)
    })
}

/// One line of JSON on stdout for programs, one line on stderr for people.
fn announce(address: &str, dir: &Path, logs: usize) {
    let ready = serde_json::json!({ "state": "ready", "pid": std::process::id(), "listen": address, "logs": logs });
    let mut stdout = std::io::stdout().lock();
    // Nobody may be reading; that is no reason to stop.
    let _ = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());
    tracing::info!(logs, "witness in {} listens on {address}", dir.display());
}
