//! The ledger's own log, as the writer appends to it: one row per leaf, with its private part beside it.

use rusqlite::Connection;

use super::epochs::EpochKey;
use super::log::Log;
use super::schema::LEDGER_LOG;
use super::tables::{self, StateRow, TableError, to_sql};
use crate::leaf::{
    ControlBody, ControlLeaf, LedgerId, Private, Salt, TreeHead, control_commitment, epoch_message,
};
use crate::tile::Tile;
use crate::tree::{Hash, hash_leaf};

/// The writer's end of the ledger log.
#[derive(Debug)]
pub(crate) struct ControlLog {
    log: Log,
    /// Time of the newest leaf: the log's times never go back.
    newest_ns: u64,
    random: Random,
}

impl ControlLog {
    /// Reads the right edge and checks it against the row of `state`.
    pub(crate) fn load(connection: &Connection, state: &StateRow) -> Result<Self, TableError> {
        let log = tables::right_edge(connection, LEDGER_LOG)?;
        if log.size() != state.size || log.root() != state.root {
            let why = format!(
                "its {} leaves do not give the root of the last commit ({})",
                log.size(),
                state.size
            );
            return Err(TableError::damaged("the ledger log", why));
        }
        let mut newest_ns = 0;
        let mut why = None;
        tables::leaves(
            connection,
            LEDGER_LOG,
            log.size().saturating_sub(1),
            log.size(),
            |_, leaf| match ControlLeaf::decode(leaf) {
                Ok(leaf) => newest_ns = leaf.unix_ns,
                Err(error) => why = Some(error.to_string()),
            },
        )?;
        match why {
            Some(why) => Err(TableError::damaged(
                "the newest leaf of the ledger log",
                why,
            )),
            None => Ok(Self {
                log,
                newest_ns,
                random: Random::default(),
            }),
        }
    }

    /// An empty log, for a ledger that is being created.
    pub(crate) fn empty() -> Self {
        Self {
            log: Log::default(),
            newest_ns: 0,
            random: Random::default(),
        }
    }

    /// Time of the newest leaf: Unix nanoseconds.
    pub(crate) fn newest_ns(&self) -> u64 {
        self.newest_ns
    }

    pub(crate) fn size(&self) -> u64 {
        self.log.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.log.root()
    }

    pub(crate) fn frontier(&self) -> Vec<u8> {
        self.log.frontier().to_bytes()
    }

    /// Moves the log's time on; it never goes back.
    pub(crate) fn at(&mut self, now_ns: u64) -> u64 {
        self.newest_ns = self.newest_ns.max(now_ns);
        self.newest_ns
    }

    /// Random bytes for nonces and salts.
    pub(crate) fn random<const N: usize>(&mut self) -> Result<[u8; N], WriteError> {
        self.random.take()
    }

    /// Appends a leaf whose private part hides behind a commitment; `body` gets it.
    pub(crate) fn append_private(
        &mut self,
        connection: &Connection,
        private: &impl Private,
        body: impl FnOnce(Hash) -> ControlBody,
    ) -> Result<u64, WriteError> {
        let private = private
            .encode()
            .map_err(|error| WriteError::Malformed(error.to_string()))?;
        let salt: Salt = self.random.take()?;
        let body = body(control_commitment(&salt, &private));
        self.put(connection, body, Some((salt, private)))
    }

    /// Appends a leaf without a private part.
    pub(crate) fn append(
        &mut self,
        connection: &Connection,
        body: ControlBody,
    ) -> Result<u64, WriteError> {
        self.put(connection, body, None)
    }

    /// Appends the seal that ends an epoch and puts `next_key` in force, signed by the key that it ends.
    pub(crate) fn append_seal(
        &mut self,
        connection: &Connection,
        ledger: &LedgerId,
        ending: &EpochKey,
        next_key: [u8; 32],
    ) -> Result<u64, WriteError> {
        let head = TreeHead {
            size: self.size(),
            root: self.root(),
        };
        let seal = |signature| ControlBody::EpochSeal {
            epoch: ending.epoch,
            head,
            next_key,
            view_root: [0; 32],
            signature,
        };
        let unsigned = ControlLeaf {
            index: head.size,
            unix_ns: self.newest_ns,
            body: seal([0; 64]),
        };
        let message = epoch_message(ledger, &unsigned)
            .map_err(|error| WriteError::Malformed(error.to_string()))?;
        let signature = ending.key.sign_bytes(&message.unwrap_or_default());
        self.append(connection, seal(signature))
    }

    fn put(
        &mut self,
        connection: &Connection,
        body: ControlBody,
        private: Option<(Salt, Vec<u8>)>,
    ) -> Result<u64, WriteError> {
        let index = self.log.size();
        let leaf = ControlLeaf {
            index,
            unix_ns: self.newest_ns,
            body,
        };
        let leaf = leaf
            .encode()
            .map_err(|error| WriteError::Malformed(error.to_string()))?;
        let (salt, private) = private.unzip();
        connection
            .prepare_cached("INSERT INTO control (n, leaf, salt, private) VALUES (?1, ?2, ?3, ?4)")?
            .execute((to_sql(index), &leaf, salt, private))?;
        let mut due = Vec::new();
        self.log.append(hash_leaf(&leaf), &mut due);
        store_tiles(connection, LEDGER_LOG, &due)?;
        Ok(index)
    }
}

/// Why a transaction did not come to its commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("a value does not fit its format: {0}")]
    Malformed(String),
    #[error("a batch could not be prepared again: {0}")]
    Prepare(#[from] super::batch::PrepareError),
}

/// Writes tiles; those of higher levels replace what they were.
pub(crate) fn store_tiles(connection: &Connection, log: i64, due: &[Tile]) -> rusqlite::Result<()> {
    for tile in due {
        connection
            .prepare_cached(
                "INSERT INTO tile (log, level, n, hashes) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (log, level, n) DO UPDATE SET hashes = excluded.hashes",
            )?
            .execute((log, tile.level, to_sql(tile.n), &tile.hashes))?;
    }
    Ok(())
}

/// Random bytes of the system, fetched in bulk.
#[derive(Debug, Default)]
struct Random {
    bytes: Vec<u8>,
}

impl Random {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WriteError> {
        if self.bytes.len() < N {
            self.bytes.resize(4096, 0);
            getrandom::fill(&mut self.bytes).map_err(WriteError::Random)?;
        }
        let rest = self.bytes.len() - N;
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(self.bytes.drain(rest..)) {
            *to = from;
        }
        Ok(out)
    }
}
