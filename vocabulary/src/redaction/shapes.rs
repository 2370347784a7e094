//! Credentials that have a shape of their own: keys with prefixes, JWT, PEM, bearer tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Finding, Rule, begins_word, run_end};

const fn exact(keyword: &'static [u8], check: fn(&[u8], usize) -> Option<Finding>) -> Rule {
    Rule {
        keyword,
        either_case: false,
        check,
    }
}

pub(super) const RULES: &[Rule] = &[
    exact(b"sk-", |bytes, at| long_key(bytes, at, 3, "openai_key")),
    exact(b"sk_live_", |bytes, at| {
        long_key(bytes, at, 8, "stripe_key")
    }),
    exact(b"sk_test_", |bytes, at| {
        long_key(bytes, at, 8, "stripe_key")
    }),
    exact(b"rk_live_", |bytes, at| {
        long_key(bytes, at, 8, "stripe_key")
    }),
    exact(b"AKIA", aws_access_key),
    exact(b"ASIA", aws_access_key),
    exact(b"ghp_", |bytes, at| long_key(bytes, at, 4, "github_token")),
    exact(b"gho_", |bytes, at| long_key(bytes, at, 4, "github_token")),
    exact(b"ghu_", |bytes, at| long_key(bytes, at, 4, "github_token")),
    exact(b"ghs_", |bytes, at| long_key(bytes, at, 4, "github_token")),
    exact(b"ghr_", |bytes, at| long_key(bytes, at, 4, "github_token")),
    exact(b"github_pat_", |bytes, at| {
        long_key(bytes, at, 11, "github_token")
    }),
    exact(b"glpat-", |bytes, at| {
        long_key(bytes, at, 6, "gitlab_token")
    }),
    exact(b"xoxb-", |bytes, at| long_key(bytes, at, 5, "slack_token")),
    exact(b"xoxp-", |bytes, at| long_key(bytes, at, 5, "slack_token")),
    exact(b"xoxa-", |bytes, at| long_key(bytes, at, 5, "slack_token")),
    exact(b"xoxr-", |bytes, at| long_key(bytes, at, 5, "slack_token")),
    exact(b"xoxs-", |bytes, at| long_key(bytes, at, 5, "slack_token")),
    exact(b"rct_", |bytes, at| long_key(bytes, at, 4, "recount_token")),
    exact(b"AIza", |bytes, at| {
        long_key(bytes, at, 4, "google_api_key")
    }),
    exact(b"eyJ", jwt),
    exact(b"-----BEGIN ", private_key),
    Rule {
        keyword: b"bearer ",
        either_case: true,
        check: bearer,
    },
    Rule {
        keyword: b"basic ",
        either_case: true,
        check: basic,
    },
];

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
}

fn is_base64_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// A prefix and then key bytes, at least 16 of them in one run of letters and
/// digits: `sk-my-long-css-class` has no such run.
fn long_key(bytes: &[u8], start: usize, prefix: usize, rule: &'static str) -> Option<Finding> {
    if !begins_run(bytes, start) {
        return None;
    }
    let end = run_end(bytes, start + prefix, is_key_byte);
    let key = &bytes[start + prefix..end];
    let longest = key
        .split(|byte| !byte.is_ascii_alphanumeric())
        .map(<[u8]>::len)
        .max();
    (longest >= Some(16)).then_some(Finding { start, end, rule })
}

/// `AKIA` or `ASIA` and exactly 16 upper-case letters and digits.
fn aws_access_key(bytes: &[u8], start: usize) -> Option<Finding> {
    if !begins_word(bytes, start) {
        return None;
    }
    let end = run_end(bytes, start, |byte| byte.is_ascii_alphanumeric());
    let upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (end - start == 20 && bytes[start..end].iter().all(upper)).then_some(Finding {
        start,
        end,
        rule: "aws_access_key",
    })
}

/// Three or five base64url parts with dots between, the first a JSON object.
fn jwt(bytes: &[u8], start: usize) -> Option<Finding> {
    if !begins_run(bytes, start) {
        return None;
    }
    let end = run_end(bytes, start, |byte| is_key_byte(byte) || byte == b'.');
    let mut parts = bytes[start..end]
        .split(|&byte| byte == b'.')
        .map(<[u8]>::len);
    let long = parts.next() >= Some(10) && parts.next() >= Some(4) && parts.next().is_some();
    long.then_some(Finding {
        start,
        end,
        rule: "jwt",
    })
}

/// From `-----BEGIN … PRIVATE KEY-----` to the end of its `-----END …-----`
/// line; where that is missing, as far as what may be part of a key goes.
fn private_key(bytes: &[u8], start: usize) -> Option<Finding> {
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte == b' ';
    let label = start + b"-----BEGIN ".len();
    let label_end = run_end(bytes, label, is_label);
    if !bytes[label..label_end].ends_with(b"PRIVATE KEY") {
        return None;
    }
    let key_end = run_end(bytes, label_end, |byte| {
        is_token_byte(byte) || b" \t\r\n\\:,".contains(&byte)
    });
    let end_line = b"-----END ";
    let end = match bytes[label_end..key_end]
        .windows(end_line.len())
        .position(|line| line == end_line)
    {
        Some(at) => {
            let dashes = run_end(bytes, label_end + at + end_line.len(), is_label);
            run_end(bytes, dashes, |byte| byte == b'-')
        }
        None => key_end,
    };
    Some(Finding {
        start,
        end,
        rule: "private_key",
    })
}

/// The token after `Bearer `. "Bearer responsibilities" is none: a token is
/// long, or has a digit.
fn bearer(bytes: &[u8], at: usize) -> Option<Finding> {
    let start = at + b"bearer ".len();
    let end = run_end(bytes, start, is_token_byte);
    let token = &bytes[start..end];
    let long = token.len() >= 20 || (token.len() >= 8 && token.iter().any(u8::is_ascii_digit));
    (begins_word(bytes, at) && long).then_some(Finding {
        start,
        end,
        rule: "bearer_token",
    })
}

/// The base64 after `Basic ` when it holds `user:password`.
fn basic(bytes: &[u8], at: usize) -> Option<Finding> {
    let start = at + b"basic ".len();
    let body = run_end(bytes, start, is_base64_byte);
    let end = run_end(bytes, body, |byte| byte == b'=');
    let decoded = STANDARD_NO_PAD.decode(&bytes[start..body]).ok()?;
    let pair = decoded.contains(&b':') && !decoded.iter().any(u8::is_ascii_control);
    (begins_word(bytes, at) && pair).then_some(Finding {
        start,
        end,
        rule: "basic_credentials",
    })
}

/// As [`begins_word`], and not after a byte that could be part of the same
/// run: so each run is looked at once, however often the keyword is in it.
fn begins_run(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).map(|index| bytes[index]);
    begins_word(bytes, start) && !matches!(before, Some(b'-' | b'.'))
}
