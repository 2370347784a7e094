//! What the detector finds, what it leaves alone, and what removing keeps intact.

use proptest::prelude::*;

use super::*;

fn rules(text: &str) -> Vec<&'static str> {
    find(text.as_bytes())
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

fn clean(text: &str) -> String {
    replace(text).0.into_owned()
}

const LETTERS: &str = "QwErTyUiOpAsDfGhJkLzXcVbNmQwErTy";

#[test]
fn every_shape_of_credential_is_found_by_its_rule() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    for (text, rule) in [
        (format!("use sk-{LETTERS} please"), "openai_key"),
        (format!("sk-ant-api03-{LETTERS}"), "openai_key"),
        (format!("sk_live_{LETTERS}"), "stripe_key"),
        ("id AKIAIOSFODNN7EXAMPLE".to_owned(), "aws_access_key"),
        (format!("ghp_{LETTERS}1234"), "github_token"),
        (format!("github_pat_11AA_{LETTERS}"), "github_token"),
        (format!("glpat-{LETTERS}"), "gitlab_token"),
        (format!("xoxb-123-{LETTERS}"), "slack_token"),
        (format!("rct_{LETTERS}"), "recount_token"),
        (format!("AIza{LETTERS}abc"), "google_api_key"),
        (format!("t={jwt}"), "jwt"),
        (format!("Authorisation bearer {LETTERS}"), "bearer_token"),
        ("basic dXNlcjpwYXNz".to_owned(), "basic_credentials"),
        ("https://user:pa:ss@host/x".to_owned(), "url_user_info"),
        ("postgres://app:hunter2@db/x".to_owned(), "url_user_info"),
        (
            "https://host/x?page=2&sig=abc".to_owned(),
            "url_query_value",
        ),
        (
            "https://host/x?access_token=abc".to_owned(),
            "url_query_value",
        ),
        ("password=hunter2".to_owned(), "named_secret"),
        ("password=[hunter2".to_owned(), "named_secret"),
        ("DB_PASSWORD: hunter2".to_owned(), "named_secret"),
        (r#"{"api_key": "abcd1234"}"#.to_owned(), "named_secret"),
        (r#"{\"client_secret\":\"abcd\"}"#.to_owned(), "named_secret"),
        ("Cookie: a=b; c=d".to_owned(), "cookie"),
        ("Authorization: Digest abc".to_owned(), "named_secret"),
    ] {
        assert_eq!(rules(&text), [rule], "{text}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    for text in [
        "the task-force-of-something-rather-long met",
        "class=\"sk-button-primary-large\"",
        "Bearer responsibilities and basic information",
        "https://crm.example/accounts?tier=enterprise&page=2",
        "ssh://git@host/repo and user@example.test",
        "max_tokens: 100, \"tokens\": 5, token: 12345678",
        "{\"password\": {\"type\": \"string\"}, \"token\": null}",
        "if password == other { secretary: Bob }",
        "password: ${DB_PASSWORD}",
        "{\"secrets\": 1, \"secret\": [\"a\"], \"password\": \"{{ vault }}\"}",
        "eyJust a word",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
        "primary key=17, code=42",
        "s-7f3a91c2 019b0000-0000-7000-8000-000000000000",
    ] {
        assert_eq!(rules(text), [] as [&str; 0], "{text}");
    }
}

#[test]
fn a_private_key_goes_whole_with_its_lines() {
    let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nb";
    assert_eq!(clean(text), "a\n[removed:private_key]\nb");
    assert_eq!(
        clean("-----BEGIN PRIVATE KEY-----\nMIIE"),
        "[removed:private_key]"
    );
}

#[test]
fn only_the_credential_goes_and_its_surroundings_stay() {
    assert_eq!(
        clean("see https://user:pw@host/a?x=1&token=t0&y=2#f"),
        "see https://[removed:url_user_info]@host/a?x=1&token=[removed:url_query_value]&y=2#f"
    );
    assert_eq!(
        clean("postgres://app:hunter2@db/x"),
        "postgres://app:[removed:url_user_info]@db/x"
    );
    assert_eq!(
        clean("password=hunter2, user=a"),
        "password=[removed:named_secret], user=a"
    );
}

#[test]
fn json_stays_json_when_a_credential_is_removed_or_masked() {
    let value = serde_json::json!({
        "password": "hun\"ter\\2\n", "note": format!("key sk-{LETTERS}\nnext"),
        "inner": serde_json::json!({"api_key": "ab\"cd", "b": 1}).to_string(),
    });
    let text = serde_json::to_string(&serde_json::json!({ "outer": value.to_string() })).unwrap();
    for text in [value.to_string(), text] {
        let read: serde_json::Value = serde_json::from_str(&clean(&text)).unwrap();
        let shown = read.to_string();
        assert!(
            !shown.contains("hun") && !shown.contains("cd") && !shown.contains(LETTERS),
            "{shown}"
        );
        let mut masked = text.clone().into_bytes();
        assert_eq!(mask(&mut masked).len(), 3);
        assert_eq!(masked.len(), text.len());
        serde_json::from_slice::<serde_json::Value>(&masked).unwrap();
    }
}

#[test]
fn a_credential_with_letters_beyond_ascii_goes_whole() {
    assert_eq!(
        clean("password=pässwörd end"),
        "password=[removed:named_secret] end"
    );
    assert_eq!(
        clean("https://u:pässwörd@h/"),
        "https://[removed:url_user_info]@h/"
    );
}

#[test]
fn what_was_removed_is_not_removed_again() {
    let once = clean("password=hunter2 https://a:b@h/?sig=x sk-");
    assert_eq!(clean(&once), once);
}

#[test]
fn a_removal_says_where_by_which_rule_and_how_long_and_no_more() {
    let (text, redactions) = replace("a password=hunter2");
    assert_eq!(text, "a password=[removed:named_secret]");
    let expected = Redaction {
        path: "@11".into(),
        rule: "named_secret".into(),
        len: 7,
    };
    assert_eq!(redactions, [expected]);
}

#[test]
fn an_argument_after_a_telling_flag_is_removed() {
    let args = [
        "mysql",
        "--password",
        "hunter2",
        "--user",
        "a",
        "--token=abcdefgh1",
    ];
    let (clean, redactions) = replace_args(&args.map(str::to_owned));
    assert_eq!(clean[2], "[removed:named_secret]");
    assert_eq!(clean[4], "a");
    assert_eq!(clean[5], "--token=[removed:named_secret]");
    assert_eq!(redactions[0].path, "/2");
}

#[test]
fn headers_are_kept_by_an_allow_list() {
    assert!(header_is_kept("Content-Type") && header_is_kept("etag"));
    assert!(!header_is_kept("Authorization") && !header_is_kept("X-Whatever"));
}

#[test]
fn a_name_tells_a_credential_whatever_its_separators_and_case() {
    for name in [
        "db_password",
        "X-Api-Key",
        "accessToken",
        "Set-Cookie",
        "client.secret",
        "pwd",
    ] {
        assert!(is_sensitive_name(name), "{name}");
    }
    for name in [
        "gen_ai.usage.output_tokens",
        "recount.session.key",
        "wd",
        "",
        "tokenizer",
    ] {
        assert!(!is_sensitive_name(name), "{name}");
    }
}

#[test]
fn every_rule_is_listed() {
    for text in [
        format!("sk-{LETTERS}"),
        "password=x".into(),
        "Cookie: abcd".into(),
    ] {
        assert!(RULES.contains(&rules(&text)[0]));
    }
}

#[test]
fn a_hostile_value_takes_no_longer_than_its_length_allows() {
    for piece in [
        "://",
        "eyJ",
        "password",
        "-----BEGIN PRIVATE KEY",
        "token=",
        "\\\"",
        "sk-sk-",
    ] {
        let text = piece.repeat(20_000);
        let _ = find(text.as_bytes());
    }
}

proptest! {
    #[test]
    fn findings_are_in_order_inside_the_value_and_at_characters(
        text in "(sk-[a-zA-Z]{16,20}|password|[=:\"\\\\' &?@/é]|://|token|cookie|eyJ|\\PC){0,24}",
    ) {
        let mut last = 0;
        for finding in find(text.as_bytes()) {
            prop_assert!(last <= finding.start && finding.start < finding.end);
            prop_assert!(text.is_char_boundary(finding.start) && text.is_char_boundary(finding.end));
            last = finding.end;
        }
        let mut masked = text.clone().into_bytes();
        mask(&mut masked);
        prop_assert_eq!(masked.len(), text.len());
        prop_assert!(String::from_utf8(masked).is_ok());
    }

    #[test]
    fn json_strings_survive_masking(
        text in "(sk-[a-zA-Z]{16,20}|password|token|[=:\"\\\\' &?@/é\n]|://|cookie|\\PC){0,24}",
    ) {
        let once = serde_json::to_string(&text).unwrap();
        let twice = serde_json::to_string(&once).unwrap();
        for json in [once, twice] {
            // One value is what stands between the outer quotes.
            let mut inside = json.as_bytes()[1..json.len() - 1].to_vec();
            mask(&mut inside);
            let whole = [b"\"", inside.as_slice(), b"\""].concat();
            prop_assert!(serde_json::from_slice::<String>(&whole).is_ok(), "{}", String::from_utf8_lossy(&whole));
        }
    }

    #[test]
    fn any_bytes_are_accepted(bytes: Vec<u8>) {
        let _ = replace_bytes(&bytes);
    }
}
