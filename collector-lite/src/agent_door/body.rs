//! Reading the body of an export within limits of size, time and decompression.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::refusal::Refusal;
use super::room::{Room, Rooms};

/// How a body may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Identity,
    Gzip,
    Zstd,
}

impl Compression {
    /// Reads a `Content-Encoding`; absent is identity.
    pub(crate) fn from_header(value: Option<&str>) -> Result<Self, Refusal> {
        match value
            .map(|value| value.trim().to_ascii_lowercase())
            .as_deref()
        {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => Err(Refusal::Encoding(other.to_owned())),
        }
    }
}

/// Reads the whole body as sent: at most `limit` bytes, and at most `patience` in all. The room grows with what arrives.
pub(crate) async fn read(
    body: Body,
    limit: usize,
    patience: Duration,
    rooms: &Rooms,
    room: &mut Room,
) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(patience, collect(body, limit, rooms, room)).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::Busy(format!(
            "the body did not arrive within {} s",
            patience.as_secs()
        ))),
    }
}

/// Reads and forgets what is too much, up to four times the limit: a sender that is still writing when the connection
/// closes sees a broken connection instead of the answer, and tries again for ever.
async fn discard(body: &mut Body, limit: usize) {
    let mut left = limit.saturating_mul(4);
    while let Some(Ok(frame)) = body.frame().await {
        let Some(still) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
            return;
        };
        left = still;
    }
}

/// Reads and forgets a body that was refused before it was read.
pub(crate) async fn forget(mut body: Body, limit: usize, patience: Duration) {
    let _ = tokio::time::timeout(patience, discard(&mut body, limit)).await;
}

async fn collect(
    mut body: Body,
    limit: usize,
    rooms: &Rooms,
    room: &mut Room,
) -> Result<Bytes, Refusal> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Busy(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        total = total.saturating_add(data.len());
        if total > limit {
            drop((first, rest));
            discard(&mut body, limit).await;
            return Err(Refusal::TooBig {
                limit,
                decompressed: false,
            });
        }
        if total > room.bytes() {
            // Doubled, so that a sender holds no more than twice what it sent.
            rooms
                .grow(room, total.next_power_of_two().min(limit))
                .await?;
        }
        match &first {
            // Most exports arrive in one frame; they are not copied.
            None => first = Some(data),
            Some(start) => {
                if rest.is_empty() {
                    rest.extend_from_slice(start);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() {
        first.unwrap_or_default()
    } else {
        rest.freeze()
    })
}

/// Largest zstd window accepted, as a power of two: 8 MiB, the size every decoder has to support (RFC 8878, 3.1.1.1.2).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decompresses to at most `limit` bytes; a bomb costs no more memory than that.
pub(crate) fn decompress(
    sent: Bytes,
    compression: Compression,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let damaged = |error: std::io::Error| {
        Refusal::Malformed(format!("the body does not decompress: {error}"))
    };
    let mut out = Vec::new();
    let bound = limit as u64 + 1;
    match compression {
        Compression::Identity => return Ok(sent),
        Compression::Gzip => {
            flate2::read::MultiGzDecoder::new(sent.as_ref())
                .take(bound)
                .read_to_end(&mut out)
                .map_err(damaged)?;
        }
        Compression::Zstd => {
            let mut reader =
                zstd::stream::read::Decoder::with_buffer(sent.as_ref()).map_err(damaged)?;
            reader.window_log_max(ZSTD_WINDOW_LOG).map_err(damaged)?;
            reader.take(bound).read_to_end(&mut out).map_err(damaged)?;
        }
    }
    if out.len() > limit {
        return Err(Refusal::TooBig {
            limit,
            decompressed: true,
        });
    }
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap().into()
    }

    #[test]
    fn what_fits_comes_back_whole() {
        let zstd = Bytes::from(zstd::encode_all(&b"hello"[..], 3).unwrap());
        assert_eq!(decompress(zstd, Compression::Zstd, 5).unwrap(), "hello");
        assert_eq!(
            decompress(gzip(b"hello"), Compression::Gzip, 5).unwrap(),
            "hello"
        );
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![0; 4 << 20];
        let big = Refusal::TooBig {
            limit: 1000,
            decompressed: true,
        };
        assert_eq!(
            decompress(gzip(&zeros), Compression::Gzip, 1000),
            Err(big.clone())
        );
        let zstd = Bytes::from(zstd::encode_all(&zeros[..], 19).unwrap());
        assert_eq!(decompress(zstd, Compression::Zstd, 1000), Err(big));
    }

    #[test]
    fn a_damaged_body_is_malformed() {
        let cut = gzip(b"hello world").slice(..20);
        assert!(matches!(
            decompress(cut, Compression::Gzip, 100),
            Err(Refusal::Malformed(_))
        ));
    }
}
