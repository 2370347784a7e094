//! Commands that change the store without changing what it says: `reindex` and `compact`.

use ledger::store::{compact, reindex};

use crate::error::{Error, exit};
use crate::settings::Settings;

/// Makes the search index again.
pub(super) fn make_index(settings: &Settings) -> Result<u8, Error> {
    let done = reindex(&settings.store)?;
    println!(
        "indexed {} streams of {}",
        done.streams,
        settings.store.display()
    );
    for (table, rows) in &done.corrected {
        println!("corrected {rows} rows of {table}");
    }
    if done.corrected.is_empty() {
        println!("the index was right");
    }
    Ok(exit::DONE)
}

/// Rewrites segments into larger ones.
pub(super) fn make_compact(settings: &Settings) -> Result<u8, Error> {
    let done = compact(&settings.store)?;
    println!(
        "compacted {} streams of {}",
        done.streams,
        settings.store.display()
    );
    println!("segments  {} -> {}", done.before, done.after);
    println!("bytes     {} -> {}", done.bytes_before, done.bytes_after);
    Ok(exit::DONE)
}
