//! Files: reading, writing, editing, removing and renaming, with what was there before and after.
//!
//! [`Files`] does what `std::fs` does and records it. A resource is named after the place that a path leads to, with
//! every symbolic link resolved: writing goes through a link, removing and renaming act on the link itself. Files
//! are not locked, so *before* is `unlocked` and *after* is read once more when the work is done; what changed while it
//! was read, was no regular file, or could not be read is said to be so; so is, in the action's result, a file that has
//! other names (hard links), one reached through a symbolic link, and a path that leads elsewhere when the work is
//! done than when it began. Contents beyond 256 KiB are recorded by
//! their beginning, with size and digest of the whole; files beyond 64 MiB by size alone. What a program of its own does to
//! files is seen by a [`Snapshot`] of whole folders before and after it.
//!
//! The asynchronous calls (feature `tokio`) run on Tokio's blocking threads. Dropping their future does not stop the work: it is done
//! and recorded to its end, as `tokio::fs` does.

mod place;
mod state;
mod tree;
mod work;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::place::Root;
pub use self::tree::{Changes, Limits, Snapshot};
pub(super) use self::work::fault;
#[cfg(feature = "tokio")]
use crate::Ambient;
use crate::{Handle, capture::Error};

/// A failed file operation: refused by the recorder before it ran, or failed in the system.
pub type FileError = Error<io::Error>;

/// Files, as used in one session; see [`Handle::files`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Files {
    session: Handle,
    roots: Arc<[Root]>,
}

impl Handle {
    /// Records what is done with files through the returned value in this session.
    pub fn files(&self) -> Files {
        self.can_see("file:diffs");
        Files {
            session: self.clone(),
            roots: Arc::new([]),
        }
    }
}

impl Files {
    /// Names resources below `folder` relative to it: with the root `/srv/agent`, `/srv/agent/drafts/a.md` is
    /// `file:drafts/a.md`. A folder that cannot be resolved is taken as it is written.
    pub fn root(self, folder: impl AsRef<Path>) -> Self {
        self.root_named("", folder)
    }

    /// As [`Files::root`], with `name` in front: `file:<name>/a.md`.
    pub fn root_named(mut self, name: &str, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        let folder = folder
            .canonicalize()
            .or_else(|_| std::path::absolute(folder))
            .unwrap_or_else(|_| folder.to_owned());
        let mut roots = self.roots.to_vec();
        roots.push(Root {
            folder,
            name: name.to_owned(),
        });
        self.roots = roots.into();
        self
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// As [`std::fs::read`].
    #[cfg(feature = "tokio")]
    pub async fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
        let path = path.as_ref().to_owned();
        self.spawn(move |files| files.read_blocking(path)).await
    }

    /// Reads a whole file as text.
    ///
    /// # Errors
    /// As [`std::fs::read_to_string`].
    #[cfg(feature = "tokio")]
    pub async fn read_to_string(&self, path: impl AsRef<Path>) -> Result<String, FileError> {
        text(self.read(path).await?)
    }

    /// Writes a whole file, creating or replacing its content.
    ///
    /// # Errors
    /// As [`std::fs::write`], or that the recorder refused to let it run unrecorded (so for all that follow).
    #[cfg(feature = "tokio")]
    pub async fn write(
        &self,
        path: impl AsRef<Path>,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), FileError> {
        let (path, content) = (path.as_ref().to_owned(), content.into());
        self.spawn(move |files| files.write_blocking(path, content))
            .await
    }

    /// Adds to the end of a file, creating it if there is none.
    ///
    /// # Errors
    /// As opening it for appending and writing.
    #[cfg(feature = "tokio")]
    pub async fn append(
        &self,
        path: impl AsRef<Path>,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), FileError> {
        let (path, content) = (path.as_ref().to_owned(), content.into());
        self.spawn(move |files| files.append_blocking(path, content))
            .await
    }

    /// Reads a text file, and writes what `change` makes of it.
    ///
    /// # Errors
    /// As reading it as text and writing it.
    #[cfg(feature = "tokio")]
    pub async fn edit<F>(&self, path: impl AsRef<Path>, change: F) -> Result<(), FileError>
    where
        F: FnOnce(String) -> String + Send + 'static,
    {
        let path = path.as_ref().to_owned();
        self.spawn(move |files| files.edit_blocking(path, change))
            .await
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As [`std::fs::remove_file`].
    #[cfg(feature = "tokio")]
    pub async fn remove(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref().to_owned();
        self.spawn(move |files| files.remove_blocking(path)).await
    }

    /// Renames a file, replacing what is at the new path.
    ///
    /// # Errors
    /// As [`std::fs::rename`].
    #[cfg(feature = "tokio")]
    pub async fn rename(
        &self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<(), FileError> {
        let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
        self.spawn(move |files| files.rename_blocking(from, to))
            .await
    }

    /// Sets the permissions of a file or folder; its mode is the resource `file:…#mode`.
    ///
    /// # Errors
    /// As [`std::fs::set_permissions`].
    #[cfg(feature = "tokio")]
    pub async fn set_permissions(
        &self,
        path: impl AsRef<Path>,
        permissions: std::fs::Permissions,
    ) -> Result<(), FileError> {
        let path = path.as_ref().to_owned();
        self.spawn(move |files| files.set_permissions_blocking(path, permissions))
            .await
    }

    /// The blocking twin of `Files::set_permissions`.
    ///
    /// # Errors
    /// As its twin.
    pub fn set_permissions_blocking(
        &self,
        path: impl AsRef<Path>,
        permissions: std::fs::Permissions,
    ) -> Result<(), FileError> {
        self.do_set_permissions(path.as_ref(), permissions)
    }

    /// The blocking twin of `Files::read`.
    ///
    /// # Errors
    /// As its twin.
    pub fn read_blocking(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
        self.do_read(path.as_ref())
    }

    /// The blocking twin of `Files::read_to_string`.
    ///
    /// # Errors
    /// As its twin.
    pub fn read_to_string_blocking(&self, path: impl AsRef<Path>) -> Result<String, FileError> {
        text(self.read_blocking(path)?)
    }

    /// The blocking twin of `Files::write`.
    ///
    /// # Errors
    /// As its twin.
    pub fn write_blocking(
        &self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
    ) -> Result<(), FileError> {
        self.do_write(path.as_ref(), content.as_ref())
    }

    /// The blocking twin of `Files::append`.
    ///
    /// # Errors
    /// As its twin.
    pub fn append_blocking(
        &self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
    ) -> Result<(), FileError> {
        self.do_append(path.as_ref(), content.as_ref())
    }

    /// The blocking twin of `Files::edit`.
    ///
    /// # Errors
    /// As its twin.
    pub fn edit_blocking(
        &self,
        path: impl AsRef<Path>,
        change: impl FnOnce(String) -> String,
    ) -> Result<(), FileError> {
        self.do_edit(path.as_ref(), change)
    }

    /// The blocking twin of `Files::remove`.
    ///
    /// # Errors
    /// As its twin.
    pub fn remove_blocking(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        self.do_remove(path.as_ref())
    }

    /// The blocking twin of `Files::rename`.
    ///
    /// # Errors
    /// As its twin.
    pub fn rename_blocking(
        &self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<(), FileError> {
        self.do_rename(from.as_ref(), to.as_ref())
    }

    /// Runs `work` on a blocking thread, on behalf of what the caller is doing.
    #[cfg(feature = "tokio")]
    async fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let (files, ambient) = (self.clone(), Ambient::current());
        let work = move || match ambient {
            Some(ambient) => ambient.run(|| work(&files)),
            None => work(&files),
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(stopped) => Err(Error::Own(io::Error::other(stopped))),
            },
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes)
        .map_err(|error| Error::Own(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Where an operation failed before it could be begun, the path is the best name there is.
fn unresolved(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
