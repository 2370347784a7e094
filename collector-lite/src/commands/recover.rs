//! `recover`: go on after a restore, under a new name that links to the old ledger.

use std::path::Path;

use ledger::leaf::TreeHead;
use ledger::store::{RecoverOptions, recover_ledger};

use crate::cli::Recover;
use crate::clock;
use crate::error::{Error, exit};

/// Puts the old ledger aside and starts the new one; says what is missing and what to do next.
pub(super) fn go_on(store: &Path, options: &Recover) -> Result<u8, Error> {
    let actor = options.actor.clone().or_else(|| std::env::var("USER").ok());
    let done = recover_ledger(
        store,
        &RecoverOptions {
            actor: actor.unwrap_or_else(|| "unknown".to_owned()),
            reason: options.reason.clone(),
            origin: options.origin.origin.clone(),
            now_ns: clock::now_ns(),
        },
    )?;
    let continues = &done.continues;
    say!("created ledger {} in {}", done.origin, store.display());
    say!("key     {}", done.key);
    say!(
        "It continues {}, of which {}.",
        continues.ledger,
        missing(continues.claimed, continues.found)
    );
    say!(
        "What was found is in {}; check it with: recount-collector verify --store {}",
        done.previous.display(),
        done.previous.display()
    );
    say!("Readers that know the old key will say that it is another one: tell them the new key.");
    say!(
        "Next:   recount-collector serve --store {}",
        store.display()
    );
    Ok(exit::DONE)
}

/// What of the older ledger is gone.
pub(super) fn missing(claimed: TreeHead, found: TreeHead) -> String {
    match claimed.size.checked_sub(found.size) {
        Some(0) | None => {
            format!(
                "{} leaves were found, but not those that were signed",
                found.size
            )
        }
        Some(missing) => format!(
            "{} leaves were acknowledged or signed and {} were found: {missing} are missing",
            claimed.size, found.size
        ),
    }
}
