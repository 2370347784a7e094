//! Memory for the bodies that are being handled: set aside before it is used, and never more than one limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// How long a body waits for memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that one permit stands for.
const PERMIT_BYTES: usize = 4096;

/// The memory that all bodies share.
#[derive(Debug)]
pub(crate) struct Rooms {
    free: Arc<Semaphore>,
    all: u32,
    /// Held by the one body that waits for more while it holds some.
    waiting: Semaphore,
}

/// Memory that is set aside for one body.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

impl Room {
    pub(crate) fn bytes(&self) -> usize {
        self.0.num_permits() * PERMIT_BYTES
    }
}

fn busy() -> Refusal {
    Refusal::Busy("too many bytes are being received".to_owned())
}

impl Rooms {
    pub(crate) fn new(bytes: usize) -> Self {
        let permits = (bytes / PERMIT_BYTES).min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(permits).unwrap_or(u32::MAX);
        Self {
            free: Arc::new(Semaphore::new(all as usize)),
            all,
            waiting: Semaphore::new(1),
        }
    }

    fn permits(&self, bytes: usize) -> u32 {
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES).max(1));
        permits.unwrap_or(u32::MAX).min(self.all)
    }

    /// Waits for memory, not for ever.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Room, Refusal> {
        self.wait(self.permits(bytes)).await.map(Room)
    }

    /// Makes room for `bytes` in all. Two bodies that wait while they hold memory could wait for each other, so only
    /// one does: the next one is asked to come again, which frees what it holds.
    pub(crate) async fn grow(&self, room: &mut Room, bytes: usize) -> Result<(), Refusal> {
        let held = u32::try_from(room.0.num_permits()).unwrap_or(u32::MAX);
        let more = self.permits(bytes).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let permit = match Arc::clone(&self.free).try_acquire_many_owned(more) {
            Ok(permit) => permit,
            Err(_) => {
                let _alone = self.waiting.try_acquire().map_err(|_| busy())?;
                self.wait(more).await?
            }
        };
        room.0.merge(permit);
        Ok(())
    }

    async fn wait(&self, permits: u32) -> Result<OwnedSemaphorePermit, Refusal> {
        let acquire = Arc::clone(&self.free).acquire_many_owned(permits);
        match tokio::time::timeout(PATIENCE, acquire).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_two_that_wait_while_holding_one_gives_way() {
        let rooms = Rooms::new(4 * PERMIT_BYTES);
        let mut first = rooms.take(2 * PERMIT_BYTES).await.unwrap();
        let mut second = rooms.take(2 * PERMIT_BYTES).await.unwrap();
        let outgrown = async {
            let outcome = rooms.grow(&mut second, 3 * PERMIT_BYTES).await;
            drop(second);
            outcome
        };
        let (first, second) = tokio::join!(rooms.grow(&mut first, 4 * PERMIT_BYTES), outgrown);
        assert_eq!((first.is_ok(), second), (true, Err(busy())));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_for_ever() {
        let rooms = Rooms::new(4 * PERMIT_BYTES);
        let held = rooms.take(usize::MAX).await.unwrap();
        assert_eq!(held.bytes(), 4 * PERMIT_BYTES);
        assert!(rooms.take(1).await.is_err());
        drop(held);
        assert!(rooms.take(1).await.is_ok());
    }
}
