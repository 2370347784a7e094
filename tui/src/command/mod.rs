//! The commands: what each prints, and with which exit code the program leaves.

mod at;
mod blame;
mod bundle;
mod cite;
mod complete;
mod config;
mod csv;
mod diff;
mod doctor;
mod export;
mod follow;
mod log;
mod log_line;
mod man;
mod note;
mod out;
mod proof;
mod record;
mod replay;
mod screens;
pub(crate) mod sessions;
mod show;
mod table;
mod topic;
mod verify;
mod watcher;
mod why;

use std::ffi::OsString;
use std::io::IsTerminal as _;

use account::model::Account;
use clap::Parser as _;
use vocabulary::id::RecordRef;
use vocabulary::record::IntegrityStatus;
pub(crate) use vocabulary::reference::split as split_ref;

use crate::app::clock::Clock;
use crate::app::line::shown;
use crate::args::{AccountForm, Cli, Command, Common};
use crate::failure::{Exit, Failure, Told};
use crate::source::Source;
use crate::source::link;
use crate::source::place::Environment;

/// What a command knows of the process it runs in.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The flags that every command takes.
    pub(crate) common: Common,
    /// The environment variables.
    pub(crate) environment: Environment,
    /// Whether a person reads the output.
    pub(crate) terminal: bool,
}

impl Context {
    /// Opens the store or door; says which with `-v`.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        let source = Source::open(&self.common, &self.environment)?;
        if self.common.verbose {
            self.note(&format!(
                "looking at {} ({})",
                source.place(),
                source.chosen.because
            ));
        }
        Ok(source)
    }

    /// The account of a query; with `--at`, as it was right after that record.
    pub(crate) fn account(&self, source: &Source, query: &str) -> Result<Account, Failure> {
        self.cut(self.whole(source, query)?)
    }

    /// The account of a query as it is; a person is asked where it leads to several requests.
    pub(crate) fn whole(&self, source: &Source, query: &str) -> Result<Account, Failure> {
        match source.resolve(query, self.person()) {
            Err(Failure::Which { query, candidates }) if self.person() => {
                let chosen = out::choose(&query, &candidates)?;
                let failure = Failure::Which {
                    query,
                    candidates: candidates.clone(),
                };
                let chosen = chosen.and_then(|n| candidates.get(n)).ok_or(failure)?;
                source.account(&chosen.query)
            }
            other => other,
        }
    }

    /// Whether a person can be asked: reads and types at a terminal.
    pub(crate) fn person(&self) -> bool {
        let asked = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        self.terminal && asked && !self.common.quiet
    }

    /// An account as it was right after the record of `--at`.
    pub(crate) fn cut(&self, account: Account) -> Result<Account, Failure> {
        match self.at()? {
            Some(upto) => at::cut(&account, upto),
            None => Ok(account),
        }
    }

    /// The record of `--at`.
    pub(crate) fn at(&self) -> Result<Option<RecordRef>, Failure> {
        self.common.at.as_deref().map(ref_of).transpose()
    }

    /// The time zone asked for; a name that nobody knows is an error of every command, whether it needs it or not.
    pub(crate) fn clock(&self) -> Result<Clock, Failure> {
        Clock::named(&self.common.tz).map_err(|error| Failure::Usage {
            what: format!("--tz {}: {error}", self.common.tz),
            hint: "write utc, local, or a name such as Europe/Berlin".to_owned(),
        })
    }

    /// Says something on stderr, unless the user wants quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.common.quiet {
            eprintln!("recount: {}", shown(text));
        }
    }

    /// Pins the key of a place that was seen for the first time.
    pub(crate) fn pin(&self, source: &mut Source) {
        match source.pin() {
            Ok(None) => {}
            Ok(Some(key)) => self.note(&format!("pinned the key of {}: {key}", source.place())),
            Err(error) => self.note(&format!(
                "the key of {} is not pinned: {error}",
                source.place()
            )),
        }
    }
}

/// Runs the program; errors are told on stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> Exit {
    let result = Cli::try_parse_from(arguments)
        .map_err(Failure::CommandLine)
        .and_then(|cli| {
            let terminal = std::io::stdout().is_terminal()
                && !cli.common.plain
                && environment.text("TERM").as_deref() != Some("dumb");
            let context = Context {
                common: cli.common.clone(),
                environment,
                terminal,
            };
            obey(&context, cli)
        });
    match result {
        Ok(exit) => exit,
        Err(Failure::CommandLine(error)) if !error.use_stderr() => {
            let _ = error.print();
            Exit::Answered
        }
        Err(failure) => {
            eprintln!("{}", Told(&failure));
            failure.exit()
        }
    }
}

fn obey(context: &Context, mut cli: Cli) -> Result<Exit, Failure> {
    let mut context = context.clone();
    context.clock()?;
    let query = match &mut cli.command {
        None => cli.query.as_mut(),
        Some(Command::Show(args)) => Some(&mut args.query),
        Some(Command::Log(args)) => args.query.as_mut(),
        Some(Command::Diff(args)) => Some(&mut args.query),
        Some(Command::Why(args)) => Some(&mut args.query),
        Some(Command::Replay(args)) => Some(&mut args.query),
        Some(Command::Note(args)) => Some(&mut args.query),
        Some(Command::Tag(args)) => Some(&mut args.query),
        Some(Command::Notes(args)) => args.query.as_mut(),
        Some(Command::Export(args)) => Some(&mut args.query),
        Some(Command::Proof(args)) => Some(&mut args.record),
        Some(Command::Cite(args)) => Some(&mut args.record),
        Some(_) => None,
    };
    if let Some(query) = query {
        bundle::stand_in(&mut context.common, query)?;
        if link::is_link(query) {
            let source = context.source()?;
            *query = link::followed(query, |request| source.account(request))?;
        }
    }
    let context = &context;
    if context.common.at.is_some() {
        takes_at(&cli)?;
    }
    match cli.command {
        None => look(context, cli.query, cli.output),
        Some(_) if cli.query.is_some() => Err(Failure::Usage {
            what: format!(
                "{:?} stands before a command",
                cli.query.unwrap_or_default()
            ),
            hint: "write the command first: recount show 47892".to_owned(),
        }),
        Some(Command::Show(args)) => show::run(context, &args),
        Some(Command::Log(args)) => log::run(context, &args),
        Some(Command::Diff(args)) => diff::run(context, &args),
        Some(Command::Why(args)) => why::run(context, &args),
        Some(Command::Replay(args)) => replay::run(context, &args),
        Some(Command::Blame(args)) => blame::run(context, &args),
        Some(Command::Verify(args)) => verify::run(context, &args),
        Some(Command::Proof(args)) => proof::run(context, &args),
        Some(Command::Export(args)) => export::run(context, &args),
        Some(Command::Mcp(args)) => crate::record::mcp::run(context, &args),
        Some(Command::Run(args)) => crate::record::run::run(context, &args),
        Some(Command::LogLine(args)) => log_line::run(context, &args),
        Some(Command::Note(args)) => note::note(context, &args),
        Some(Command::Tag(args)) => note::tag(context, &args),
        Some(Command::Notes(args)) => note::notes(context, &args),
        Some(Command::Llm(args)) => crate::record::llm::run(context, &args),
        Some(Command::Http(args)) => crate::record::http::run(context, &args),
        Some(Command::Doctor) => doctor::run(context),
        Some(Command::Topic(args)) => topic::run(&args),
        Some(Command::Completions { shell }) => complete::script(shell),
        Some(Command::Requests(args)) => complete::requests(context, &args),
        Some(Command::Cite(args)) => cite::run(context, &args),
        Some(Command::Config(args)) => config::run(context, &args),
        Some(Command::Man(args)) => man::run(&args),
    }
}

/// Refuses `--at` where there is no account to look back in.
fn takes_at(cli: &Cli) -> Result<(), Failure> {
    let (what, hint) = match &cli.command {
        None if cli.query.is_some() => return Ok(()),
        Some(Command::Log(args)) if args.query.is_some() && !args.follow => return Ok(()),
        Some(Command::Show(_) | Command::Diff(_) | Command::Why(_) | Command::Replay(_)) => {
            return Ok(());
        }
        None => (
            "a list of sessions",
            "name the request: recount 47892 --at s1a#14",
        ),
        Some(Command::Blame(args)) if args.within.is_some() => return Ok(()),
        Some(Command::Blame(_)) => (
            "a look through all requests",
            "name one with --in: recount blame FILE --in 47892 --at s1a#14",
        ),
        Some(Command::Log(args)) if args.follow => (
            "--follow",
            "what is recorded from now on comes after every record",
        ),
        Some(Command::Log(_)) => (
            "a list of sessions",
            "name the request: recount log 47892 --at s1a#14; or use --until TIME",
        ),
        Some(Command::Verify(_) | Command::Proof(_) | Command::Export(_)) => (
            "this command",
            "what is proven or handed on is the whole record; recount show QUERY --at REF looks back",
        ),
        Some(_) => ("this command", "it looks at nothing that was recorded"),
    };
    Err(Failure::Usage {
        what: format!("--at means nothing to {what}"),
        hint: hint.to_owned(),
    })
}

/// `recount [QUERY]`: the screens on a terminal, the text in a pipe.
fn look(
    context: &Context,
    query: Option<String>,
    form: Option<AccountForm>,
) -> Result<Exit, Failure> {
    match (query, form) {
        (query, None) if context.terminal => screens::run(context, query),
        (Some(query), form) => show::run(
            context,
            &crate::args::Show {
                query,
                output: form.unwrap_or_default(),
                all: false,
            },
        ),
        (None, None | Some(AccountForm::Text)) => log::run(context, &crate::args::Log::default()),
        (None, Some(AccountForm::Json)) => log::run(
            context,
            &crate::args::Log {
                output: crate::args::ListForm::Json,
                ..Default::default()
            },
        ),
        (None, Some(AccountForm::Md | AccountForm::Html)) => Err(Failure::Usage {
            what: "this form needs a request".to_owned(),
            hint: "recount show 47892 -o md".to_owned(),
        }),
    }
}

/// The exit code that an answer about this account deserves: an open session is answered.
pub(crate) fn exit_of(account: &Account) -> Exit {
    match account.integrity.status {
        IntegrityStatus::Intact | IntegrityStatus::Open => Exit::Answered,
        IntegrityStatus::Broken => Exit::NotIntact,
        IntegrityStatus::Incomplete | IntegrityStatus::Unchecked => Exit::Incomplete,
    }
}

/// A reference that the user gave for a flag.
pub(crate) fn ref_of(text: &str) -> Result<vocabulary::id::RecordRef, Failure> {
    crate::app::parse_ref(text).ok_or_else(|| Failure::Usage {
        what: format!("{text:?} names no record"),
        hint: "write 14 for a record of the first stream, or s1a#14 as recount log shows it"
            .to_owned(),
    })
}
