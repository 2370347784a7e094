//! Processes that outlive the command: found by the session in their environment.
//!
//! One that cleared its environment, or that runs as another user, is not found.

use std::path::Path;

/// Name and number of each running process of this session, by number.
pub(super) fn of(session: &str) -> Vec<String> {
    let wanted = format!("RECOUNT_SESSION={session}");
    let own = std::process::id();
    let mut found: Vec<(u32, String)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| Some((pid, name(Path::new(&format!("/proc/{pid}")), &wanted)?)))
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect()
}

/// The process's name, if its environment has what is wanted and it is not dead already.
fn name(process: &Path, wanted: &str) -> Option<String> {
    let environment = std::fs::read(process.join("environ")).ok()?;
    let has = environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == wanted.as_bytes());
    let name = std::fs::read(process.join("comm")).ok()?;
    has.then(|| String::from_utf8_lossy(&name).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_of_the_session_is_found_and_no_other() {
        let sleep = |session: &str| {
            std::process::Command::new("sleep")
                .arg("60")
                .env("RECOUNT_SESSION", session)
                .spawn()
                .unwrap()
        };
        let session = format!("s-{}", std::process::id());
        let (mut one, mut other) = (sleep(&session), sleep("another"));
        let wanted = format!("sleep ({})", one.id());
        // Until it has become `sleep`, the child has our environment.
        let found = (0..500).find(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            super::of(&session) == [wanted.clone()]
        });
        one.kill().unwrap();
        other.kill().unwrap();
        one.wait().unwrap();
        other.wait().unwrap();
        assert!(found.is_some());
        assert!(super::of(&session).is_empty());
    }
}
