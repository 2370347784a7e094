//! Which ledger is looked at: the flags, the environment, the config file, then the usual places.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::args::Common;
use crate::failure::Failure;

/// The environment variables of this process, taken once at the edge.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Environment {
        Environment(std::env::vars_os().collect())
    }

    /// A made-up one, for tests.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
        Environment(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0
            .get(&OsString::from(name))
            .filter(|value| !value.is_empty())
    }

    /// A variable as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(|value| value.to_string_lossy().into_owned())
    }

    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let set = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        set.or_else(|| {
            self.get("HOME")
                .map(|home| Path::new(home).join(below_home))
        })
        .map(|folder| folder.join("recount"))
    }

    /// `$XDG_CONFIG_HOME/recount`.
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME", ".config")
    }

    /// `$XDG_STATE_HOME/recount`, where the pinned keys are.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_STATE_HOME", ".local/state")
    }

    /// `$XDG_DATA_HOME/recount`, where a user's own ledger is.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_DATA_HOME", ".local/share")
    }

    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let own = self
            .get("XDG_RUNTIME_DIR")
            .map(|folder| Path::new(folder).join("recount/reader.sock"));
        own.into_iter()
            .chain([PathBuf::from("/run/recount/reader.sock")])
            .collect()
    }
}

/// A ledger's folder or a collector's reader door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// An exported bundle.
    Bundle(PathBuf),
    /// A reader door on a Unix socket.
    Socket(PathBuf),
    /// A reader door on TCP: `host:port`, and the token to send.
    Tcp {
        /// `host:port`.
        address: String,
        /// Sent as a bearer token.
        token: Option<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) | Place::Bundle(path) => write!(f, "{}", path.display()),
            Place::Socket(path) => write!(f, "unix:{}", path.display()),
            Place::Tcp { address, .. } => write!(f, "http://{address}"),
        }
    }
}

impl Place {
    /// The flags that name this place again, for commands that are shown to the user.
    pub fn flags(&self) -> String {
        match self {
            Place::Folder(path) | Place::Bundle(path) => {
                format!("--store {}", quoted(&path.display().to_string()))
            }
            Place::Socket(path) => format!("--collector {}", quoted(&path.display().to_string())),
            Place::Tcp { address, .. } => format!("--collector http://{address}"),
        }
    }
}

/// A word as a shell would take it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,#".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('#') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A place and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The place.
    pub place: Place,
    /// Who named it: a flag, a variable, a file, or that it was found.
    pub because: String,
}

/// The config file's keys.
pub(crate) const CONFIG_KEYS: &[&str] = &["store", "collector"];

/// The config file's keys that this program reads.
#[derive(Debug, Default, serde::Deserialize)]
struct Config {
    store: Option<PathBuf>,
    collector: Option<String>,
}

/// Finds the ledger to look at, in the documented order. Touches the file system only to see what exists.
pub fn choose(common: &Common, environment: &Environment) -> Result<Chosen, Failure> {
    let token = environment.text("RECOUNT_TOKEN");
    let chosen = |place, because: &str| Chosen {
        place,
        because: because.to_owned(),
    };
    let absolute = |folder: PathBuf| std::path::absolute(&folder).unwrap_or(folder);
    if let Some(folder) = &common.store {
        let path = absolute(folder.clone());
        let place = if path.is_file() {
            Place::Bundle(path)
        } else {
            Place::Folder(path)
        };
        return Ok(chosen(place, "--store"));
    }
    if let Some(door) = &common.collector {
        return Ok(chosen(door_of(door, token)?, "--collector"));
    }
    if let Some(folder) = environment.get("RECOUNT_STORE") {
        return Ok(chosen(
            Place::Folder(absolute(folder.into())),
            "RECOUNT_STORE",
        ));
    }
    if let Some((place, file)) = configured(environment, token)? {
        return Ok(chosen(place, &file.display().to_string()));
    }
    for socket in environment.sockets() {
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            return Ok(chosen(Place::Socket(socket), "a collector is running"));
        }
    }
    let system = PathBuf::from("/var/lib/recount");
    if system.join("ledger.db").exists() {
        return Ok(chosen(Place::Folder(system), "the system's ledger"));
    }
    match environment.data_folder() {
        Some(folder) => Ok(chosen(Place::Folder(folder), "the user's data folder")),
        None => Err(Failure::Usage {
            what: "no store is named and HOME is not set".to_owned(),
            hint: "name one with --store DIR".to_owned(),
        }),
    }
}

fn configured(
    environment: &Environment,
    token: Option<String>,
) -> Result<Option<(Place, PathBuf)>, Failure> {
    let Some(file) = environment
        .config_folder()
        .map(|folder| folder.join("config.toml"))
    else {
        return Ok(None);
    };
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Ok(None);
    };
    let config: Config = toml::from_str(&text).map_err(|error| Failure::Usage {
        what: format!("{}: {}", file.display(), error.message()),
        hint: "correct it, or name the store with --store DIR".to_owned(),
    })?;
    let place = match (config.collector, config.store) {
        (Some(door), _) => Some(door_of(&door, token)?),
        (None, Some(folder)) => Some(Place::Folder(folder)),
        (None, None) => None,
    };
    Ok(place.map(|place| (place, file)))
}

fn door_of(text: &str, token: Option<String>) -> Result<Place, Failure> {
    let refused = |what: &str| Failure::Usage {
        what: format!("--collector {text}: {what}"),
        hint: "give a socket's path, unix:PATH or http://HOST:PORT".to_owned(),
    };
    if let Some(path) = text
        .strip_prefix("unix://")
        .or_else(|| text.strip_prefix("unix:"))
    {
        return Ok(Place::Socket(path.into()));
    }
    if text.starts_with("https://") {
        return Err(refused("a reader door over TLS is not supported"));
    }
    if let Some(rest) = text.strip_prefix("http://") {
        let address = rest.trim_end_matches('/');
        if address.is_empty() || address.contains('/') || address.contains('@') {
            return Err(refused("not a host and a port"));
        }
        let address = if has_port(address) {
            address.to_owned()
        } else {
            format!("{address}:80")
        };
        return Ok(Place::Tcp { address, token });
    }
    if text.contains("://") {
        return Err(refused("neither a socket nor an address"));
    }
    if text.contains('/') || std::path::Path::new(text).exists() {
        return Ok(Place::Socket(text.into()));
    }
    if has_port(text) {
        return Ok(Place::Tcp {
            address: text.to_owned(),
            token,
        });
    }
    Err(refused("neither a socket nor an address"))
}

fn has_port(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Common {
        Common::default()
    }

    #[test]
    fn a_flag_comes_before_the_environment() {
        let environment = Environment::of([("RECOUNT_STORE", "/env"), ("HOME", "/nowhere")]);
        let flagged = Common {
            store: Some("/flag".into()),
            ..common()
        };
        assert_eq!(
            choose(&flagged, &environment).unwrap().place,
            Place::Folder("/flag".into())
        );
        assert_eq!(
            choose(&common(), &environment).unwrap().place,
            Place::Folder("/env".into())
        );
    }

    #[test]
    fn the_config_file_comes_before_the_usual_places() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/recount");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), "store = \"/configured\"\n").unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let chosen = choose(&common(), &environment).unwrap();
        assert_eq!(chosen.place, Place::Folder("/configured".into()));
        assert!(chosen.because.ends_with("config.toml"));
    }

    #[test]
    fn a_running_collector_comes_before_the_data_folder() {
        let runtime = tempfile::tempdir().unwrap();
        std::fs::create_dir(runtime.path().join("recount")).unwrap();
        let socket = runtime.path().join("recount/reader.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let environment = Environment::of([
            ("HOME", "/nowhere"),
            ("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap()),
        ]);
        assert_eq!(
            choose(&common(), &environment).unwrap().place,
            Place::Socket(socket.clone())
        );
        drop(listener);
        assert_ne!(
            choose(&common(), &environment).unwrap().place,
            Place::Socket(socket)
        );
    }

    #[test]
    fn doors_are_sockets_or_addresses() {
        assert_eq!(
            door_of("/run/x.sock", None).unwrap(),
            Place::Socket("/run/x.sock".into())
        );
        assert_eq!(
            door_of("unix:x.sock", None).unwrap(),
            Place::Socket("x.sock".into())
        );
        let tcp = Place::Tcp {
            address: "127.0.0.1:4319".to_owned(),
            token: None,
        };
        assert_eq!(door_of("http://127.0.0.1:4319/", None).unwrap(), tcp);
        assert_eq!(door_of("127.0.0.1:4319", None).unwrap(), tcp);
        for wrong in [
            "https://a:1",
            "ftp://a:1",
            "collector",
            "http://",
            "http://u@h:1",
        ] {
            assert_eq!(
                door_of(wrong, None).unwrap_err().exit(),
                crate::failure::Exit::Usage,
                "{wrong}"
            );
        }
    }

    #[test]
    fn words_are_quoted_as_a_shell_needs() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
