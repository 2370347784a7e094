//! A file elsewhere: another disk, a share, a stick. Each checkpoint is appended, followed by an empty line.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Anchor, Failed, Given, Submission, compare};

/// More than a checkpoint with an empty line behind it has.
const TAIL: u64 = 8192;

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
}

impl File {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }
}

impl Anchor for File {
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed> {
        let failed = |doing: &str, error: std::io::Error| {
            Failed::Later(format!("cannot {doing} {}: {error}", self.path.display()))
        };
        let missing = !self.path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o644)
            .open(&self.path)
            .map_err(|error| failed("open", error))?;
        let length = file
            .metadata()
            .map_err(|error| failed("look at", error))?
            .len();
        let mut tail = vec![0; usize::try_from(length.min(TAIL)).unwrap_or(0)];
        file.read_exact_at(&mut tail, length.saturating_sub(TAIL))
            .map_err(|error| failed("read", error))?;
        let last = last_note(&tail);
        let mut same = false;
        if let Some(note) = last {
            let head = compare(submission, note)?;
            same = head == submission.checkpoint.head;
        } else if length > 0 {
            return Err(Failed::Wrong(format!(
                "{} does not end in a checkpoint",
                self.path.display()
            )));
        }
        // A checkpoint whose receipt was lost is there already.
        let at = if same { length - tail_of(last) } else { length };
        if !same {
            let text = [submission.note, b"\n"].concat();
            file.write_all(&text)
                .map_err(|error| failed("write", error))?;
        }
        file.sync_all().map_err(|error| failed("sync", error))?;
        if missing {
            let folder = self.path.parent().unwrap_or(Path::new("/"));
            let folder = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
            folder.map_err(|error| failed("sync the folder of", error))?;
        }
        Ok(Given {
            receipt: format!("offset {at}\n").into_bytes(),
            handle: at.to_string(),
            remark: removed(submission, at, same).then(|| {
                format!(
                    "{} was taken away or cut short since the last checkpoint",
                    self.path.display()
                )
            }),
            ..Given::default()
        })
    }
}

/// Whether what was written last is no longer before what is written now.
fn removed(submission: &Submission<'_>, at: u64, same: bool) -> bool {
    let before = submission
        .before
        .and_then(|taken| taken.handle.parse::<u64>().ok());
    before.is_some_and(|before| if same { before > at } else { before >= at })
}

fn tail_of(note: Option<&[u8]>) -> u64 {
    note.map_or(0, |note| note.len() as u64 + 1)
}

/// The last checkpoint in the file's end: its text, an empty line, its signature lines, an empty line.
fn last_note(tail: &[u8]) -> Option<&[u8]> {
    let text = tail.strip_suffix(b"\n\n")?;
    let mut empty = text
        .windows(2)
        .enumerate()
        .rev()
        .filter(|(_, two)| two == b"\n\n")
        .map(|(at, _)| at + 2);
    let _signatures = empty.next()?;
    let begin = empty.next().unwrap_or(0);
    tail.get(begin..tail.len() - 1)
}
