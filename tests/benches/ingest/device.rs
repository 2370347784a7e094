//! What the device can do: the median of a small write made durable.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn fdatasync_p50(folder: &Path) -> Duration {
    let mut file = File::create(folder.join("device")).expect("a file on the device");
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            file.write_all(&[7; 4096]).expect("a write");
            let start = Instant::now();
            file.sync_data().expect("a sync");
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
