//! Where the reader door listens: a socket with the right owner and mode, or TCP.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::error::Error;

/// Group whose members may read, where it exists and this process may hand the socket to it.
const GROUP: &str = "recount";

/// A socket that is removed when the door closes.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on the reader door's socket.
pub(crate) fn socket(path: &Path) -> Result<(UnixListener, SocketFile), Error> {
    listen(path, "reader", permit)
}

/// Listens on the agent door's socket, to which every user of this machine may connect, as to a port.
pub(crate) fn agent_socket(path: &Path) -> Result<(UnixListener, SocketFile), Error> {
    listen(path, "agent", |path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
    })
}

/// Listens on a socket. It appears under its name only once its owner and mode are right.
fn listen(
    path: &Path,
    door: &'static str,
    permit: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(UnixListener, SocketFile), Error> {
    let failed = |source: io::Error| Error::Socket {
        door,
        path: path.to_path_buf(),
        source,
    };
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::SocketTaken {
            door,
            path: path.to_path_buf(),
        });
    }
    let mut unready = path.as_os_str().to_owned();
    unready.push(format!(".{}", std::process::id()));
    let unready = PathBuf::from(unready);
    let _ = std::fs::remove_file(&unready);
    let listener = UnixListener::bind(&unready).map_err(failed)?;
    let opened = permit(&unready).and_then(|()| std::fs::rename(&unready, path));
    if let Err(source) = opened {
        let _ = std::fs::remove_file(&unready);
        return Err(failed(source));
    }
    Ok((listener, SocketFile(path.to_path_buf())))
}

/// 0660 for the group where that is possible, else 0600.
fn permit(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let group = std::fs::read_to_string("/etc/group")
        .ok()
        .and_then(|groups| group_id(&groups, GROUP));
    if let Some(group) = group {
        // A unit that runs in the group may be forbidden to change owners, and has no need to.
        let owned =
            std::fs::metadata(path)?.gid() == group || chown(path, None, Some(group)).is_ok();
        if owned {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        }
    }
    Ok(())
}

/// The number of a group in the format of `/etc/group`.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name))
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nrecounters:x:7:\nrecount:x:999:ann\n";
        assert_eq!(group_id(groups, "recount"), Some(999));
        assert_eq!(group_id(groups, "recou"), None);
    }

    #[tokio::test]
    async fn a_socket_belongs_to_its_owner_and_goes_with_the_door() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/reader.sock");
        let (listener, file) = socket(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0);
        assert!(matches!(socket(&path), Err(Error::SocketTaken { .. })));
        drop((listener, file));
        assert!(!path.exists());
    }
}
