//! The archive around a bundle's files: one tar encoding, and a reader that takes no other.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use super::{BundleError, MAX_STREAMS, not_a_bundle};

/// The folder that every name starts with.
const FOLDER: &str = "recount-bundle/";
const BLOCK: usize = 512;
/// Length of the zeros at the end.
const END: usize = 2 * BLOCK;
/// The largest content that eleven octal digits can tell: 8 GiB - 1.
const MAX_FILE: u64 = (1 << 33) - 1;
/// The list of digests.
pub(super) const SUMS: &str = "SHA256SUMS";
/// The names before the streams, in order.
const NAMES: [&str; 7] = [
    "README.txt",
    SUMS,
    "account.json",
    "bundle.txt",
    "checkpoint",
    "ledger",
    "streams/",
];
/// The only name that may be missing.
const OPTIONAL: &str = "account.json";

/// One file of a bundle.
pub(super) type File<'a> = (&'a str, &'a [u8]);

/// The archive of these files, which are in order; `SHA256SUMS` is made and put in its place.
///
/// # Errors
/// A name that a bundle does not have or that stands at another place, a file of more than 8 GiB.
pub fn pack(files: &[(&str, &[u8])]) -> Result<Vec<u8>, BundleError> {
    let mut sums = String::new();
    for (name, content) in files {
        sums.push_str(&sum_line(name, content));
    }
    let mut all: Vec<File<'_>> = files.to_vec();
    all.insert(1.min(all.len()), (SUMS, sums.as_bytes()));
    check_names(&all)?;
    let mut out = Vec::new();
    for (name, content) in all {
        out.extend_from_slice(&header(name, content.len() as u64)?);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + END, 0);
    Ok(out)
}

/// The files of an archive, and the names of those whose digest is wrong.
///
/// # Errors
/// Any byte outside the contents that is not what [`pack`] would have written.
#[expect(
    clippy::type_complexity,
    reason = "name and content, as `pack` takes them"
)]
pub fn unpack(bytes: &[u8]) -> Result<(Vec<(&str, &[u8])>, Vec<&str>), BundleError> {
    let files = entries(bytes)?;
    check_names(&files)?;
    let wrong = check_sums(&files)?;
    Ok((files, wrong))
}

fn entries(bytes: &[u8]) -> Result<Vec<File<'_>>, BundleError> {
    let mut files: Vec<File<'_>> = Vec::new();
    let mut rest = bytes;
    loop {
        let at = bytes.len() - rest.len();
        let Some((block, after)) = rest.split_at_checked(BLOCK) else {
            return Err(not_a_bundle(format!("it breaks off at byte {at}")));
        };
        if block.iter().all(|byte| *byte == 0) {
            if after.len() != BLOCK || after.iter().any(|byte| *byte != 0) {
                return Err(not_a_bundle(format!(
                    "it does not end with two empty blocks at byte {at}"
                )));
            }
            return Ok(files);
        }
        if files.len() > MAX_STREAMS + NAMES.len() {
            return Err(not_a_bundle("too many files"));
        }
        let (name, size) = read_header(block, at)?;
        let padded = size.next_multiple_of(BLOCK);
        let Some((content, after)) = after.split_at_checked(padded) else {
            return Err(not_a_bundle(format!("{name} breaks off")));
        };
        let (content, padding) = content.split_at(size);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(not_a_bundle(format!("something lies behind {name}")));
        }
        files.push((name, content));
        rest = after;
    }
}

/// Name and size of a header, which has to be the one that [`header`] gives for them.
fn read_header(block: &[u8], at: usize) -> Result<(&str, usize), BundleError> {
    let other = || not_a_bundle(format!("the file header at byte {at} is another one"));
    let name = block
        .get(..100)
        .and_then(|name| name.split(|b| *b == 0).next());
    let name = name.and_then(|name| std::str::from_utf8(name).ok());
    let name = name
        .and_then(|name| name.strip_prefix(FOLDER))
        .ok_or_else(other)?;
    let digits = block.get(124..135).ok_or_else(other)?;
    let size = digits.iter().try_fold(0u64, |size, digit| match digit {
        b'0'..=b'7' => Some(size * 8 + u64::from(digit - b'0')),
        _ => None,
    });
    let size = size.ok_or_else(other)?;
    if header(name, size)? != block {
        return Err(other());
    }
    Ok((name, usize::try_from(size).map_err(|_| other())?))
}

/// The header of a file: everything in it follows from name and size.
fn header(name: &str, size: u64) -> Result<[u8; BLOCK], BundleError> {
    if FOLDER.len() + name.len() >= 100 || size > MAX_FILE {
        return Err(not_a_bundle(format!("{name} of {size} bytes does not fit")));
    }
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, FOLDER.as_bytes());
    put(FOLDER.len(), name.as_bytes());
    put(100, b"0000644");
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    block[148..156].copy_from_slice(sum.as_bytes());
    Ok(block)
}

/// Every name once, in order, none missing.
fn check_names(files: &[File<'_>]) -> Result<(), BundleError> {
    let mut expected = NAMES.iter().peekable();
    let mut streams: Vec<&str> = Vec::new();
    for (name, _) in files {
        if let Some(stream) = name.strip_prefix("streams/") {
            let digits = stream
                .bytes()
                .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
            if expected.peek() != Some(&&"streams/") || stream.len() != 64 || !digits {
                return Err(not_a_bundle(format!("{name:?} stands where it cannot")));
            }
            if streams.last().is_some_and(|last| *last >= stream) {
                return Err(not_a_bundle(format!("{name} is out of order")));
            }
            streams.push(stream);
            continue;
        }
        expected.next_if(|next| **next == OPTIONAL && *name != OPTIONAL);
        if expected.next_if(|next| *next == name).is_none() {
            return Err(not_a_bundle(format!("{name:?} stands where it cannot")));
        }
    }
    if expected.next() != Some(&"streams/") || streams.is_empty() {
        return Err(not_a_bundle("files are missing"));
    }
    if streams.len() > MAX_STREAMS {
        return Err(not_a_bundle(format!("{} streams", streams.len())));
    }
    Ok(())
}

fn sum_line(name: &str, content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let mut line = String::with_capacity(64 + 3 + name.len());
    for byte in digest {
        line.push_str(&format!("{byte:02x}"));
    }
    line.push_str("  ");
    line.push_str(name);
    line.push('\n');
    line
}

/// The files whose digest is wrong.
fn check_sums<'a>(files: &[File<'a>]) -> Result<Vec<&'a str>, BundleError> {
    let sums = files.iter().find(|(name, _)| *name == SUMS);
    let mut rest = sums.map(|(_, sums)| *sums).unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, content) in files.iter().filter(|(name, _)| *name != SUMS) {
        let line = sum_line(name, content);
        let Some((found, after)) = rest.split_at_checked(line.len()) else {
            return Err(not_a_bundle("SHA256SUMS breaks off"));
        };
        let (digest, named) = found.split_at(64);
        let hexadecimal = digest
            .iter()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(c));
        if !hexadecimal || !line.as_bytes().ends_with(named) {
            return Err(not_a_bundle(format!("SHA256SUMS does not name {name}")));
        }
        if found != line.as_bytes() {
            wrong.push(*name);
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(wrong)
    } else {
        Err(not_a_bundle("SHA256SUMS names other files"))
    }
}
