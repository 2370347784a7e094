//! Which folders are looked at before and after: those that the scope's file entries name, and those of `--watch`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use recount::Session;
use recount::capture::files::{Files, Limits, Snapshot};
use vocabulary::action::Kind;
use vocabulary::scope::ScopeEntry;

use crate::args::Run;
use crate::failure::Failure;

/// The folders, with the names that resources in them have.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Folder and name; a folder may be a single file.
    places: Vec<(PathBuf, String)>,
    except: Vec<PathBuf>,
}

impl Watched {
    /// What the arguments name, seen from `folder`.
    pub(super) fn of(args: &Run, folder: &Path) -> Result<Self, Failure> {
        let mut places = Vec::new();
        for text in &args.scope {
            let entry: ScopeEntry = text.parse().map_err(|error| Failure::Usage {
                what: format!("--scope: {error}"),
                hint: "write it like 'write file:out/**'".to_owned(),
            })?;
            if *entry.kind() == Kind::File {
                let pattern = text.split_once(':').map_or("", |(_, pattern)| pattern);
                let fixed = fixed(pattern);
                places.push((folder.join(path(&fixed)), fixed));
            }
        }
        for watch in &args.watch {
            places.push((folder.join(watch), named(watch, folder)));
        }
        let except = args.except.iter().map(|path| folder.join(path)).collect();
        Ok(Self { places, except })
    }

    /// Looks at them, where there are any; `own` is what the recorder itself writes to.
    pub(super) fn snapshot(&self, session: &Session, own: Option<&Path>) -> Option<Snapshot> {
        if self.places.is_empty() {
            session.can_see("file:none");
            return None;
        }
        let files = self
            .places
            .iter()
            .fold(session.files(), |files: Files, (folder, name)| {
                match name.as_str() {
                    "/" => files,
                    name => files.root_named(name, folder),
                }
            });
        let except = self.except.iter().map(PathBuf::as_path).chain(own);
        let folders = self.places.iter().map(|(folder, _)| folder);
        Some(files.snapshot(folders, except, Limits::default()))
    }

    /// Whether nothing is watched.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// A name as a pattern that matches it alone.
pub(super) fn literal(name: &str) -> String {
    name.replace('\\', r"\\").replace('*', r"\*")
}

/// The part of a pattern before anything variable, without escapes: `out` of `out/**`, `a/b.md` of itself.
fn fixed(pattern: &str) -> String {
    let mut fixed = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => fixed.extend(characters.next()),
            '*' => {
                let folder = fixed.rfind('/').map_or(0, |at| at.max(1));
                fixed.truncate(if fixed.starts_with('/') && folder == 0 {
                    1
                } else {
                    folder
                });
                break;
            }
            other => fixed.push(other),
        }
    }
    fixed
}

/// The path that a resource's name stands for: `%25` for a percent sign, `%FF` for a byte that is no text.
fn path(name: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// What stands for a watched folder in names: as it is given below the working folder, else the whole path.
pub(in crate::record) fn named(watch: &Path, folder: &Path) -> String {
    let below = watch
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let shown: PathBuf = match below {
        true => watch
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect(),
        false => folder
            .join(watch)
            .canonicalize()
            .unwrap_or_else(|_| folder.join(watch)),
    };
    let mut name = String::new();
    for chunk in shown.as_os_str().as_bytes().utf8_chunks() {
        name.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_the_folder_before_its_first_star() {
        for (pattern, folder) in [
            ("out/**", "out"),
            ("out/a*/b", "out"),
            ("notes/*.md", "notes"),
            ("**", ""),
            ("*.md", ""),
            ("out/a.md", "out/a.md"),
            ("/srv/x/**", "/srv/x"),
            ("/**", "/"),
            (r"odd\*name/**", "odd*name"),
        ] {
            assert_eq!(fixed(pattern), folder, "{pattern}");
        }
        assert_eq!(
            path("a%25b/%FFc%zz"),
            PathBuf::from(OsString::from_vec(b"a%b/\xffc%zz".to_vec()))
        );
    }

    #[test]
    fn a_watched_folder_is_named_as_it_is_given_where_that_is_a_plain_name() {
        let here = Path::new("/work");
        assert_eq!(named(Path::new("./src/a"), here), "src/a");
        assert_eq!(named(Path::new("."), here), "");
        assert_eq!(named(Path::new("/nowhere/at/all"), here), "/nowhere/at/all");
        assert!(literal(r"a*b\").parse::<String>().unwrap() == r"a\*b\\");
    }
}
