//! What happens around the agent: the narration, the colleague, the administrator, and the killed collector.

use crate::collector::Running;
use crate::renewal::{Failure, Surroundings};
use crate::world::World;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The account that a colleague edits while the agent holds an older version of it.
const EDITED_MEANWHILE: u32 = 1007;

/// How long the collector stays dead: long enough for the agent to meet the gap.
const OUTAGE: Duration = Duration::from_millis(150);

pub(crate) struct Story<'a> {
    world: &'a World,
    collector: Arc<Mutex<Running>>,
    kill_at: Option<u8>,
    edited: bool,
    outage: Option<JoinHandle<()>>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(
        world: &'a World,
        collector: &Arc<Mutex<Running>>,
        kill_at: Option<u8>,
    ) -> Self {
        Self {
            world,
            collector: Arc::clone(collector),
            kill_at,
            edited: false,
            outage: None,
        }
    }

    /// Waits until a killed collector is back.
    pub(crate) fn over(mut self) {
        if let Some(outage) = self.outage.take() {
            // A panic there was printed by its thread; the missing records will show.
            let _ended = outage.join();
        }
    }
}

impl Surroundings for Story<'_> {
    fn step(&mut self, number: u8, what: &str) {
        eprintln!("{number:>2}/10  {what}");
        if self.kill_at == Some(number) {
            eprintln!("       SIGKILL to the collector, which is started again");
            let collector = Arc::clone(&self.collector);
            self.outage = Some(std::thread::spawn(move || {
                let mut collector = collector.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = collector.kill_and_start_again(OUTAGE) {
                    eprintln!("       the collector did not come back: {error}");
                }
            }));
        }
    }

    fn note(&mut self, what: &str) {
        eprintln!("       {what}");
    }

    async fn before_write(&mut self, account: u32) -> Result<(), Failure> {
        if account == EDITED_MEANWHILE && !self.edited {
            self.edited = true;
            self.world
                .edit_account_as_someone_else(account, "+00 555 0199")
                .await?;
            eprintln!("       a colleague edits account {account} in between");
        }
        Ok(())
    }

    async fn before_last_write(&mut self) -> Result<(), Failure> {
        self.world.take_permission("accounts:stage")?;
        eprintln!("       an administrator takes accounts:stage from the agent");
        Ok(())
    }
}
