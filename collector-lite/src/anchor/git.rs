//! A branch of a repository: one commit per checkpoint, pushed, never forced over what is there.
//!
//! The `git` program does the work, in a repository of its own beside the ledger. It sees neither the environment nor
//! the configuration of whoever started the collector, runs no hooks, and asks nobody for passwords.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{Anchor, Failed, Given, Submission, compare};

/// One branch of one repository.
#[derive(Debug)]
pub(crate) struct Git {
    /// The repository beside the ledger.
    folder: PathBuf,
    remote: String,
    branch: String,
    timeout: Duration,
}

/// What a run of `git` said.
struct Said {
    ok: bool,
    stdout: Vec<u8>,
    stderr: String,
}

impl Git {
    pub(crate) fn new(
        store: &Path,
        holder: &str,
        remote: &str,
        branch: &str,
        timeout: Duration,
    ) -> Self {
        let digest = Sha256::digest(holder);
        let name: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            folder: store.join("anchors").join(format!("git-{name}")),
            remote: remote.to_owned(),
            branch: branch.to_owned(),
            timeout,
        }
    }

    /// Runs `git` in the repository, with nothing of the caller's environment but where programs and SSH keys are.
    fn git(&self, args: &[&str], input: &[u8], now_s: u64) -> Result<Said, Failed> {
        let mut command = Command::new("git");
        command.env_clear();
        for name in ["PATH", "HOME", "SSH_AUTH_SOCK", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let date = format!("{now_s} +0000");
        command
            .env("GIT_DIR", &self.folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("SSH_ASKPASS", "true")
            .env(
                "GIT_SSH_COMMAND",
                "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes",
            )
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .env("GIT_AUTHOR_NAME", "recount-collector")
            .env("GIT_AUTHOR_EMAIL", "recount-collector@localhost")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_NAME", "recount-collector")
            .env("GIT_COMMITTER_EMAIL", "recount-collector@localhost")
            .env("GIT_COMMITTER_DATE", &date)
            .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
            .args([
                "-c",
                "core.fsmonitor=false",
                "-c",
                "protocol.ext.allow=never",
            ])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run(&mut command, input, self.timeout)
    }

    fn must(&self, args: &[&str], input: &[u8], now_s: u64) -> Result<String, Failed> {
        let said = self.git(args, input, now_s)?;
        if said.ok {
            return Ok(String::from_utf8_lossy(&said.stdout).trim_end().to_owned());
        }
        let what = args.first().copied().unwrap_or_default();
        Err(Failed::Later(format!("git {what}: {}", said.stderr)))
    }

    fn prepare(&self, now_s: u64) -> Result<(), Failed> {
        if self.folder.join("HEAD").exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(Failed::later)?;
        self.must(&["init", "--quiet", "--bare"], b"", now_s)?;
        Ok(())
    }

    /// The commit that holds this note, after `parent`.
    fn commit(
        &self,
        note: &[u8],
        size: u64,
        parent: Option<&str>,
        now_s: u64,
    ) -> Result<String, Failed> {
        let blob = self.must(&["hash-object", "-w", "--stdin"], note, now_s)?;
        let tree = self.must(
            &["mktree"],
            format!("100644 blob {blob}\tcheckpoint\n").as_bytes(),
            now_s,
        )?;
        let message = format!("checkpoint of {size} leaves\n");
        let mut args = vec!["commit-tree", tree.as_str()];
        if let Some(parent) = parent {
            args.extend(["-p", parent]);
        }
        let commit = self.must(&args, message.as_bytes(), now_s)?;
        self.must(&["update-ref", "refs/heads/sent", &commit], b"", now_s)?;
        Ok(commit)
    }

    /// Pushes, on condition that the branch is still at `expected`.
    fn push(&self, commit: &str, expected: Option<&str>, now_s: u64) -> Result<Said, Failed> {
        let branch = format!("refs/heads/{}", self.branch);
        let lease = format!(
            "--force-with-lease={branch}:{}",
            expected.unwrap_or_default()
        );
        let refspec = format!("{commit}:{branch}");
        self.git(
            &[
                "push",
                "--quiet",
                "--porcelain",
                "--no-verify",
                &lease,
                "--",
                &self.remote,
                &refspec,
            ],
            b"",
            now_s,
        )
    }

    /// Where the remote's branch is; `None` if there is no such branch.
    fn tip(&self, now_s: u64) -> Result<Option<String>, Failed> {
        let branch = format!("refs/heads/{}", self.branch);
        let said = self.must(&["ls-remote", "--", &self.remote, &branch], b"", now_s)?;
        Ok(said.split_whitespace().next().map(str::to_owned))
    }

    /// The checkpoint at the remote's tip.
    fn fetch(&self, now_s: u64) -> Result<Vec<u8>, Failed> {
        let refspec = format!("+refs/heads/{}:refs/heads/theirs", self.branch);
        self.must(
            &[
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--",
                &self.remote,
                &refspec,
            ],
            b"",
            now_s,
        )?;
        let said = self.git(
            &["cat-file", "blob", "refs/heads/theirs:checkpoint"],
            b"",
            now_s,
        )?;
        if said.ok {
            Ok(said.stdout)
        } else {
            Err(Failed::Wrong(format!(
                "branch {} of {} holds no file `checkpoint`: somebody else uses it",
                self.branch, self.remote
            )))
        }
    }
}

impl Anchor for Git {
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed> {
        let now_s = submission.now_ns / 1_000_000_000;
        let size = submission.checkpoint.head.size;
        self.prepare(now_s)?;
        let mut parent = submission.before.map(|taken| taken.handle.clone());
        let mut remark = None;
        // A commit that another store's repository made is not here; then the remote has to be asked first.
        let known = |commit: &String| {
            self.git(&["cat-file", "-e", commit], b"", now_s)
                .is_ok_and(|said| said.ok)
        };
        let found = self.tip(now_s)?;
        if found != parent || !parent.as_ref().is_none_or(known) {
            match &found {
                Some(tip) => {
                    // An answer that was lost, a restored store, another writer: what is there decides.
                    let head = compare(submission, &self.fetch(now_s)?)?;
                    if parent.is_some()
                        && Some(head.size) < submission.before.map(|taken| taken.size)
                    {
                        remark = Some(format!(
                            "branch {} was set back to {} leaves",
                            self.branch, head.size
                        ));
                    }
                    if head == submission.checkpoint.head {
                        return Ok(given(tip, remark));
                    }
                    if remark.is_none() || !parent.as_ref().is_some_and(known) {
                        parent = Some(tip.clone());
                    }
                }
                None if parent.as_ref().is_some_and(known) => {
                    remark = Some(format!(
                        "branch {} was removed; all of it is pushed again",
                        self.branch
                    ));
                }
                None => parent = None,
            }
        }
        let commit = self.commit(submission.note, size, parent.as_deref(), now_s)?;
        let said = self.push(&commit, found.as_deref(), now_s)?;
        if said.ok {
            return Ok(given(&commit, remark));
        }
        if self.tip(now_s)? == found {
            return Err(Failed::Later(format!("git push: {}", said.stderr)));
        }
        // Not a fast-forward: whoever was faster left a checkpoint, and it has to be of this history.
        compare(submission, &self.fetch(now_s)?)?;
        Err(Failed::Later(
            "somebody else pushed at the same moment".to_owned(),
        ))
    }
}

fn given(commit: &str, remark: Option<String>) -> Given {
    Given {
        receipt: format!("commit {commit}\n").into_bytes(),
        handle: commit.to_owned(),
        remark,
        ..Given::default()
    }
}

/// Runs a program with an input and a time limit.
fn run(command: &mut Command, input: &[u8], timeout: Duration) -> Result<Said, Failed> {
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failed::Wrong("the program `git` is not installed".to_owned())
        }
        _ => Failed::Later(format!("cannot start git: {error}")),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A few hundred bytes fit into the pipe; a program that does not read them says why on stderr.
        let _ = stdin.write_all(input);
    }
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let until = Instant::now() + timeout;
    let status = loop {
        match child.try_wait().map_err(Failed::later)? {
            Some(status) => break status,
            None if Instant::now() >= until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failed::Later(format!(
                    "git took longer than {} s",
                    timeout.as_secs()
                )));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let stderr = stderr.join().unwrap_or_default();
    let text = String::from_utf8_lossy(&stderr);
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    Ok(Said {
        ok: status.success(),
        stdout: stdout.join().unwrap_or_default(),
        stderr: plain.trim().to_owned(),
    })
}

/// Reads a pipe on a thread of its own, so that a talkative program is never blocked; 1 MiB is kept.
fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(1 << 20).read_to_end(&mut bytes);
        }
        bytes
    })
}
