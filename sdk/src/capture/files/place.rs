//! Where a path really is, and the name of that resource.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use super::state::Links;

/// A declared folder: resources below it are named relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// As given, made absolute and without links.
    pub(super) folder: PathBuf,
    /// What stands for the folder in names; empty for nothing.
    pub(super) name: String,
}

/// A path with every link on the way resolved, and its name as a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// `file:pending-review/x.md`, or `file:/tmp/x` outside every root.
    pub(super) resource: String,
    /// Whether the last component given was a symbolic link that was followed.
    pub(super) through_link: bool,
}

/// Resolves `path`. What does not exist yet keeps its name below the nearest folder that does.
///
/// # Errors
/// If the working folder cannot be told, or links run in a circle.
pub(super) fn place(path: &Path, links: Links, roots: &[Root]) -> io::Result<Place> {
    let absolute = std::path::absolute(path)?;
    let is_link = absolute
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.file_type().is_symlink());
    let path = if is_link && links == Links::Keep {
        let name = absolute.file_name().map(PathBuf::from).unwrap_or_default();
        resolve(absolute.parent().unwrap_or(&absolute))?.join(name)
    } else {
        resolve(&absolute)?
    };
    let resource = resource(&path, roots);
    Ok(Place {
        path,
        resource,
        through_link: is_link && links == Links::Follow,
    })
}

/// The path without links, `.` and `..`, whether or not all of it exists.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut missing = Vec::new();
    let mut existing = path.to_path_buf();
    for _ in 0..64 {
        match existing.canonicalize() {
            Ok(found) => {
                return Ok(missing
                    .iter()
                    .rev()
                    .fold(found, |path, name| path.join(name)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A link to something missing: writing through it creates the target.
        if let Ok(target) = existing.read_link() {
            existing = existing
                .parent()
                .map_or_else(|| target.clone(), |folder| folder.join(&target));
            continue;
        }
        let Some(Component::Normal(name)) = existing.components().next_back() else {
            break;
        };
        missing.push(name.to_owned());
        if !existing.pop() {
            break;
        }
    }
    std::path::absolute(path)
}

/// The canonical name; the longest root wins. Bytes that are not UTF-8 are percent-encoded, as is `%`.
pub(super) fn resource(path: &Path, roots: &[Root]) -> String {
    let mut best: Option<(&Root, &Path)> = None;
    for root in roots {
        if let Ok(rest) = path.strip_prefix(&root.folder)
            && best.is_none_or(|(known, _)| {
                root.folder.as_os_str().len() > known.folder.as_os_str().len()
            })
        {
            best = Some((root, rest));
        }
    }
    match best {
        Some((root, rest)) if root.name.is_empty() => format!("file:{}", text(rest)),
        Some((root, rest)) if rest.as_os_str().is_empty() => format!("file:{}", root.name),
        Some((root, rest)) => format!("file:{}/{}", root.name, text(rest)),
        None => format!("file:{}", text(path)),
    }
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_and_dots_on_the_way_are_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("world/pending-review")).unwrap();
        std::os::unix::fs::symlink(real.join("world"), real.join("alias")).unwrap();
        let roots = [Root {
            folder: real.join("world"),
            name: String::new(),
        }];
        let through = place(
            &real.join("alias/pending-review/../pending-review/new.md"),
            Links::Follow,
            &roots,
        )
        .unwrap();
        assert_eq!(through.resource, "file:pending-review/new.md");
        let outside = place(&real.join("x%y"), Links::Follow, &roots).unwrap();
        assert_eq!(outside.resource, format!("file:{}/x%25y", real.display()));
    }

    #[test]
    fn a_link_is_its_target_when_written_and_itself_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("elsewhere.md", real.join("link.md")).unwrap();
        let roots = [Root {
            folder: real.clone(),
            name: "drafts".to_owned(),
        }];
        let of = |links| place(&real.join("link.md"), links, &roots).unwrap();
        assert_eq!(
            (
                of(Links::Follow).resource.as_str(),
                of(Links::Follow).through_link
            ),
            ("file:drafts/elsewhere.md", true)
        );
        assert_eq!(
            (
                of(Links::Keep).resource.as_str(),
                of(Links::Keep).through_link
            ),
            ("file:drafts/link.md", false)
        );
    }
}
