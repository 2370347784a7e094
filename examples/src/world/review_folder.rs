//! The folder in which drafts wait for a person: an index, and a stale draft of an earlier quarter.

use std::path::Path;

/// Name of the index file that the agent edits.
pub const INDEX: &str = "INDEX.md";

/// Name of the draft that nobody needs any more.
pub const STALE_DRAFT: &str = "1003-aster-freight-last-quarter.md";

/// Creates the folder as the agent finds it; anything else in it goes.
///
/// # Errors
/// When a file cannot be written.
pub fn create(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(
        folder.join(INDEX),
        format!(
            "# Drafts waiting for review\n\n- [{STALE_DRAFT}]({STALE_DRAFT}): last quarter, not sent\n"
        ),
    )?;
    std::fs::write(
        folder.join(STALE_DRAFT),
        "Subject: Your renewal\n\nDear Aster Freight team,\n\nthis draft was never sent.\n",
    )
}
