//! Reading the state of one path as content, without changing it and without claiming more than was seen.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::Path,
};

use vocabulary::content::Content;

/// Files beyond this size are recorded by size alone: reading them would hold the agent up.
pub(super) const WHOLE: u64 = 64 << 20;

/// Whether a symbolic link is looked through or at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// As opening the file does.
    Follow,
    /// As removing and renaming do: the link itself is the resource.
    Keep,
}

/// The state of `path` now. Never an error: what cannot be read is said to be so.
pub(super) fn state(path: &Path, links: Links) -> Content {
    let metadata = match links {
        Links::Follow => fs::metadata(path),
        Links::Keep => fs::symlink_metadata(path),
    };
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Content::absent(),
        Err(error) => return Content::unknown(&format!("cannot be looked at: {error}")),
    };
    if metadata.file_type().is_symlink() {
        return match fs::read_link(path) {
            Ok(target) => Content::redacted(target.as_os_str().as_encoded_bytes(), "inode/symlink"),
            Err(error) => Content::not_captured(None, &format!("the link cannot be read: {error}")),
        };
    }
    if !metadata.is_file() {
        let what = if metadata.is_dir() {
            "a folder"
        } else {
            "no regular file"
        };
        // Opening a pipe or device could block, or change something.
        return Content::not_captured(None, what);
    }
    match read(path, &metadata) {
        Ok(content) => content,
        Err(error) => {
            Content::not_captured(Some(metadata.len()), &format!("cannot be read: {error}"))
        }
    }
}

fn read(path: &Path, expected: &Metadata) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() || !same_file(expected, &opened) {
        return Ok(Content::unknown("replaced while it was opened"));
    }
    if opened.len() > WHOLE {
        return Ok(Content::not_captured(
            Some(opened.len()),
            &format!("larger than {WHOLE} bytes"),
        ));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or_default());
    file.by_ref().take(WHOLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > WHOLE {
        return Ok(Content::not_captured(
            None,
            &format!("grew beyond {WHOLE} bytes while it was read"),
        ));
    }
    let mut content = Content::redacted(&bytes, media_type(path, &bytes));
    let read = file.metadata()?;
    if read.len() != bytes.len() as u64 || read.modified().ok() != opened.modified().ok() {
        content.why = Some("changed while it was read".to_owned());
    }
    Ok(content)
}

/// The permissions of what `path` leads to, as a text.
pub(super) fn mode(path: &Path) -> Content {
    match fs::metadata(path) {
        Ok(metadata) => {
            Content::from_bytes(mode_of(&metadata.permissions()).as_bytes(), "inode/mode")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Content::absent(),
        Err(error) => Content::unknown(&format!("cannot be looked at: {error}")),
    }
}

/// Permissions as four octal digits; without them, whether it can be written.
pub(super) fn mode_of(permissions: &fs::Permissions) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        format!("{:04o}", permissions.mode() & 0o7777)
    }
    #[cfg(not(unix))]
    {
        let words = ["writable", "read only"];
        words[usize::from(permissions.readonly())].to_owned()
    }
}

/// How many names a regular file has.
pub(super) fn names(path: &Path) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path);
        metadata
            .ok()
            .filter(Metadata::is_file)
            .map_or(1, |metadata| metadata.nlink())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        1
    }
}

/// Whether both describe the same file on the same device.
#[cfg(unix)]
fn same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether both describe the same file, as far as this platform says.
#[cfg(not(unix))]
fn same_file(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

/// The media type by name where the bytes do not contradict it: bytes that are not UTF-8 are no text.
pub(super) fn media_type(path: &Path, bytes: &[u8]) -> &'static str {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let text = match extension.as_str() {
        "md" | "markdown" => "text/markdown; charset=utf-8",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "eml" => "message/rfc822",
        "png" => return "image/png",
        "jpg" | "jpeg" => return "image/jpeg",
        "pdf" => return "application/pdf",
        _ => "text/plain; charset=utf-8",
    };
    if std::str::from_utf8(bytes).is_ok() {
        text
    } else {
        "application/octet-stream"
    }
}
