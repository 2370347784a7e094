//! The values of a JSON text and where they are, without taking it apart: what is not replaced keeps its bytes.

use std::ops::Range;

/// How deep values are looked into; what lies deeper is taken as one value.
const DEPTH: usize = 64;

/// Calls `see` with the path and the place of each value, containers before what is in them. `see` answers whether to
/// look into a container. False if the text is not JSON; what was seen until then was JSON.
pub(super) fn walk(text: &str, see: &mut dyn FnMut(&[String], Range<usize>) -> bool) -> bool {
    let mut walker = Walker {
        bytes: text.as_bytes(),
        text,
        at: 0,
        path: Vec::new(),
    };
    walker.space();
    walker.value(see).is_some() && {
        walker.space();
        walker.at == text.len()
    }
}

struct Walker<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    path: Vec<String>,
}

impl Walker<'_> {
    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn value(&mut self, see: &mut dyn FnMut(&[String], Range<usize>) -> bool) -> Option<()> {
        let start = self.at;
        let end = self.skip(0)?;
        let container = matches!(self.bytes.get(start), Some(b'{' | b'['));
        if !see(&self.path, start..end) || !container || self.path.len() >= DEPTH {
            self.at = end;
            return Some(());
        }
        self.at = start + 1;
        let object = self.bytes.get(start) == Some(&b'{');
        let mut index = 0_usize;
        self.space();
        while self.at + 1 < end {
            if object {
                let key = self.at;
                self.string()?;
                let name = serde_json::from_str(self.text.get(key..self.at)?).ok()?;
                self.path.push(name);
                self.space();
                self.take(b':')?;
                self.space();
            } else {
                self.path.push(index.to_string());
                index += 1;
            }
            self.value(see)?;
            self.path.pop();
            self.space();
            if self.take(b',').is_some() {
                self.space();
            }
        }
        self.at = end;
        Some(())
    }

    /// Where the value that begins here ends; checks its shape.
    fn skip(&mut self, depth: usize) -> Option<usize> {
        let back = self.at;
        if depth > 512 {
            return None;
        }
        match self.bytes.get(self.at)? {
            b'"' => self.string()?,
            open @ (b'{' | b'[') => {
                let (object, close) = (*open == b'{', if *open == b'{' { b'}' } else { b']' });
                self.at += 1;
                self.space();
                if self.take(close).is_none() {
                    loop {
                        if object {
                            self.string()?;
                            self.space();
                            self.take(b':')?;
                            self.space();
                        }
                        self.at = self.skip(depth + 1)?;
                        self.space();
                        if self.take(close).is_some() {
                            break;
                        }
                        self.take(b',')?;
                        self.space();
                    }
                }
            }
            _ => {
                let rest = self.bytes.get(self.at..)?;
                let len = rest
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(byte)))
                    .unwrap_or(rest.len());
                if len == 0 {
                    return None;
                }
                self.at += len;
            }
        }
        Some(std::mem::replace(&mut self.at, back))
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}
