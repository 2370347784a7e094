//! Attributes of one record, encoded as OTLP protobuf while they are added.

use std::cell::RefCell;
use std::fmt;

use vocabulary::attribute;
use vocabulary::attribute::content as key;
use vocabulary::content::{Content, Inline, Redaction};

use crate::encode::{SHORT, Value, int, long_pair, short_pair, write_pair};

/// How many buffers a thread keeps, and how large one may be to be kept.
const KEPT_BUFFERS: usize = 8;
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Attributes of one record, in the order in which they were added.
///
/// They are encoded at once into a buffer that the thread uses again, so that
/// adding one allocates nothing. Use [`Attributes::text`], not [`Attributes::str`],
/// for anything that may hold a credential.
///
/// ```
/// # use recount::Attributes;
/// let mut attributes = Attributes::new();
/// attributes.str("file.path", "a.md").int("recount.attempt", 2);
/// ```
pub struct Attributes {
    bytes: Vec<u8>,
    /// What was removed from what was added, other than content.
    removed: Vec<Redaction>,
}

impl Attributes {
    /// None yet.
    pub fn new() -> Self {
        let bytes = BUFFERS
            .try_with(|pool| pool.borrow_mut().pop())
            .ok()
            .flatten()
            .unwrap_or_else(|| Vec::with_capacity(1024));
        Self {
            bytes,
            removed: Vec::new(),
        }
    }

    /// Adds any value.
    pub fn put(&mut self, key: &str, value: Value<'_>) -> &mut Self {
        write_pair(&mut self.bytes, key, value);
        self
    }

    /// Adds text exactly as it is.
    #[inline]
    pub fn str(&mut self, key: &str, text: &str) -> &mut Self {
        if key.len() + text.len() < SHORT {
            short_pair(&mut self.bytes, key, 0x0a, text.as_bytes());
        } else {
            long_pair(&mut self.bytes, key, Value::Str(text));
        }
        self
    }

    /// Adds text after removing what looks like a credential from it. What
    /// was removed, and by which rule, is listed in `recount.redactions`.
    #[inline]
    pub fn text(&mut self, key: &str, text: &str) -> &mut Self {
        if vocabulary::redaction::find(text.as_bytes()).is_empty() {
            self.str(key, text)
        } else {
            self.text_without_secrets(key, text)
        }
    }

    #[cold]
    fn text_without_secrets(&mut self, key: &str, text: &str) -> &mut Self {
        let (clean, found) = vocabulary::redaction::replace(text);
        self.removed(key, found).str(key, &clean)
    }

    /// Says what was removed at a place of the record before it got here.
    pub(crate) fn removed(
        &mut self,
        path: &str,
        found: impl IntoIterator<Item = Redaction>,
    ) -> &mut Self {
        self.removed
            .extend(found.into_iter().map(|redaction| Redaction {
                path: path.to_owned(),
                ..redaction
            }));
        self
    }

    /// Says what was removed, each with its own place.
    pub(crate) fn take_removed(&mut self, removed: &[Redaction]) -> &mut Self {
        self.removed.extend_from_slice(removed);
        self
    }

    /// Everything that was removed so far, content left out.
    pub(crate) fn all_removed(&self) -> &[Redaction] {
        &self.removed
    }

    /// Writes what was removed, where something was, in front of the attributes.
    pub(crate) fn write_removed(&self, out: &mut Vec<u8>) {
        if self.removed.is_empty() {
            return;
        }
        let maps: Vec<_> = self.removed.iter().map(removal).collect();
        let list: Vec<Value<'_>> = maps.iter().map(|map| Value::Map(map)).collect();
        write_pair(out, attribute::REDACTIONS, Value::List(&list));
    }

    /// None, and no buffer: for a place whose attributes are taken away.
    pub(crate) const fn none() -> Self {
        Self {
            bytes: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Adds text if there is some.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// Adds an integer.
    #[inline]
    pub fn int(&mut self, key: &str, number: i64) -> &mut Self {
        write_pair(&mut self.bytes, key, Value::Int(number));
        self
    }

    /// Adds true or false.
    pub fn bool(&mut self, key: &str, yes: bool) -> &mut Self {
        self.put(key, Value::Bool(yes))
    }

    /// Adds bytes exactly as they are.
    pub fn bytes(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        self.put(key, Value::Bytes(bytes))
    }

    /// Adds a list of texts, credentials removed.
    pub fn texts<S: AsRef<str>>(&mut self, key: &str, texts: &[S]) -> &mut Self {
        let mut clean = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let (text, found) = vocabulary::redaction::replace(text.as_ref());
            if !found.is_empty() {
                self.removed(&format!("{key}/{index}"), found);
            }
            clean.push(text);
        }
        let values: Vec<Value<'_>> = clean.iter().map(|text| Value::Str(text)).collect();
        self.put(key, Value::List(&values))
    }

    /// Adds a list of texts if there are some.
    pub fn texts_if<S: AsRef<str>>(&mut self, key: &str, texts: &[S]) -> &mut Self {
        if texts.is_empty() {
            self
        } else {
            self.texts(key, texts)
        }
    }

    /// Adds an identifier in its usual form of 36 characters, without allocating.
    #[inline]
    pub fn uuid(&mut self, key: &str, uuid: uuid::Uuid) -> &mut Self {
        let mut text = uuid::Uuid::encode_buffer();
        self.str(key, uuid.hyphenated().encode_lower(&mut text))
    }

    /// Adds a content as the map that `docs/records.md` describes.
    ///
    /// Credentials that are still in its inline bytes are removed first. Where
    /// that changes a content whose digest is of more than the inline bytes
    /// (a truncated one), the digest is left out: it would be of the credential.
    pub fn content(&mut self, name: &str, content: &Content) -> &mut Self {
        let cleaned = cleaned(content);
        let content = cleaned.as_ref().unwrap_or(content);
        let digest = content.digest.map(|digest| digest.to_string());
        let removed: Vec<_> = content.redactions.iter().map(removal).collect();
        let removed: Vec<Value<'_>> = removed.iter().map(|map| Value::Map(map)).collect();
        let mut map = Vec::with_capacity(8);
        map.push((key::STATE, Value::Str(content.state.as_str())));
        if let Some(digest) = &digest {
            map.push((key::DIGEST, Value::Str(digest)));
        }
        if let Some(size) = content.size {
            map.push((key::SIZE, Value::Int(int(size))));
        }
        if let Some(media_type) = &content.media_type {
            map.push((key::MEDIA_TYPE, Value::Str(media_type)));
        }
        match &content.inline {
            Some(Inline::Text(text)) => map.push((key::INLINE, Value::Str(text))),
            Some(Inline::Bytes(bytes)) => map.push((key::INLINE, Value::Bytes(bytes))),
            None => {}
        }
        if let Some(reference) = &content.reference {
            map.push((key::REF, Value::Str(reference)));
        }
        if !removed.is_empty() {
            map.push((key::REDACTIONS, Value::List(&removed)));
        }
        if let Some(why) = &content.why {
            map.push((key::WHY, Value::Str(why)));
        }
        self.put(name, Value::Map(&map))
    }

    /// Adds everything that another list has, after what is here.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.bytes.extend_from_slice(&other.bytes);
        if !other.removed.is_empty() {
            self.removed.extend_from_slice(&other.removed);
        }
        self
    }

    /// The buffer itself, to write something other than attributes into it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The encoded `LogRecord.attributes` fields.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({} bytes)", self.bytes.len())
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() == 0 || bytes.capacity() > KEPT_BYTES {
            return;
        }
        bytes.clear();
        // At the end of a thread the pool may be gone: then the buffer goes too.
        let _ = BUFFERS.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT_BUFFERS {
                pool.push(bytes);
            }
        });
    }
}

/// One removal as records list it.
fn removal(removed: &Redaction) -> [(&str, Value<'_>); 3] {
    [
        (key::PATH, Value::Str(&removed.path)),
        (key::RULE, Value::Str(&removed.rule)),
        (key::LEN, Value::Int(int(removed.len))),
    ]
}

/// The content without the credentials in its inline bytes, if it had any.
fn cleaned(content: &Content) -> Option<Content> {
    let inline = content.bytes()?;
    if vocabulary::redaction::find(inline).is_empty() {
        return None;
    }
    let media_type = content.media_type.clone().unwrap_or_default();
    let mut clean = Content::redacted(inline, &media_type);
    clean.redactions.extend(content.redactions.iter().cloned());
    if !content.is_whole() {
        clean.state = content.state;
        clean.digest = None;
        clean.size = None;
    }
    clean.media_type.clone_from(&content.media_type);
    clean.reference.clone_from(&content.reference);
    clean.why.clone_from(&content.why);
    Some(clean)
}
