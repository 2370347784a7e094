//! Tests of the case log: what stands after its lines, and that nothing in it is lost or rewritten.

use proptest::prelude::*;

use super::{About, Note, Noted, Notes, NotesFile, Said, about, markdown};
use account::model::Account;

fn sample() -> Account {
    serde_json::from_str(include_str!("../../../account/samples/renewal.json")).unwrap()
}

fn note(about: About, said: Said) -> Note {
    Note {
        at: "2026-03-14T10:00:00Z".parse().unwrap(),
        by: "investigator".to_owned(),
        about,
        said,
    }
}

fn of(account: &Account, record: &str, said: Said) -> Note {
    note(about(account, Some(record.parse().unwrap())), said)
}

#[test]
fn what_stands_is_what_was_said_last() {
    let account = sample();
    let mut notes = Notes::default();
    for said in [
        Said::Mark,
        Said::Tag("key-event".to_owned()),
        Said::Tag("ask".to_owned()),
        Said::Tag("ask".to_owned()),
        Said::Untag("key-event".to_owned()),
        Said::Comment("first sign".to_owned()),
    ] {
        notes.push(of(&account, "s1a#151", said));
    }
    notes.push(of(&account, "s1a#20", Said::Mark));
    notes.push(of(&account, "s1a#20", Said::Unmark));
    let noted = Noted::of(&notes, &account);
    assert_eq!(noted.records.len(), 1);
    let standing = &noted.records[&"s1a#151".parse().unwrap()];
    assert!(standing.marked);
    assert_eq!(standing.tags, ["ask"]);
    assert_eq!(standing.comments[0].2, "first sign");
}

#[test]
fn a_note_finds_its_record_by_its_ledger_name_and_not_by_what_an_account_calls_it() {
    let mut account = sample();
    let mut notes = Notes::default();
    notes.push(of(&account, "s2a#4", Said::Mark));
    notes.push(note(About::Request("47892".to_owned()), Said::Mark));
    notes.push(note(About::Request("1".to_owned()), Said::Mark));
    account.sessions = account.sessions.iter().skip(1).cloned().collect();
    for session in account.sessions.items_mut() {
        for stream in &mut session.streams {
            stream.name = "s1a".parse().unwrap();
        }
    }
    let noted = Noted::of(&notes, &account);
    assert!(noted.records.contains_key(&"s1a#4".parse().unwrap()));
    assert!(noted.request.marked);
}

#[test]
fn saved_filters_are_the_last_of_their_name_and_can_be_taken_back() {
    let save = |name: &str, filter: &str| {
        let (name, filter) = (name.to_owned(), filter.to_owned());
        note(About::Nothing, Said::Filter { name, filter })
    };
    let mut notes = Notes::default();
    notes.push(save("bad", "is:denied"));
    notes.push(save("bad", "is:denied or is:error"));
    notes.push(save("old", "kind:db"));
    notes.push(save("old", ""));
    assert_eq!(notes.filter("@bad"), Ok("is:denied or is:error"));
    assert_eq!(notes.filter("@old"), Err("old"));
    assert_eq!(notes.filter("kind:db"), Ok("kind:db"));
}

#[test]
fn the_file_is_appended_to_and_lines_that_cannot_be_read_stay_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper/notes.jsonl");
    let file = NotesFile::new(Some(path.clone()));
    assert_eq!(file.read().unwrap(), Notes::default());
    let first = note(
        About::Request("47892".to_owned()),
        Said::Comment("a\nb \u{1b}[2J".to_owned()),
    );
    file.append(&first).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"{\"cut off");
    std::fs::write(&path, &bytes).unwrap();
    file.append(&first).unwrap();
    let read = file.read().unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), [&first, &first]);
    assert_eq!(read.unreadable(), [2]);
    assert!(std::fs::read(&path).unwrap().starts_with(&bytes));
}

#[test]
fn a_report_tells_notes_from_the_record_and_lets_no_text_become_markup() {
    let account = sample();
    let mut notes = Notes::default();
    let hostile = "](http://evil.test) <b>\n# heading \u{202e}";
    notes.push(of(&account, "s1a#151", Said::Comment(hostile.to_owned())));
    let text = markdown(&Noted::of(&notes, &account));
    assert!(text.contains("no part of the record"), "{text}");
    assert!(text.contains("**s1a#151**"), "{text}");
    assert!(
        !text.contains("\n# heading") && !text.contains("<b>") && !text.contains(" ]("),
        "{text}"
    );
    assert_eq!(markdown(&Noted::default()), "");
}

proptest! {
    #[test]
    fn every_note_is_read_back_as_it_was_written(text in "\\PC{0,40}|(\\n|\\r|\"|\\\\|[a-z]){0,20}", index in any::<u64>()) {
        let about = About::Record { stream: "ab".repeat(32), index, query: text.clone() };
        for said in [Said::Comment(text.clone()), Said::Tag(text.clone()), Said::Filter { name: text.clone(), filter: text.clone() }] {
            let one = note(about.clone(), said);
            let line = serde_json::to_string(&one).unwrap();
            prop_assert!(!line.contains('\n'));
            let read = Notes::parse(&format!("{line}\n"));
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), [&one]);
        }
    }

    #[test]
    fn no_line_breaks_the_reading_of_the_others(junk in "\\PC{0,60}") {
        let one = note(About::Nothing, Said::Mark);
        let line = serde_json::to_string(&one).unwrap();
        let read = Notes::parse(&format!("{line}\n{junk}\n{line}"));
        prop_assert!(read.iter().count() >= 2);
    }
}
