//! What can happen to a bundle, by chance and on purpose.

use super::memory::Memory;
use super::random::Random;
use super::tampering::{Files, file, files, forced, header, headers, packed};
use super::world::World;

/// One way to change a bundle; `None` where it does not apply.
type Mutation = fn(&World, &World, &mut Random) -> Option<Vec<u8>>;

/// Each way, by name.
pub(crate) const MUTATIONS: &[(&str, Mutation)] = &[
    ("nothing", |it, _, _| Some(it.bundle.clone())),
    ("a bit", bit),
    ("a bit, digests made good", bit_made_good),
    ("cut off", cut),
    ("something behind it", longer),
    ("a byte in the padding", padding),
    ("two files exchanged", exchanged),
    (
        "two files exchanged, digests made good",
        exchanged_made_good,
    ),
    ("a file of another bundle", spliced),
    ("a file twice", twice),
    ("another name", renamed),
    ("another order", reordered),
    ("a field of a header", header_field),
    ("a size that is not there", huge),
    ("a file missing", missing),
    ("signed by another key", resigned),
    ("a record left out", record_out),
    ("two records exchanged", records_exchanged),
    ("the last record left out", last_record_out),
    ("a payload left out", payload_out),
    ("a private part left out", private_out),
    ("a private part of another leaf", private_moved),
    ("a leaf left out", leaf_out),
    ("a hash left out or added", hash_out),
    ("no stream's files", stream_out),
];

fn bit(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut bytes = it.bundle.clone();
    let at = random.at(bytes.len());
    bytes[at] ^= 1 << random.below(8);
    Some(bytes)
}

fn bit_made_good(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    // The smaller files come up as often as the large ones.
    let which = random.at(files.len());
    let content = &mut files[which].1;
    let at = random.at(content.len());
    content[at] ^= 1 << random.below(8);
    packed(&files)
}

fn cut(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let at = random.at(it.bundle.len());
    let at = if random.once_in(2) {
        at
    } else {
        at / 512 * 512
    };
    Some(it.bundle[..at].to_vec())
}

fn longer(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let more = [1, 512, 1024, 9216][random.at(4)];
    let with = if random.once_in(2) { 0 } else { 1 };
    let mut bytes = it.bundle.clone();
    bytes.resize(bytes.len() + more, with);
    Some(bytes)
}

fn padding(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut bytes = it.bundle.clone();
    let headers = headers(&bytes);
    let (next, _) = headers[1 + random.at(headers.len() - 1)];
    // The byte before a header is padding unless the file before it fills its last block.
    if bytes[next - 1] != 0 {
        return None;
    }
    bytes[next - 1] = 1 + random.below(255) as u8;
    Some(bytes)
}

fn exchanged(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut bytes = it.bundle.clone();
    let headers = headers(&bytes);
    let (one, other) = (random.at(headers.len()), random.at(headers.len()));
    let (one, other) = (headers[one].0, headers[other].0);
    let name = bytes[one..one + 100].to_vec();
    bytes.copy_within(other..other + 100, one);
    bytes[other..other + 100].copy_from_slice(&name);
    Some(bytes)
}

fn exchanged_made_good(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    let (one, other) = (random.at(files.len()), random.at(files.len()));
    let content = std::mem::take(&mut files[one].1);
    let content = std::mem::replace(&mut files[other].1, content);
    files[one].1 = content;
    packed(&files)
}

fn spliced(it: &World, other: &World, random: &mut Random) -> Option<Vec<u8>> {
    let (mut files, others) = (files(&it.bundle), files(&other.bundle));
    let (_, content) = &others[random.at(others.len())];
    let at = random.at(files.len());
    files[at].1.clone_from(content);
    packed(&files)
}

fn twice(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    let again = files[random.at(files.len())].clone();
    files.insert(random.at(files.len() + 1), again);
    Some(forced(&files))
}

fn renamed(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    let at = random.at(files.len());
    let name = &mut files[at].0;
    *name = match random.below(7) {
        0 => format!("../{name}"),
        1 => "../../../../etc/passwd".to_owned(),
        2 => name.to_uppercase(),
        3 => format!("./{name}"),
        4 => format!("streams/{}", "0".repeat(63)),
        5 => format!("{name}/"),
        _ => format!("streams/{}", "f".repeat(64)),
    };
    Some(forced(&files))
}

fn reordered(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    let (one, other) = (random.at(files.len()), random.at(files.len()));
    files.swap(one, other);
    Some(forced(&files))
}

fn header_field(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut bytes = it.bundle.clone();
    let headers = headers(&bytes);
    let (at, name) = &headers[random.at(headers.len())];
    let size = std::str::from_utf8(&bytes[at + 124..at + 135]).ok()?;
    let size = usize::from_str_radix(size, 8).ok()?;
    let (field, with) = [
        (156, b"2".as_slice()),
        (156, b"1"),
        (156, b"5"),
        (156, b"S"),
        (157, b"/etc/passwd"),
        (100, b"0000755"),
        (108, b"0001750"),
        (136, b"15170000000"),
        (265, b"root"),
        (329, b"\0\0\0\0\0\0\0"),
        (345, b"prefix"),
        (500, b"x"),
        (99, b"x"),
    ][random.at(13)];
    let changed = header(name, size, |block| {
        block[field..field + with.len()].copy_from_slice(with);
    });
    bytes[*at..at + 512].copy_from_slice(&changed);
    Some(bytes)
}

fn huge(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut bytes = it.bundle.clone();
    let headers = headers(&bytes);
    let (at, name) = &headers[random.at(headers.len())];
    let size = [8_589_934_591, 1 << 32, bytes.len(), 0][random.at(4)];
    bytes[*at..at + 512].copy_from_slice(&header(name, size, |_| ()));
    Some(bytes)
}

fn missing(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    files.remove(random.at(files.len()));
    Some(forced(&files))
}

fn stream_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut files = files(&it.bundle);
    let first = files
        .iter()
        .position(|(name, _)| name.starts_with("streams/"))?;
    files.remove(first + random.at(files.len() - first));
    packed(&files)
}

fn resigned(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let mut forged: Memory = it.memory.clone();
    forged.seed = [99; 32];
    let mut note = forged.sign();
    let mut files = files(&it.bundle);
    if random.once_in(2) {
        // The other key's line beside the good one.
        let line = note.iter().rposition(|byte| *byte == b'\n').map(|_| {
            let text = String::from_utf8_lossy(&note).into_owned();
            text.rsplit_once("\n\n").map(|(_, line)| line.to_owned())
        })??;
        note = file(&mut files, "checkpoint").clone();
        note.extend_from_slice(line.as_bytes());
    }
    *file(&mut files, "checkpoint") = note;
    packed(&files)
}

/// The records of a stream file: each with its state byte.
fn records(content: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &content[9..];
    let mut records = Vec::new();
    while let Some(state) = rest.first() {
        let len = match state {
            0 => 1,
            1 => {
                let len = <[u8; 4]>::try_from(&rest[87..91]).expect("a length");
                91 + u32::from_be_bytes(len) as usize
            }
            _ => 55,
        };
        records.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    records
}

fn with_records(
    it: &World,
    change: impl FnOnce(&mut Vec<Vec<u8>>) -> Option<()>,
) -> Option<Vec<u8>> {
    let mut files: Files = files(&it.bundle);
    let content = file(&mut files, "streams/");
    let mut records = records(content);
    change(&mut records)?;
    *content = [
        &[1],
        &(records.len() as u64).to_be_bytes()[..],
        &records.concat(),
    ]
    .concat();
    packed(&files)
}

fn record_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let hole = random.once_in(2);
    with_records(it, |records| {
        let at = (!records.is_empty()).then(|| random.at(records.len()))?;
        if hole {
            records[at] = vec![0];
        } else {
            records.remove(at);
        }
        Some(())
    })
}

fn records_exchanged(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    with_records(it, |records| {
        let len = (!records.is_empty()).then_some(records.len())?;
        let (one, other) = (random.at(len), random.at(len));
        records.swap(one, other);
        Some(())
    })
}

fn last_record_out(it: &World, _: &World, _: &mut Random) -> Option<Vec<u8>> {
    with_records(it, |records| records.pop().map(drop))
}

fn payload_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    with_records(it, |records| {
        let at = (!records.is_empty()).then(|| random.at(records.len()))?;
        if records[at][0] == 1 {
            records[at].truncate(55);
            records[at][0] = 2;
        }
        Some(())
    })
}

/// A carried leaf: index, leaf, private part with its salt and length.
type Leaf = (u64, Vec<u8>, Option<Vec<u8>>);

fn leaves(content: &[u8]) -> (Vec<Leaf>, Vec<u8>) {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let mut rest = &content[9..];
    let mut leaves = Vec::new();
    for _ in 0..number(&content[1..9]) {
        let len = number(&rest[8..12]) as usize;
        let (leaf, after) = rest[12..].split_at(len);
        let private = (after[0] == 1).then(|| {
            let len = 32 + 4 + number(&after[33..37]) as usize;
            after[1..1 + len].to_vec()
        });
        leaves.push((number(&rest[..8]), leaf.to_vec(), private.clone()));
        rest = &after[1 + private.map_or(0, |private| private.len())..];
    }
    (leaves, rest.to_vec())
}

fn with_leaves(
    it: &World,
    change: impl FnOnce(&mut Vec<Leaf>, &mut Vec<u8>) -> Option<()>,
) -> Option<Vec<u8>> {
    let mut files: Files = files(&it.bundle);
    let content = file(&mut files, "ledger");
    let (mut leaves, mut hashes) = leaves(content);
    change(&mut leaves, &mut hashes)?;
    let mut out = vec![1];
    out.extend_from_slice(&(leaves.len() as u64).to_be_bytes());
    for (index, leaf, private) in leaves {
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&(leaf.len() as u32).to_be_bytes());
        out.extend_from_slice(&leaf);
        out.push(u8::from(private.is_some()));
        out.extend_from_slice(&private.unwrap_or_default());
    }
    out.extend_from_slice(&hashes);
    *content = out;
    packed(&files)
}

fn private_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    with_leaves(it, |leaves, _| {
        let at = random.at(leaves.len());
        leaves[at].2.take().map(drop)
    })
}

fn private_moved(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    with_leaves(it, |leaves, _| {
        let (from, to) = (random.at(leaves.len()), random.at(leaves.len()));
        let private = leaves[from].2.clone()?;
        leaves[to].2 = Some(private);
        Some(())
    })
}

/// A leaf goes and the proof is made good: what an exporter could leave out.
fn leaf_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    let whole: Vec<[u8; 32]> = it
        .memory
        .control
        .iter()
        .map(|stored| ledger::tree::hash_leaf(&stored.leaf))
        .collect();
    let mut contents = files(&it.bundle);
    let note = file(&mut contents, "checkpoint").clone();
    let size: usize = String::from_utf8_lossy(&note)
        .lines()
        .nth(1)?
        .parse()
        .ok()?;
    with_leaves(it, |leaves, hashes| {
        leaves.remove(random.at(leaves.len()));
        let kept: Vec<usize> = leaves.iter().map(|(index, ..)| *index as usize).collect();
        hashes.clear();
        let mut from = 0;
        for level in (0..63).rev().filter(|level| size >> level & 1 == 1) {
            prove(&whole, from, from + (1 << level), &kept, hashes);
            from += 1 << level;
        }
        Some(())
    })
}

fn prove(whole: &[[u8; 32]], from: usize, to: usize, kept: &[usize], hashes: &mut Vec<u8>) {
    if !kept.iter().any(|index| (from..to).contains(index)) {
        hashes.extend_from_slice(&root(&whole[from..to]));
    } else if to - from > 1 {
        let middle = (from + to) / 2;
        prove(whole, from, middle, kept, hashes);
        prove(whole, middle, to, kept, hashes);
    }
}

fn root(hashes: &[[u8; 32]]) -> [u8; 32] {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            ledger::tree::hash_node(&root(left), &root(right))
        }
    }
}

fn hash_out(it: &World, _: &World, random: &mut Random) -> Option<Vec<u8>> {
    with_leaves(it, |_, hashes| {
        match random.below(3) {
            0 => hashes.extend_from_slice(&[7; 32]),
            1 => hashes.truncate(hashes.len().checked_sub(32)?),
            _ => drop(hashes.pop()?),
        }
        Some(())
    })
}
