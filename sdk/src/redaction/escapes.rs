//! A text as it reads without the escapes of JSON, and where each byte of it came from.
//!
//! Detectors know credentials as people write them. In JSON, and in JSON inside JSON, a quote has a backslash before it.

use std::ops::Range;

/// How many JSON texts inside each other are looked into.
const DEPTH: usize = 4;

/// A text without one layer of escapes.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// By byte of the view, where what it stands for begins; one more for the end.
    from: Vec<usize>,
}

impl View {
    /// Where a part of the view is in the text that it is a view of.
    pub(super) fn place(&self, part: &Range<usize>) -> Range<usize> {
        let at = |index: usize| self.from.get(index).copied().unwrap_or_default();
        at(part.start)..at(part.end)
    }

    /// None if there is no escape in `bytes`.
    fn of(bytes: &[u8]) -> Option<Self> {
        let first = memchr::memchr(b'\\', bytes)?;
        let mut view = Self {
            bytes: Vec::with_capacity(bytes.len()),
            from: Vec::with_capacity(bytes.len() + 1),
        };
        view.bytes.extend_from_slice(bytes.get(..first)?);
        view.from.extend(0..first);
        let mut at = first;
        while let Some(byte) = bytes.get(at) {
            let (meant, len) = match (byte, bytes.get(at + 1)) {
                (b'\\', Some(b'n')) => (b'\n', 2),
                (b'\\', Some(b'r')) => (b'\r', 2),
                (b'\\', Some(b't')) => (b'\t', 2),
                (b'\\', Some(b'f')) => (b'\x0c', 2),
                (b'\\', Some(b'b')) => (b'\x08', 2),
                (b'\\', Some(quoted @ (b'"' | b'\\' | b'/' | b'\''))) => (*quoted, 2),
                (b'\\', Some(b'u')) => match unicode(bytes.get(at + 2..at + 6)) {
                    Some(meant) => (meant, 6),
                    None => (b'\\', 1),
                },
                (byte, _) => (*byte, 1),
            };
            view.bytes.push(meant);
            view.from.push(at);
            at += len;
        }
        view.from.push(bytes.len());
        (view.bytes.len() < bytes.len()).then_some(view)
    }
}

/// The views below each other; none of a text without escapes.
pub(super) fn views(bytes: &[u8]) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    for _ in 0..DEPTH {
        let above = views.last();
        let Some(mut view) = View::of(above.map_or(bytes, |above| &above.bytes)) else {
            break;
        };
        if let Some(above) = above {
            for from in &mut view.from {
                *from = above.from.get(*from).copied().unwrap_or(bytes.len());
            }
        }
        views.push(view);
    }
    views
}

/// An ASCII character written as four hex digits.
fn unicode(digits: Option<&[u8]>) -> Option<u8> {
    let digits = std::str::from_utf8(digits?).ok()?;
    let number = u16::from_str_radix(digits, 16).ok()?;
    u8::try_from(number).ok().filter(u8::is_ascii)
}
