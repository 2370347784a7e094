//! `producers.jsonl` in the store: one enrolment per line, readable by its owner alone, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use super::entry::{CertificateKey, Enrolment, Name, TokenHash, bytes32, hex};
use super::roll::{MOST, Roll};

/// Its name in the store.
const FILE: &str = "producers.jsonl";

/// Longest file: a line is less than a kibibyte.
const MAX_FILE: u64 = 1024 * MOST as u64;

/// Why the enrolments cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Others could enrol themselves, or learn who is enrolled.
    #[error("{} may be used by others than its owner: its mode is {mode:o}", path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("{}: line {line}: {why}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{}: {why}", path.display())]
    Whole { path: PathBuf, why: String },
}

/// One line as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    enrolled_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default)]
    recorder: bool,
}

impl Line {
    fn of(one: &Enrolment) -> Self {
        Self {
            name: one.name.to_string(),
            enrolled_at: one.enrolled.to_string(),
            revoked_at: one.revoked.map(|at| at.to_string()),
            token_sha256: one.token.map(|token| hex(&token.0)),
            certificates: one.certificates.iter().map(|key| hex(&key.0)).collect(),
            uid: one.uid,
            key: one.key.map(|key| hex(&key)),
            recorder: one.recorder,
        }
    }

    fn parse(self) -> Result<Enrolment, String> {
        let time = |text: &str| {
            Timestamp::from_str(text)
                .map_err(|_| format!("{text:?} is not a time like 2026-01-31T12:00:00Z"))
        };
        let digest =
            |text: &String, wanted| bytes32(text, wanted).map_err(|error| error.to_string());
        let token = self.token_sha256.as_ref();
        let token = token.map(|text| digest(text, "a SHA-256 in 64 hexadecimal digits"));
        let key = self.key.as_ref();
        let key = key.map(|text| digest(text, "an Ed25519 public key in 64 hexadecimal digits"));
        let certificates: Result<Vec<_>, _> = self
            .certificates
            .iter()
            .map(|text| digest(text, "the SHA-256 of a public key in 64 hexadecimal digits"))
            .collect();
        if token.is_none() && self.uid.is_none() && self.certificates.is_empty() {
            return Err(format!(
                "{:?} has neither token_sha256 nor uid nor certificates",
                self.name
            ));
        }
        Ok(Enrolment {
            name: Name::parse(&self.name).map_err(|error| error.to_string())?,
            enrolled: time(&self.enrolled_at)?,
            revoked: self.revoked_at.as_deref().map(time).transpose()?,
            token: token.transpose()?.map(TokenHash),
            certificates: certificates?.into_iter().map(CertificateKey).collect(),
            uid: self.uid,
            key: key.transpose()?,
            recorder: self.recorder,
        })
    }
}

/// Where the enrolments of a store are.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join(FILE)
}

/// What tells one state of the file from another; `None` if there is none.
pub(crate) type Stamp = Option<(u64, u64, i64, i64)>;

/// The file's state now.
pub(crate) fn stamp(path: &Path) -> io::Result<Stamp> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some((
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the enrolments of a store; none if there is no file.
///
/// # Errors
/// It cannot be read, others may read or write it, or it does not say what it should.
pub(crate) fn read(store: &Path) -> Result<Roll, FileError> {
    let path = path(store);
    let failed = |doing| {
        let path = path.clone();
        move |source| FileError::Io {
            doing,
            path,
            source,
        }
    };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Roll::default()),
        other => other.map_err(failed("open"))?,
    };
    let mode = file
        .metadata()
        .map_err(failed("look at"))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Open { path, mode });
    }
    let mut text = String::new();
    let read = (&file).take(MAX_FILE).read_to_string(&mut text);
    read.map_err(failed("read"))?;
    parse(&text, &path)
}

fn parse(text: &str, path: &Path) -> Result<Roll, FileError> {
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let parsed = serde_json::from_str::<Line>(line)
            .map_err(|error| error.to_string())
            .and_then(Line::parse);
        all.push(parsed.map_err(|why| FileError::Line {
            path: path.to_path_buf(),
            line: number + 1,
            why,
        })?);
    }
    Roll::of(all).map_err(|error| FileError::Whole {
        path: path.to_path_buf(),
        why: error.to_string(),
    })
}

/// Reads a file's text; what is enrolled in it is written as lines that are read and written as the same.
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, reason = "a fuzz target fails by panicking")]
pub(crate) fn read_and_write(text: &str) {
    let path = Path::new("fed");
    let Ok(roll) = parse(text, path) else { return };
    let lines = |roll: &Roll| -> String {
        let lines = roll.all().iter();
        let lines = lines.map(|one| serde_json::to_string(&Line::of(one)).unwrap() + "\n");
        lines.collect()
    };
    let written = lines(&roll);
    assert_eq!(lines(&parse(&written, path).unwrap()), written);
}

/// Reads, changes and writes the enrolments while nobody else does.
///
/// # Errors
/// As [`read`]; what `change` refuses; the file cannot be written.
pub(crate) fn change<T, E: From<FileError>>(
    store: &Path,
    change: impl FnOnce(&mut Roll) -> Result<T, E>,
) -> Result<T, E> {
    let failed = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |source| FileError::Io {
            doing,
            path,
            source,
        }
    };
    // The folder itself is what two changes wait for; the lock goes with the handle.
    let folder = File::open(store).map_err(failed("open", store))?;
    folder.lock().map_err(failed("lock", store))?;
    let mut roll = read(store)?;
    let made = change(&mut roll)?;
    let mut text = String::new();
    for one in roll.all() {
        let line = serde_json::to_string(&Line::of(one)).map_err(|error| FileError::Whole {
            path: path(store),
            why: error.to_string(),
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    let path = path(store);
    write(&path, &folder, text.as_bytes()).map_err(failed("write", &path))?;
    Ok(made)
}

/// New content under the name, in one step that a power cut cannot split. It belongs to whom the store belongs to, also
/// where root enrols.
fn write(path: &Path, folder: &File, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    let (owner, own) = (folder.metadata()?, file.metadata()?);
    if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) && own.uid() != owner.uid() {
        chown(&beside, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    folder.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        parse(text, Path::new("p")).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_read_back_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Roll::default());
        let enrolment = Enrolment {
            name: Name::parse("billing").unwrap(),
            enrolled: Timestamp::from_str("2026-01-31T12:00:00Z").unwrap(),
            revoked: None,
            token: Some(TokenHash([1; 32])),
            certificates: vec![CertificateKey([3; 32]), CertificateKey([4; 32])],
            uid: Some(7),
            key: Some([2; 32]),
            recorder: true,
        };
        let added = enrolment.clone();
        change(dir.path(), |roll| {
            roll.add(added).unwrap();
            Ok::<_, FileError>(())
        })
        .unwrap();
        let read_back = read(dir.path()).unwrap();
        assert_eq!(*read_back.all()[0], enrolment);
        let path = path(dir.path());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("its mode is 640"), "{error}");
    }

    #[test]
    fn what_a_line_gets_wrong_is_named_with_its_value() {
        let good = r#"{"name":"a","enrolled_at":"2026-01-31T12:00:00Z","uid":7}"#;
        assert_eq!(parse(good, Path::new("p")).unwrap().all().len(), 1);
        let at_line = |line: &str| {
            said(&format!(
                "{}\n{line}\n",
                good.replace("\"a\"", "\"z\"").replace('7', "8")
            ))
        };
        for (line, words) in [
            (
                good.replace("\"a\"", "\"a b\""),
                "\"a b\" is not a producer's name",
            ),
            (
                good.replace("2026-01-31T12:00:00Z", "today"),
                "\"today\" is not a time",
            ),
            (
                good.replace("\"uid\":7", "\"token_sha256\":\"12\""),
                "\"12\" is not a SHA-256",
            ),
            (
                good.replace("\"uid\":7", "\"key\":\"12\",\"uid\":7"),
                "\"12\" is not an Ed25519",
            ),
            (
                good.replace("\"uid\":7", "\"certificates\":[\"12\"]"),
                "\"12\" is not the SHA-256 of a public key",
            ),
            (
                good.replace(",\"uid\":7", ""),
                "\"a\" has neither token_sha256 nor uid nor certificates",
            ),
            (good.replace("uid", "uids"), "unknown field `uids`"),
        ] {
            let error = at_line(&line);
            assert!(
                error.starts_with("p: line 2: ") && error.contains(words),
                "{error}"
            );
        }
        let twice = said(&format!("{good}\n{good}\n"));
        assert!(twice.contains("a is enrolled since 2026-01-31"), "{twice}");
    }
}
