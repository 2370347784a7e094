//! The case log on disk: appended to, one synced line at a time; never inside a ledger's folder.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Note, Notes};
use crate::source::place::Environment;

/// Its name.
const FILE: &str = "notes.jsonl";

/// Where the notes are: `RECOUNT_NOTES`, else beside the pinned keys.
pub(crate) fn file_of(environment: &Environment) -> Option<PathBuf> {
    let named = environment.get("RECOUNT_NOTES").map(PathBuf::from);
    named.or_else(|| environment.state_folder().map(|folder| folder.join(FILE)))
}

/// A case log that may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct NotesFile {
    path: Option<PathBuf>,
}

impl NotesFile {
    pub(crate) fn new(path: Option<PathBuf>) -> NotesFile {
        NotesFile { path }
    }

    /// Reads all notes; none where there is no file.
    pub(crate) fn read(&self) -> io::Result<Notes> {
        let Some(path) = &self.path else {
            return Ok(Notes::default());
        };
        match std::fs::read(path) {
            Ok(bytes) => Ok(Notes::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Notes::default()),
            Err(error) => Err(named(path, &error)),
        }
    }

    /// Appends one note; back once it is on the disk.
    pub(crate) fn append(&self, note: &Note) -> io::Result<()> {
        let Some(path) = &self.path else {
            let why = "no place for notes: set RECOUNT_NOTES or HOME";
            return Err(io::Error::other(why));
        };
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut options = OpenOptions::new();
            let mut file = options.create(true).append(true).read(true).open(path)?;
            file.lock()?;
            // A line that a crash cut off must not swallow this one.
            let mut line = if ends_open(&mut file)? { "\n" } else { "" }.to_owned();
            line.push_str(&serde_json::to_string(note)?);
            line.push('\n');
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(|error| named(path, &error))
    }
}

/// Whether the last line has no end.
fn ends_open(file: &mut std::fs::File) -> io::Result<bool> {
    use std::io::{Seek as _, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
