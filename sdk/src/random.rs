//! Random bytes from the operating system, fetched a page at a time.

use std::cell::RefCell;

use sha2::{Digest, Sha256};

const FETCHED: usize = 2048;

struct Pool {
    bytes: [u8; FETCHED],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [0; FETCHED], used: FETCHED })
    };
}

/// `N` random bytes, never handed out twice.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    let pooled = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.used + N > FETCHED {
            fill(&mut pool.bytes);
            pool.used = 0;
        }
        let (from, to) = (pool.used, pool.used + N);
        out.copy_from_slice(&pool.bytes[from..to]);
        pool.bytes[from..to].fill(0);
        pool.used = to;
    });
    if pooled.is_err() {
        fill(&mut out);
    }
    out
}

/// Fills from the operating system. Where that has none to give (it is
/// documented not to happen on the systems we run on), hashes of the process,
/// the time and an address stand in: unique, though not secret.
fn fill(out: &mut [u8]) {
    if getrandom::fill(out).is_ok() {
        return;
    }
    let clock = crate::clock::Clock::start().now();
    for (number, chunk) in out.chunks_mut(32).enumerate() {
        let seed = format!(
            "{} {clock:?} {number} {:p}",
            std::process::id(),
            chunk.as_ptr()
        );
        let digest = Sha256::digest(seed.as_bytes());
        let len = chunk.len();
        chunk.copy_from_slice(&digest[..len]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_bytes_are_handed_out_twice() {
        let mut seen: Vec<[u8; 16]> = (0..1000).map(|_| super::bytes()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
