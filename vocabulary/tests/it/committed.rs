//! Files that are generated and committed: written with `RECOUNT_BLESS=1`, else compared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The top folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Writes the file when blessing, else demands that it is exactly this text.
pub(crate) fn is_current(path: &str, text: &str) {
    let file = root().join(path);
    if blessing() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is not current: run RECOUNT_BLESS=1 cargo test -p vocabulary, and look at the change"
    );
}

/// Demands that a folder holds exactly these files of one extension; removes
/// others when blessing.
pub(crate) fn holds_only(folder: &str, extension: &str, names: &BTreeSet<String>) {
    let listed = std::fs::read_dir(root().join(folder)).unwrap();
    for path in listed.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|found| found != extension) {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !names.contains(&name) && blessing() {
            std::fs::remove_file(&path).unwrap();
        } else {
            assert!(
                names.contains(&name),
                "{folder}/{name} is generated from nothing"
            );
        }
    }
}

fn blessing() -> bool {
    std::env::var_os("RECOUNT_BLESS").is_some_and(|value| value == "1")
}
