//! Untrusted text made fit to be shown: what a terminal or a page would act on becomes visible.
//!
//! Agent output, file names, cells and commit messages are hostile. Everything that a person reads goes through
//! [`escape`]; the ledger keeps the bytes, and JSON carries the same values, written with [`json`].

use std::borrow::Cow;
use std::fmt;
use unicode_width::UnicodeWidthChar as _;

/// How many characters of one line are shown at most; the rest is counted.
pub const LINE: usize = 4_096;

/// So many marks in a row are drawn on one character at most; the rest is counted.
pub const MARKS: usize = 8;

/// Text that is safe to show: made by [`escape`] and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shown(String);

impl Shown {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Text of several lines: line feeds stay, tabs become spaces, everything else that hides or moves is named.
#[must_use]
pub fn escape(text: &str) -> Shown {
    let plain = |c: char| c == '\n' || (!is_hidden(c) && !is_mark(c));
    if text.len() <= LINE && text.chars().all(plain) {
        return Shown(text.to_owned());
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut column = 0;
    let mut cut = 0_usize;
    let (mut marks, mut heaped) = (0, 0_usize);
    for c in text.chars() {
        if is_mark(c) {
            marks += 1;
            if marks > MARKS {
                heaped += 1;
                continue;
            }
        } else {
            marks = 0;
            note_heap(&mut out, &mut heaped);
        }
        if c == '\n' {
            note_cut(&mut out, &mut cut);
            out.push('\n');
            column = 0;
        } else if column >= LINE {
            cut += 1;
        } else {
            column += put(&mut out, c, column);
        }
    }
    note_heap(&mut out, &mut heaped);
    note_cut(&mut out, &mut cut);
    Shown(out)
}

/// Text on one line: as [`escape`], and line feeds are named too.
#[must_use]
pub fn line(text: &str) -> Shown {
    if !text.contains('\n') {
        return escape(text);
    }
    escape(&text.replace('\n', "\u{240A}"))
}

/// Whether showing a text as it is would hide or move something.
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(|c| c != '\n' && c != '\t' && is_hidden(c))
}

/// JSON text with the same value, in which everything that acts on a terminal or cannot be seen is written `\\uXXXX`.
///
/// Outside its strings JSON has nothing but ASCII, so whatever is found lies inside one.
#[must_use]
pub fn json(text: String) -> String {
    let hidden = |c: char| c != '\n' && is_hidden(c);
    if !text.chars().any(hidden) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The beginning of bytes that are not text, in one line: what is UTF-8 as it is, other bytes as `\\xNN`, and how
/// many there are. Still to be escaped where it is shown.
#[must_use]
pub fn of_bytes(bytes: &[u8], limit: usize) -> String {
    let mut out = String::new();
    let beginning = bytes.get(..limit).unwrap_or(bytes);
    for chunk in beginning.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    let more = if bytes.len() > limit { "..." } else { "" };
    format!("{out}{more} ({} bytes, not text)", bytes.len())
}

fn put(out: &mut String, c: char, column: usize) -> usize {
    match c {
        '\t' => {
            let spaces = 4 - column % 4;
            out.extend(std::iter::repeat_n(' ', spaces));
            spaces
        }
        c if is_hidden(c) => {
            let name = name(c);
            out.push_str(&name);
            name.len()
        }
        c => {
            out.push(c);
            1
        }
    }
}

fn note_heap(out: &mut String, heaped: &mut usize) {
    if *heaped > 0 {
        out.push_str(&format!("<{heaped} more marks>"));
        *heaped = 0;
    }
}

/// Whether a character is drawn on the one before it. Heaps of these reach into the lines around.
fn is_mark(c: char) -> bool {
    c >= '\u{300}' && !is_hidden(c) && c.width() == Some(0)
}

fn note_cut(out: &mut String, cut: &mut usize) {
    if *cut > 0 {
        out.push_str(&format!("<{cut} more characters>"));
        *cut = 0;
    }
}

fn name(c: char) -> Cow<'static, str> {
    match c {
        '\u{1b}' => "<ESC>".into(),
        '\u{7}' => "<BEL>".into(),
        '\r' => "<CR>".into(),
        '\0' => "<NUL>".into(),
        '\u{7f}' => "<DEL>".into(),
        c => format!("<U+{:04X}>", u32::from(c)).into(),
    }
}

/// Characters that act on a terminal, change the order of text, or cannot be seen: controls (C0, C1, line and
/// paragraph separators), bidirectional controls, zero-width and other default-ignorable characters, private
/// use, and non-characters.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{f0000}'..='\u{10ffff}'
    ) || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::{LINE, escape, has_hidden, is_hidden, json, line, of_bytes};
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_act_on_is_named() {
        let hostile = "a\u{1b}]52;c;ZXZpbA==\u{7}b \u{202e}evil z\u{200b}w\r\u{9b}2J";
        let shown = escape(hostile);
        assert_eq!(
            shown.as_str(),
            "a<ESC>]52;c;ZXZpbA==<BEL>b <U+202E>evil z<U+200B>w<CR><U+009B>2J"
        );
        assert!(has_hidden(hostile));
        assert!(!has_hidden("plain é 漢字\n\tindented"));
    }

    #[test]
    fn ordinary_text_stays_and_tabs_become_spaces() {
        assert_eq!(escape("é 漢字 🙂\nx").as_str(), "é 漢字 🙂\nx");
        assert_eq!(escape("a\tb").as_str(), "a   b");
        assert_eq!(line("a\nb").as_str(), "a␊b");
    }

    #[test]
    fn a_heap_of_marks_is_counted_and_a_few_stay() {
        let heap = format!("a{}b", "\u{301}".repeat(100));
        let shown = escape(&heap);
        assert_eq!(
            shown.as_str(),
            format!("a{}<92 more marks>b", "\u{301}".repeat(8))
        );
        assert_eq!(escape("e\u{301}").as_str(), "e\u{301}");
    }

    #[test]
    fn a_long_line_is_cut_and_says_how_much_is_missing() {
        let shown = escape(&format!("{}\nshort", "x".repeat(LINE + 10)));
        assert!(shown.as_str().ends_with("x<10 more characters>\nshort"));
    }

    #[test]
    fn bytes_that_are_not_text_are_told_with_their_number() {
        assert_eq!(
            of_bytes(b"ok\x1b\xff\xfe!", 64),
            "ok\u{1b}\\xff\\xfe! (6 bytes, not text)"
        );
        assert_eq!(
            of_bytes(b"\xc3\xa9\xff", 2),
            "\u{e9}... (3 bytes, not text)"
        );
    }

    #[test]
    fn json_names_what_is_hidden_and_keeps_its_value() {
        let value = "a\u{9b}2J\u{202e}\u{7f}\u{e0001}\u{200b}é漢\n";
        let written = json(serde_json::to_string_pretty(&[value]).unwrap_or_default());
        assert!(written.contains("a\\u009b2J\\u202e\\u007f\\udb40\\udc01\\u200bé漢\\n"));
        let read: Vec<String> = serde_json::from_str(&written).unwrap_or_default();
        assert_eq!(read, [value]);
    }

    proptest! {
        #[test]
        fn json_keeps_every_value_and_shows_nothing_hidden(text in any::<String>()) {
            let written = json(serde_json::to_string_pretty(&[&text]).unwrap_or_default());
            prop_assert!(written.chars().all(|c| c == '\n' || !is_hidden(c)));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap_or_default(), [text]);
        }

        #[test]
        fn nothing_hidden_comes_out_whatever_goes_in(text in any::<String>()) {
            let shown = escape(&text);
            prop_assert!(shown.as_str().chars().all(|c| c == '\n' || !is_hidden(c)));
            let one = line(&text);
            prop_assert!(!one.as_str().contains('\n'));
            // Nothing but what was named grows or vanishes, and doing it again changes nothing.
            prop_assert_eq!(escape(shown.as_str()), shown.clone());
        }

        #[test]
        fn text_without_hidden_characters_is_shown_as_it_is(text in "[a-zA-Zé漢 .:/<>-]{0,200}") {
            prop_assert_eq!(escape(&text).into_string(), text);
        }
    }
}
