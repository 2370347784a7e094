//! Which anchors there are: what the settings say of each, and the identity by which it is pinned.

use std::path::PathBuf;

use ledger::cosignature::WitnessKey;
use serde::{Deserialize, Serialize};

/// One anchor or witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Seconds between two checkpoints.
    pub(crate) every_s: u64,
    /// Seconds that one attempt may take.
    pub(crate) timeout_s: u64,
    /// Asked a minute after a session ended, too.
    pub(crate) on_close: bool,
    /// What and where it is.
    pub(crate) place: Place,
}

/// What and where an anchor is. Nothing here is secret: secrets are named by the file they are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Place {
    /// A file elsewhere.
    File { path: PathBuf },
    /// A branch of a repository.
    Git { remote: String, branch: String },
    /// A bucket with Object Lock.
    S3(Bucket),
    /// A time-stamping authority.
    Rfc3161 { url: String, ca: Option<PathBuf> },
    /// A witness.
    Witness {
        url: String,
        vkey: String,
        ca: Option<PathBuf>,
    },
}

/// A bucket with Object Lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// `https://s3.example.org`, without a path.
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    /// Before each key; ends in a slash.
    pub(crate) prefix: String,
    pub(crate) region: String,
    /// `COMPLIANCE` or `GOVERNANCE`.
    pub(crate) mode: String,
    /// Days that each checkpoint is locked.
    pub(crate) days: u32,
    /// File with the access key on its first line and the secret on its second.
    pub(crate) credentials: PathBuf,
    pub(crate) ca: Option<PathBuf>,
}

impl Spec {
    /// The kind byte of its receipts.
    pub(crate) fn kind(&self) -> u8 {
        match self.place {
            Place::File { .. } => 1,
            Place::Git { .. } => 2,
            Place::S3(_) => 3,
            Place::Witness { .. } => 4,
            Place::Rfc3161 { .. } => 5,
        }
    }

    /// What its kind is called.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.place {
            Place::File { .. } => "file",
            Place::Git { .. } => "git",
            Place::S3(_) => "s3",
            Place::Witness { .. } => "witness",
            Place::Rfc3161 { .. } => "rfc3161",
        }
    }

    /// By what it is pinned: the holder of its receipts (`docs/ledger-format.md` §6).
    pub(crate) fn holder(&self) -> String {
        match &self.place {
            Place::File { path } => format!("file:{}", path.display()),
            Place::Git { remote, branch } => format!("git:{remote} {branch}"),
            Place::S3(bucket) => {
                format!("s3:{}/{}/{}", bucket.endpoint, bucket.bucket, bucket.prefix)
            }
            // A witness is its key, wherever it listens.
            Place::Witness { vkey, .. } => vkey.clone(),
            Place::Rfc3161 { url, .. } => format!("rfc3161:{url}"),
        }
    }
}

/// Seconds between two checkpoints where nobody says otherwise.
const EVERY: [(&str, u64); 5] = [
    ("witness", 60),
    ("file", 300),
    ("git", 300),
    ("s3", 300),
    ("rfc3161", 3600),
];

fn every(kind: &str) -> u64 {
    EVERY
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(300, |(_, every)| *every)
}

/// A `[[witness]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessTable {
    url: String,
    vkey: String,
    every: Option<u64>,
    timeout: Option<u64>,
    ca: Option<PathBuf>,
}

/// An `[[anchor]]` table as it is written, without its `kind`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    path: PathBuf,
    every: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GitTable {
    remote: String,
    branch: Option<String>,
    every: Option<u64>,
    timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Table {
    endpoint: String,
    bucket: String,
    prefix: Option<String>,
    region: Option<String>,
    mode: Option<String>,
    days: u32,
    credentials: PathBuf,
    ca: Option<PathBuf>,
    every: Option<u64>,
    timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rfc3161Table {
    url: String,
    ca: Option<PathBuf>,
    on_close: Option<bool>,
    every: Option<u64>,
    timeout: Option<u64>,
}

fn table<T: serde::de::DeserializeOwned>(value: toml::Value) -> Result<T, String> {
    value
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// Reads one `[[witness]]` table.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn witness(value: toml::Value) -> Result<Spec, String> {
    let table: WitnessTable = table(value)?;
    let key = WitnessKey::parse(&table.vkey).map_err(|error| format!("vkey: {error}"))?;
    checked(Spec {
        every_s: table.every.unwrap_or_else(|| every("witness")),
        timeout_s: table.timeout.unwrap_or(10),
        on_close: false,
        place: Place::Witness {
            url: http_url(&table.url)?,
            vkey: key.to_string(),
            ca: table.ca,
        },
    })
}

/// Reads one `[[anchor]]` table.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn anchor(value: toml::Value) -> Result<Spec, String> {
    let toml::Value::Table(mut fields) = value else {
        return Err("it is not a table".to_owned());
    };
    let Some(toml::Value::String(kind)) = fields.remove("kind") else {
        return Err("it has no `kind`: file, git, s3 or rfc3161".to_owned());
    };
    let value = toml::Value::Table(fields);
    let (place, given, timeout, on_close) = match kind.as_str() {
        "file" => {
            let table: FileTable = table(value)?;
            if !table.path.is_absolute() {
                return Err(format!("path {} is not absolute", table.path.display()));
            }
            (Place::File { path: table.path }, table.every, None, false)
        }
        "git" => {
            let table: GitTable = table(value)?;
            let place = Place::Git {
                remote: git_remote(&table.remote)?,
                branch: git_branch(table.branch.as_deref().unwrap_or("recount"))?,
            };
            (place, table.every, table.timeout, false)
        }
        "s3" => {
            let table: S3Table = table(value)?;
            let (every, timeout) = (table.every, table.timeout);
            (Place::S3(bucket(table)?), every, timeout, false)
        }
        "rfc3161" => {
            let table: Rfc3161Table = table(value)?;
            let place = Place::Rfc3161 {
                url: http_url(&table.url)?,
                ca: table.ca,
            };
            (
                place,
                table.every,
                table.timeout,
                table.on_close.unwrap_or(true),
            )
        }
        other => return Err(format!("kind {other:?} is none of file, git, s3, rfc3161")),
    };
    checked(Spec {
        every_s: given.unwrap_or_else(|| every(&kind)),
        timeout_s: timeout.unwrap_or(30),
        on_close,
        place,
    })
}

fn bucket(table: S3Table) -> Result<Bucket, String> {
    let mode = table.mode.unwrap_or_else(|| "COMPLIANCE".to_owned());
    if !matches!(mode.as_str(), "COMPLIANCE" | "GOVERNANCE") {
        return Err(format!(
            "mode {mode:?} is neither COMPLIANCE nor GOVERNANCE"
        ));
    }
    if table.days == 0 {
        return Err("days = 0 locks nothing".to_owned());
    }
    let endpoint = http_url(&table.endpoint)?;
    if endpoint
        .splitn(4, '/')
        .nth(3)
        .is_some_and(|path| !path.is_empty())
    {
        return Err(format!("endpoint {endpoint:?} has a path"));
    }
    let mut prefix = table.prefix.unwrap_or_else(|| "recount/".to_owned());
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    Ok(Bucket {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        bucket: table.bucket,
        prefix,
        region: table.region.unwrap_or_else(|| "us-east-1".to_owned()),
        mode,
        days: table.days,
        credentials: table.credentials,
        ca: table.ca,
    })
}

fn checked(spec: Spec) -> Result<Spec, String> {
    if spec.every_s == 0 || spec.timeout_s == 0 {
        return Err("every and timeout are seconds, at least 1".to_owned());
    }
    if spec.holder().len() > 0xffff {
        return Err("its name is longer than 65,535 bytes".to_owned());
    }
    Ok(spec)
}

fn http_url(url: &str) -> Result<String, String> {
    let http = url.starts_with("http://") || url.starts_with("https://");
    let plain = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    if http && plain && !url.contains('@') {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(format!(
        "{url:?} is not an http or https URL without user and password"
    ))
}

/// A remote that `git` cannot take for an option or a command of its own.
fn git_remote(remote: &str) -> Result<String, String> {
    let hostile = remote.is_empty()
        || remote.starts_with('-')
        || remote.contains("::")
        || remote.chars().any(char::is_control)
        || remote.contains(char::is_whitespace);
    if hostile {
        return Err(format!(
            "remote {remote:?} is not the address of a repository"
        ));
    }
    Ok(remote.to_owned())
}

fn git_branch(branch: &str) -> Result<String, String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    let plain = branch.chars().all(letters)
        && branch.starts_with(|c: char| c.is_ascii_alphanumeric())
        && branch.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !branch.contains("..")
        && !branch.contains("//")
        && !branch.ends_with(".lock");
    if plain {
        Ok(branch.to_owned())
    } else {
        Err(format!("branch {branch:?} is not a plain name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Spec, String> {
        anchor(toml::Value::Table(text.parse().unwrap()))
    }

    #[test]
    fn each_kind_has_its_pace_and_its_holder() {
        let file = read("kind = 'file'\npath = '/mnt/usb/checkpoints'").unwrap();
        assert_eq!(
            (file.every_s, file.holder().as_str()),
            (300, "file:/mnt/usb/checkpoints")
        );
        let git = read("kind = 'git'\nremote = 'git@example.test:c.git'").unwrap();
        assert_eq!(git.holder(), "git:git@example.test:c.git recount");
        let s3 = read(
            "kind = 's3'\nendpoint = 'http://127.0.0.1:9/'\nbucket = 'b'\ndays = 3\ncredentials = '/c'",
        );
        assert_eq!(s3.unwrap().holder(), "s3:http://127.0.0.1:9/b/recount/");
        let tsa = read("kind = 'rfc3161'\nurl = 'http://tsa.example.test/'\nevery = 60").unwrap();
        assert_eq!((tsa.every_s, tsa.on_close), (60, true));
    }

    #[test]
    fn what_cannot_be_an_anchor_is_refused_with_the_reason() {
        for (text, why) in [
            ("path = '/x'", "no `kind`"),
            ("kind = 'tape'", "tape"),
            ("kind = 'file'\npath = 'x'", "not absolute"),
            ("kind = 'file'\npath = '/x'\npth = 1", "pth"),
            (
                "kind = 'git'\nremote = '--upload-pack=evil'",
                "not the address",
            ),
            (
                "kind = 'git'\nremote = 'ext::sh -c evil'",
                "not the address",
            ),
            ("kind = 'git'\nremote = '/r'\nbranch = '../x'", "plain name"),
            (
                "kind = 'rfc3161'\nurl = 'file:///etc/passwd'",
                "not an http",
            ),
            ("kind = 'rfc3161'\nurl = 'http://u:p@x'", "without user"),
            (
                "kind = 'rfc3161'\nurl = 'http://x'\nevery = 0",
                "at least 1",
            ),
            (
                "kind = 's3'\nendpoint = 'http://x/y'\nbucket = 'b'\ndays = 3\ncredentials = '/c'",
                "has a path",
            ),
            (
                "kind = 's3'\nendpoint = 'http://x'\nbucket = 'b'\ndays = 0\ncredentials = '/c'",
                "locks nothing",
            ),
            (
                "kind = 's3'\nendpoint = 'http://x'\nbucket = 'b'\ndays = 1\nmode = 'NONE'\ncredentials = '/c'",
                "neither",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
