//! What the machine can do and did: the median of a small write made durable, and the processor time a process used.

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

/// Processor time of a process so far, user and system together, to 10 ms. Other work on the machine does not change
/// it, as it changes every rate.
pub(crate) fn processor_time(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name in parentheses: state is the first field, `utime` the 12th, `stime` the 13th.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}
