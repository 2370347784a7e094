//! Producers that are enrolled: whom a credential belongs to, and what else of a producer is known beforehand.
//!
//! [`entry`] is one enrolment, [`roll`] all of them, [`file`] keeps them, [`watch`] notices that the file changed while
//! a collector runs.

pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod roll;
pub(crate) mod sender;
pub(crate) mod watch;

/// Compares without telling by its duration where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_equal_bytes_are_the_same() {
        assert!(same(b"", b"") && same(b"token", b"token"));
        for other in [&b"tokem"[..], b"Token", b"toke", b"tokens", b""] {
            assert!(!same(b"token", other), "{other:?}");
        }
    }
}
