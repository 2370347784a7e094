//! What `erase` is pointed at: a query and a reference as every screen shows them, resolved to records of streams.

use std::collections::BTreeSet;
use std::str::FromStr;

use account::{AccountError, Options};
use ledger::leaf::StreamId;
use ledger::reader::{Find, Reader};
use ledger::store::{ErasedRange, Folder};
use ledger::verify::Trusted;

use crate::error::Error;

/// `QUERY`, `QUERY#s1`, `QUERY#s1a`, `QUERY#s1a#14` or `QUERY#s1a#14..20`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    query: String,
    part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    All,
    /// A session or a stream, by its reference.
    Named(String),
    /// Records of a stream, both ends included.
    Records(String, u64, u64),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_ref = |word: &str| {
            let digits = word.strip_prefix('s').unwrap_or_default();
            let letters = digits.trim_start_matches(|c: char| c.is_ascii_digit());
            digits.len() > letters.len() && letters.chars().all(|c| c.is_ascii_lowercase())
        };
        let range = |word: &str| {
            let (from, to) = word.split_once("..").unwrap_or((word, word));
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            (from <= to).then_some((from, to))
        };
        let mut words = text.rsplitn(3, '#');
        let last = words.next().unwrap_or_default();
        let middle = words.next();
        let rest = words.next();
        let target = |query: &str, part| Self {
            query: query.to_owned(),
            part,
        };
        let found = match (rest, middle) {
            (Some(query), Some(stream)) if is_ref(stream) => {
                let (from, to) = range(last).ok_or_else(|| malformed(text))?;
                target(query, Part::Records(stream.to_owned(), from, to))
            }
            (None, Some(query)) if is_ref(last) => target(query, Part::Named(last.to_owned())),
            // A request may have a # in its name.
            _ => target(text, Part::All),
        };
        if found.query.is_empty() {
            return Err(malformed(text));
        }
        Ok(found)
    }
}

fn malformed(text: &str) -> Error {
    Error::Usage {
        why: format!("{text:?} names nothing that can be erased"),
        hint: "name a request or session, or a part of it: 47892, 47892#s1, 47892#s1a, 47892#s1a#14, 47892#s1a#14..20"
            .to_owned(),
    }
}

/// What will be erased.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) ranges: Vec<ErasedRange>,
    pub(super) names: Vec<StreamId>,
    /// In words, one line per range.
    pub(super) lines: Vec<String>,
}

impl Plan {
    /// Finds the records of every target. `names`: the streams' names go, too, which needs all their records.
    pub(super) fn of(folder: &Folder, targets: &[Target], names: bool) -> Result<Self, Error> {
        let mut plan = Self::default();
        for target in targets {
            plan.add(folder, target)?;
        }
        plan.ranges.sort_unstable();
        plan.ranges.dedup();
        if names {
            plan.name_streams(folder)?;
        }
        Ok(plan)
    }

    fn add(&mut self, folder: &Folder, target: &Target) -> Result<(), Error> {
        let account = account::build(
            folder,
            &Trusted::FirstSeen,
            &target.query,
            &Options::default(),
        )
        .map_err(query_error)?;
        let (wanted, records) = match &target.part {
            Part::All => (None, None),
            Part::Named(name) => (Some(name), None),
            Part::Records(name, from, to) => (Some(name), Some((*from, *to))),
        };
        let before = self.ranges.len();
        for session in &account.sessions {
            for stream in &session.streams {
                let is_wanted = wanted.is_none_or(|name| {
                    *name == session.name.to_string() || *name == stream.name.to_string()
                });
                let Some(id) = stream.log.parse::<StreamId>().ok().filter(|_| is_wanted) else {
                    continue;
                };
                let size = size_of(folder, id)?;
                let (from, to) = records.unwrap_or((0, size.saturating_sub(1)));
                if size == 0 || to >= size {
                    return Err(Error::Usage {
                        why: format!("{} holds {size} records, not record {to}", stream.name),
                        hint: "the first record is 0; `recount log QUERY` lists them".to_owned(),
                    });
                }
                self.lines.push(format!(
                    "erase     {}#{from}..{to}  {} records of session {}, sent by {}",
                    stream.name,
                    to - from + 1,
                    session.id.escape_debug(),
                    stream.producer.escape_debug()
                ));
                self.ranges.push(ErasedRange {
                    stream: id,
                    first: from,
                    count: to - from + 1,
                });
            }
        }
        if self.ranges.len() == before {
            return Err(Error::NoMatch {
                what: format!(
                    "{:?} has no session or stream {}",
                    target.query,
                    wanted.map_or("", String::as_str)
                ),
                near: Vec::new(),
            });
        }
        Ok(())
    }

    fn name_streams(&mut self, folder: &Folder) -> Result<(), Error> {
        let streams: BTreeSet<StreamId> = self.ranges.iter().map(|range| range.stream).collect();
        for stream in streams {
            let size = size_of(folder, stream)?;
            let whole = self
                .ranges
                .iter()
                .any(|range| range.stream == stream && range.first == 0 && range.count == size);
            if !whole {
                return Err(Error::Usage {
                    why: "--names takes away what a stream is called, and only some of its records are to go"
                        .to_owned(),
                    hint: "leave --names out, or erase the whole session: QUERY#s1".to_owned(),
                });
            }
            self.lines.push(format!(
                "erase     the names of stream {stream}: session, requests, producer"
            ));
            self.names.push(stream);
        }
        Ok(())
    }
}

fn size_of(folder: &Folder, stream: StreamId) -> Result<u64, Error> {
    let hints = folder.find(&Find::Stream(stream))?;
    Ok(hints.first().map_or(0, |hint| hint.records))
}

fn query_error(error: AccountError) -> Error {
    match error {
        AccountError::Read(error) => error.into(),
        AccountError::NotFound { query, place, near } => Error::NoMatch {
            what: format!("nothing matches {query:?} in {place}"),
            near,
        },
        AccountError::Damaged { .. } => Error::NotIntact {
            what: error.to_string(),
        },
        AccountError::Ambiguous { .. } | AccountError::TooShort { .. } => Error::Usage {
            why: error.to_string(),
            hint: "give the whole id".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Target> {
        text.parse().ok()
    }

    fn target(query: &str, part: Part) -> Option<Target> {
        Some(Target {
            query: query.into(),
            part,
        })
    }

    #[test]
    fn a_target_is_a_query_and_a_reference_as_the_screens_show_them() {
        assert_eq!(parsed("47892"), target("47892", Part::All));
        assert_eq!(
            parsed("47892#s1"),
            target("47892", Part::Named("s1".into()))
        );
        assert_eq!(
            parsed("47892#s12ab"),
            target("47892", Part::Named("s12ab".into()))
        );
        assert_eq!(
            parsed("47892#s1a#14"),
            target("47892", Part::Records("s1a".into(), 14, 14))
        );
        assert_eq!(
            parsed("a#b#s1a#14..20"),
            target("a#b", Part::Records("s1a".into(), 14, 20))
        );
        assert_eq!(parsed("pr#12"), target("pr#12", Part::All));
        for bad in ["", "#s1", "47892#s1a#20..14", "47892#s1a#x", "47892#s1a#-1"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_target_that_is_written_as_it_was_or_is_refused(
            text in "(47892|#|s1|s1a|\\.\\.|[0-9]{1,20}|\\PC){0,7}",
        ) {
            let written = |target: Target| match target.part {
                Part::All => target.query,
                Part::Named(name) => format!("{}#{name}", target.query),
                Part::Records(stream, from, to) => {
                    assert!(from <= to);
                    let last = text.rsplit('#').next().unwrap_or_default();
                    let (first, until) = last.split_once("..").unwrap_or((last, last));
                    assert_eq!((first.parse(), until.parse()), (Ok(from), Ok(to)));
                    format!("{}#{stream}#{last}", target.query)
                }
            };
            match parsed(&text) {
                Some(target) => assert_eq!(written(target), text),
                None => assert!(text.is_empty() || text.contains('#')),
            }
        }
    }
}
