//! Statements that open, settle or narrow a transaction.

use super::words;
use crate::capture::transactions::Control;

/// The transaction control that `sql` is, if it is one that settles what it says.
///
/// `… AND CHAIN`, `PREPARE TRANSACTION` and their like are none: what they leave open is not followed.
pub(super) fn control(sql: &str) -> Option<Control> {
    let surface = words::surface(sql);
    let words: Vec<&str> = surface
        .words
        .iter()
        .map(|word| word.upper.as_str())
        .collect();
    let name = |name: &str| match name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => name.to_ascii_lowercase(),
    };
    Some(match words.as_slice() {
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => Control::Begin,
        ["COMMIT" | "END"] | ["COMMIT" | "END", "WORK" | "TRANSACTION"] => Control::Commit,
        ["ROLLBACK" | "ABORT"] | ["ROLLBACK" | "ABORT", "WORK" | "TRANSACTION"] => {
            Control::Rollback
        }
        ["SAVEPOINT", point] => Control::Savepoint(name(point)),
        ["RELEASE", "SAVEPOINT", point] | ["RELEASE", point] => Control::Release(name(point)),
        ["ROLLBACK", "WORK" | "TRANSACTION", "TO", rest @ ..] | ["ROLLBACK", "TO", rest @ ..] => {
            match rest {
                ["SAVEPOINT", point] | [point] => Control::RollbackTo(name(point)),
                _ => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_is_told_from_other_statements() {
        let named = |name: &str| name.to_owned();
        assert_eq!(
            control("begin isolation level serializable"),
            Some(Control::Begin)
        );
        assert_eq!(
            control("/* a */ START transaction READ ONLY;"),
            Some(Control::Begin)
        );
        assert_eq!(control("end work"), Some(Control::Commit));
        assert_eq!(control("abort"), Some(Control::Rollback));
        assert_eq!(
            control("ROLLBACK TO SAVEPOINT \"a\"\"B\""),
            Some(Control::RollbackTo(named("a\"B")))
        );
        assert_eq!(
            control("rollback work to X"),
            Some(Control::RollbackTo(named("x")))
        );
        assert_eq!(control("RELEASE Y"), Some(Control::Release(named("y"))));
        assert_eq!(
            control("savepoint s1"),
            Some(Control::Savepoint(named("s1")))
        );
        for other in [
            "COMMIT AND CHAIN",
            "PREPARE TRANSACTION 'x'",
            "COMMIT PREPARED 'x'",
            "SELECT 1",
            "",
        ] {
            assert_eq!(control(other), None, "{other}");
        }
    }
}
