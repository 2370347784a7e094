//! Tests of the filter: its grammar, its errors, and that no text breaks it.

use std::borrow::Cow;
use std::collections::HashMap;

use proptest::prelude::*;
use vocabulary::Timestamp;

use super::{Facts, Filter, Flag, Malformed, Number, Text};

#[derive(Default)]
struct Row {
    words: &'static str,
    texts: HashMap<Text, Vec<&'static str>>,
    seq: Option<u64>,
    at: Option<Timestamp>,
    flags: Vec<Flag>,
}

impl Facts for Row {
    fn words(&self) -> Cow<'_, str> {
        self.words.into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        let texts = self.texts.get(&key).into_iter().flatten();
        texts.map(|text| Cow::from(*text)).collect()
    }

    fn number(&self, key: Number) -> Option<u64> {
        self.seq.filter(|_| key == Number::Seq)
    }

    fn time(&self) -> Option<Timestamp> {
        self.at
    }

    fn is(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}

fn time(text: &str) -> Option<Timestamp> {
    match text {
        "2h" => "2026-03-14T07:12:04Z".parse().ok(),
        other => other.parse().ok(),
    }
}

fn read(text: &str) -> Result<Filter, Malformed> {
    Filter::parse(text, &time)
}

fn denied() -> Row {
    Row {
        words: "POST mail.example.test/send not executed",
        texts: HashMap::from([
            (Text::Kind, vec!["http"]),
            (Text::Path, vec!["http:mail.example.test/send"]),
            (Text::Rule, vec!["R-7 drafts-only"]),
            (Text::User, vec!["user@example.test", "u-104"]),
        ]),
        seq: Some(154),
        at: Some("2026-03-14T09:12:10Z".parse().unwrap()),
        flags: vec![Flag::Denied, Flag::Problem],
    }
}

fn keeps(filter: &str) -> bool {
    read(filter).unwrap().keeps(&denied())
}

#[test]
fn words_pairs_and_flags_must_all_hold_unless_or_stands_between_them() {
    for kept in [
        "",
        "post MAIL",
        "\"not executed\"",
        "kind:http is:denied",
        "kind:llm or is:denied",
        "kind:llm or kind:http and is:denied",
        "(kind:llm or kind:http) is:denied",
        "not kind:llm",
        "-kind:llm -is:changed",
        "not not kind:http",
        "by:u-104",
        "user=USER@example.test",
        "user!=other@example.test",
        "rule:\"drafts-only\"",
        "rule~^r-[0-9]",
        "path:http:mail.*/send",
        "path:*send",
        "seq:154",
        "seq:#154",
        "ref:150..160",
        "seq:..154",
        "seq>153",
        "seq>=154",
        "seq<155",
        "seq!=7",
        "since:2h",
        "until:2026-03-14T10:00:00Z",
        "time>2026-03-14T09:12:09Z",
        "time:2026-03-14T09:00:00Z..2026-03-14T10:00:00Z",
    ] {
        assert!(keeps(kept), "{kept}");
    }
    for dropped in [
        "get",
        "kind:llm",
        "kind:http kind:llm",
        "kind:llm or is:changed",
        "-kind:http",
        "user=user",
        "path:mail.*/send",
        "rule~^drafts",
        "seq:155",
        "seq:..153",
        "seq>154",
        "seq!=154",
        "tokens>0",
        "since:2026-03-14T09:12:11Z",
        "(kind:llm or kind:db) is:denied",
        "agent:renewal",
    ] {
        assert!(!keeps(dropped), "{dropped}");
    }
}

#[test]
fn and_binds_closer_than_or() {
    assert!(keeps("kind:http or kind:llm kind:db"));
    assert!(!keeps("(kind:http or kind:llm) kind:db"));
}

#[test]
fn each_mistake_is_pointed_at_and_told_how_to_put_right() {
    for (text, caret, what, hint) in [
        (
            "kind:http is:dneied",
            "             ^^^^^^",
            "is:dneied is not a filter",
            "is:denied",
        ),
        (
            "kidn:http",
            "^^^^",
            "kidn is not a key",
            "did you mean kind:?",
        ),
        ("zzzzzz:1", "^^^^^^", "zzzzzz is not a key", "in quotes"),
        ("a (b", "    ^", "a ( has no )", "add )"),
        ("a ) b", "  ^", "no ( for this )", "remove"),
        ("a or", "    ^", "missing at the end", "write a word"),
        ("or a", "^^", "missing before this", "write a word"),
        ("not", "   ^", "missing at the end", "write a word"),
        ("\"open", "^^^^^", "quote is not closed", "add \""),
        ("seq:many", "    ^^^^", "many is not a number", "seq:3..9"),
        ("time>soon", "     ^^^^", "soon is not a time", "2h"),
        ("rule~[", "     ^", "not a regular expression", "rule:["),
        (
            "kind<http",
            "^^^^^^^^^",
            "cannot be compared with <",
            "kind:http",
        ),
        ("kind: http", "     ^", "has no value", "value"),
        ("é kidn:x", "  ^^^^", "kidn is not a key", "kind"),
    ] {
        let wrong = read(text).unwrap_err();
        assert_eq!(wrong.caret(text), caret, "{text}");
        assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
        assert!(wrong.hint.contains(hint), "{text}: {}", wrong.hint);
    }
}

#[test]
fn an_address_with_a_scheme_in_quotes_is_words_and_no_pair() {
    assert!(read("http://x").is_err());
    assert!(!read("\"http://x\"").unwrap().keeps(&denied()));
    assert!(read("12:30").is_err());
}

#[test]
fn parentheses_without_end_are_refused_before_the_stack_is_used_up() {
    let deep = "(".repeat(100_000);
    assert!(read(&deep).unwrap_err().what.contains("too many"));
    assert!(read(&"-".repeat(100_000)).is_err() || keeps("-zzz"));
}

fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,5}",
        "(kind|path|rule|user):[a-z*]{1,5}",
        "seq(:|=|!=|<|>|<=|>=)[0-9]{1,3}",
        "is:(denied|problem|changed|error)",
        "\"[a-z ]{0,6}\"",
    ]
}

fn filter() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error_that_points_into_it(text in "(\\PC|[a-z:=<>~()\"* -]){0,40}") {
        match read(&text) {
            Ok(filter) => { filter.keeps(&denied()); }
            Err(wrong) => {
                prop_assert!(wrong.at <= text.len() && text.is_char_boundary(wrong.at));
                prop_assert!(!wrong.what.is_empty() && !wrong.hint.is_empty());
                prop_assert!(wrong.caret(&text).ends_with('^'));
            }
        }
    }

    #[test]
    fn de_morgan_holds(a in filter(), b in filter()) {
        prop_assert_eq!(keeps(&format!("not (({a}) or ({b}))")), keeps(&format!("not ({a}) not ({b})")));
        prop_assert_eq!(keeps(&format!("not (({a}) ({b}))")), keeps(&format!("not ({a}) or not ({b})")));
        prop_assert_eq!(keeps(&format!("({a}) ({b})")), keeps(&a) && keeps(&b));
        prop_assert_eq!(keeps(&format!("({a}) or ({b})")), keeps(&a) || keeps(&b));
    }
}
