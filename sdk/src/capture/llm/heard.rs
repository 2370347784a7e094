//! A reply while it comes: read piece by piece, so that nobody has to wait for its end.

use sha2::{Digest as _, Sha256};
use vocabulary::content::{Content, INLINE_BYTES};
use vocabulary::digest::Digest;
use vocabulary::record::ContentState;

use super::Api;
use super::response::{Response, Stream};

/// The longest body that is read as one JSON text, and the longest event of a stream, in bytes.
const READ_BYTES: usize = 32 << 20;

/// A reply as it comes. What is given to it is what the caller gets, without any content coding.
#[derive(Debug)]
pub struct Heard {
    media_type: String,
    /// The first bytes, for the record; one more than are kept, so that a cut can be told from an end.
    beginning: Vec<u8>,
    size: u64,
    hash: Sha256,
    read: Read,
}

#[derive(Debug)]
enum Read {
    /// One JSON text, all of it.
    Whole(Api, Vec<u8>),
    /// Events, and the line that is not at its end yet.
    Events(Box<Stream>, Vec<u8>),
    /// Not read any further.
    TooLong,
}

impl Heard {
    /// Nothing has come yet of a reply with this media type.
    pub fn new(api: Api, media_type: &str) -> Self {
        let events = media_type.trim_start().starts_with("text/event-stream");
        Self {
            media_type: media_type.to_owned(),
            beginning: Vec::new(),
            size: 0,
            hash: Sha256::new(),
            read: if events {
                Read::Events(Box::new(Stream::new(api)), Vec::new())
            } else {
                Read::Whole(api, Vec::new())
            },
        }
    }

    /// All of a reply.
    pub(super) fn all(api: Api, body: &str) -> Self {
        let events = ["data:", "event:", ":"]
            .iter()
            .any(|begin| body.trim_start().starts_with(begin));
        let media_type = if events {
            "text/event-stream"
        } else {
            "application/json"
        };
        let mut heard = Self::new(api, media_type);
        heard.push(body.as_bytes());
        heard
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = (INLINE_BYTES + 1).saturating_sub(self.beginning.len());
        self.beginning
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        match &mut self.read {
            Read::Whole(_, all) => {
                all.extend_from_slice(bytes);
                if all.len() > READ_BYTES {
                    self.read = Read::TooLong;
                }
            }
            Read::Events(stream, line) => {
                let mut rest = bytes;
                while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                    line.extend_from_slice(&rest[..at]);
                    stream.line(line);
                    line.clear();
                    rest = &rest[at + 1..];
                }
                line.extend_from_slice(rest);
                if line.len() > READ_BYTES {
                    self.read = Read::TooLong;
                }
            }
            Read::TooLong => {}
        }
    }

    /// How many bytes came.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The text of a body that is no stream.
    pub(super) fn text(&self) -> &str {
        let bytes = match &self.read {
            Read::Whole(_, all) => all,
            _ => &self.beginning,
        };
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// What it says; `None` if it is no reply. An error in the midst of a stream is given beside it, as class and
    /// message.
    pub(super) fn response(&mut self) -> (Option<Response>, Option<(String, String)>) {
        match &mut self.read {
            Read::Whole(api, all) => {
                let text = std::str::from_utf8(all).unwrap_or_default();
                (Response::whole(*api, text), None)
            }
            Read::Events(stream, line) => {
                let last = std::mem::take(line);
                stream.line(&last);
                stream.end()
            }
            Read::TooLong => (None, None),
        }
    }

    /// What came, as content; cut, if something cut it.
    pub(super) fn content(&self, cut: Option<&str>) -> Content {
        if self.size == 0 && cut.is_none() {
            return Content::absent();
        }
        let mut content = Content::redacted(&self.beginning, &self.media_type);
        if self.size > self.beginning.len() as u64 {
            content.state = ContentState::Truncated;
            content.size = Some(self.size);
            // With something removed, the digest of all that came would be one of a credential too.
            let whole = Digest::Sha256(self.hash.clone().finalize().into());
            content.digest = content.redactions.is_empty().then_some(whole);
        }
        if let Some(why) = cut {
            content.state = ContentState::Truncated;
            content.why = Some(why.to_owned());
            content.size = None;
            content.digest = None;
        }
        content
    }
}
