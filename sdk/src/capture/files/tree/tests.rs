//! Folders before and after, in real file systems.
#![cfg(unix)]

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
};

use serde_json::{Value, json};
use vocabulary::attribute;

use super::*;
use crate::{
    Action,
    capture::testing::{SECRET, diffs, is_recorded, session},
    testing::Recorded,
};

fn world() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    (folder, root)
}

/// What a snapshot of `root` says that `work` did: resource, both sides, what is noted about each.
fn seen(
    root: &Path,
    limits: Limits,
    work: impl FnOnce(),
) -> (Vec<(String, Value, Value)>, Vec<String>) {
    let (recorder, session) = session();
    let none: [&Path; 0] = [];
    let before = session.files().root(root).snapshot([root], none, limits);
    work();
    let changes = before.changes();
    let action: Action = session.tool("work").begin_blocking().unwrap();
    for diff in changes.diffs {
        action.diff(diff);
    }
    action.end_success();
    assert!(!is_recorded(&recorder, SECRET));
    let side = |content: &Value| {
        let shown = content.get("inline").unwrap_or(&content["state"]);
        match content.get("why") {
            Some(why) => json!([shown, why]),
            None => shown.clone(),
        }
    };
    let action = Recorded::of(&recorder).action("work");
    let told = diffs(&action)
        .iter()
        .map(|diff| {
            (
                diff.str(attribute::RESOURCE).unwrap().to_owned(),
                side(&diff.attributes[attribute::BEFORE]),
                side(&diff.attributes[attribute::AFTER]),
            )
        })
        .collect();
    (told, changes.unseen)
}

fn row(resource: &str, before: Value, after: Value) -> (String, Value, Value) {
    (resource.to_owned(), before, after)
}

#[test]
fn what_was_made_changed_and_removed_is_told_and_nothing_else() {
    let (_folder, root) = world();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/same"), "same").unwrap();
    fs::write(root.join("a/gone"), "gone").unwrap();
    fs::write(root.join("a/b/edited"), "one").unwrap();
    let (told, unseen) = seen(&root, Limits::default(), || {
        fs::write(root.join("a/same"), "same").unwrap();
        fs::remove_file(root.join("a/gone")).unwrap();
        // Same size, and perhaps in the same tick of the file system's clock.
        fs::write(root.join("a/b/edited"), "two").unwrap();
        fs::create_dir_all(root.join("new/empty")).unwrap();
        fs::write(root.join("new/file"), format!("key {SECRET}")).unwrap();
    });
    assert_eq!(
        told,
        [
            row("file:a/b/edited", json!("one"), json!("two")),
            row("file:a/gone", json!("gone"), json!("absent")),
            row(
                "file:new/empty",
                json!("absent"),
                json!(["not_captured", "a folder"])
            ),
            row(
                "file:new/file",
                json!("absent"),
                json!("key [removed:openai_key]")
            ),
        ]
    );
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn a_rename_is_told_with_both_names() {
    let (_folder, root) = world();
    fs::write(root.join("old"), "text").unwrap();
    let (told, _) = seen(&root, Limits::default(), || {
        fs::rename(root.join("old"), root.join("new")).unwrap();
    });
    let born = fs::metadata(root.join("new")).unwrap().created().is_ok();
    if !born {
        return; // This file system does not say when a file was born; then it is a removal and a new file.
    }
    assert_eq!(
        told,
        [
            row(
                "file:new",
                json!(["absent", "renamed from file:old"]),
                json!("text")
            ),
            row(
                "file:old",
                json!("text"),
                json!(["absent", "renamed to file:new"])
            ),
        ]
    );
}

#[test]
fn permissions_links_and_names_that_are_no_text_are_told() {
    let (_folder, root) = world();
    fs::write(root.join("script"), "#!/bin/sh").unwrap();
    fs::set_permissions(root.join("script"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(root.join("twice"), "one").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("secret"), "not ours").unwrap();
    let hostile = std::ffi::OsStr::from_bytes(b"\xff\n\x1b[2J%");
    let (told, _) = seen(&root, Limits::default(), || {
        fs::set_permissions(root.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::hard_link(root.join("twice"), root.join("again")).unwrap();
        fs::write(root.join("twice"), "two").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.join("link")).unwrap();
        fs::write(elsewhere.path().join("secret"), "changed").unwrap();
        fs::write(root.join(hostile), "x").unwrap();
    });
    let two = "it has 2 names (hard links), here and perhaps elsewhere";
    assert_eq!(
        told,
        [
            row("file:again", json!("absent"), json!(["two", two])),
            row(
                "file:link",
                json!("absent"),
                json!(elsewhere.path().to_str().unwrap())
            ),
            row(
                "file:script",
                json!(["#!/bin/sh", "mode 0644"]),
                json!(["#!/bin/sh", "mode 0755"])
            ),
            row("file:twice", json!("one"), json!(["two", two])),
            row("file:%FF\n\u{1b}[2J%25", json!("absent"), json!("x")),
        ]
    );
}

#[test]
fn what_lies_beyond_the_bounds_is_counted_and_not_guessed() {
    let (_folder, root) = world();
    for name in ["a", "b", "c"] {
        fs::write(root.join(name), name.repeat(10)).unwrap();
    }
    let few = Limits {
        entries: 3,
        ..Limits::default()
    };
    let (told, unseen) = seen(&root, few, || fs::remove_file(root.join("a")).unwrap());
    assert!(
        unseen
            .iter()
            .any(|text| text.starts_with("1 or more beyond the first 3")),
        "{unseen:?}"
    );
    assert_eq!(
        told,
        [
            row("file:a", json!("aaaaaaaaaa"), json!("absent")),
            row(
                "file:c",
                json!(["unknown", "not looked at before: not all could be"]),
                json!("cccccccccc")
            ),
        ]
    );
    let little = Limits {
        kept_bytes: 10,
        ..Limits::default()
    };
    let (told, unseen) = seen(&root, little, || {
        fs::write(root.join("b"), "other").unwrap();
        fs::write(root.join("c"), "other").unwrap();
    });
    assert_eq!(told[0], row("file:b", json!("bbbbbbbbbb"), json!("other")));
    assert_eq!(told[1].1[0], "not_captured");
    assert!(
        unseen
            .iter()
            .any(|text| text.contains("by size and digest alone")),
        "{unseen:?}"
    );
}

#[test]
fn a_file_that_changed_and_changed_back_leaves_no_trace() {
    let (_folder, root) = world();
    fs::write(root.join("a"), "one").unwrap();
    let (told, _) = seen(&root, Limits::default(), || {
        fs::write(root.join("a"), "two").unwrap();
        fs::write(root.join("a"), "one").unwrap();
    });
    assert!(told.is_empty());
}

#[test]
fn what_is_excepted_is_not_looked_at() {
    let (_folder, root) = world();
    let (_recorder, session) = session();
    fs::create_dir(root.join("spool")).unwrap();
    let before =
        session
            .files()
            .root(&root)
            .snapshot([&root], [root.join("spool")], Limits::default());
    fs::write(root.join("spool/segment"), "ours").unwrap();
    assert!(before.changes().diffs.is_empty());
}
