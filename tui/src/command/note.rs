//! `recount note`, `tag` and `notes`: what an investigator writes about a record, kept beside the ledger.

use vocabulary::Timestamp;
use vocabulary::id::RecordRef;

use super::{Context, exit_of, log, out, split_ref, table};
use crate::app::line::shown;
use crate::args::{FactForm, NoteArgs, Notes as NotesArgs, TagArgs};
use crate::failure::{Exit, Failure};
use crate::notes::{Note, Noted, NotesFile, Said, Standing, about, file_of};
use crate::record::sender::user;

/// The columns of CSV: lines of the case log, and what stands about a record.
const COLUMNS: &[table::Column] = &[
    ("at", "/at"),
    ("by", "/by"),
    ("about", "/about"),
    ("said", "/said"),
];
const STANDING: &[table::Column] = &[
    ("ref", "/ref"),
    ("marked", "/marked"),
    ("tags", "/tags"),
    ("comments", "/words"),
];

/// `recount note QUERY#REF TEXT`.
pub(super) fn note(context: &Context, args: &NoteArgs) -> Result<Exit, Failure> {
    let text = args.text.join(" ");
    if text.trim().is_empty() {
        return Err(Failure::Usage {
            what: "a note without words".to_owned(),
            hint: "recount note 47892#151 \"the first sign of it\"".to_owned(),
        });
    }
    write(context, &args.query, vec![Said::Comment(text)])
}

/// `recount tag QUERY#REF TAG…`.
pub(super) fn tag(context: &Context, args: &TagArgs) -> Result<Exit, Failure> {
    let tags = args.tags.iter().map(|tag| {
        let tag = tag.trim_start_matches('#').to_owned();
        if args.remove {
            Said::Untag(tag)
        } else {
            Said::Tag(tag)
        }
    });
    write(context, &args.query, tags.collect())
}

/// `recount notes [QUERY]`.
pub(super) fn notes(context: &Context, args: &NotesArgs) -> Result<Exit, Failure> {
    let notes = read(context)?;
    for line in notes.unreadable() {
        context.note(&format!("line {line} of the notes cannot be read"));
    }
    let Some(query) = &args.query else {
        let all: Vec<&Note> = notes.iter().collect();
        match args.output {
            FactForm::Json | FactForm::Jsonl => table::lines(&all)?,
            FactForm::Csv => table::csv(COLUMNS, &all)?,
            FactForm::Text => all.iter().try_for_each(|note| out::text(&one_line(note)))?,
        }
        return Ok(Exit::Answered);
    };
    let mut source = context.source()?;
    let (query, only) = split_ref(query);
    let account = source.account(query)?;
    let noted = Noted::of(&notes, &account);
    let mut any = false;
    if args.output == FactForm::Csv {
        table::csv::<()>(STANDING, &[])?;
    }
    let wanted = |record: &RecordRef| only.is_none_or(|only| only == *record);
    if only.is_none() && !noted.request.is_empty() {
        any = true;
        print(args.output, "request", &noted.request)?;
    }
    for (record, standing) in noted.records.iter().filter(|(record, _)| wanted(record)) {
        any = true;
        print(args.output, &record.to_string(), standing)?;
    }
    context.pin(&mut source);
    match (any, exit_of(&account)) {
        (false, Exit::Answered) => {
            context.note(&format!("no note is about {query}"));
            Ok(Exit::NoMatch)
        }
        (_, exit) => Ok(exit),
    }
}

/// The notes as they are on the disk.
pub(super) fn read(context: &Context) -> Result<crate::notes::Notes, Failure> {
    let file = NotesFile::new(file_of(&context.environment));
    file.read().map_err(|error| Failure::Usage {
        what: error.to_string(),
        hint: "make it readable, or name another file in RECOUNT_NOTES".to_owned(),
    })
}

fn write(context: &Context, query: &str, said: Vec<Said>) -> Result<Exit, Failure> {
    let mut source = context.source()?;
    let (query, record) = split_ref(query);
    let account = source.account(query)?;
    if let Some(record) = record {
        // A note about a record that is not there would be found by nobody.
        super::at::Moment::after(&account, record)?;
    }
    let file = NotesFile::new(file_of(&context.environment));
    for said in said {
        let note = Note {
            at: Timestamp::from_unix_ns(log::unix_now()),
            by: user(context),
            about: about(&account, record),
            said,
        };
        file.append(&note).map_err(|error| Failure::Unavailable {
            place: source.place(),
            what: format!("not written down: {error}"),
            hint: "make room, or name another file in RECOUNT_NOTES".to_owned(),
        })?;
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

fn one_line(note: &Note) -> String {
    use crate::notes::About;
    let about = match &note.about {
        About::Record { query, .. } => query.as_str(),
        About::Request(id) => id.as_str(),
        About::Nothing => "-",
    };
    let said = match &note.said {
        Said::Mark => "marked".to_owned(),
        Said::Unmark => "no longer marked".to_owned(),
        Said::Tag(tag) => format!("#{tag}"),
        Said::Untag(tag) => format!("no longer #{tag}"),
        Said::Comment(text) => text.clone(),
        Said::Filter { name, filter } => format!("filter @{name}: {filter}"),
    };
    let (about, by, said) = (shown(about), shown(&note.by), shown(&said));
    format!("{} {about:<16} {by:<12} {said}\n", note.at)
}

fn print(form: FactForm, name: &str, standing: &Standing) -> Result<(), Failure> {
    let row = || {
        let comments = standing
            .comments
            .iter()
            .map(|(at, by, text)| serde_json::json!({ "at": at, "by": by, "text": text }));
        let words = standing.comments.iter().map(|(_, _, text)| text);
        serde_json::json!({
            "ref": name,
            "marked": standing.marked,
            "tags": standing.tags,
            "comments": comments.collect::<Vec<_>>(),
            "words": words.collect::<Vec<_>>(),
        })
    };
    match form {
        FactForm::Json | FactForm::Jsonl => {
            let mut row = row();
            row.as_object_mut().and_then(|row| row.remove("words"));
            out::json_line(&row)
        }
        FactForm::Csv => table::row(STANDING, &row()),
        FactForm::Text => {
            let marked = if standing.marked { "  marked" } else { "" };
            let tags: String = standing
                .tags
                .iter()
                .map(|tag| format!("  #{tag}"))
                .collect();
            let mut text = shown(&format!("{name:<9}{marked}{tags}"));
            text.push('\n');
            for (at, by, comment) in &standing.comments {
                text.push_str(&shown(&format!("  {at} {by}: {comment}")));
                text.push('\n');
            }
            out::text(&text)
        }
    }
}
