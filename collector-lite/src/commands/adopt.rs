//! `adopt`: bring in the spool of an agent that is gone.

use std::path::Path;

use super::target::{Brought, Target};
use crate::error::{Error, exit};
use crate::settings::Settings;
use crate::spool::left_behind;

/// Ships every run whose process is gone. 0: everything is sealed; 6: some bytes could not be read back.
pub(super) fn adopt(
    settings: &Settings,
    folder: &Path,
    collector: Option<&str>,
) -> Result<u8, Error> {
    let mut living = 0;
    let runs = left_behind(folder, &mut living)?;
    let mut target = None;
    let (mut records, mut damaged, count) = (0, 0, runs.len());
    for mut run in runs {
        while let Some(export) = run.export() {
            let target = match &mut target {
                Some(target) => target,
                None => target.insert(Target::open(settings, collector)?),
            };
            target
                .send(Brought::Spool, &export.body, &folder.display().to_string())
                .map_err(|why| Error::Spool {
                    path: folder.to_path_buf(),
                    why,
                })?;
            run.acknowledge(&export)?;
            records += export.records;
        }
        damaged += run.damaged();
        run.remove()?;
    }
    if let Some(target) = target {
        target.close()?;
    }
    say!(
        "adopted {records} records of {count} runs from {}",
        folder.display()
    );
    if living > 0 {
        say!("left {living} files alone: their processes live and ship them themselves");
    }
    if damaged > 0 {
        say!(
            "{damaged} bytes cannot be read back: the host went down before they were on the device"
        );
        return Ok(exit::INCOMPLETE);
    }
    Ok(exit::DONE)
}
