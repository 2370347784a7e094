//! The forger: rewrites a store's database as well as one can who knows every format and has no key.

use ledger::acked::{Acked, FILE};
use ledger::checkpoint::Checkpoint;
use ledger::envelope::Envelope;
use ledger::leaf::{
    ControlBody, ControlLeaf, RECORD_LEAF, RecordLeaf, StreamId, TreeHead, epoch_message,
};
use ledger::note::SignerKey;
use ledger::segment::{Builder, Segment, pack, unpack};
use ledger::tile::Tiler;
use ledger::tree::{Frontier, Hash, hash_leaf};
use ledger::verify::epochs::epoch_key_name;
use libtest_mimic::Failed;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A database opened by someone who should not.
pub(crate) struct Forge {
    dir: PathBuf,
    pub(crate) database: Connection,
    guards: Vec<String>,
}

/// One record as it lies in the store.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) leaf: [u8; RECORD_LEAF],
    pub(crate) salt: [u8; 32],
    pub(crate) envelope: Vec<u8>,
}

impl Stored {
    /// Exchanges text in the record's bytes.
    pub(crate) fn say(&mut self, instead_of: &str, now: &str) -> Result<(), Failed> {
        let envelope = Envelope::decode(&self.envelope)?;
        let item = std::str::from_utf8(envelope.item)?.replace(instead_of, now);
        if item.as_bytes() == envelope.item {
            return Err(format!("no {instead_of:?} in {item}").into());
        }
        let item = item.as_bytes();
        self.envelope = Envelope { item, ..envelope }.encode();
        Ok(())
    }

    /// Gives the leaf another content.
    pub(crate) fn header(&mut self, edit: impl FnOnce(&mut RecordLeaf)) -> Result<(), Failed> {
        let mut leaf = RecordLeaf::decode(&self.leaf)?;
        edit(&mut leaf);
        self.leaf = leaf.encode();
        Ok(())
    }
}

/// Makes every leaf name its place and commit to its bytes.
pub(crate) fn consistent(records: &mut [Stored]) -> Result<(), Failed> {
    for (index, stored) in (0..).zip(records) {
        let commitment = Envelope::decode(&stored.envelope)?.commitment(&stored.salt);
        stored.header(|leaf| {
            leaf.index = index;
            leaf.commitment = commitment;
        })?;
    }
    Ok(())
}

impl Forge {
    /// Opens the database and takes its guard rails away.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failed> {
        let database = Connection::open(dir.join("ledger.db"))?;
        let mut statement =
            database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")?;
        let triggers = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let triggers: Vec<_> = triggers.collect::<Result<_, _>>()?;
        drop(statement);
        for (name, _) in &triggers {
            database.execute_batch(&format!("DROP TRIGGER {name}"))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            database,
            guards: triggers.into_iter().map(|(_, sql)| sql).collect(),
        })
    }

    /// Puts the guard rails back and closes the database, leaving no log beside it.
    pub(crate) fn close(self) -> Result<(), Failed> {
        for guard in &self.guards {
            self.database.execute_batch(guard)?;
        }
        self.database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(self.database.close().map_err(|(_, error)| error)?)
    }

    /// The number of the stream with this session label.
    pub(crate) fn number(&self, label: &str) -> Result<i64, Failed> {
        let sql = "SELECT n FROM stream WHERE label = ?1";
        Ok(self.database.query_row(sql, [label], |row| row.get(0))?)
    }

    /// All records of a stream.
    pub(crate) fn records(&self, stream: i64) -> Result<Vec<Stored>, Failed> {
        let sql = "SELECT leaves, salts, payload FROM segment WHERE stream = ?1 ORDER BY first";
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query([stream])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let (leaves, salts): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let plain = unpack(&row.get::<_, Vec<u8>>(2)?)?;
            let segment = Segment::decode(&plain)?;
            let (leaves, salts) = (leaves.as_chunks().0, salts.as_chunks().0);
            for ((leaf, salt), envelope) in leaves.iter().zip(salts).zip(segment.envelopes()) {
                records.push(Stored {
                    leaf: *leaf,
                    salt: *salt,
                    envelope: envelope.ok_or("a whole record")?.encode(),
                });
            }
        }
        Ok(records)
    }

    /// Replaces all records of a stream.
    pub(crate) fn put(&self, stream: i64, records: &[Stored]) -> Result<(), Failed> {
        let mut builder = Builder::new();
        for stored in records {
            builder.push(&Envelope::decode(&stored.envelope)?);
        }
        let payload = pack(&builder.encode()?, 3)?;
        let leaves = records.iter().map(|stored| stored.leaf).collect::<Vec<_>>();
        let salts = records.iter().map(|stored| stored.salt).collect::<Vec<_>>();
        self.database
            .execute("DELETE FROM segment WHERE stream = ?1", [stream])?;
        self.database.execute(
            "INSERT INTO segment (stream, first, count, leaves, salts, payload) VALUES (?1, 0, ?2, ?3, ?4, ?5)",
            (stream, records.len() as i64, leaves.concat(), salts.concat(), payload),
        )?;
        Ok(())
    }

    /// Takes one record's payload and salt out of its stream's segment.
    pub(crate) fn wipe(&self, label: &str, index: usize) -> Result<(), Failed> {
        let stream = self.number(label)?;
        let mut records = self.records(stream)?;
        records[index].salt = [0; 32];
        self.put(stream, &records)?;
        let mut builder = Builder::new();
        for (at, stored) in records.iter().enumerate() {
            match at == index {
                true => builder.push_erased(),
                false => builder.push(&Envelope::decode(&stored.envelope)?),
            }
        }
        let payload = pack(&builder.encode()?, 3)?;
        let wipe = "UPDATE segment SET payload = ?1 WHERE stream = ?2";
        Ok(self.database.execute(wipe, (payload, stream)).map(drop)?)
    }

    /// Changes the records of one session in place.
    pub(crate) fn edit(
        &self,
        label: &str,
        edit: impl FnOnce(&mut Vec<Stored>) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let stream = self.number(label)?;
        let mut records = self.records(stream)?;
        edit(&mut records)?;
        self.put(stream, &records)
    }

    /// Every leaf of the ledger log.
    pub(crate) fn control(&self) -> Result<Vec<ControlLeaf>, Failed> {
        let mut statement = self
            .database
            .prepare("SELECT leaf FROM control ORDER BY n")?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let mut leaves = Vec::new();
        for leaf in rows {
            leaves.push(ControlLeaf::decode(&leaf?)?);
        }
        Ok(leaves)
    }

    /// Recomputes everything above the records: tiles, heads, the ledger log, the state, `acked`. All of it then agrees
    /// with itself; only the signature is missing. Gives the ledger log's new size and root.
    pub(crate) fn recompute(&self) -> Result<TreeHead, Failed> {
        self.database.execute_batch("DELETE FROM tile")?;
        let trees = self.streams()?;
        let mut control = self.control()?;
        for leaf in &mut control {
            if let ControlBody::StreamHead { stream, head, .. }
            | ControlBody::StreamClose { stream, head, .. } = &mut leaf.body
            {
                let hashes = trees.get(stream).ok_or("a stream")?;
                let size = usize::try_from(head.size)?.min(hashes.len());
                head.size = size as u64;
                head.root = frontier(&hashes[..size]).root();
            }
        }
        let mut hashes = Vec::new();
        for (n, leaf) in (0i64..).zip(&control) {
            let leaf = leaf.encode()?;
            self.database
                .execute("UPDATE control SET leaf = ?1 WHERE n = ?2", (&leaf, n))?;
            hashes.push(hash_leaf(&leaf));
        }
        self.tiles(0, &hashes, true)?;
        self.settle(&hashes)
    }

    fn streams(&self) -> Result<HashMap<StreamId, Vec<Hash>>, Failed> {
        let mut statement = self.database.prepare("SELECT n, id FROM stream")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?)))?;
        let mut trees = HashMap::new();
        for row in rows {
            let (n, id) = row?;
            let hashes: Vec<Hash> = self
                .records(n)?
                .iter()
                .map(|stored| hash_leaf(&stored.leaf))
                .collect();
            self.tiles(n, &hashes, false)?;
            trees.insert(StreamId(id), hashes);
        }
        Ok(trees)
    }

    fn tiles(&self, log: i64, hashes: &[Hash], upper: bool) -> Result<(), Failed> {
        let (mut tiler, mut tiles) = (Tiler::new(), Vec::new());
        for hash in hashes {
            tiler.append(*hash, |tile| tiles.push(tile));
        }
        for tile in tiles
            .iter()
            .filter(|tile| upper || tile.level == 0 || tile.hashes.len() == 8192)
        {
            self.database.execute(
                "INSERT INTO tile (log, level, n, hashes) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (log, level, n) DO UPDATE SET hashes = excluded.hashes",
                (log, tile.level, tile.n as i64, &tile.hashes),
            )?;
        }
        Ok(())
    }

    /// Changes leaves of the ledger log in place.
    pub(crate) fn edit_control(
        &self,
        edit: impl FnOnce(&mut Vec<ControlLeaf>) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let mut leaves = self.control()?;
        edit(&mut leaves)?;
        self.database
            .execute("DELETE FROM control WHERE n >= ?1", [leaves.len() as i64])?;
        for (n, leaf) in (0i64..).zip(&leaves) {
            self.database.execute(
                "INSERT INTO control (n, leaf) VALUES (?1, ?2) ON CONFLICT (n) DO UPDATE SET leaf = excluded.leaf",
                (n, leaf.encode()?),
            )?;
        }
        Ok(())
    }

    /// Signs the ledger log as it now is with the keys that lie in the folder, or with another epoch key.
    pub(crate) fn sign(&self, keys: &Path, epoch: Option<[u8; 32]>) -> Result<(), Failed> {
        let (size, root, origin): (i64, [u8; 32], String) =
            self.database
                .query_row("SELECT size, root, origin FROM state", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => std::fs::read(keys.join("epoch"))?[9..].try_into()?,
        };
        let identity = SignerKey::new(&origin, &identity(keys)?)?;
        let epoch = SignerKey::new(&epoch_key_name(&origin), &epoch)?;
        let head = TreeHead {
            size: u64::try_from(size)?,
            root,
        };
        let note = Checkpoint { origin, head }.sign_in_epoch(&identity, Some(&epoch))?;
        Ok(std::fs::write(self.dir.join("last_signed"), note)?)
    }

    /// Begins the chain of epochs anew from the identity key, with keys of one's own. Gives the last of them.
    pub(crate) fn reseal(&self, keys: &Path) -> Result<[u8; 32], Failed> {
        let own = |epoch: u64| [u8::try_from(100 + epoch).unwrap_or(u8::MAX); 32];
        let mut signer = identity(keys)?;
        let mut last = signer;
        self.edit_control(|leaves| {
            let ledger = match leaves.first().map(|leaf| &leaf.body) {
                Some(ControlBody::Genesis { ledger, .. }) => *ledger,
                _ => return Err("a genesis leaf".into()),
            };
            let mut before = Frontier::new();
            for leaf in leaves {
                if let ControlBody::EpochSeal {
                    epoch,
                    head,
                    next_key,
                    ..
                } = &mut leaf.body
                {
                    last = own(*epoch);
                    *head = TreeHead {
                        size: before.size(),
                        root: before.root(),
                    };
                    *next_key = *SignerKey::new("x", &last)?.verifier().bytes();
                    let message = epoch_message(&ledger, leaf)?.ok_or("a seal")?;
                    let signed = SignerKey::new("x", &signer)?.sign_bytes(&message);
                    if let ControlBody::EpochSeal { signature, .. } = &mut leaf.body {
                        *signature = signed;
                    }
                    signer = last;
                }
                before.append(hash_leaf(&leaf.encode()?));
            }
            Ok(())
        })?;
        Ok(last)
    }

    /// Makes `state` and `acked` agree with the ledger log.
    fn settle(&self, hashes: &[Hash]) -> Result<TreeHead, Failed> {
        let frontier = frontier(hashes);
        let (size, root) = (frontier.size(), frontier.root());
        self.database.execute(
            "UPDATE state SET size = ?1, root = ?2, frontier = ?3",
            (size as i64, root, frontier.to_bytes()),
        )?;
        let commit: i64 = self
            .database
            .query_row("SELECT commit_no FROM state", [], |row| row.get(0))?;
        let commit = u64::try_from(commit)?;
        let slots = [commit, commit].map(|commit| Acked { commit, size, root }.encode());
        let slots = slots.concat();
        assert_eq!(slots.len(), FILE);
        std::fs::write(self.dir.join("acked"), slots)?;
        Ok(TreeHead { size, root })
    }
}

fn identity(keys: &Path) -> Result<[u8; 32], Failed> {
    Ok(std::fs::read(keys.join("identity"))?
        .as_slice()
        .try_into()?)
}

fn frontier(hashes: &[Hash]) -> Frontier {
    let mut frontier = Frontier::new();
    hashes.iter().for_each(|hash| frontier.append(*hash));
    frontier
}
