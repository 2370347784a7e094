//! The commands, each on settings that were checked.

#[macro_use]
mod say;

mod adopt;
mod anchor;
mod checkpoint;
mod doctor;
mod enroll;
mod erase;
mod import;
mod key;
mod maintain;
mod outside;
mod recover;
mod source;
mod status;
mod target;
mod verify;
mod witness;

use std::path::Path;

use ledger::store::{InitOptions, init};

use crate::cli::{Cli, Command};
use crate::clock;
use crate::error::{Error, exit};
use crate::serve;
use crate::settings::{Access, KEYS, Raw, Settings, config_file};

/// Runs the command; the exit code.
pub(crate) fn run(cli: &Cli) -> Result<u8, Error> {
    let env = |name: &str| std::env::var(name).ok();
    if let Command::Witness(options) = &cli.command {
        return witness::witness(cli, options);
    }
    let file = config_file(cli.common.config.clone(), &env);
    let raw = Raw::gather(&cli.flags(), &env, file.as_deref())?;
    let access = match &cli.command {
        Command::Init(_)
        | Command::Serve(_)
        | Command::Recover(_)
        | Command::Adopt(_)
        | Command::Import(_)
        | Command::Enroll(_)
        | Command::Revoke { .. }
        | Command::Erase(_) => Access::Write,
        _ => Access::Read,
    };
    let settings = Settings::check(&raw, &env, access)?;
    match &cli.command {
        Command::Init(_) => create(&settings.store, settings.origin.as_deref()),
        Command::Serve(options) => serve::serve(&settings, options.init),
        Command::Config => {
            show_config(&raw, &settings);
            Ok(exit::DONE)
        }
        Command::Anchor(command) => anchor::anchor(&settings, command),
        Command::Status(output) => status::status(&settings, output.output),
        Command::Verify(options) => verify::verify(&settings, options),
        Command::Reindex => maintain::make_index(&settings),
        Command::Compact => maintain::make_compact(&settings),
        Command::Recover(options) => recover::go_on(&settings.store, options),
        Command::Key(form) => key::key(&settings, form),
        Command::Checkpoint => checkpoint::checkpoint(&settings),
        Command::Erase(options) => erase::erase(&settings, options),
        Command::Enroll(options) => enroll::enroll(&settings, options),
        Command::Producers(output) => enroll::list(&settings, output.output),
        Command::Revoke { name } => enroll::revoke(&settings, name),
        Command::Doctor => doctor::doctor(&settings),
        Command::Import(options) => import::import(&settings, options),
        // It has no ledger and no settings of one.
        Command::Witness(options) => witness::witness(cli, options),
        Command::Adopt(options) => {
            adopt::adopt(&settings, &options.dir, options.collector.as_deref())
        }
    }
}

fn create(store: &Path, origin: Option<&str>) -> Result<u8, Error> {
    let created = init(
        store,
        &InitOptions {
            origin: origin.map(str::to_owned),
            now_ns: clock::now_ns(),
        },
    )?;
    say!(
        "created ledger {} in {}",
        created.origin,
        created.dir.display()
    );
    key::show(&created.key, &created.fingerprint);
    say!("Keep key and words somewhere else: with them anyone can check what this ledger says.");
    say!(
        "Next:   recount-collector serve --store {}",
        created.dir.display()
    );
    Ok(exit::DONE)
}

fn show_config(raw: &Raw, settings: &Settings) {
    for key in KEYS {
        let given = raw.get(key);
        let value = match key.name {
            "store" => settings.store.display().to_string(),
            "reader" => settings.reader.to_string(),
            _ => given.value,
        };
        say!(
            "{:<20} = {:<44} # {}",
            key.name,
            format!("{value:?}"),
            given.origin
        );
    }
    for (number, anchor) in settings.anchors.iter().enumerate() {
        say!(
            "{:<20} = {:<44} # every {} s, {}",
            format!("anchor[{number}]"),
            format!("{:?}", anchor.holder()),
            anchor.every_s,
            settings.anchors_origin
        );
    }
}
