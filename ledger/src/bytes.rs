//! Reading and writing the fixed widths and length prefixes that every format of this crate uses.
#![forbid(unsafe_code)]

/// Bytes that are too short, too long or not what the format allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside a field.
    #[error("bytes end {missing} short of {field}")]
    Short {
        /// Which field was being read.
        field: &'static str,
        /// How many bytes are missing.
        missing: usize,
    },
    /// Bytes follow the last field.
    #[error("{extra} bytes follow the last field of {what}")]
    Trailing {
        /// What was being read.
        what: &'static str,
        /// How many bytes are left over.
        extra: usize,
    },
    /// A field has a value that this version does not define.
    #[error("{field} is {value}, which this version does not define")]
    Value {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A field that holds text is not UTF-8.
    #[error("{field} is not UTF-8")]
    Text {
        /// Which field.
        field: &'static str,
    },
    /// Something is longer than its length prefix can say.
    #[error("{field} has {len} bytes, more than its length prefix can hold")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
    },
}

/// Reads fields off the front of a byte slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        match self.rest.split_at_checked(len) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(Malformed::Short {
                field,
                missing: len - self.rest.len(),
            }),
        }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N, field)?;
        bytes
            .try_into()
            .map_err(|_| Malformed::Short { field, missing: N })
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        u8::take(self, field)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Malformed> {
        u16::take(self, field)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        u32::take(self, field)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Malformed> {
        u64::take(self, field)
    }

    pub(crate) fn opaque8(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.u8(field)?;
        self.take(usize::from(len), field)
    }

    pub(crate) fn opaque16(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.u16(field)?;
        self.take(usize::from(len), field)
    }

    pub(crate) fn opaque32(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.u32(field)?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), field)
    }

    pub(crate) fn text16(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.opaque16(field)?).map_err(|_| Malformed::Text { field })
    }

    pub(crate) fn text8(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.opaque8(field)?).map_err(|_| Malformed::Text { field })
    }

    pub(crate) fn version(&mut self, field: &'static str, known: u8) -> Result<(), Malformed> {
        match self.u8(field)? {
            v if v == known => Ok(()),
            v => Err(Malformed::Value {
                field,
                value: u64::from(v),
            }),
        }
    }

    #[cfg(any(feature = "segment", feature = "verify"))]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn end(self, what: &'static str) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(Malformed::Trailing { what, extra }),
        }
    }
}

/// Writes bytes behind their length, an integer as wide as `L`.
pub(crate) fn put_opaque<L: Field + TryFrom<usize>>(
    out: &mut Vec<u8>,
    bytes: &[u8],
    field: &'static str,
) -> Result<(), Malformed> {
    let len = bytes.len();
    L::try_from(len)
        .map_err(|_| Malformed::TooLong { field, len })?
        .put(out, field)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// A type with one encoding as a field, wherever it stands.
pub(crate) trait Field: Sized {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed>;
    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed>;
}

macro_rules! integers {
    ($($int:ident),*) => { $(
        impl Field for $int {
            fn put(&self, out: &mut Vec<u8>, _: &'static str) -> Result<(), Malformed> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }

            fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
                cursor.array(field).map(Self::from_be_bytes)
            }
        }
    )* };
}

integers!(u8, u16, u32, u64);

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>, _: &'static str) -> Result<(), Malformed> {
        out.extend_from_slice(self);
        Ok(())
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        cursor.array(field)
    }
}

/// `text x<u16>`.
impl Field for String {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
        put_opaque::<u16>(out, self.as_bytes(), field)
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        cursor.text16(field).map(str::to_owned)
    }
}

/// `opaque x<u16>`.
impl Field for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
        put_opaque::<u16>(out, self, field)
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        cursor.opaque16(field).map(<[u8]>::to_vec)
    }
}

/// A domain tag: ASCII, padded with zeros to 32 bytes. Longer text is cut at compile time by a failed build.
pub(crate) const fn pad32(tag: &str) -> [u8; 32] {
    let bytes = tag.as_bytes();
    assert!(bytes.len() <= 32, "a tag has at most 32 bytes");
    let mut out = [0; 32];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}
