//! What can go wrong for the person who runs the collector: the message, the next step, and the exit code.

use std::net::SocketAddr;
use std::path::PathBuf;

use ledger::reader::ReadError;
use ledger::store::StoreError;

use crate::producers::file::FileError;
use crate::tls::files::Unusable;
use crate::witness::shelf::ShelfError;

/// Exit codes of both programs; the same words as `recount --help`.
pub(crate) mod exit {
    /// Done, and intact.
    pub(crate) const DONE: u8 = 0;
    /// Nothing is called so.
    pub(crate) const NO_MATCH: u8 = 1;
    /// Wrong usage or a setting that makes no sense.
    pub(crate) const USAGE: u8 = 2;
    /// A record or the ledger is not intact.
    pub(crate) const NOT_INTACT: u8 = 3;
    /// Not allowed.
    pub(crate) const NOT_ALLOWED: u8 = 4;
    /// Store or collector unavailable.
    pub(crate) const UNAVAILABLE: u8 = 5;
    /// Intact as far as it goes, but incomplete or unchecked.
    pub(crate) const INCOMPLETE: u8 = 6;
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store, as its writer sees it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store, as a reader sees it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A configuration file that does not say what it should.
    #[error("configuration file {}: {why}", path.display())]
    Config { path: PathBuf, why: String },
    /// A setting that does not say what it should.
    #[error("{name} = {value:?} (from {origin}): {why}")]
    Setting {
        name: &'static str,
        flag: &'static str,
        value: String,
        origin: String,
        why: String,
    },
    /// Somebody else listens there.
    #[error("{address} is taken by another process")]
    PortTaken {
        address: SocketAddr,
        flag: &'static str,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        flag: &'static str,
        source: std::io::Error,
    },
    /// A door's socket cannot be created.
    #[error("cannot create the {door} socket {}: {source}", path.display())]
    Socket {
        /// `reader` or `agent`.
        door: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Another collector listens on the socket.
    #[error("another collector answers on the {door} socket {}", path.display())]
    SocketTaken { door: &'static str, path: PathBuf },
    /// The ledger stopped for good while the collector ran.
    #[error("{why}; what was acknowledged is in the ledger")]
    Halted { why: String },
    /// A spool that cannot be shipped.
    #[error("spool {}: {why}", path.display())]
    Spool { path: PathBuf, why: String },
    /// A log that cannot be brought in.
    #[error("import of {}: {why}", path.display())]
    Import { path: PathBuf, why: String },
    /// The enrolments cannot be read or kept.
    #[error(transparent)]
    Producers(#[from] FileError),
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] Unusable),
    /// A witness's folder.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// What is known of the anchors cannot be used.
    #[error("anchors: {why}")]
    Anchors { why: String },
    /// The ledger is not what was written.
    #[error("{what}")]
    NotIntact { what: String },
    /// Words on the command line that do not go together.
    #[error("{why}")]
    Usage { why: String, hint: String },
    /// Nothing is called so.
    #[error("{what}")]
    NoMatch { what: String, near: Vec<String> },
    /// No such thing is there; what is, stands in the hint.
    #[error("{what}")]
    Unknown { what: String, hint: String },
    /// A file that was named on the command line and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The operating system refused something else.
    #[error("cannot {doing}: {source}")]
    System {
        doing: &'static str,
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code that says this.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) => store_code(error),
            Self::Read(error) => read_code(error),
            Self::Config { .. } | Self::Setting { .. } | Self::File { .. } => exit::USAGE,
            Self::PortTaken { .. }
            | Self::Listen { .. }
            | Self::SocketTaken { .. }
            | Self::Spool { .. }
            | Self::Import { .. } => exit::UNAVAILABLE,
            Self::Socket { source, .. } | Self::System { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => exit::NOT_ALLOWED,
                _ => exit::UNAVAILABLE,
            },
            Self::Halted { .. } | Self::Anchors { .. } => exit::UNAVAILABLE,
            Self::Usage { .. } | Self::Tls(_) => exit::USAGE,
            Self::NoMatch { .. } | Self::Unknown { .. } => exit::NO_MATCH,
            Self::NotIntact { .. } => exit::NOT_INTACT,
            Self::Shelf(error) => shelf_code(error),
            Self::Producers(error) => producers_code(error),
        }
    }

    /// What to do about it; empty when there is nothing better than the message.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Store(error) => store_hint(error),
            Self::Read(error) => read_hint(error),
            Self::Config { path, .. } => format!(
                "correct {}, or name another file with --config",
                path.display()
            ),
            Self::Setting { flag: "", .. } => {
                "correct it there; `config` shows all settings".to_owned()
            }
            Self::Setting { flag, .. } => {
                format!("give another value with {flag}; `config` shows all of them")
            }
            Self::PortTaken { flag, .. } => {
                format!("choose another one with {flag}, or none to close this door")
            }
            Self::Listen { flag, .. } => format!("choose another address with {flag}"),
            Self::Socket { door, .. } => {
                let flag = socket_flag(door);
                format!("choose another place with {flag} PATH, or none to close this door")
            }
            Self::SocketTaken { door, .. } => {
                let flag = socket_flag(door);
                format!("stop that collector, or choose another place with {flag}")
            }
            Self::Halted { .. } => {
                "free the cause, then start it again; senders keep what was not acknowledged".into()
            }
            Self::Shelf(error) => shelf_hint(error),
            Self::Producers(error) => producers_hint(error),
            Self::Tls(Unusable { what, .. }) => format!(
                "give another file with --{}, as a user who may read it; PEM is wanted",
                what.replace('_', "-")
            ),
            Self::Spool { .. } => "name the folder that the agent's SDK spooled to".to_owned(),
            Self::Import { .. } => {
                "import it again once that is mended: what is sealed already is not sealed twice"
                    .to_owned()
            }
            Self::Anchors { .. } => {
                "mend or remove anchors.json in the store; without it the anchors are asked anew"
                    .into()
            }
            Self::NotIntact { .. } => {
                "keep the store as it is: copy it before anything else is done to it".to_owned()
            }
            Self::Usage { hint, .. } | Self::Unknown { hint, .. } => hint.clone(),
            Self::NoMatch { near, .. } if near.is_empty() => {
                "`recount log --store DIR` lists what there is".to_owned()
            }
            Self::NoMatch { near, .. } => format!("near: {}", near.join(", ")),
            Self::File { .. } | Self::System { .. } => String::new(),
        }
    }
}

fn socket_flag(door: &str) -> &'static str {
    match door {
        "agent" => crate::settings::AGENT_SOCKET.flag,
        _ => crate::settings::READER.flag,
    }
}

fn producers_code(error: &FileError) -> u8 {
    match error {
        FileError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::PermissionDenied => exit::NOT_ALLOWED,
            _ => exit::UNAVAILABLE,
        },
        FileError::Open { .. } => exit::NOT_ALLOWED,
        FileError::Line { .. } | FileError::Whole { .. } => exit::USAGE,
    }
}

fn producers_hint(error: &FileError) -> String {
    match error {
        FileError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "name the store with --store, or create one with init".to_owned()
        }
        FileError::Io { .. } => "run it as the user that owns the store".to_owned(),
        FileError::Open { path, .. } => format!(
            "look at who is in it (`producers`), then: chmod 600 {}",
            path.display()
        ),
        FileError::Line { .. } | FileError::Whole { .. } => {
            "`enroll` and `revoke` write this file: put the last good copy back, or correct the line".to_owned()
        }
    }
}

fn shelf_code(error: &ShelfError) -> u8 {
    match error {
        ShelfError::Damaged { .. } => exit::NOT_INTACT,
        ShelfError::Exists { .. } | ShelfError::Name { .. } => exit::USAGE,
        ShelfError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::PermissionDenied => exit::NOT_ALLOWED,
            _ => exit::UNAVAILABLE,
        },
        ShelfError::Locked { .. } => exit::UNAVAILABLE,
    }
}

fn shelf_hint(error: &ShelfError) -> String {
    match error {
        ShelfError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "create a witness with: recount-collector witness init --store DIR --name NAME"
        }
        ShelfError::Damaged { .. } => {
            "put the file back from a backup that is not older; a witness that forgets cosigns a fork"
        }
        ShelfError::Locked { .. } => "one process answers for a witness: stop the other one",
        ShelfError::Exists { .. } => "choose an empty folder with --store",
        ShelfError::Io { .. } | ShelfError::Name { .. } => "",
    }
    .to_owned()
}

fn store_code(error: &StoreError) -> u8 {
    match error {
        StoreError::Denied { .. } => exit::NOT_ALLOWED,
        StoreError::Foreign { .. } | StoreError::Damaged { .. } | StoreError::Behind { .. } => {
            exit::NOT_INTACT
        }
        StoreError::Missing { .. } if is_partial(error) => exit::NOT_INTACT,
        StoreError::Exists { .. } | StoreError::BadOrigin { .. } => exit::USAGE,
        _ => exit::UNAVAILABLE,
    }
}

/// Whether a file is missing of a ledger whose other files are there: damage, not absence.
fn is_partial(error: &StoreError) -> bool {
    match error {
        StoreError::Missing { dir, .. } => ["ledger.db", "last_signed", "acked", "ledger.pub"]
            .iter()
            .any(|file| dir.join(file).exists()),
        _ => false,
    }
}

fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Missing { dir, .. } if is_partial(error) => {
            format!(
                "{} holds other files of a ledger: put the missing one back from a backup; nothing was changed",
                dir.display()
            )
        }
        StoreError::Missing { dir, .. } => {
            format!(
                "create one with: recount-collector init --store {} (or serve --init)",
                dir.display()
            )
        }
        StoreError::Exists { .. } => {
            "choose an empty folder with --store, or serve the ledger that is there".into()
        }
        StoreError::Denied { .. } => {
            "run it as the user that owns the store, or choose another one with --store".to_owned()
        }
        StoreError::Locked { .. } => {
            "a collector is running on this ledger: read through its reader door, or stop it first"
                .to_owned()
        }
        StoreError::Foreign { .. } => {
            "choose the folder of a recount ledger with --store".to_owned()
        }
        StoreError::Newer { .. } => "use the newer recount that wrote it".to_owned(),
        StoreError::Damaged { .. } => {
            "nothing was changed; copy the folder, then run `recount-collector verify` on the copy"
                .to_owned()
        }
        StoreError::Behind { .. } => {
            "an older copy of the database was put here: restore the newer one; if there is none, go on under a new name \
             with: recount-collector recover --store DIR --reason TEXT"
                .to_owned()
        }
        StoreError::Recovering { dir } => format!(
            "finish it with: recount-collector recover --store {} --reason TEXT",
            dir.display()
        ),
        StoreError::NothingToRecover { .. } => "start the collector".to_owned(),
        StoreError::NoSpace { .. } => {
            "free some space and start again; nothing acknowledged is lost".to_owned()
        }
        _ => String::new(),
    }
}

fn read_code(error: &ReadError) -> u8 {
    match error {
        ReadError::NotAllowed { .. } => exit::NOT_ALLOWED,
        ReadError::Foreign { .. } | ReadError::Damaged { .. } => exit::NOT_INTACT,
        ReadError::Missing { .. } | ReadError::Unavailable { .. } | ReadError::Newer { .. } => {
            exit::UNAVAILABLE
        }
    }
}

fn read_hint(error: &ReadError) -> String {
    match error {
        ReadError::Missing { .. } => {
            "name the store with --store, or create one with init".to_owned()
        }
        ReadError::NotAllowed { .. } => "run it as the user that owns the store".to_owned(),
        ReadError::Unavailable { .. } => {
            "stop the collector that uses it, or ask it through its reader door".into()
        }
        ReadError::Newer { .. } => "use the newer recount that wrote it".to_owned(),
        ReadError::Foreign { .. } => {
            "choose the folder of a recount ledger with --store".to_owned()
        }
        ReadError::Damaged { .. } => {
            "copy the folder before anything else is done to it".to_owned()
        }
    }
}
