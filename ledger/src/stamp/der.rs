//! As much of DER as a time stamp needs: elements are cut out, nothing is interpreted.

/// A tag of one byte.
pub(super) type Tag = u8;

pub(super) const BOOLEAN: Tag = 0x01;
pub(super) const INTEGER: Tag = 0x02;
pub(super) const OCTETS: Tag = 0x04;
pub(super) const OID: Tag = 0x06;
pub(super) const TIME: Tag = 0x18;
pub(super) const SEQUENCE: Tag = 0x30;
pub(super) const SET: Tag = 0x31;

/// `[n]`, constructed.
pub(super) const fn context(n: u8) -> Tag {
    0xa0 | n
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    /// Its content.
    pub(super) body: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

/// Reads one element after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// The next element of any tag; `None` at the end and for anything that is not DER.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let input = self.0;
        let (&tag, rest) = input.split_first()?;
        // Tags of several bytes do not occur in what is read here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            let length = bytes
                .iter()
                .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            // The shortest form only.
            if length < 0x80 || bytes.first() == Some(&0) {
                return None;
            }
            (length, rest)
        };
        let (body, rest) = rest.split_at_checked(length)?;
        let whole = input.get(..input.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, body, whole })
    }

    /// The next element, if it has this tag.
    pub(super) fn take(&mut self, tag: Tag) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) {
            self.next()
        } else {
            None
        }
    }

    /// What is inside the next element, if it has this tag.
    pub(super) fn enter(&mut self, tag: Tag) -> Option<Der<'a>> {
        self.take(tag).map(|element| Der(element.body))
    }
}

/// Writes one element.
pub(super) fn write(tag: Tag, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let skip = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - skip) as u8);
            out.extend_from_slice(bytes.get(skip..).unwrap_or_default());
        }
    }
    out.extend_from_slice(body);
    out
}

/// Writes a sequence of parts that are elements already.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    write(SEQUENCE, &parts.concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tag in 1_u8..0x1f, body in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = write(tag, &body);
            let mut der = Der(&bytes);
            let element = der.next().unwrap();
            prop_assert_eq!((element.tag, element.body), (tag, &body[..]));
            prop_assert!(der.0.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut der = Der(&bytes);
            while der.next().is_some() {}
        }
    }

    #[test]
    fn a_length_longer_than_needed_is_refused() {
        assert!(Der(&[4, 0x81, 3, 1, 2, 3]).next().is_none());
        assert!(Der(&[4, 0x80]).next().is_none());
        assert!(Der(&[4, 3, 1, 2]).next().is_none());
    }
}
