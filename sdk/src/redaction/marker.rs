//! What stands in place of a value, and how it is told from a value.

use vocabulary::digest::{Digest, SessionKey};

use super::Operator;

/// The longest that a marker may be; what is longer is none.
const LONGEST: usize = 220;

/// What stands for `value`, which `rule` found.
pub(super) fn instead(
    operator: Operator,
    rule: &str,
    value: &[u8],
    key: Option<&SessionKey>,
) -> String {
    match (operator, key) {
        (Operator::Mask(kept), _) => {
            let text = String::from_utf8_lossy(value);
            let chars: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
            // Never more than a third of it.
            let kept = usize::from(kept).min(chars.len() / 3);
            let last: String = chars.iter().skip(chars.len() - kept).collect();
            format!("[masked:{rule}:{last}]")
        }
        (Operator::Hmac, Some(key)) => format!("[hmac:{rule}:{}]", hmac(key, value)),
        (Operator::Commit, Some(key)) => {
            let nonce: [u8; 16] = crate::random::bytes();
            let nonce = hex(&nonce);
            let salt = Digest::keyed(nonce.as_bytes(), key);
            let opened = [salt.as_bytes().as_slice(), value].concat();
            let digest = hex(Digest::sha256(&opened).as_bytes());
            format!("[commit:{rule}:{nonce}:{digest}]")
        }
        _ => vocabulary::redaction::replacement(rule),
    }
}

/// The digest of a value, short enough to read and long enough not to collide.
pub(super) fn hmac(key: &SessionKey, value: &[u8]) -> String {
    let digest = Digest::keyed(value, key);
    hex(digest.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// The salt that belongs to the nonce of a commitment.
pub(super) fn salt(key: &SessionKey, nonce: &str) -> Option<[u8; 32]> {
    is_hex(nonce.as_bytes(), 32).then(|| *Digest::keyed(nonce.as_bytes(), key).as_bytes())
}

/// Where the marker that begins at `start` ends, if one does. Its rule has to be one that there is: what an agent
/// writes between brackets is not safe from being looked at.
pub(super) fn end(bytes: &[u8], start: usize, known: impl Fn(&str) -> bool) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let rest = rest.get(..LONGEST.min(rest.len()))?;
    let close = rest.iter().position(|byte| *byte == b']')?;
    let text = std::str::from_utf8(rest.get(1..close)?).ok()?;
    let (word, rest) = text.split_once(':')?;
    let ok = match word {
        "removed" => known(rest),
        "hmac" => {
            let (rule, digest) = rest.rsplit_once(':')?;
            known(rule) && is_hex(digest.as_bytes(), 32)
        }
        "masked" => {
            let (rule, kept) = rest.rsplit_once(':')?;
            known(rule) && kept.chars().count() <= 8
        }
        "commit" => {
            let (rest, digest) = rest.rsplit_once(':')?;
            let (rule, nonce) = rest.rsplit_once(':')?;
            known(rule) && is_hex(nonce.as_bytes(), 32) && is_hex(digest.as_bytes(), 64)
        }
        _ => false,
    };
    ok.then_some(start + close + 1)
}

/// Where all markers are, in order.
pub(super) fn all(bytes: &[u8], known: impl Fn(&str) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'['))
        .map(|offset| at + offset)
    {
        at = match end(bytes, start, &known) {
            Some(end) => {
                found.push(start..end);
                end
            }
            None => start + 1,
        };
    }
    found
}

fn is_hex(text: &[u8], len: usize) -> bool {
    text.len() == len
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
