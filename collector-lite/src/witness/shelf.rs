//! What a witness keeps in its folder: its key, the logs it knows, and the newest checkpoint of each.
//!
//! `keys/witness` (seed, mode 0600), `witness.pub` (verifier key), `logs` (one verifier key per line), `lock`, and
//! `checkpoints/<SHA-256 of the origin>`: the exact note that was cosigned last, the cosignature included.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::checkpoint::Checkpoint;
use ledger::cosignature::{Cosigner, WitnessKey};
use ledger::leaf::TreeHead;
use ledger::note::{Note, VerifierKey};
use sha2::{Digest, Sha256};

use super::judge::{self, Refusal};
use super::request::Request;

/// Longest file that is read back.
const MAX_FILE: u64 = 1 << 20;

/// Why a witness's folder is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShelfError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not what a witness wrote: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("another witness runs on {}", dir.display())]
    Locked { dir: PathBuf },
    #[error("{} already holds a witness", dir.display())]
    Exists { dir: PathBuf },
    #[error(
        "{name:?} cannot name a witness: it is empty or has spaces, control characters or a plus sign"
    )]
    Name { name: String },
}

fn io<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> ShelfError + 'a {
    move |source| ShelfError::Io {
        doing,
        path: path.to_path_buf(),
        source,
    }
}

/// What is accepted from logs that nobody named.
#[derive(Debug, Clone, Default)]
pub(crate) enum Newcomers {
    /// Nothing.
    #[default]
    Refused,
    /// The key that comes with the first request of an origin is kept from then on; of these origins only, or of any
    /// if there are none.
    Trusted(Vec<String>),
}

/// An answer to one request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Persisted; these lines say so.
    Cosigned(String),
    Refused(Refusal),
}

/// The folder of a running witness.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    signer: Cosigner,
    newcomers: Newcomers,
    /// One request at a time: what is held is compared and replaced in one step.
    logs: Mutex<Vec<VerifierKey>>,
    _lock: File,
}

/// Creates a witness. Never over another one.
pub(crate) fn create(dir: &Path, name: &str, seed: &[u8; 32]) -> Result<WitnessKey, ShelfError> {
    let signer = Cosigner::new(name, seed).map_err(|_| ShelfError::Name {
        name: name.to_owned(),
    })?;
    if dir.join("keys").exists() || dir.join("ledger.db").exists() {
        return Err(ShelfError::Exists {
            dir: dir.to_path_buf(),
        });
    }
    for path in [dir.to_path_buf(), dir.join("keys"), dir.join("checkpoints")] {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(io("create", &path))?;
    }
    let key = signer.key();
    write(&dir.join("keys").join("witness"), seed)?;
    write(&dir.join("logs"), b"")?;
    write(&dir.join("lock"), b"")?;
    // Last: a folder without it is not a witness.
    write(&dir.join("witness.pub"), format!("{key}\n").as_bytes())?;
    Ok(key)
}

/// The verifier key of the witness in this folder.
pub(crate) fn public(dir: &Path) -> Result<WitnessKey, ShelfError> {
    let path = dir.join("witness.pub");
    let text = read(&path)?;
    let text = String::from_utf8_lossy(&text);
    WitnessKey::parse(text.trim_end()).map_err(|error| ShelfError::Damaged {
        path,
        why: error.to_string(),
    })
}

/// Adds a log to those that are known.
pub(crate) fn trust(dir: &Path, key: &VerifierKey) -> Result<bool, ShelfError> {
    let path = dir.join("logs");
    if logs(&path)?.contains(key) {
        return Ok(false);
    }
    let mut text = read(&path)?;
    text.extend_from_slice(format!("{key}\n").as_bytes());
    write(&path, &text)?;
    Ok(true)
}

fn logs(path: &Path) -> Result<Vec<VerifierKey>, ShelfError> {
    let text = read(path)?;
    let damaged = |why: String| ShelfError::Damaged {
        path: path.to_path_buf(),
        why,
    };
    let text = String::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| VerifierKey::parse(line).map_err(|error| damaged(format!("{line}: {error}"))))
        .collect()
}

impl Shelf {
    /// Opens the folder for the one process that answers.
    pub(crate) fn open(dir: &Path, newcomers: Newcomers) -> Result<Self, ShelfError> {
        let public = public(dir)?;
        let path = dir.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ShelfError::Locked {
                    dir: dir.to_path_buf(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
        }
        let path = dir.join("keys").join("witness");
        let damaged = |why: &str| ShelfError::Damaged {
            path: path.clone(),
            why: why.to_owned(),
        };
        let seed: [u8; 32] = read(&path)?
            .try_into()
            .map_err(|_| damaged("it does not hold 32 bytes"))?;
        let signer =
            Cosigner::new(public.name(), &seed).map_err(|error| damaged(&error.to_string()))?;
        if signer.key() != public {
            return Err(damaged("it is not the key of witness.pub"));
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            signer,
            newcomers,
            logs: Mutex::new(logs(&dir.join("logs"))?),
            _lock: lock,
        })
    }

    /// How many logs are known.
    pub(crate) fn known(&self) -> usize {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Judges a request and, if it may be cosigned, persists its checkpoint before it returns the cosignature.
    /// `offered` is the key that the sender says is its own.
    ///
    /// # Errors
    /// The folder cannot be read or written; nothing was cosigned then.
    pub(crate) fn answer(
        &self,
        request: &Request<'_>,
        offered: Option<&VerifierKey>,
        now_s: u64,
    ) -> Result<Verdict, ShelfError> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let newcomer = offered.filter(|key| self.welcome(&logs, request, key));
        let verdict = match newcomer {
            Some(key) => judge::signed(request, std::slice::from_ref(key)),
            None => judge::signed(request, &logs),
        };
        if let Err(refusal) = verdict {
            return Ok(Verdict::Refused(refusal));
        }
        let origin = &request.checkpoint.origin;
        let held = self.held(origin)?;
        if let Err(refusal) = judge::extends(request, held.as_ref().map(|held| held.head)) {
            return Ok(Verdict::Refused(refusal));
        }
        if let Some(key) = newcomer {
            trust(&self.dir, key)?;
            logs.push(key.clone());
        }
        // A cosignature says "the largest seen until then": its time must not go back, whatever the clock does.
        let time = held.map_or(now_s, |held| held.time.max(now_s));
        let line = self.signer.cosign(request.note.text, time);
        let mut note = kept_note(request);
        note.push_str(&line);
        write(&self.path(origin), note.as_bytes())?;
        Ok(Verdict::Cosigned(line))
    }

    fn welcome(&self, logs: &[VerifierKey], request: &Request<'_>, key: &VerifierKey) -> bool {
        let origin = request.checkpoint.origin.as_str();
        let Newcomers::Trusted(origins) = &self.newcomers else {
            return false;
        };
        key.name() == origin
            && !logs.iter().any(|known| known.name() == origin)
            && (origins.is_empty() || origins.iter().any(|named| named == origin))
    }

    fn path(&self, origin: &str) -> PathBuf {
        let mut name = String::with_capacity(64);
        for byte in Sha256::digest(origin) {
            name.push_str(&format!("{byte:02x}"));
        }
        self.dir.join("checkpoints").join(name)
    }

    /// What was cosigned last of a log. A file that is not exactly what this witness wrote is an error, never "nothing":
    /// to forget is to cosign a fork.
    fn held(&self, origin: &str) -> Result<Option<Held>, ShelfError> {
        let path = self.path(origin);
        let bytes = match read(&path) {
            Err(ShelfError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        };
        let damaged = |why: String| ShelfError::Damaged {
            path: path.clone(),
            why,
        };
        let note = Note::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        let time = self.signer.key().cosigned(&note);
        let time = time
            .map_err(|error| damaged(error.to_string()))?
            .ok_or_else(|| damaged("this witness did not cosign it".to_owned()))?;
        let three: String = note.text.split_inclusive('\n').take(3).collect();
        let checkpoint = Checkpoint::parse(&three).map_err(|error| damaged(error.to_string()))?;
        if checkpoint.origin != origin {
            return Err(damaged(format!("it is of {}", checkpoint.origin)));
        }
        Ok(Some(Held {
            head: checkpoint.head,
            time,
        }))
    }
}

/// What is held of one log.
struct Held {
    head: TreeHead,
    /// When it was cosigned: Unix seconds.
    time: u64,
}

/// The note with the log's own signatures only: others' are nobody's business here, and may be very many.
fn kept_note(request: &Request<'_>) -> String {
    let mut note = format!("{}\n", request.note.text);
    let own = request
        .note
        .signatures
        .iter()
        .filter(|line| line.name == request.checkpoint.origin && line.signature.len() == 64);
    for line in own.take(16) {
        let signature = [&line.id[..], &line.signature].concat();
        note.push_str(&format!(
            "\u{2014} {} {}\n",
            line.name,
            STANDARD.encode(signature)
        ));
    }
    note
}

fn read(path: &Path) -> Result<Vec<u8>, ShelfError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(io("read", path))?;
    Ok(bytes)
}

/// New content under a name, in one step that a power cut cannot split.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ShelfError> {
    let beside = path.with_extension("tmp");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(io("write", &beside))?;
    fs::rename(&beside, path).map_err(io("replace", path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", folder))
}
