//! What the command writes: read on the way where that changes nothing, else said not to be.
//!
//! A pipe is replaced by one of ours and passed on as it comes; two streams into one pipe stay one, so that their order
//! does. A regular file is left to the command, and what it gained is read afterwards. A terminal is left alone.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use recount::Content;
use vocabulary::content::INLINE_BYTES;
use vocabulary::digest::Digest;
use vocabulary::record::ContentState;

/// So many bytes of a stream are kept; of more, digest and size.
const KEPT: usize = INLINE_BYTES;

/// How one stream is looked at.
enum Way {
    /// Read on the way, from our pipe to where it went.
    Pipe { from: io::PipeReader, to: File },
    /// Read afterwards, from where it stood.
    Afterwards { file: File, from: u64 },
    /// With the other stream.
    Shared,
    /// Not at all, and why.
    Not(String),
}

/// The two streams before the command runs.
pub(super) struct Outputs([(&'static str, Way); 2]);

impl Outputs {
    /// Gives the command the streams that it is to have.
    pub(super) fn attach(command: &mut Command, wanted: bool) -> Self {
        if !wanted {
            let not = || Way::Not("--no-output".to_owned());
            return Self([("stdout", not()), ("stderr", not())]);
        }
        let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let err = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let same = match (&out, &err) {
            (Ok(out), Ok(err)) => same_place(out, err),
            _ => false,
        };
        let (first, writer) = way(out);
        let again = writer.as_ref().map(io::PipeWriter::try_clone);
        let (second, second_writer) = match again.transpose() {
            Ok(again) if same => (Way::Shared, again),
            _ => way(err),
        };
        if let Some(writer) = writer {
            command.stdout(OwnedFd::from(writer));
        }
        if let Some(writer) = second_writer {
            command.stderr(OwnedFd::from(writer));
        }
        Self([("stdout", first), ("stderr", second)])
    }

    /// Begins to pass on what comes.
    pub(super) fn listen(self) -> Listening {
        Listening(self.0.map(|(name, way)| (name, Stream::begin(way))))
    }
}

/// How a stream can be looked at; the end that the command gets if it is a new one.
fn way(stream: io::Result<File>) -> (Way, Option<io::PipeWriter>) {
    let not = |why: &str| (Way::Not(why.to_owned()), None);
    let Ok((mut file, metadata)) = stream.and_then(|file| {
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }) else {
        return not("it is closed");
    };
    let kind = metadata.file_type();
    if std::io::IsTerminal::is_terminal(&file) {
        return not("a terminal: the command writes to it directly");
    }
    if kind.is_fifo() {
        return match io::pipe() {
            Ok((from, writer)) => (Way::Pipe { from, to: file }, Some(writer)),
            Err(error) => not(&format!("no pipe can be made: {error}")),
        };
    }
    if kind.is_file() {
        let flags = rustix::fs::fcntl_getfl(&file).unwrap_or(rustix::fs::OFlags::empty());
        let from = match flags.contains(rustix::fs::OFlags::APPEND) {
            true => metadata.len(),
            false => file.stream_position().unwrap_or_default(),
        };
        return (Way::Afterwards { file, from }, None);
    }
    not(match kind.is_socket() {
        true => "a socket: the command writes to it directly",
        false => "a device: the command writes to it directly",
    })
}

/// Whether both lead to one pipe or file: `2>&1`.
fn same_place(out: &File, err: &File) -> bool {
    match (out.metadata(), err.metadata()) {
        (Ok(out), Ok(err)) => {
            let read = out.file_type().is_fifo() || out.is_file();
            read && (out.dev(), out.ino()) == (err.dev(), err.ino())
        }
        _ => false,
    }
}

/// The two streams while the command runs.
pub(super) struct Listening([(&'static str, Stream); 2]);

enum Stream {
    Passed(JoinHandle<()>, Receiver<Content>),
    Afterwards { file: File, from: u64 },
    Shared,
    Not(String),
}

impl Stream {
    fn begin(way: Way) -> Self {
        match way {
            Way::Pipe { from, to } => {
                let (send, receive) = channel();
                let passing = std::thread::Builder::new()
                    .name("recount-output".to_owned())
                    .spawn(move || {
                        let _ = send.send(pass(from, to));
                    });
                match passing {
                    Ok(thread) => Self::Passed(thread, receive),
                    Err(error) => Self::Not(format!("nothing could read it: {error}")),
                }
            }
            Way::Afterwards { file, from } => Self::Afterwards { file, from },
            Way::Shared => Self::Shared,
            Way::Not(why) => Self::Not(why),
        }
    }

    /// What came, once nobody can write to it any more, or `enough` says that nobody waits.
    fn content(self, enough: &dyn Fn() -> bool) -> Content {
        match self {
            Self::Passed(thread, receive) => loop {
                match receive.recv_timeout(Duration::from_millis(20)) {
                    Ok(content) => {
                        let _ = thread.join();
                        return content;
                    }
                    Err(_) if enough() || thread.is_finished() => {
                        let why = "interrupted while processes that outlived the command could still write";
                        return Content::not_captured(None, why);
                    }
                    Err(_) => {}
                }
            },
            Self::Afterwards { file, from } => gained(&file, from),
            Self::Shared => Content::absent(), // Told with the other.
            Self::Not(why) => Content::not_captured(None, &why),
        }
    }
}

impl Listening {
    /// What was written to each stream. Waits as long as anything can still write to our pipes, as whoever reads
    /// them would; or until `enough`.
    pub(super) fn all(self, enough: impl Fn() -> bool) -> Vec<(&'static str, Content)> {
        self.0
            .into_iter()
            .map(|(name, stream)| (name, stream.content(&enough)))
            .collect()
    }
}

/// Passes everything on as it comes. Where nobody reads it any more, the command is told so, as it would be without us.
fn pass(mut from: io::PipeReader, mut to: File) -> Content {
    let mut kept = Kept::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let Some(bytes) = chunk.get(..read) else {
            break;
        };
        if write_all(&mut to, bytes).is_err() {
            kept.closed = true;
            break;
        }
        kept.take(bytes);
    }
    kept.content()
}

/// Also to a pipe that another process has made non-blocking.
fn write_all(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a regular file gained.
fn gained(file: &File, from: u64) -> Content {
    use std::os::fd::AsRawFd as _;
    // The stream itself is open for writing only.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let read = || {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(from.min(size)))?;
        let mut kept = Kept::default();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut chunk)?;
            match chunk.get(..read) {
                Some(bytes) if read > 0 => kept.take(bytes),
                _ => return Ok(kept.content()),
            }
        }
    };
    read().unwrap_or_else(|error: io::Error| {
        Content::not_captured(None, &format!("the file cannot be read: {error}"))
    })
}

/// The beginning of a stream, and how long it was.
#[derive(Default)]
struct Kept {
    beginning: Vec<u8>,
    size: u64,
    closed: bool,
}

impl Kept {
    fn take(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let room = KEPT.saturating_sub(self.beginning.len());
        self.beginning
            .extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    /// Of more than is kept there is no digest: what is removed from the rest is not known.
    fn content(self) -> Content {
        if self.size == 0 {
            return Content::absent();
        }
        let media_type = match std::str::from_utf8(&self.beginning) {
            Ok(_) => "text/plain; charset=utf-8",
            Err(error) if error.error_len().is_none() => "text/plain; charset=utf-8",
            Err(_) => "application/octet-stream",
        };
        let mut content = Content::redacted(&self.beginning, media_type);
        if self.size > self.beginning.len() as u64 {
            content.state = ContentState::Truncated;
            content.digest = None::<Digest>;
            content.size = Some(self.size);
            content.why = Some(format!("longer than {KEPT} bytes"));
        }
        if self.closed {
            content.why = Some("its reader left before the end".to_owned());
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_is_kept_by_its_beginning_and_size() {
        let mut kept = Kept::default();
        for _ in 0..5 {
            kept.take(&vec![b'x'; KEPT / 4]);
        }
        let content = kept.content();
        assert_eq!(content.state, ContentState::Truncated);
        assert_eq!(content.bytes().map(<[u8]>::len), Some(KEPT));
        assert_eq!(content.size, Some(5 * (KEPT as u64 / 4)));
        assert_eq!(content.digest, None);
    }

    #[test]
    fn what_comes_is_passed_on_without_credentials_in_the_record() {
        let secret = format!("sk-{}", "a".repeat(32));
        let (from, mut writer) = io::pipe().unwrap();
        let (mut behind, to) = io::pipe().unwrap();
        writer
            .write_all(format!("key {secret} end").as_bytes())
            .unwrap();
        drop(writer);
        let content = pass(from, File::from(OwnedFd::from(to)));
        assert_eq!(content.as_text(), Some("key [removed:openai_key] end"));
        let mut passed = String::new();
        behind.read_to_string(&mut passed).unwrap();
        assert_eq!(passed, format!("key {secret} end"));
    }
}
