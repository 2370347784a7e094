//! Where things lie when nobody says: the store, the reader socket, the configuration file.

use std::path::{Path, PathBuf};

/// What the store is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To create or append: the system's place counts only where this user may write.
    Write,
    /// To look.
    Read,
}

/// The store of the system's own collector.
const SYSTEM_STORE: &str = "/var/lib/recount";

fn absolute(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<PathBuf> {
    env(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// The default store: the system's if it is usable, else the user's data folder.
pub(super) fn default_store(env: &dyn Fn(&str) -> Option<String>, access: Access) -> PathBuf {
    let system = Path::new(SYSTEM_STORE);
    let usable = match access {
        Access::Write => writable(system),
        Access::Read => system.join("ledger.db").exists(),
    };
    if usable {
        return system.to_path_buf();
    }
    absolute(env, "XDG_DATA_HOME")
        .or_else(|| absolute(env, "HOME").map(|home| home.join(".local/share")))
        .unwrap_or_default()
        .join("recount")
}

/// Whether this process may create files in an existing folder, asked by creating one.
fn writable(dir: &Path) -> bool {
    let probe = dir.join(format!(".recount-probe-{}", std::process::id()));
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .is_ok();
    if made {
        let _ = std::fs::remove_file(&probe);
    }
    made
}

/// The default reader socket: in the user's runtime folder, else the system unit's.
pub(super) fn default_socket(env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    match absolute(env, "XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("recount/reader.sock"),
        None => PathBuf::from("/run/recount/reader.sock"),
    }
}

/// The configuration file: named, else the user's, else the system's, of those that exist.
pub(crate) fn config_file(
    named: Option<PathBuf>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<PathBuf> {
    let named = named.or_else(|| env("RECOUNT_COLLECTOR_CONFIG").map(PathBuf::from));
    if named.is_some() {
        return named;
    }
    let user = absolute(env, "XDG_CONFIG_HOME")
        .or_else(|| absolute(env, "HOME").map(|home| home.join(".config")));
    let user = user.map(|dir| dir.join("recount/collector.toml"));
    user.into_iter()
        .chain([PathBuf::from("/etc/recount/collector.toml")])
        .find(|path| path.exists())
}
