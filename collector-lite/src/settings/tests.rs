//! Settings from flags, environment and files, right and wrong.

use super::*;

fn none(_: &str) -> Option<String> {
    None
}

#[test]
fn a_flag_wins_over_the_environment_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    std::fs::write(
        &file,
        "otlp_http = \"127.0.0.1:1\"\notlp_grpc = \"127.0.0.1:2\"\nmax_body_bytes = 5\n",
    )
    .unwrap();
    let env = |name: &str| (name == "RECOUNT_OTLP_HTTP").then(|| "127.0.0.1:3".to_owned());
    let raw = Raw::gather(&[(STORE, Some("/tmp/x".into()))], &env, Some(&file)).unwrap();
    assert_eq!(raw.get(STORE).origin.to_string(), "flag --store");
    assert_eq!(
        raw.get(OTLP_HTTP).origin.to_string(),
        "environment RECOUNT_OTLP_HTTP"
    );
    assert_eq!(raw.get(OTLP_GRPC).origin, Origin::File(file));
    let settings = Settings::check(&raw, &none, Access::Write).unwrap();
    assert_eq!(settings.max_body, 5);
    assert_eq!(settings.otlp_http.unwrap().port(), 3);
}

#[test]
fn an_address_beyond_loopback_is_refused_with_its_origin() {
    let raw = Raw::gather(&[(OTLP_HTTP, Some("0.0.0.0:4318".into()))], &none, None).unwrap();
    let error = Settings::check(&raw, &none, Access::Write)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("flag --otlp-http") && error.contains("loopback"),
        "{error}"
    );
}

#[test]
fn beyond_loopback_tls_and_credentials_are_both_needed() {
    let open = (OTLP_HTTP, Some("0.0.0.0:4318".to_owned()));
    let cert = (TLS_CERT, Some("/c.pem".to_owned()));
    let key = (TLS_KEY, Some("/k.pem".to_owned()));
    let enrolled = (REQUIRE_ENROLMENT, Some("true".to_owned()));
    let judged = |flags: &[(&'static Key, Option<String>)]| {
        let raw = Raw::gather(flags, &none, None).unwrap();
        let settings = Settings::check(&raw, &none, Access::Write);
        settings.map_err(|error| error.to_string())
    };
    let files = [open.clone(), cert.clone(), key.clone()];
    for (flags, missing) in [
        (
            vec![open.clone(), enrolled.clone()],
            "give --tls-cert and --tls-key, too",
        ),
        (files.to_vec(), "give --require-enrolment, too"),
        (vec![cert.clone(), enrolled.clone()], "it needs --tls-key"),
        (vec![key], "it needs --tls-cert"),
        (
            vec![(TLS_CLIENT_CA, Some("/ca.pem".to_owned()))],
            "it needs --tls-cert and --tls-key",
        ),
    ] {
        let error = judged(&flags).unwrap_err();
        assert!(error.contains(missing), "{error}");
    }
    let settings = judged(&[&files[..], &[enrolled]].concat()).unwrap();
    assert_eq!(settings.otlp_http.unwrap().port(), 4318);
    assert_eq!(settings.tls.unwrap().certificate, PathBuf::from("/c.pem"));
}

#[test]
fn an_unknown_key_in_the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    std::fs::write(&file, "otlp_htp = \"x\"\n").unwrap();
    let error = Raw::gather(&[], &none, Some(&file))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("otlp_htp") && error.contains("otlp_http"),
        "{error}"
    );
}

#[test]
fn a_reader_over_tcp_needs_a_token() {
    let raw = Raw::gather(&[(READER, Some("127.0.0.1:0".into()))], &none, None).unwrap();
    assert!(
        Settings::check(&raw, &none, Access::Write)
            .unwrap_err()
            .to_string()
            .contains("token")
    );
}

#[test]
fn a_reader_socket_may_be_in_the_working_folder() {
    let place = |text: &str| {
        let raw = Raw::gather(&[(READER, Some(text.to_owned()))], &none, None).unwrap();
        Settings::check(&raw, &none, Access::Write).map(|settings| settings.reader)
    };
    for (text, path) in [
        ("reader.sock", "reader.sock"),
        ("./door", "./door"),
        ("unix:door", "door"),
    ] {
        assert_eq!(place(text).unwrap(), ReaderPlace::Socket(path.into()));
    }
    let error = place("door").unwrap_err().to_string();
    assert!(error.contains(".sock"), "{error}");
    assert!(place("4319").is_err());
}

/// A file that uses every kind of value that there is.
const WHOLE: &str = "store = \"/tmp/x\"\notlp_http = \"127.0.0.1:0\"\nmax_body_bytes = 4096\nepoch = \"5m\"\n\
    disk_soft_bytes = 1000000\n[[anchor]]\nkind = \"file\"\npath = \"/tmp/a\"\nevery = 60\n[[anchor]]\n\
    kind = \"rfc3161\"\nurl = \"http://127.0.0.1:1/\"\n[[witness]]\nurl = \"http://127.0.0.1:2/\"\nkey = \"w+00000000+AA==\"\n";

/// Checks a file with this text; an error must name the file or the setting, and never be a panic.
fn judged(text: &[u8]) -> Result<Settings, Error> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    std::fs::write(&file, text).unwrap();
    let checked = Raw::gather(&[], &none, Some(&file))
        .and_then(|raw| Settings::check(&raw, &none, Access::Write));
    if let Err(error) = &checked {
        assert!(error.to_string().contains("collector.toml"), "{error}");
    }
    checked
}

proptest::proptest! {
    #[test]
    fn any_text_is_settings_or_an_error_that_names_the_file(text in ".{0,200}") {
        let _ = judged(text.as_bytes());
    }

    #[test]
    fn a_changed_file_is_settings_or_an_error_that_names_the_file(
        changes in proptest::collection::vec((proptest::arbitrary::any::<proptest::sample::Index>(), proptest::arbitrary::any::<u8>(), 0_u8..4), 1..4),
    ) {
        let mut text = WHOLE.as_bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        let _ = judged(&text);
    }
}
