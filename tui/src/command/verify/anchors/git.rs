//! The checkpoints on a branch of a repository, fetched by the program `git` into a folder that is gone afterwards.
//!
//! Nothing is checked out and no hook runs. Git's own configuration of whoever asks counts, so that a repository that
//! they can fetch from by hand can be read here as well; it asks nobody for a password.

use std::fs::DirBuilder;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::unusable;
use crate::failure::Failure;

/// How long one run of `git` may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Most bytes that are read from it, and the commits that are looked at.
const LONGEST: u64 = 64 << 20;
const COMMITS: &str = "100000";

/// Every version of the file `checkpoint` on a branch, the newest first.
pub(super) fn checkpoints(repository: &str, branch: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let name = format!("git:{repository}#{branch}");
    let plain = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.contains("::");
    if !plain(repository) || !plain(branch) || branch.contains([':', '*', '^']) {
        return Err(unusable(&name, "it is no repository and branch"));
    }
    let failed = |what: String| Failure::Unavailable {
        place: name.clone(),
        what,
        hint: "check that `git ls-remote` reaches it, or give a file: `git show BRANCH:checkpoint`"
            .to_owned(),
    };
    let folder = Folder::new().map_err(|error| failed(error.to_string()))?;
    let git = |args: &[&str], input: &[u8]| run(&folder.0, args, input).map_err(&failed);
    // So that a path is one of where this was typed, and not of the folder that git works in.
    let local = std::fs::canonicalize(repository).ok();
    let repository = local
        .as_deref()
        .and_then(Path::to_str)
        .unwrap_or(repository);
    git(&["init", "--quiet", "--bare"], b"")?;
    let refspec = format!("+refs/heads/{branch}:refs/heads/theirs");
    let fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
    git(&[&fetch[..], &["--", repository, &refspec]].concat(), b"")?;
    let commits = git(&["rev-list", "--max-count", COMMITS, "theirs"], b"")?;
    let commits = String::from_utf8_lossy(&commits).into_owned();
    let wanted: String = commits
        .lines()
        .map(|it| format!("{it}:checkpoint\n"))
        .collect();
    Ok(blobs(&git(&["cat-file", "--batch"], wanted.as_bytes())?))
}

/// The contents in what `git cat-file --batch` prints: `<object> blob <size>`, the bytes, a newline; or that there is
/// none.
fn blobs(mut said: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = said.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.rsplit(' ');
        let size = words.next().and_then(|size| size.parse::<usize>().ok());
        let (Some(size), Some("blob")) = (size, words.next()) else {
            said = rest;
            continue;
        };
        let Some((blob, rest)) = rest.split_at_checked(size) else {
            break;
        };
        found.push(blob.to_vec());
        said = rest.get(1..).unwrap_or_default();
    }
    found
}

/// A folder for this one question.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let mut random = [0_u8; 8];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let name = format!("recount-anchor-{:016x}", u64::from_be_bytes(random));
        let dir = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `git` in a repository and gives what it printed.
fn run(folder: &Path, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new("git")
        .env("GIT_DIR", folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("SSH_ASKPASS", "true")
        .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
        .args(["-c", "fetch.fsckObjects=true"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no program git".to_owned(),
            _ => format!("git: {error}"),
        })?;
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let stdin = child.stdin.take();
    let input = input.to_vec();
    let written = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let ended = ended(&mut child);
    let _ = written.join();
    let (out, said) = (
        stdout.join().unwrap_or_default(),
        stderr.join().unwrap_or_default(),
    );
    let what = args.first().copied().unwrap_or_default();
    match ended {
        Some(true) => Ok(out),
        Some(false) => {
            let said = String::from_utf8_lossy(&said);
            let last = said.trim().lines().last().unwrap_or_default();
            Err(format!("git {what}: {last}"))
        }
        None => Err(format!(
            "git {what} took longer than {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// Whether it ended well; `None` after it was ended for taking too long.
fn ended(child: &mut Child) -> Option<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(LONGEST).read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_told_from_what_is_missing() {
        let said =
            b"aa blob 3\nx\ny\nbb:checkpoint missing\ncc tree 1\ncc blob 0\n\ndd blob 9\nshort";
        assert_eq!(blobs(said), [b"x\ny".to_vec(), Vec::new()]);
    }
}
