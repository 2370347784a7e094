//! Credentials in URLs: user info, and query values whose name says so.

use super::{Finding, Rule, names, run_end};

pub(super) const RULES: &[Rule] = &[Rule {
    keyword: b"://",
    either_case: false,
    check: user_info,
}];

/// The user info of a URL: all of it for http and https, else what follows
/// the first colon (`ssh://git@host` has nothing to hide).
fn user_info(bytes: &[u8], at: usize) -> Option<Finding> {
    let start = at + 3;
    let end = run_end(bytes, start, |byte| {
        byte > b' ' && !b"/?#\"'<>\\`".contains(&byte)
    });
    let info = &bytes[start..end];
    let at_sign = info.iter().rposition(|&byte| byte == b'@')?;
    let web = bytes[..at].ends_with(b"http") || bytes[..at].ends_with(b"https");
    let start = if web {
        start
    } else {
        start + info[..at_sign].iter().position(|&byte| byte == b':')? + 1
    };
    let end = end - info.len() + at_sign;
    (start < end && !already_removed(&bytes[start..end])).then_some(Finding {
        start,
        end,
        rule: "url_user_info",
    })
}

/// The value of a query parameter whose name, ending before `equals`, is
/// sensitive in URLs.
pub(super) fn query_value(bytes: &[u8], name_start: usize, equals: usize) -> Option<Finding> {
    let name = std::str::from_utf8(&bytes[name_start..equals]).ok()?;
    if !names::is_sensitive_query(name) {
        return None;
    }
    let start = equals + 1;
    let end = run_end(bytes, start, |byte| {
        byte > b' ' && !b"&#\"'<>\\;`".contains(&byte)
    });
    (start < end && !already_removed(&bytes[start..end])).then_some(Finding {
        start,
        end,
        rule: "url_query_value",
    })
}

fn already_removed(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == super::MASK) || value.starts_with(b"[removed:")
}
