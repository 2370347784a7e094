//! The example for PostgreSQL, against a server of the tests' own.

#[path = "../../../tests/src/postgres.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the file is shared with other packages"
)]
mod server;

use crate::small::example;

#[test]
fn rows_of_a_real_server_are_shown_with_exact_cells() {
    if server::programs().is_none() {
        let required = std::env::var_os("RECOUNT_REQUIRE_ALL").is_some_and(|value| value == "1");
        assert!(
            !required,
            "needs the package postgresql: scripts/install-test-packages"
        );
        return;
    }
    let server = server::Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = example("postgres");
    for name in [
        "HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "TMPDIR",
    ] {
        command.env(name, home.path());
    }
    let done = command
        .arg(server.config("postgres", "postgres"))
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(
        done.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    for line in [
        "/17",
        "12.50",
        "25.00",
        "read before in transaction, after in transaction; effect rolled back; in scope",
        "read before in transaction, after in transaction; effect committed; in scope",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
}
