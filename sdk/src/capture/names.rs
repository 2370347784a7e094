//! Keys of rows in the names of resources.

/// Text as part of a resource's name: what is not a letter, digit or `-._~@` is percent-encoded.
pub(super) fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
