//! What an agent does to files where no recorder looks.

use libtest_mimic::Failed;
use std::time::Duration;

use crate::case::{Case, has_problem};
use crate::scene;

/// The agent's own code runs between the recorder's two looks: it changes the file, uses the change, and undoes it.
pub(super) fn undone_between_looks(case: &mut Case) -> Result<(), Failed> {
    let folder = case.elsewhere("accounts");
    std::fs::create_dir(&folder)?;
    let (file, used) = (folder.join("limit"), case.elsewhere("used"));
    std::fs::write(&file, "limit 100\n")?;
    let mut collector = case.start()?;
    let recorder = scene::recorder(&collector, &case.elsewhere("spool"))?.build()?;
    let session = recorder.session("undone").start_blocking();
    session
        .files()
        .root(&folder)
        .edit_blocking(&file, |before| {
            // Whether the hand succeeded shows below, by what it used.
            let _done = case.attack(|_| {
                std::fs::write(&file, "limit 987654321\n")?;
                std::fs::copy(&file, &used)?;
                Ok(std::fs::write(&file, &before)?)
            });
            before + "checked\n"
        })?;
    session.end_blocking(recount::EndReason::Completed);
    recorder.close_blocking(Duration::from_secs(5));
    collector.stop()?;
    if std::fs::read_to_string(&used)? != "limit 987654321\n" {
        return Err("nothing was changed in between".into());
    }
    case.verify()?.finds_nothing()?;
    let account = case.account("undone")?;
    if account.to_string().contains("987654321") {
        return Err("it was seen after all".into());
    }
    let diff = &account["diffs"][0];
    let looks = (&diff["read_before"], &diff["read_after"]);
    if *looks.0 != "unlocked" || *looks.1 != "later_read" || !has_problem(&account, "read_unlocked")
    {
        return Err(format!("{diff:#} {:#}", account["problems"]).into());
    }
    Ok(())
}
