//! `checkpoint`: the few lines that make later changes provable, once they are kept elsewhere.

use std::io::Write;

use super::say;
use super::source::Source;
use crate::error::{Error, exit};
use crate::settings::Settings;

/// Prints the signed checkpoint on stdout, exactly, and what to do with it on stderr.
pub(super) fn checkpoint(settings: &Settings) -> Result<u8, Error> {
    let source = Source::open(settings)?;
    let Some(note) = source.reader().checkpoint()? else {
        return Err(Error::NotIntact {
            what: format!("{} holds no checkpoint", settings.store.display()),
        });
    };
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(&note)
        .and_then(|()| stdout.flush())
        .or_else(say::unless_closed)
        .map_err(|source| Error::System {
            doing: "write the checkpoint",
            source,
        })?;
    eprintln!(
        "Keep these lines where nobody who can write {} can change them: mail them, commit them, print them.\n\
         Later: recount verify --known-checkpoint FILE proves that the ledger still extends them.",
        settings.store.display()
    );
    Ok(exit::DONE)
}
