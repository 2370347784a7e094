//! Lines out of a stream of bytes, with nothing lost, added or held back for long.

/// A longer line is passed on unread.
const LONGEST: usize = 64 << 20;

/// What a piece of the stream is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole line with its end.
    Line(Vec<u8>),
    /// Part of a line that is too long to be read, or that never ended.
    Unread(Vec<u8>),
}

/// Cuts a stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// The rest of a line that was too long.
    skipping: bool,
}

impl Lines {
    /// Takes the next bytes; gives the pieces that are complete with them.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(at + 1);
            let mut whole = std::mem::take(&mut self.begun);
            whole.extend_from_slice(line);
            pieces.push(match std::mem::take(&mut self.skipping) {
                true => Piece::Unread(whole),
                false => Piece::Line(whole),
            });
            bytes = rest;
        }
        self.begun.extend_from_slice(bytes);
        if self.begun.len() > LONGEST || (self.skipping && !self.begun.is_empty()) {
            self.skipping = true;
            pieces.push(Piece::Unread(std::mem::take(&mut self.begun)));
        }
        pieces
    }

    /// What was begun when the stream ended.
    pub(super) fn rest(self) -> Option<Piece> {
        (!self.begun.is_empty()).then_some(Piece::Unread(self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_out_again_whatever_the_pieces_in_which_it_comes() {
        let stream = b"{\"a\":1}\n\n{\"b\":\"\xff\"}\r\nno end";
        for size in 1..stream.len() {
            let mut lines = Lines::default();
            let mut pieces: Vec<Piece> = stream
                .chunks(size)
                .flat_map(|chunk| lines.take(chunk))
                .collect();
            pieces.extend(lines.rest());
            let bytes = pieces.iter().flat_map(|piece| match piece {
                Piece::Line(bytes) | Piece::Unread(bytes) => bytes.clone(),
            });
            assert_eq!(bytes.collect::<Vec<u8>>(), stream);
            assert_eq!(pieces.len(), 4);
            assert_eq!(pieces[3], Piece::Unread(b"no end".to_vec()));
        }
    }

    #[test]
    fn a_line_that_is_too_long_passes_unread() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(&vec![b'x'; LONGEST]), []);
        assert!(
            matches!(lines.take(b"x").as_slice(), [Piece::Unread(begun)] if begun.len() == LONGEST + 1)
        );
        assert_eq!(
            lines.take(b"end\nnext\n"),
            [
                Piece::Unread(b"end\n".to_vec()),
                Piece::Line(b"next\n".to_vec())
            ]
        );
    }
}
