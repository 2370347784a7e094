//! The protobuf wire format: one field after another, borrowed, with the offset of each.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>.

use super::error::Malformed;

/// How deep deprecated groups may nest before they are refused; only unknown fields can be groups.
const MAX_GROUP_DEPTH: u32 = 32;

/// The value of one field as it lies on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    /// A group, skipped: no OTLP field is one.
    Group,
}

/// One field: its number, value, where its tag starts and where its value starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) wire: Wire<'a>,
    pub(crate) at: usize,
    pub(crate) value_at: usize,
}

impl<'a> Field<'a> {
    fn mismatch(&self) -> Malformed {
        Malformed::new(
            self.at,
            format!("field {} has the wrong wire type", self.number),
        )
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.mismatch()),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|error| {
            Malformed::new(self.value_at + error.valid_up_to(), "a string is not UTF-8")
        })
    }

    pub(crate) fn varint(&self) -> Result<u64, Malformed> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.mismatch()),
        }
    }

    /// A `uint32` or an enum: the low 32 bits, as the format prescribes.
    pub(crate) fn varint32(&self) -> Result<u32, Malformed> {
        Ok((self.varint()? & u64::from(u32::MAX)) as u32)
    }

    pub(crate) fn fixed64(&self) -> Result<u64, Malformed> {
        match self.wire {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(self.mismatch()),
        }
    }

    pub(crate) fn fixed32(&self) -> Result<u32, Malformed> {
        match self.wire {
            Wire::Fixed32(value) => Ok(value),
            _ => Err(self.mismatch()),
        }
    }
}

/// Walks the fields of one message. Offsets in errors count from the outermost buffer: `base` is where `buf` starts.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    buf: &'a [u8],
    pos: usize,
    base: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(buf: &'a [u8], base: usize) -> Self {
        Self { buf, pos: 0, base }
    }

    fn error(&self, at: usize, what: &'static str) -> Malformed {
        Malformed::new(self.base + at, what)
    }

    fn read_varint(&mut self) -> Result<u64, Malformed> {
        let start = self.pos;
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.buf.get(self.pos) else {
                return Err(self.error(start, "a varint is cut short"));
            };
            self.pos += 1;
            if shift == 63 && byte > 1 {
                return Err(self.error(start, "a varint is longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(start, "a varint is longer than 64 bits"))
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let start = self.pos;
        let taken = start
            .checked_add(len)
            .and_then(|end| self.buf.get(start..end));
        let taken = taken.ok_or_else(|| self.error(start, what))?;
        self.pos += len;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let start = self.pos;
        let taken = self.take(N, "a fixed-width number is cut short")?;
        taken
            .try_into()
            .map_err(|_| self.error(start, "a fixed-width number is cut short"))
    }

    /// The next field, or `None` at the end of the message.
    pub(crate) fn next_field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.pos == self.buf.len() {
            return Ok(None);
        }
        let at = self.pos;
        let (number, wire_type) = self.tag()?;
        if wire_type == 4 {
            return Err(self.error(at, "a group ends that never began"));
        }
        let (wire, value_at) = self.value(number, wire_type, MAX_GROUP_DEPTH)?;
        Ok(Some(Field {
            number,
            wire,
            at: self.base + at,
            value_at: self.base + value_at,
        }))
    }

    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let at = self.pos;
        let tag = self.read_varint()?;
        let tag = u32::try_from(tag).map_err(|_| self.error(at, "a field number is too large"))?;
        match tag >> 3 {
            0 => Err(self.error(at, "a field has the number 0")),
            number => Ok((number, (tag & 7) as u8)),
        }
    }

    fn value(
        &mut self,
        number: u32,
        wire_type: u8,
        depth: u32,
    ) -> Result<(Wire<'a>, usize), Malformed> {
        let at = self.pos;
        Ok(match wire_type {
            0 => (Wire::Varint(self.read_varint()?), at),
            1 => (Wire::Fixed64(u64::from_le_bytes(self.fixed()?)), at),
            2 => {
                let len = self.read_varint()?;
                let value_at = self.pos;
                let len =
                    usize::try_from(len).map_err(|_| self.error(at, "a length is too large"))?;
                (
                    Wire::Bytes(self.take(len, "a length goes beyond the end")?),
                    value_at,
                )
            }
            3 => {
                self.skip_group(number, depth)?;
                (Wire::Group, at)
            }
            5 => (Wire::Fixed32(u32::from_le_bytes(self.fixed()?)), at),
            _ => return Err(self.error(at, "a field has an unknown wire type")),
        })
    }

    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Malformed> {
        let start = self.pos;
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error(start, "groups nest too deep"));
        };
        loop {
            let at = self.pos;
            let (inner, wire_type) = self.tag()?;
            if wire_type == 4 {
                if inner == number {
                    return Ok(());
                }
                return Err(self.error(at, "a group ends that never began"));
            }
            self.value(inner, wire_type, depth)?;
        }
    }
}

/// Keeps a field that may occur once; a second occurrence is ambiguous evidence and refused.
pub(crate) fn once<T>(slot: &mut Option<T>, value: T, field: &Field<'_>) -> Result<(), Malformed> {
    if slot.replace(value).is_some() {
        return Err(Malformed::new(
            field.at,
            format!("field {} occurs twice", field.number),
        ));
    }
    Ok(())
}
