//! How much room the disk has, and the reserve that keeps enough of it to stop in order.
//!
//! Three stages, as auditd has them: a warning, no new sessions, and a reserve file whose blocks are given up to write
//! heads, the shutdown leaf and a checkpoint when nothing else is left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StoreError;
use super::files;

const MIB: u64 = 1024 * 1024;

/// Room on the disk of a ledger, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this process may still use.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// Says how much room a folder's disk has; `None` where the system does not tell.
pub type SpaceOf = Arc<dyn Fn(&Path) -> Option<Space> + Send + Sync>;

/// From which free bytes on the ledger does what. `None` is a default that goes by the size of the disk, 0 is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskLimits {
    /// Below this it warns. Default: a tenth of the disk, but at most 20 GiB; at least 2 GiB or a quarter, whichever is
    /// less.
    pub soft: Option<u64>,
    /// Below this it takes no new streams. Default: 3 % of the disk, but at most 2 GiB; at least 512 MiB or a tenth,
    /// whichever is less.
    pub hard: Option<u64>,
    /// Bytes of the reserve file. Default: a 64th of the disk, between 256 KiB and 64 MiB.
    pub reserve: Option<u64>,
}

/// How the disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskStage {
    /// There is room.
    Fine,
    /// It is time to make room.
    Soft,
    /// No new session is taken.
    Hard,
    /// Nothing is taken: the reserve was used to stop in order.
    Full,
}

impl DiskStage {
    /// `fine`, `soft`, `hard` or `full`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Soft => "soft",
            Self::Hard => "hard",
            Self::Full => "full",
        }
    }

    fn of_code(code: u64) -> Self {
        match code {
            1 => Self::Soft,
            2 => Self::Hard,
            3 => Self::Full,
            _ => Self::Fine,
        }
    }
}

impl DiskLimits {
    fn soft(&self, total: u64) -> u64 {
        self.soft.unwrap_or_else(|| {
            let tenth = (total / 10).min(20 * 1024 * MIB);
            tenth.max((2048 * MIB).min(total / 4))
        })
    }

    fn hard(&self, total: u64) -> u64 {
        self.hard.unwrap_or_else(|| {
            let part = (total / 100 * 3).min(2048 * MIB);
            part.max((512 * MIB).min(total / 10))
        })
    }

    /// Bytes of the reserve file on a disk of this size.
    #[must_use]
    pub fn reserve(&self, total: u64) -> u64 {
        self.reserve
            .unwrap_or_else(|| (total / 64).clamp(256 * 1024, 64 * MIB))
    }

    /// The stage that so much room means.
    #[must_use]
    pub fn stage(&self, space: Space) -> DiskStage {
        if space.free < self.hard(space.total) {
            DiskStage::Hard
        } else if space.free < self.soft(space.total) {
            DiskStage::Soft
        } else {
            DiskStage::Fine
        }
    }

    /// Whether a ledger that stopped for want of room may go on: with its reserve back, no stage would stop it again.
    fn enough_again(&self, space: Space) -> bool {
        let wanted = self
            .reserve(space.total)
            .saturating_add(self.hard(space.total));
        space.free >= wanted
    }
}

/// What the file system that holds `path` says.
#[must_use]
pub fn space_of(path: &Path) -> Option<Space> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(Space {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}

/// The disk as the writer sees it, and as others may ask about it.
pub(crate) struct Disk {
    dir: PathBuf,
    path: PathBuf,
    limits: DiskLimits,
    space_of: SpaceOf,
    shared: Arc<AtomicU64>,
    stage: DiskStage,
}

impl Disk {
    pub(crate) fn new(dir: &Path, path: &Path, limits: DiskLimits, space_of: SpaceOf) -> Self {
        Self {
            dir: dir.to_path_buf(),
            path: path.to_path_buf(),
            limits,
            space_of,
            shared: Arc::default(),
            stage: DiskStage::Fine,
        }
    }

    /// Where the stage can be read while the writer writes.
    pub(crate) fn shared(&self) -> Stage {
        Stage(Arc::clone(&self.shared))
    }

    pub(crate) fn stage(&self) -> DiskStage {
        self.stage
    }

    /// Looks again. A ledger that has stopped for want of room stays so until [`Disk::enough_again`].
    pub(crate) fn look(&mut self) -> DiskStage {
        if self.stage != DiskStage::Full {
            let stage = (self.space_of)(&self.dir).map(|space| self.limits.stage(space));
            self.set(stage.unwrap_or(DiskStage::Fine));
        }
        self.stage
    }

    fn set(&mut self, stage: DiskStage) {
        self.stage = stage;
        self.shared.store(stage as u64, Ordering::Relaxed);
    }

    /// Whether a ledger that stopped for want of room has it again. Sets the reserve aside anew, first of all.
    pub(crate) fn enough_again(&mut self) -> bool {
        let space = (self.space_of)(&self.dir);
        let enough = space.is_none_or(|space| self.limits.enough_again(space));
        if enough && self.set_aside().is_ok() {
            self.set(DiskStage::Fine);
            self.look();
        }
        self.stage != DiskStage::Full
    }

    /// Makes the reserve file, unless it is there with its length.
    ///
    /// # Errors
    /// No room for it; then there is none.
    pub(crate) fn set_aside(&self) -> Result<(), StoreError> {
        let total = (self.space_of)(&self.dir).map_or(0, |space| space.total);
        let wanted = self.limits.reserve(total);
        if wanted == 0 || fs::metadata(&self.path).is_ok_and(|meta| meta.len() == wanted) {
            return Ok(());
        }
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|file| allocate(&file, wanted).map(|()| file));
        match made {
            Ok(file) => files::sync(&file, &self.path),
            Err(error) => {
                let _ = fs::remove_file(&self.path);
                Err(StoreError::io("set aside room in", &self.path, error))
            }
        }
    }

    /// Goes by what the system says, whatever was before.
    pub(crate) fn look_anew(&mut self) {
        self.stage = DiskStage::Fine;
        self.look();
    }

    /// Gives up the reserve: true if there was one. From now on the stage is [`DiskStage::Full`].
    pub(crate) fn give_up(&mut self) -> bool {
        self.set(DiskStage::Full);
        let there = fs::metadata(&self.path).is_ok_and(|meta| meta.len() > 0);
        there && fs::remove_file(&self.path).is_ok()
    }
}

/// Blocks for the whole length. Where the file system cannot set them aside, they are written.
fn allocate(file: &File, length: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let (mut file, mut left) = (file, length);
    let piece = [0xa5_u8; 64 * 1024];
    while left > 0 {
        let now = left.min(piece.len() as u64);
        file.write_all(piece.get(..now as usize).unwrap_or_default())?;
        left -= now;
    }
    Ok(())
}

/// The stage of a disk, for other threads than the writer's.
#[derive(Debug, Clone)]
pub(crate) struct Stage(Arc<AtomicU64>);

impl Stage {
    pub(crate) fn get(&self) -> DiskStage {
        DiskStage::of_code(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;

    fn stage(free: u64, total: u64) -> DiskStage {
        DiskLimits::default().stage(Space { free, total })
    }

    #[test]
    fn the_stage_goes_by_free_and_total_alone() {
        assert_eq!(stage(200 * GIB, 1000 * GIB), DiskStage::Fine);
        assert_eq!(stage(20 * GIB, 1000 * GIB), DiskStage::Fine);
        assert_eq!(stage(20 * GIB - 1, 1000 * GIB), DiskStage::Soft);
        assert_eq!(stage(2 * GIB - 1, 1000 * GIB), DiskStage::Hard);
        assert_eq!(stage(5 * GIB, 50 * GIB), DiskStage::Fine);
        assert_eq!(stage(5 * GIB - 1, 50 * GIB), DiskStage::Soft);
        assert_eq!(stage(3 * GIB / 2 - MIB, 50 * GIB), DiskStage::Hard);
        assert_eq!(stage(3 * GIB, 16 * GIB), DiskStage::Fine);
        assert_eq!(stage(2 * GIB - 1, 16 * GIB), DiskStage::Soft);
        assert_eq!(stage(512 * MIB, 16 * GIB), DiskStage::Soft);
        assert_eq!(stage(512 * MIB - 1, 16 * GIB), DiskStage::Hard);
    }

    #[test]
    fn a_small_disk_is_not_full_from_the_start() {
        assert_eq!(stage(40 * MIB, 64 * MIB), DiskStage::Fine);
        assert_eq!(stage(15 * MIB, 64 * MIB), DiskStage::Soft);
        assert_eq!(stage(6 * MIB, 64 * MIB), DiskStage::Hard);
        let limits = DiskLimits::default();
        assert_eq!(limits.reserve(64 * MIB), MIB);
        assert_eq!(limits.reserve(3 * MIB), 256 * 1024);
        assert_eq!(limits.reserve(1000 * GIB), 64 * MIB);
    }

    #[test]
    fn what_was_set_wins_and_zero_is_never() {
        let limits = DiskLimits {
            soft: Some(10),
            hard: Some(0),
            reserve: Some(7),
        };
        let at = |free| limits.stage(Space { free, total: GIB });
        assert_eq!(
            (at(10), at(9), at(0)),
            (DiskStage::Fine, DiskStage::Soft, DiskStage::Soft)
        );
        assert_eq!(limits.reserve(GIB), 7);
    }

    #[test]
    fn a_reserve_holds_blocks_and_gives_them_up_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        let limits = DiskLimits {
            reserve: Some(300_000),
            ..DiskLimits::default()
        };
        let mut disk = Disk::new(dir.path(), &path, limits, Arc::new(space_of));
        disk.set_aside().unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.len(), 300_000);
        assert!(std::os::unix::fs::MetadataExt::blocks(&meta) * 512 >= 300_000);
        assert!(disk.give_up() && !disk.give_up());
        assert_eq!(
            (disk.stage(), disk.look()),
            (DiskStage::Full, DiskStage::Full)
        );
        assert!(disk.enough_again() && path.exists());
    }
}
