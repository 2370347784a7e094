//! A file cut into lines: exact bytes, of a line that is too long the beginning with size and digest of the whole.

use std::io::{self, BufRead};

use sha2::{Digest, Sha256};

/// As much of a line as is kept, as of any content.
pub(crate) const KEPT: usize = 256 * 1024;

/// One line, without the newline at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number in the file, from 1.
    pub(crate) number: u64,
    /// Its bytes, [`KEPT`] at most.
    pub(crate) bytes: Vec<u8>,
    /// How long it is.
    pub(crate) size: u64,
    /// SHA-256 of all of it.
    pub(crate) digest: [u8; 32],
}

impl Line {
    /// Whether all of it is here.
    pub(crate) fn is_whole(&self) -> bool {
        self.size == self.bytes.len() as u64
    }
}

/// The lines of a file, and what the file comes to.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    file: R,
    number: u64,
    whole: Sha256,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(file: R) -> Self {
        Self {
            file,
            number: 0,
            whole: Sha256::new(),
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// As the file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line {
            number: self.number + 1,
            bytes: Vec::new(),
            size: 0,
            digest: [0; 32],
        };
        let (mut digest, mut any) = (Sha256::new(), false);
        loop {
            let chunk = self.file.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            digest.update(part);
            line.size += part.len() as u64;
            let room = KEPT.saturating_sub(line.bytes.len()).min(part.len());
            line.bytes
                .extend_from_slice(part.get(..room).unwrap_or_default());
            let used = part.len() + usize::from(end.is_some());
            self.whole.update(chunk.get(..used).unwrap_or_default());
            self.file.consume(used);
            if end.is_some() {
                break;
            }
        }
        line.digest = digest.finalize().into();
        self.number += u64::from(any);
        Ok(any.then_some(line))
    }

    /// SHA-256 of everything that was read.
    pub(crate) fn digest(self) -> [u8; 32] {
        self.whole.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], buffer: usize) -> (Vec<Line>, [u8; 32]) {
        let mut lines = Lines::new(io::BufReader::with_capacity(buffer, bytes));
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(line);
        }
        (found, lines.digest())
    }

    #[test]
    fn lines_are_exact_whatever_the_buffer_and_numbered_as_an_editor_does() {
        let bytes = b"one\r\n\ntwo \xff\nlast";
        for buffer in [1, 2, 7, 100] {
            let (lines, digest) = read(bytes, buffer);
            let texts: Vec<&[u8]> = lines.iter().map(|line| &line.bytes[..]).collect();
            assert_eq!(texts, [&b"one\r"[..], b"", b"two \xff", b"last"]);
            assert_eq!(
                lines.iter().map(|line| line.number).collect::<Vec<_>>(),
                [1, 2, 3, 4]
            );
            assert!(lines.iter().all(Line::is_whole));
            assert_eq!(lines[0].digest, <[u8; 32]>::from(Sha256::digest(b"one\r")));
            assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(bytes)));
        }
        assert_eq!(read(b"", 4).0, []);
        assert_eq!(read(b"\n", 4).0.len(), 1);
    }

    #[test]
    fn of_an_endless_line_the_beginning_is_kept_and_the_whole_is_measured() {
        let long = vec![b'x'; KEPT + 10];
        let (lines, _) = read(&[&long[..], b"\nnext"].concat(), 4096);
        assert_eq!(
            (lines[0].bytes.len(), lines[0].size),
            (KEPT, KEPT as u64 + 10)
        );
        assert!(!lines[0].is_whole());
        assert_eq!(lines[0].digest, <[u8; 32]>::from(Sha256::digest(&long)));
        assert_eq!(lines[1].bytes, b"next");
    }
}
