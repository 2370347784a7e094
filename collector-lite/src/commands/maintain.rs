//! Commands that change the store without changing what it says: `reindex` and `compact`.

use ledger::store::{compact, reindex};

use crate::error::{Error, exit};
use crate::settings::Settings;

/// Makes the search index again.
pub(super) fn make_index(settings: &Settings) -> Result<u8, Error> {
    let done = reindex(&settings.store)?;
    say!(
        "indexed {} streams of {}",
        done.streams,
        settings.store.display()
    );
    for (table, rows) in &done.corrected {
        say!("corrected {rows} rows of {table}");
    }
    if done.corrected.is_empty() {
        say!("the index was right");
    }
    Ok(exit::DONE)
}

/// Rewrites segments into larger ones.
pub(super) fn make_compact(settings: &Settings) -> Result<u8, Error> {
    let done = compact(&settings.store)?;
    say!(
        "compacted {} streams of {}",
        done.streams,
        settings.store.display()
    );
    say!("segments  {} -> {}", done.before, done.after);
    say!("bytes     {} -> {}", done.bytes_before, done.bytes_after);
    Ok(exit::DONE)
}
