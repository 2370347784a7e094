//! The tables `[[anchor]]` and `[[witness]]` of the configuration file.

use super::{Given, Origin, Raw, WITNESS_QUORUM, bad};
use crate::anchor::spec::{self, Spec};
use crate::error::Error;

/// Reads both kinds of tables.
///
/// # Errors
/// A table that describes no anchor, named by its number; two of one identity.
pub(super) fn read(raw: &Raw) -> Result<(Vec<Spec>, Origin), Error> {
    let Some((path, tables)) = &raw.tables else {
        return Ok((Vec::new(), Origin::Default));
    };
    let config = |why: String| Error::Config {
        path: path.clone(),
        why,
    };
    let mut specs: Vec<Spec> = Vec::new();
    for (name, read) in [
        ("anchor", spec::anchor as fn(_) -> _),
        ("witness", spec::witness),
    ] {
        let listed = match tables.get(name) {
            None => continue,
            Some(toml::Value::Array(listed)) => listed,
            Some(_) => {
                return Err(config(format!(
                    "{name} is written [[{name}]], one table for each"
                )));
            }
        };
        for (number, table) in listed.iter().enumerate() {
            let at = |why: String| config(format!("[[{name}]] number {}: {why}", number + 1));
            let spec: Spec = read(table.clone()).map_err(at)?;
            if specs.iter().any(|other| other.holder() == spec.holder()) {
                return Err(at(format!("{} is there twice", spec.holder())));
            }
            specs.push(spec);
        }
    }
    Ok((specs, Origin::File(path.clone())))
}

/// Reads the number of witnesses that must cosign; none said: `None`.
///
/// # Errors
/// No number, zero, or more than there are.
pub(super) fn quorum(given: &Given, specs: &[Spec]) -> Result<Option<usize>, Error> {
    if given.value.is_empty() {
        return Ok(None);
    }
    let witnesses = specs.iter().filter(|spec| spec.kind() == 4).count();
    match given.value.parse() {
        Ok(quorum) if (1..=witnesses).contains(&quorum) => Ok(Some(quorum)),
        _ => {
            let why = format!(
                "a number from 1 to {witnesses} is expected, the number of [[witness]] tables"
            );
            Err(bad(WITNESS_QUORUM, given, &why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Settings};
    use super::*;

    fn settings(text: &str, quorum: Option<&str>) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("collector.toml");
        std::fs::write(&file, text).unwrap();
        let flags = [(WITNESS_QUORUM, quorum.map(str::to_owned))];
        let raw = Raw::gather(&flags, &|_| None, Some(&file))?;
        Settings::check(&raw, &|_| None, Access::Write)
    }

    fn witness(n: u8) -> String {
        let key = ledger::cosignature::Cosigner::new(&format!("w{n}"), &[n; 32]).unwrap();
        format!(
            "[[witness]]\nurl = \"http://127.0.0.1:{n}\"\nvkey = \"{}\"\n",
            key.key()
        )
    }

    #[test]
    fn anchors_and_witnesses_come_from_the_file_and_more_than_half_must_cosign() {
        let text = format!(
            "[[anchor]]\nkind = \"file\"\npath = \"/x\"\n{}{}{}",
            witness(1),
            witness(2),
            witness(3)
        );
        let settings = settings(&text, None).unwrap();
        assert_eq!((settings.anchors.len(), settings.quorum()), (4, 2));
        assert_eq!(settings.anchors[1].every_s, 60);
    }

    #[test]
    fn a_table_that_is_no_anchor_is_named_by_its_number() {
        let good = "[[anchor]]\nkind = \"file\"\npath = \"/x\"\n";
        for (text, quorum, why) in [
            (
                format!("{good}[[anchor]]\nkind = \"tape\"\n"),
                None,
                "[[anchor]] number 2",
            ),
            (format!("{good}{good}"), None, "twice"),
            (format!("anchor = 3\n{}", witness(1)), None, "[[anchor]]"),
            (witness(1), Some("2"), "from 1 to 1"),
            (witness(1), Some("0"), "from 1 to 1"),
            (
                "[[witness]]\nurl = \"http://x\"\nvkey = \"x\"\n".to_owned(),
                None,
                "vkey",
            ),
        ] {
            let error = settings(&text, quorum).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
