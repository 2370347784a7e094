//! What an investigator writes about records: marks, tags, comments and saved filters, kept apart from every ledger.
//!
//! The file is a case log: one JSON object per line, only ever appended to. Taking something back is another line.

mod file;

use std::collections::{BTreeMap, HashMap};

use account::model::Account;
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;
use vocabulary::id::RecordRef;

pub(crate) use file::{NotesFile, file_of};

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A record, by the names that it has in its ledger.
    Record {
        /// Its stream's id, hex.
        stream: String,
        /// Its index there.
        index: u64,
        /// What it was called when the note was made, as a query.
        query: String,
    },
    /// A request as a whole.
    Request(String),
    /// Nothing that is recorded: a saved filter.
    Nothing,
}

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is marked.
    Mark,
    /// It is no longer marked.
    Unmark,
    /// It has a tag.
    Tag(String),
    /// It no longer has a tag.
    Untag(String),
    /// Words about it.
    Comment(String),
    /// A filter under a name; the last one of a name counts, an empty one takes it back.
    Filter {
        /// The name.
        name: String,
        /// The filter.
        filter: String,
    },
}

/// One line of the case log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it was made.
    pub at: Timestamp,
    /// By whom: the system's user, which nothing proves.
    pub by: String,
    /// What it is about.
    pub about: About,
    /// What it says.
    pub said: Said,
}

/// All notes, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    all: Vec<Note>,
    /// Lines that are no notes, from 1; they stay in the file as they are.
    unreadable: Vec<usize>,
}

impl Notes {
    /// Reads a case log. Lines that cannot be read are counted and left alone.
    pub fn parse(text: &str) -> Notes {
        let mut notes = Notes::default();
        for (n, line) in text.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(note) => notes.all.push(note),
                Err(_) if line.trim().is_empty() => {}
                Err(_) => notes.unreadable.push(n + 1),
            }
        }
        notes
    }

    /// Adds one.
    pub fn push(&mut self, note: Note) {
        self.all.push(note);
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.all.iter()
    }

    /// Lines that could not be read, from 1.
    pub fn unreadable(&self) -> &[usize] {
        &self.unreadable
    }

    /// The saved filters by name.
    pub fn filters(&self) -> BTreeMap<&str, &str> {
        let mut filters = BTreeMap::new();
        for note in &self.all {
            if let Said::Filter { name, filter } = &note.said {
                if filter.is_empty() {
                    filters.remove(name.as_str());
                } else {
                    filters.insert(name.as_str(), filter.as_str());
                }
            }
        }
        filters
    }

    /// A filter with `@NAME` for its whole replaced by the saved one; the name where there is none.
    ///
    /// # Errors
    ///
    /// No filter is saved under the name.
    pub fn filter<'a>(&'a self, text: &'a str) -> Result<&'a str, &'a str> {
        match text.trim().strip_prefix('@') {
            Some(name) => self.filters().get(name).copied().ok_or(name),
            None => Ok(text),
        }
    }
}

/// What stands about one record or request now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is marked.
    pub marked: bool,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Comments: when, by whom, what.
    pub comments: Vec<(Timestamp, String, String)>,
}

impl Standing {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Standing::default()
    }

    fn take(&mut self, note: &Note) {
        match &note.said {
            Said::Mark => self.marked = true,
            Said::Unmark => self.marked = false,
            Said::Tag(tag) if !self.tags.contains(tag) => {
                self.tags.push(tag.clone());
                self.tags.sort();
            }
            Said::Untag(tag) => self.tags.retain(|it| it != tag),
            Said::Comment(text) => {
                let by = note.by.clone();
                self.comments.push((note.at, by, text.clone()));
            }
            Said::Tag(_) | Said::Filter { .. } => {}
        }
    }
}

/// The notes about one account, by record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// About its records, by what they are called there.
    pub records: BTreeMap<RecordRef, Standing>,
    /// About the request as a whole.
    pub request: Standing,
}

impl Noted {
    /// The notes about an account's records and its request.
    pub fn of(notes: &Notes, account: &Account) -> Noted {
        let streams = account.sessions.iter().flat_map(|it| &it.streams);
        let streams: HashMap<&str, _> = streams.map(|it| (it.log.as_str(), it.name)).collect();
        let mut noted = Noted::default();
        for note in notes.iter() {
            match &note.about {
                About::Record { stream, index, .. } => {
                    if let Some(name) = streams.get(stream.as_str()) {
                        let (stream, index) = (*name, *index);
                        let record = RecordRef { stream, index };
                        noted.records.entry(record).or_default().take(note);
                    }
                }
                About::Request(id) if *id == account.request.id => noted.request.take(note),
                About::Request(_) | About::Nothing => {}
            }
        }
        noted.records.retain(|_, standing| !standing.is_empty());
        noted
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.request.is_empty()
    }
}

/// What a note about a record of an account is about; its request without a record.
pub(crate) fn about(account: &Account, record: Option<RecordRef>) -> About {
    let streams = account.sessions.iter().flat_map(|it| &it.streams);
    let stream = record.and_then(|record| {
        let mut streams = streams;
        let stream = streams.find(|it| it.name == record.stream)?;
        Some((stream.log.clone(), record))
    });
    match stream {
        Some((stream, record)) => About::Record {
            stream,
            index: record.index,
            query: format!("{}#{record}", account.request.id),
        },
        None => About::Request(account.request.id.clone()),
    }
}

/// The notes as a section of a report in Markdown; empty without any.
pub(crate) fn markdown(noted: &Noted) -> String {
    if noted.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n## Notes\n\nAn investigator's own words, kept beside the ledger: no part of the record, and proven by nothing.\n\n",
    );
    let all = noted
        .records
        .iter()
        .map(|(record, it)| (record.to_string(), it));
    let request = (!noted.request.is_empty()).then(|| ("request".to_owned(), &noted.request));
    for (name, standing) in request.into_iter().chain(all) {
        let marked = if standing.marked { " (marked)" } else { "" };
        let tags: String = standing
            .tags
            .iter()
            .map(|tag| format!(" `{}`", plain(tag)))
            .collect();
        text.push_str(&format!("- **{name}**{marked}{tags}\n"));
        for (at, by, comment) in &standing.comments {
            text.push_str(&format!("  - {} ({}, {at})\n", plain(comment), plain(by)));
        }
    }
    text
}

/// The notes as a section of a report in HTML; empty without any.
pub(crate) fn html(noted: &Noted) -> String {
    if noted.is_empty() {
        return String::new();
    }
    let text = |text: &str| account::render::html_text(account::shown::line(text).as_str());
    let mut out = String::from(
        "<section id=\"notes\">\n<h2>Notes</h2>\n<p>An investigator's own words, kept beside the ledger: no part of \
         the record, and proven by nothing.</p>\n<ul>\n",
    );
    let all = noted.records.iter();
    let all = all.map(|(record, it)| (record.to_string(), it));
    let request = (!noted.request.is_empty()).then(|| ("request".to_owned(), &noted.request));
    for (name, standing) in request.into_iter().chain(all) {
        let marked = if standing.marked { " (marked)" } else { "" };
        out.push_str(&format!("<li><strong>{name}</strong>{marked}"));
        for tag in &standing.tags {
            out.push_str(&format!(" <code>{}</code>", text(tag)));
        }
        for (at, by, comment) in &standing.comments {
            out.push_str(&format!("\n{} ({}, {at})", text(comment), text(by)));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n</section>\n");
    out
}

/// Text that Markdown shows as it stands, on one line.
fn plain(text: &str) -> String {
    account::render::markdown_text(account::shown::line(text).as_str())
}

#[cfg(test)]
mod tests;
