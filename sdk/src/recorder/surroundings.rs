//! What a recorder finds out about where it runs.

/// The host's name.
pub(super) fn host_name() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    let name = read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The container's id: 64 hex digits in the path of a mount, as engines lay them out.
pub(super) fn container_id() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts
        .lines()
        .filter(|line| line.contains("/containers/") || line.contains("/overlay-containers/"))
        .flat_map(|line| line.split(['/', ' ']))
        .find(|part| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
}
