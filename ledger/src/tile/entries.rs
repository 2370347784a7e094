//! Entry bundles (C2SP tlog-tiles): the leaves under one tile of level 0, and where they lie.
#![forbid(unsafe_code)]

/// The path of an entry bundle: the leaves under a tile of level 0, the path of which has `0` for `entries`.
#[must_use]
pub fn entries_path(n: u64, width: u64) -> String {
    super::path(0, n, width).replacen("tile/0/", "tile/entries/", 1)
}

/// Adds a leaf to an entry bundle: its length as a big-endian `u16`, its bytes. `None` if it is too long.
#[must_use]
pub fn put_entry(bundle: &mut Vec<u8>, leaf: &[u8]) -> Option<()> {
    bundle.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
    bundle.extend_from_slice(leaf);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_bundle_is_as_tlog_tiles_says() {
        assert_eq!(entries_path(1_234_067, 256), "tile/entries/x001/x234/067");
        assert_eq!(entries_path(0, 17), "tile/entries/000.p/17");
        let mut bundle = Vec::new();
        put_entry(&mut bundle, b"ab").unwrap();
        put_entry(&mut bundle, b"").unwrap();
        assert_eq!(bundle, b"\0\x02ab\0\0");
        assert_eq!(put_entry(&mut bundle, &[0; 65_536]), None);
    }
}
