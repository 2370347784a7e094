//! Recorded processes.

use super::*;
#[cfg(feature = "tokio")]
use crate::capture::testing::{SECRET, is_recorded};
use crate::{
    capture::testing::session,
    testing::{Recorded, refuse_begins},
};

#[test]
fn a_process_is_told_who_runs_it_and_recorded_with_what_it_wrote() {
    let (recorder, session) = session();
    let script = r#"cat; echo " $RECOUNT_SESSION $TRACEPARENT"; echo oops >&2; exit 3"#;
    let done = session
        .command("/bin/sh")
        .args(["-c", script])
        .stdin("in")
        .output_blocking()
        .unwrap();
    assert_eq!(done.status.code(), Some(3));
    let action = Recorded::of(&recorder).action("sh");
    let span: String = crate::span_id(
        action
            .begin
            .str(attribute::ACTION_ID)
            .unwrap()
            .parse()
            .unwrap(),
    )
    .iter()
    .map(|byte| format!("{byte:02x}"))
    .collect();
    let written = String::from_utf8(done.stdout).unwrap();
    assert!(
        written.starts_with(&format!("in {} 00-", session.id())) && written.contains(&span),
        "{written}"
    );
    let end = action.end.as_ref().unwrap();
    assert_eq!(
        (action.outcome(), action.effect()),
        (Some("failure"), Some("unknown"))
    );
    assert_eq!(
        (
            end.int(attribute::PROCESS_EXIT_CODE),
            end.str(attribute::ERROR_MESSAGE)
        ),
        (Some(3), Some("oops"))
    );
    assert!(
        end.text(attribute::OUTPUT)
            .unwrap()
            .contains(r#""stderr":"oops\n""#)
    );
}

#[test]
fn much_in_and_out_at_once_does_not_stop_either() {
    let (_recorder, session) = session();
    let input = vec![b'x'; 1 << 20];
    let done = session
        .command("cat")
        .stdin(input.clone())
        .output_blocking()
        .unwrap();
    assert_eq!(done.stdout, input);
}

#[test]
fn what_cannot_be_started_or_may_not_run_does_not() {
    let (recorder, session) = session();
    let missing = session.command("/nowhere/at-all").output_blocking();
    assert_eq!(
        missing.unwrap_err().own().map(io::Error::kind),
        Some(io::ErrorKind::NotFound)
    );
    let action = Recorded::of(&recorder).action("at-all");
    assert_eq!(
        (action.outcome(), action.effect()),
        (Some("failure"), Some("none"))
    );
    refuse_begins(&recorder, true);
    assert!(matches!(
        session.command("true").output_blocking(),
        Err(Error::Refused(_))
    ));
}

#[test]
fn a_caller_may_run_the_process_itself_and_end_the_action() {
    let (recorder, session) = session();
    let script = r#"[ "$RECOUNT_SESSION" ] && [ "$TRACEPARENT" = "$(cat)" ]"#;
    let command = session.command("sh").args(["-c", script]).stdin("given");
    let (action, mut command) = command.begin_blocking().unwrap();
    let mut child = command.spawn().unwrap();
    let told = action.traceparent();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(told.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    action.end(Outcome::Success, Effect::Unknown);
    assert_eq!(
        Recorded::of(&recorder).action("sh").outcome(),
        Some("success")
    );
    refuse_begins(&recorder, true);
    assert!(session.command("true").begin_blocking().is_err());
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn arguments_are_recorded_without_credentials() {
    let (recorder, session) = session();
    let command = session
        .command("true")
        .args(["--password", "hunter2", SECRET])
        .env("TOKEN", "from-the-environment");
    let done = command.output().await.unwrap();
    assert!(done.status.success());
    for secret in ["hunter2", SECRET, "from-the-environment"] {
        assert!(!is_recorded(&recorder, secret), "{secret}");
    }
    assert_eq!(
        Recorded::of(&recorder).action("true").outcome(),
        Some("success")
    );
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_command_is_run_and_recorded_in_one_line() -> Result<(), CommandError> {
    let (recorder, session) = session();
    // region: command
    let done = session
        .command("wc")
        .arg("-l")
        .stdin("a\nb\n")
        .output()
        .await?;
    // end
    assert!(done.stdout.starts_with(b"2"));
    assert_eq!(
        Recorded::of(&recorder).action("wc").outcome(),
        Some("success")
    );
    Ok(())
}
