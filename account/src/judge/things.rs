//! What resources are called: `24 accounts` rather than `24 HTTP resources`, where their names leave no doubt.

use std::collections::{BTreeMap, BTreeSet};
use vocabulary::action::Kind;

use crate::model::Things;

/// Longer names are not for one line.
const NAME: usize = 40;

/// One kind of thing: its kind of interface, what one and what several of it are called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Noun {
    kind: String,
    one: String,
    many: String,
}

/// Counts different resources by what they are called, most first. `action` is the kind of the action that touched
/// each, for resources that do not say theirs.
#[must_use]
pub fn things<'a>(
    resources: impl IntoIterator<Item = (&'a Kind, &'a str)>,
    read: bool,
) -> Vec<Things> {
    let all: BTreeSet<(String, &str)> = resources
        .into_iter()
        .map(|(kind, resource)| (kind_of(kind, resource), resource))
        .collect();
    let folder = common_folder(&all);
    let mut owners: BTreeMap<Noun, BTreeSet<&str>> = BTreeMap::new();
    let mut named: Vec<(Noun, Noun)> = Vec::new();
    for (kind, resource) in &all {
        let plain = plain(kind, read);
        let (noun, owner) = match kind.as_str() {
            "http" => http(resource),
            "db" => row(resource),
            "file" => file(folder.as_deref()),
            _ => None,
        }
        .unwrap_or_else(|| (plain.clone(), ""));
        owners.entry(noun.clone()).or_default().insert(owner);
        named.push((noun, plain));
    }
    // The same word at two places may mean two things.
    let mut counted: BTreeMap<Noun, u64> = BTreeMap::new();
    for (noun, plain) in named {
        let doubtful = owners.get(&noun).is_some_and(|owners| owners.len() > 1);
        *counted
            .entry(if doubtful { plain } else { noun })
            .or_default() += 1;
    }
    let mut list: Vec<Things> = counted
        .into_iter()
        .map(|(noun, number)| Things {
            kind: noun.kind,
            what: if number == 1 { noun.one } else { noun.many },
            number,
        })
        .collect();
    list.sort_by(|a, b| b.number.cmp(&a.number).then_with(|| a.what.cmp(&b.what)));
    list
}

/// The kind that a canonical resource names itself, else that of the action.
fn kind_of(action: &Kind, resource: &str) -> String {
    let named = resource.split_once(':').map(|(kind, _)| Kind::read(kind));
    match named {
        Some(Kind::Other(_)) | None => action.to_string(),
        Some(kind) => kind.to_string(),
    }
}

/// What things of a kind are called when nothing better is known.
fn plain(kind: &str, read: bool) -> Noun {
    let (one, many) = match kind {
        "file" => ("file".to_owned(), "files".to_owned()),
        "db" if read => ("table".to_owned(), "tables".to_owned()),
        "db" => ("row".to_owned(), "rows".to_owned()),
        "http" => ("HTTP resource".to_owned(), "HTTP resources".to_owned()),
        "llm" => ("model".to_owned(), "models".to_owned()),
        "process" => ("command".to_owned(), "commands".to_owned()),
        "tool" => ("tool".to_owned(), "tools".to_owned()),
        other => (format!("{other} resource"), format!("{other} resources")),
    };
    Noun {
        kind: kind.to_owned(),
        one,
        many,
    }
}

/// `http:HOST/…/accounts/1031` is an account, `…/accounts` a list of them, `…/accounts/1031/discount` a discount.
fn http(resource: &str) -> Option<(Noun, &str)> {
    let (host, path) = resource.strip_prefix("http:")?.split_once('/')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut segments = path.split('/').rev().filter(|part| !part.is_empty());
    let last = segments.next()?;
    let (before, above) = (segments.next(), segments.next());
    let (one, many) = if is_id(last) {
        let many = words(before?)?;
        (singular(&many)?, many)
    } else if let Some(one) = words(last).as_deref().and_then(singular) {
        (format!("{one} list"), format!("{one} lists"))
    } else {
        let one = words(last)?;
        singular(&words(above?)?).filter(|_| before.is_some_and(is_id))?;
        let many = plural(&one);
        (one, many)
    };
    let noun = Noun {
        kind: "http".to_owned(),
        one,
        many,
    };
    Some((noun, host))
}

/// `db:DATABASE/SCHEMA.TABLE/KEY` is a row of a table, `db:DATABASE/SCHEMA.TABLE` the table.
fn row(resource: &str) -> Option<(Noun, &str)> {
    let (database, rest) = resource.strip_prefix("db:")?.split_once('/')?;
    let (table, key) = match rest.split_once('/') {
        Some((table, key)) => (table, Some(key)),
        None => (rest, None),
    };
    let name = table.rsplit('.').next().filter(|name| !name.is_empty())?;
    if name.chars().count() > NAME {
        return None;
    }
    let (one, many) = match key {
        Some(_) => (format!("row of {name}"), format!("rows of {name}")),
        None => (
            format!("table ({name})"),
            // Two tables of one name lie in two schemas.
            format!("tables ({name})"),
        ),
    };
    let noun = Noun {
        kind: "db".to_owned(),
        one,
        many,
    };
    Some((noun, database))
}

fn file(folder: Option<&str>) -> Option<(Noun, &'static str)> {
    let folder = folder?;
    let noun = Noun {
        kind: "file".to_owned(),
        one: format!("file in {folder}"),
        many: format!("files in {folder}"),
    };
    Some((noun, ""))
}

/// The folder that all files lie in or below.
fn common_folder(all: &BTreeSet<(String, &str)>) -> Option<String> {
    let mut folders = all
        .iter()
        .filter_map(|(_, resource)| resource.strip_prefix("file:"))
        .map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder));
    let first = folders.next()?;
    let common = folders.fold(first.split('/').collect::<Vec<_>>(), |common, folder| {
        let same = common.iter().zip(folder.split('/'));
        let length = same.take_while(|(a, b)| **a == *b).count();
        common.into_iter().take(length).collect()
    });
    let folder = common.join("/");
    (!folder.is_empty() && folder.chars().count() <= NAME).then_some(folder)
}

/// Whether a segment names one of many: it has a digit in it.
fn is_id(segment: &str) -> bool {
    segment.bytes().any(|byte| byte.is_ascii_digit())
        && !(segment.starts_with('v') && segment[1..].bytes().all(|byte| byte.is_ascii_digit()))
}

/// A segment as words; `None` if it is no word of a path.
fn words(segment: &str) -> Option<String> {
    let fits = segment.len() >= 2 && segment.len() <= 24;
    let letters = segment
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    (fits && letters && segment.as_bytes().first()?.is_ascii_alphabetic())
        .then(|| segment.to_ascii_lowercase().replace(['-', '_'], " "))
}

/// One of a plural; `None` if the word is none.
fn singular(word: &str) -> Option<String> {
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return Some(format!("{stem}y"));
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if word.ends_with(ending) {
            return word.strip_suffix("es").map(str::to_owned);
        }
    }
    if ["ss", "us", "is"]
        .iter()
        .any(|ending| word.ends_with(ending))
    {
        return None;
    }
    word.strip_suffix('s')
        .filter(|stem| stem.len() > 1)
        .map(str::to_owned)
}

fn plural(word: &str) -> String {
    let vowel = |c: char| "aeiou".contains(c);
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(vowel) => format!("{stem}ies"),
        _ if ["s", "x", "sh", "ch"].iter().any(|end| word.ends_with(end)) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::things;
    use vocabulary::action::Kind;

    fn told(kind: Kind, resources: &[&str], read: bool) -> Vec<String> {
        let list = things(resources.iter().map(|one| (&kind, *one)), read);
        list.iter()
            .map(|row| format!("{} {}", row.number, row.what))
            .collect()
    }

    #[test]
    fn resources_are_called_by_their_collection() {
        let accounts = [
            "http:crm.example.test/api/v2/accounts/1031",
            "http:crm.example.test/api/v2/accounts/1044",
            "http:crm.example.test/api/v2/accounts?tier=enterprise",
            "http:desk.example.test/accounts/1031/tickets",
            "http:desk.example.test/accounts/1044/tickets",
            "http:crm.example.test/accounts/1031/discount",
        ];
        assert_eq!(
            told(Kind::Http, &accounts, true),
            [
                "2 accounts",
                "2 ticket lists",
                "1 account list",
                "1 discount"
            ]
        );
        assert_eq!(
            told(Kind::Http, &["http:x.example/companies/9f-1"], false),
            ["1 company"]
        );
    }

    #[test]
    fn what_is_not_clear_keeps_the_plain_word() {
        for doubtful in [
            "http:mail.example.test/send",
            "http:x.example/users/alice",
            "http:x.example/2026/17",
            "http:x.example/v1",
            "http:x.example",
            "http:x.example/status/7",
        ] {
            assert_eq!(told(Kind::Http, &[doubtful], true), ["1 HTTP resource"]);
        }
        // Two hosts may mean two things by one word.
        let two = ["http:a.example/accounts/1", "http:b.example/accounts/1"];
        assert_eq!(told(Kind::Http, &two, true), ["2 HTTP resources"]);
        assert_eq!(told(Kind::Db, &["db:app"], true), ["1 table"]);
    }

    #[test]
    fn rows_are_called_by_their_table_and_files_by_their_folder() {
        let rows = ["db:contracts/main.terms/1", "db:contracts/main.terms/2"];
        assert_eq!(told(Kind::Db, &rows, false), ["2 rows of terms"]);
        assert_eq!(
            told(Kind::Db, &["db:contracts/main.terms"], true),
            ["1 table (terms)"]
        );
        let files = ["file:out/a.md", "file:out/calls/b.md"];
        assert_eq!(told(Kind::File, &files, false), ["2 files in out"]);
        // Changed by a command, and files all the same.
        assert_eq!(told(Kind::Process, &files, false), ["2 files in out"]);
        assert_eq!(
            told(Kind::File, &["file:a.md", "file:out/b.md"], false),
            ["2 files"]
        );
    }
}
