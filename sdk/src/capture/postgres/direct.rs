//! Whether a connection leads to one server process, or to a pooler that hands each transaction to another.
//!
//! What is prepared on one server process is unknown to the next, and a statement that is not known there would abort
//! the user's transaction. The client keeps the number of the process that it was told when it connected, for
//! cancelling; a pooler gives a number of its own, the server says its own.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Client,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

/// The number of the server process as `client` was told it when it connected. Asks nobody: the client writes what it
/// would send to cancel a query, and that is read.
pub(super) async fn told(client: &Client) -> Option<i32> {
    let mut written = Vec::new();
    let token = client.cancel_token();
    token
        .cancel_query_raw(Ear(&mut written), Unencrypted)
        .await
        .ok()?;
    // A cancel request: its length, a code, the process, a key; each four bytes.
    let [.., a, b, c, d, _, _, _, _] = *written else {
        return None;
    };
    Some(i32::from_be_bytes([a, b, c, d]))
}

/// Keeps what is written to it, and answers that it would speak TLS.
struct Ear<'a>(&'a mut Vec<u8>);

/// "TLS" that changes nothing, for a stream that leads nowhere.
struct Unencrypted;

impl<'a> TlsConnect<Ear<'a>> for Unencrypted {
    type Stream = Ear<'a>;
    type Error = io::Error;
    type Future = Ready<io::Result<Ear<'a>>>;

    fn connect(self, stream: Ear<'a>) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for Ear<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Ear<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            buffer.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ear<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
