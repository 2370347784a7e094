//! Recorded file operations against real files.

use std::fs;

use serde_json::json;
use vocabulary::attribute;

use super::*;
use crate::{
    Recorder,
    capture::testing::{SECRET, diffs, is_recorded, session, sides},
    testing::{Recorded, refuse_begins},
};

fn world() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir(root.join("pending-review")).unwrap();
    (folder, root)
}

#[test]
fn every_change_has_what_was_there_before_and_after() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    let files = session.files().root(&root);
    let path = root.join("pending-review/acme.md");
    files.write_blocking(&path, "one").unwrap();
    files.edit_blocking(&path, |text| text + " two").unwrap();
    files.append_blocking(&path, " three").unwrap();
    assert_eq!(
        files.read_to_string_blocking(&path).unwrap(),
        "one two three"
    );
    files
        .rename_blocking(&path, root.join("pending-review/new.md"))
        .unwrap();
    files
        .remove_blocking(root.join("pending-review/new.md"))
        .unwrap();
    let actions = Recorded::of(&recorder).actions();
    let all: Vec<_> = actions.iter().flat_map(diffs).map(sides).collect();
    let (acme, new) = ("file:pending-review/acme.md", "file:pending-review/new.md");
    let expected = [
        (acme, json!("absent"), json!("one")),
        (acme, json!("one"), json!("one two")),
        (acme, json!("one two"), json!("one two three")),
        (acme, json!("one two three"), json!("absent")),
        (new, json!("absent"), json!("one two three")),
        (new, json!("one two three"), json!("absent")),
    ];
    assert_eq!(all.len(), expected.len());
    for (found, expected) in all.iter().zip(expected) {
        assert_eq!(
            (found.0, &found.1, &found.2, found.3, found.4),
            (
                expected.0,
                &expected.1,
                &expected.2,
                "unlocked",
                "later_read"
            )
        );
    }
    let access: Vec<_> = actions
        .iter()
        .map(|action| action.begin.str(attribute::ACTION_ACCESS).unwrap())
        .collect();
    assert_eq!(
        access,
        ["write", "write", "write", "read", "write", "delete"]
    );
    assert_eq!(actions[0].begin.str(attribute::TARGET), Some(acme));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn asynchronous_calls_record_the_same_and_know_what_they_are_part_of() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    let files = session.files().root(&root);
    let tool = session.tool("draft").begin().await.unwrap();
    let id = tool.id().to_string();
    tool.run(files.write(root.join("a.bin"), vec![0, 159, 255]))
        .await
        .unwrap();
    let action = Recorded::of(&recorder).action("write a.bin");
    assert_eq!(
        action.begin.str(attribute::ACTION_PARENT),
        Some(id.as_str())
    );
    assert_eq!(
        diffs(&action)[0].attributes[attribute::AFTER]["media_type"],
        "application/octet-stream"
    );
    assert_eq!(sides(diffs(&action)[0]).2, json!([0, 159, 255]));
}

#[test]
fn failures_are_the_systems_own_and_leave_no_diff() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    let files = session.files().root(&root);
    let error = files.remove_blocking(root.join("none.md")).unwrap_err();
    assert_eq!(error.own().unwrap().kind(), io::ErrorKind::NotFound);
    let action = Recorded::of(&recorder).action("remove none.md");
    assert_eq!(
        (action.outcome(), action.effect(), diffs(&action).len()),
        (Some("failure"), Some("none"), 0)
    );
    assert_eq!(
        action.end.unwrap().str(attribute::ERROR_TYPE),
        Some("NotFound")
    );
}

#[test]
fn a_refused_write_does_not_happen() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    refuse_begins(&recorder, true);
    let refused = session.files().write_blocking(root.join("a"), "x");
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert!(!root.join("a").exists());
}

#[test]
fn large_and_odd_files_are_recorded_for_what_they_are() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    let files = session.files().root(&root);
    files
        .write_blocking(root.join("big"), vec![b'x'; 300 * 1024])
        .unwrap();
    let action = Recorded::of(&recorder).action("write big");
    let after = &diffs(&action)[0].attributes[attribute::AFTER];
    assert_eq!(
        (after["state"].as_str(), after["size"].as_i64()),
        (Some("truncated"), Some(300 * 1024))
    );
    assert!(after["digest"].as_str().unwrap().starts_with("sha256:"));
    files
        .rename_blocking(root.join("pending-review"), root.join("moved"))
        .unwrap();
    let action = Recorded::of(&recorder).action("rename pending-review");
    assert_eq!(
        diffs(&action)[1].attributes[attribute::AFTER]["why"],
        "a folder"
    );
}

#[test]
#[cfg(unix)]
fn writing_through_a_link_changes_its_target_and_removing_it_the_link() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    let files = session.files().root(&root);
    fs::write(root.join("real.md"), "old").unwrap();
    std::os::unix::fs::symlink("real.md", root.join("link.md")).unwrap();
    files.write_blocking(root.join("link.md"), "new").unwrap();
    files.remove_blocking(root.join("link.md")).unwrap();
    let actions = Recorded::of(&recorder).actions();
    let all: Vec<_> = actions.iter().flat_map(diffs).map(sides).collect();
    assert_eq!(
        (all[0].0, &all[0].1, &all[0].2),
        ("file:real.md", &json!("old"), &json!("new"))
    );
    assert_eq!(
        (all[1].0, &all[1].1, &all[1].2),
        ("file:link.md", &json!("real.md"), &json!("absent"))
    );
}

#[test]
fn a_secret_is_in_no_record() {
    let (recorder, session) = session();
    let (_folder, root) = world();
    session
        .files()
        .write_blocking(root.join("a.md"), format!("key {SECRET} end"))
        .unwrap();
    assert_eq!(
        fs::read_to_string(root.join("a.md")).unwrap(),
        format!("key {SECRET} end")
    );
    assert!(!is_recorded(&recorder, SECRET));
    assert!(is_recorded(&recorder, "[removed:openai_key]"));
}

#[cfg(unix)]
fn results(recorder: &Recorder, name: &str) -> Option<String> {
    let action = Recorded::of(recorder).action(name);
    action.end.unwrap().str("recount.result").map(str::to_owned)
}

#[cfg(unix)]
#[test]
fn a_file_with_other_names_and_one_behind_a_link_is_said_to_be_so() {
    let (recorder, session) = session();
    let (_folder, real) = world();
    std::fs::write(real.join("a.md"), "one").unwrap();
    std::fs::hard_link(real.join("a.md"), real.join("b.md")).unwrap();
    std::os::unix::fs::symlink(real.join("a.md"), real.join("c.md")).unwrap();
    let files = session.files().root(&real);
    files.write_blocking(real.join("c.md"), "two").unwrap();
    assert_eq!(
        results(&recorder, "write a.md").as_deref(),
        Some("done; through a symbolic link; the file has 2 names, and changed under each")
    );
}

#[cfg(unix)]
#[test]
fn a_path_that_leads_elsewhere_when_the_work_is_done_is_said_to_do_so() {
    let (recorder, session) = session();
    let (_folder, real) = world();
    for name in ["one.md", "two.md"] {
        std::fs::write(real.join(name), "before").unwrap();
    }
    let link = real.join("link.md");
    std::os::unix::fs::symlink("one.md", &link).unwrap();
    let files = session.files().root(&real);
    files
        .edit_blocking(&link, |text| {
            // Somebody turns the link between reading and writing.
            std::fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("two.md", &link).unwrap();
            text + " and after"
        })
        .unwrap();
    assert_eq!(
        results(&recorder, "edit one.md").as_deref(),
        Some("unchanged; through a symbolic link; the path leads to file:two.md now")
    );
    let written = std::fs::read_to_string(real.join("two.md")).unwrap();
    assert_eq!(written, "before and after");
    let edit = Recorded::of(&recorder).action("edit one.md");
    assert_eq!(diffs(&edit).len(), 0, "it is missed, and said to be");
}

#[cfg(unix)]
#[test]
fn changed_permissions_are_a_resource_of_their_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let (recorder, session) = session();
    let (_folder, real) = world();
    std::fs::write(real.join("a.sh"), "x").unwrap();
    std::fs::set_permissions(real.join("a.sh"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let files = session.files().root(&real);
    let wanted = std::fs::Permissions::from_mode(0o755);
    files
        .set_permissions_blocking(real.join("a.sh"), wanted)
        .unwrap();
    let action = Recorded::of(&recorder).action("set permissions a.sh");
    let (resource, before, after, ..) = sides(diffs(&action)[0]);
    assert_eq!(
        (resource, before, after),
        ("file:a.sh#mode", json!("0600"), json!("0755"))
    );
    assert_eq!(action.begin.attributes["recount.input"]["inline"], "0755");
}
