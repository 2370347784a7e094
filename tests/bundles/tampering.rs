//! Taking bundles apart and putting them together wrongly, as an attacker with a good program would.

use ledger::bundle::{pack, unpack};
use sha2::{Digest, Sha256};

/// A bundle's files, without `SHA256SUMS`.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

pub(crate) fn files(bundle: &[u8]) -> Files {
    let (files, _) = unpack(bundle).expect("a bundle");
    let files = files.into_iter().filter(|(name, _)| *name != "SHA256SUMS");
    files
        .map(|(name, content)| (name.to_owned(), content.to_vec()))
        .collect()
}

pub(crate) fn file<'a>(files: &'a mut Files, name: &str) -> &'a mut Vec<u8> {
    let file = files.iter_mut().find(|(known, _)| known.starts_with(name));
    &mut file.expect("it is there").1
}

/// The archive with good digests; `None` where no archive of ours holds such files.
pub(crate) fn packed(files: &Files) -> Option<Vec<u8>> {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    pack(&files).ok()
}

/// The archive with whatever names and order, digests included: what our own writer refuses to write.
pub(crate) fn forced(files: &Files) -> Vec<u8> {
    let mut sums = String::new();
    for (name, content) in files {
        for byte in Sha256::digest(content) {
            sums.push_str(&format!("{byte:02x}"));
        }
        sums.push_str(&format!("  {name}\n"));
    }
    let mut all = files.clone();
    all.insert(
        1.min(all.len()),
        ("SHA256SUMS".to_owned(), sums.into_bytes()),
    );
    let mut out = Vec::new();
    for (name, content) in all {
        out.extend_from_slice(&header(
            &format!("recount-bundle/{name}"),
            content.len(),
            |_| (),
        ));
        out.extend_from_slice(&content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A header with a right checksum, changed before that is computed.
pub(crate) fn header(name: &str, size: usize, change: impl Fn(&mut [u8])) -> [u8; 512] {
    let mut block = [0u8; 512];
    let name = &name.as_bytes()[..name.len().min(100)];
    for (at, field) in [
        (0, name),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, format!("{size:011o}").as_bytes()),
        (136, b"00000000000"),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000"),
        (337, b"0000000"),
    ] {
        block[at..at + field.len()].copy_from_slice(field);
    }
    change(&mut block);
    block[148..156].copy_from_slice(b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Where each file's header starts, and its name.
pub(crate) fn headers(bundle: &[u8]) -> Vec<(usize, String)> {
    let mut at = 0;
    let mut found = Vec::new();
    while bundle[at] != 0 {
        let name = bundle[at..at + 100].split(|byte| *byte == 0).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let size = std::str::from_utf8(&bundle[at + 124..at + 135]).expect("digits");
        let size = usize::from_str_radix(size, 8).expect("octal");
        found.push((at, name));
        at += 512 + size.next_multiple_of(512);
    }
    found
}
