//! A branch of a repository: one commit per checkpoint, and nothing pushed over.

use super::*;

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A bare repository, and the anchor that pushes to it.
fn repository(anchored: &Anchored) -> PathBuf {
    let bare = anchored.path("bare.git");
    std::fs::create_dir(&bare).unwrap();
    git(&bare, &["init", "--quiet", "--bare"]);
    anchored.configure(&format!(
        "[[anchor]]\nkind = \"git\"\nremote = \"file://{}\"\nbranch = \"checkpoints\"\nevery = 3600\n",
        bare.display()
    ));
    bare
}

/// redteam: S10, K10
#[test]
fn a_rolled_back_ledger_is_caught_by_its_git_anchor() {
    let anchored = Anchored::new("");
    repository(&anchored);
    let what = rolled_back(&anchored);
    assert!(
        what.contains("git:file://") && what.contains("holds a checkpoint of"),
        "{what}"
    );
}

/// redteam: K10
#[test]
fn a_branch_gets_one_commit_per_checkpoint_and_what_is_removed_is_pushed_again_and_told() {
    let anchored = Anchored::new("");
    let bare = repository(&anchored);
    let mut collector = anchored.serve();
    taken(&anchored, &collector, 1);
    taken(&anchored, &collector, 1);
    let log = git(&bare, &["log", "--format=%H %s", "checkpoints"]);
    assert!(log.lines().count() >= 2, "{log}");
    let note = git(&bare, &["show", "checkpoints:checkpoint"]);
    Checkpoint::open(note.as_bytes(), &anchored.key()).unwrap();
    let tip = git(&bare, &["rev-parse", "checkpoints"]);
    assert_eq!(anchors(&anchored.status())[0]["handle"], tip.trim());

    git(&bare, &["update-ref", "-d", "refs/heads/checkpoints"]);
    let status = taken(&anchored, &collector, 1);
    tells(&status, "remark", "was removed");
    assert_eq!(leaves(&anchored.door(), 20).len(), 1);
    let again = git(&bare, &["log", "--format=%H %s", "checkpoints"]);
    assert!(again.ends_with(&log), "{again}");

    // Somebody else's commit is not ours to push over: it is shown, and signing goes on.
    let blob = git(&bare, &["hash-object", "-w", "--stdin"]);
    let tree = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "printf '100644 blob {}\tother\n' | git -C {} mktree",
            blob.trim(),
            bare.display()
        ))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let foreign = git(
        &bare,
        &[
            "-c",
            "user.name=x",
            "-c",
            "user.email=x",
            "commit-tree",
            tree.trim(),
            "-p",
            "checkpoints",
            "-m",
            "x",
        ],
    );
    git(
        &bare,
        &["update-ref", "refs/heads/checkpoints", foreign.trim()],
    );
    let status = taken(&anchored, &collector, 1);
    tells(&status, "error", "somebody else");
    assert_eq!(status["signing_held"], Value::Null);
    assert_eq!(git(&bare, &["rev-parse", "checkpoints"]), foreign);
    collector.stop().unwrap();
}
