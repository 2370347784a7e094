//! Writing out what is on the screens: which form, into which file.

use super::model::{Effect, Model, Notice, Prompt, PromptKind};
use crate::args::ExportForm;
use account::filter::Malformed;

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// It is written, or it is known why not.
    Told(Notice),
    /// There is a file of that name already, and it was left alone.
    Exists {
        /// The form that was asked for.
        form: ExportForm,
        /// The file's name as it was typed.
        file: String,
    },
}

/// The ending of a form's files.
fn ending(form: ExportForm) -> &'static str {
    match form {
        ExportForm::Bundle => "tar",
        ExportForm::Json => "json",
        ExportForm::Md => "md",
        ExportForm::Html => "html",
    }
}

/// Asks where to, with a name that can be taken as it is.
pub(super) fn ask(model: &mut Model, form: ExportForm) {
    if model.opened.is_none() {
        return;
    }
    let file = format!("recount-{}.{}", safe(model.query()), ending(form));
    prompt(model, form, file, None);
}

fn prompt(model: &mut Model, form: ExportForm, text: String, wrong: Option<Malformed>) {
    model.prompt = Some(Prompt {
        kind: PromptKind::Export(form),
        before: String::new(),
        text,
        wrong,
    });
}

/// A query as a part of a file's name: it may be anything that a sender wrote.
fn safe(query: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = query
        .chars()
        .take(64)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    name.trim_start_matches('.').to_owned()
}

/// The file is named: it is written.
pub(super) fn write(model: &mut Model, form: ExportForm, file: &str) -> Vec<Effect> {
    if file.is_empty() {
        return Vec::new();
    }
    model.message = Some(Notice {
        what: format!("reading, verifying and writing {file}"),
        hint: String::new(),
    });
    vec![Effect::Export {
        query: model.query().to_owned(),
        form,
        file: file.to_owned(),
    }]
}

/// An export ended.
pub(super) fn exported(model: &mut Model, result: Exported) {
    match result {
        Exported::Told(notice) => model.message = Some(notice),
        Exported::Exists { form, file } => {
            let wrong = Malformed {
                at: 0,
                len: file.len(),
                what: "this file exists and was left alone".to_owned(),
                hint: "name another".to_owned(),
            };
            model.message = None;
            prompt(model, form, file, Some(wrong));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn a_query_never_leads_out_of_the_folder_or_into_a_hidden_file() {
        assert_eq!(safe("47892"), "47892");
        assert_eq!(safe("../../etc/x"), "_.._etc_x");
        assert_eq!(safe("a b\u{1b}[2J"), "a_b__2J");
    }
}
