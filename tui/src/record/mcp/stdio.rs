//! The proxy between two pipes: every byte as it came, each line looked at before it goes on.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use super::line::{Lines, Piece};
use super::watcher::{From, Stopped, Watcher};
use super::{Child, Signals};

/// Runs the server between this process's own standard input and output; its standard error is left alone.
pub(super) fn carry(
    mut command: Command,
    signals: Signals,
    watcher: &'static Watcher,
) -> io::Result<(ExitStatus, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let child = Child::start(command, signals)?;
    let (Some(to_server), Some(mut from_server)) = child.pipes() else {
        return Err(io::Error::other("the server has no pipes"));
    };
    let client = &*Box::leak(Box::new(Mutex::new(output)));
    // It may wait for the client for ever: the process ends without it.
    std::thread::Builder::new()
        .name("recount-client".to_owned())
        .spawn(move || client_to_server(input, to_server, watcher, client))?;
    let mut lines = Lines::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = match from_server.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let pieces = lines.take(chunk.get(..read).unwrap_or_default());
        if !pieces
            .into_iter()
            .all(|piece| to_client(&piece, watcher, client))
        {
            break; // The client reads no more; the server will notice.
        }
    }
    if let Some(rest) = lines.rest() {
        to_client(&rest, watcher, client);
    }
    drop(from_server);
    let status = child.ended()?;
    Ok((status, watcher.counted()))
}

/// Hands a piece to the client; false when nobody reads it.
fn to_client(piece: &Piece, watcher: &Watcher, client: &Mutex<File>) -> bool {
    let bytes = match piece {
        Piece::Line(line) => {
            // What the server asks is spooled: nothing stops it.
            let _ = watcher.passes(watcher.session(), From::Server, line);
            line
        }
        Piece::Unread(bytes) => {
            watcher.unread();
            bytes
        }
    };
    write(client, bytes).is_ok()
}

fn write(client: &Mutex<File>, bytes: &[u8]) -> io::Result<()> {
    let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
    client.write_all(bytes)
}

/// Until the client closes its end: then the server's input is closed, too.
fn client_to_server(
    mut input: File,
    mut server: std::process::ChildStdin,
    watcher: &Watcher,
    client: &Mutex<File>,
) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for piece in lines.take(chunk.get(..read).unwrap_or_default()) {
            if !to_server(&piece, &mut server, watcher, client) {
                return;
            }
        }
    }
    if let Some(rest) = lines.rest() {
        to_server(&rest, &mut server, watcher, client);
    }
}

/// Hands a piece to the server, or answers in its place; false when it reads no more.
fn to_server(
    piece: &Piece,
    server: &mut std::process::ChildStdin,
    watcher: &Watcher,
    client: &Mutex<File>,
) -> bool {
    let bytes = match piece {
        Piece::Line(line) => match watcher.passes(watcher.session(), From::Client, line) {
            Ok(()) => line,
            Err(Stopped(answer)) => return write(client, &answer).is_ok(),
        },
        Piece::Unread(bytes) => {
            watcher.unread();
            bytes
        }
    };
    server
        .write_all(bytes)
        .and_then(|()| server.flush())
        .is_ok()
}
