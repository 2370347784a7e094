//! The screens: opens the place, and does the core's slow work on the worker.

use super::{Context, cite, exit_of, export, sessions};
use crate::app::look::{Look, Theme};
use crate::app::{
    Effect, Exported, Listed, Model, Msg, Notice, Opened, Picker, SessionRow, show_record,
};
use crate::args::{Background, ExportForm, ThemeName, When};
use crate::background;
use crate::failure::{self, Exit, Failure};
use crate::notes::{self, Note, NotesFile};
use crate::runtime::{self, Worker};
use crate::source::place::Place;
use crate::source::{Source, link};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::reader::Find;
use vocabulary::Timestamp;
use vocabulary::id::RecordRef;

pub(super) fn run(context: &Context, query: Option<String>) -> Result<Exit, Failure> {
    let mut source = context.source()?;
    // Opened before a key is pinned, so that both say the same of it.
    let watched = source.again(&context.common, &context.environment);
    let clock = context.clock()?;
    let (look, ask) = look(context);
    if look.theme.has_colours() {
        // Our theme already decided; the terminal library must not decide again.
        crossterm::style::force_color_output(true);
    }
    let mut model = Model::new(look, clock, source.place(), source.chosen.place.flags());
    model.now = Some(Timestamp::from_unix_ns(super::log::unix_now()));
    let file = NotesFile::new(notes::file_of(&context.environment));
    model.notes = file.read().map_err(|error| Failure::Usage {
        what: error.to_string(),
        hint: "make it readable, or name another file in RECOUNT_NOTES".to_owned(),
    })?;
    let (mut first, mut then) = (Vec::new(), None);
    if let Some(query) = query {
        // The answer is read before the terminal is touched: an error is an error of the command line.
        let (bare, _) = super::split_ref(&query);
        match source.resolve(bare, true) {
            Err(Failure::Which { query, candidates }) => {
                first.push(model.list());
                model.picker = Some(Picker::of(query, candidates));
            }
            account => {
                let account = context.cut(account?)?;
                then = context.at()?.map(|upto| (account.query.text.clone(), upto));
                if exit_of(&account) == Exit::Answered {
                    context.pin(&mut source);
                }
                let opened = Opened::of(account);
                model.show(Box::new(opened.at(then.as_ref().map(|(_, upto)| *upto))));
                show_record(&mut model, &query);
            }
        }
    } else {
        first.push(model.list());
    }
    first.push(model.watch());
    let desk = Desk {
        context: context.clone(),
        source,
        names: Vec::new(),
        older: false,
        then,
        file,
        user: crate::record::sender::user(context),
    };
    let model = runtime::run(model, first, desk, ask, |answers| match watched {
        Ok(source) => super::watcher::start(context, source, answers),
        Err(_) => Box::new(|_| ()),
    })?;
    Ok(model
        .opened
        .map_or(Exit::Answered, |opened| exit_of(&opened.account)))
}

/// The theme: colours only where they are wanted and can be shown.
///
/// Also gives whether the terminal is to be asked for its background: where that matters and nobody said it.
fn look(context: &Context) -> (Look, bool) {
    let environment = &context.environment;
    let colours = match context.common.color {
        When::Always => true,
        When::Never => false,
        When::Auto => environment.get("NO_COLOR").is_none(),
    };
    let theme = match (colours, context.common.theme) {
        (_, ThemeName::Hc) => Theme::Hc,
        (false, _) | (true, ThemeName::Mono) => Theme::Mono,
        (true, ThemeName::Auto) => Theme::Auto,
        (true, ThemeName::Cvd) => Theme::Cvd,
    };
    let light = match context.common.background {
        Background::Light => Some(true),
        Background::Dark => Some(false),
        Background::Auto => environment
            .text("COLORFGBG")
            .and_then(|said| background::of_variable(&said)),
    };
    let theme = theme.on(light == Some(true));
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment.text(name))
        .unwrap_or_default();
    let utf8 = locale.to_ascii_uppercase().contains("UTF-8")
        || locale.to_ascii_uppercase().contains("UTF8");
    let look = Look {
        theme,
        ascii: context.common.ascii || !utf8,
    };
    (look, light.is_none() && theme.has_colours())
}

/// Reads what the screens ask for.
#[derive(Debug)]
struct Desk {
    context: Context,
    source: Source,
    /// What leads to the sessions that Home lists.
    names: Vec<String>,
    /// Whether there are older ones.
    older: bool,
    /// The request that is looked at as it was after a record, and that record.
    then: Option<(String, RecordRef)>,
    /// Where notes go.
    file: NotesFile,
    /// Who writes them.
    user: String,
}

/// How long Home waits for the next part of its list; what a key asks for waits no longer.
const PART: Duration = Duration::from_millis(100);

impl Worker for Desk {
    fn work(&mut self, effect: Effect) -> Option<Msg> {
        match effect {
            Effect::Open { generation, query } => {
                let read = |desk: &mut Desk| {
                    let followed = link::followed(&query, |it| desk.source.account(it))?;
                    desk.open(super::split_ref(&followed).0)
                };
                let result = match self.once_more(read) {
                    Err(Failure::Which { query, candidates }) => {
                        return Some(Msg::Which {
                            generation,
                            query,
                            candidates,
                        });
                    }
                    other => other,
                };
                let _ = self.source.pin();
                Some(Msg::Opened {
                    generation,
                    result: result.map_err(|failure| notice(&failure)),
                })
            }
            Effect::List { generation, from } => Some(Msg::Sessions {
                generation,
                result: self
                    .once_more(|desk| desk.list(from))
                    .map_err(|failure| notice(&failure)),
            }),
            Effect::Note { about, said } => {
                let note = Note {
                    at: Timestamp::from_unix_ns(super::log::unix_now()),
                    by: self.user.clone(),
                    about,
                    said,
                };
                let written = self.file.append(&note).map_err(|error| Notice {
                    what: format!("not written down: {error}"),
                    hint: "make room or name another file in RECOUNT_NOTES".to_owned(),
                });
                Some(Msg::Noted(written.map(|()| Box::new(note))))
            }
            Effect::Cite { query, record } => {
                let account = self.source.account(super::split_ref(&query).0);
                let cited = account.and_then(|account| cite::of(&self.source, &account, record));
                let cited = cited.map(|it| it.to_string());
                Some(Msg::Cited(cited.map_err(|failure| notice(&failure))))
            }
            Effect::Export { query, form, file } => {
                Some(Msg::Exported(self.export(&query, form, file)))
            }
            Effect::Wake { .. }
            | Effect::Follow { .. }
            | Effect::Copy(_)
            | Effect::Suspend
            | Effect::Quit => None,
        }
    }
}

impl Desk {
    /// Writes a request out, what does not verify too: the screens say on every row that it does not.
    fn export(&mut self, query: &str, form: ExportForm, file: String) -> Exported {
        let (query, _) = super::split_ref(query);
        let wanted = export::Wanted {
            form,
            broken: true,
            ..export::Wanted::default()
        };
        let notes = || {
            self.file
                .read()
                .map_err(|error| failure::of_file(Path::new("the notes"), &error))
        };
        let made = match export::make(&self.source, query, &wanted, notes) {
            Ok(made) => made,
            Err(failure) => return Exported::Told(notice(&failure)),
        };
        let path = Path::new(&file);
        if self.is_inside_the_store(path) {
            return Exported::Told(Notice {
                what: format!("{file} would lie in the ledger's folder, where nothing is written"),
                hint: "name a file elsewhere".to_owned(),
            });
        }
        if let Err(error) = export::create(path, &made.bytes) {
            return match error.kind() {
                std::io::ErrorKind::AlreadyExists => Exported::Exists { form, file },
                _ => Exported::Told(notice(&failure::of_file(path, &error))),
            };
        }
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = whole.parent().map(|it| it.display().to_string());
        let said = made.broken.into_iter().chain(made.told);
        Exported::Told(Notice {
            what: format!("wrote {file}, {} bytes", made.bytes.len()),
            hint: [format!("in {}", folder.unwrap_or_default())]
                .into_iter()
                .chain(said)
                .collect::<Vec<_>>()
                .join("; "),
        })
    }

    /// Whether a file would lie in the folder that is looked at.
    fn is_inside_the_store(&self, file: &Path) -> bool {
        let Place::Folder(store) = &self.source.chosen.place else {
            return false;
        };
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        match (store.canonicalize(), folder.canonicalize()) {
            (Ok(store), Ok(folder)) => folder.starts_with(store),
            _ => false,
        }
    }

    /// The account of a query, as it is or as it was.
    fn open(&self, query: &str) -> Result<Box<Opened>, Failure> {
        let account = self.source.resolve(query, true)?;
        let about = &account.query.text;
        let then = self.then.as_ref().filter(|(it, _)| it == about);
        let Some((_, upto)) = then else {
            return Ok(Box::new(Opened::of(account)));
        };
        let account = super::at::cut(&account, *upto)?;
        Ok(Box::new(Opened::of(account).at(Some(*upto))))
    }

    /// Reads; where a collector came or went meanwhile, once more after opening the place anew.
    fn once_more<T>(
        &mut self,
        read: impl Fn(&mut Desk) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match read(self) {
            Err(failure @ Failure::Unavailable { .. }) => {
                let (common, environment) = (&self.context.common, &self.context.environment);
                match self.source.again(common, environment) {
                    Ok(source) => self.source = source,
                    Err(_) => return Err(failure),
                }
                read(self)
            }
            other => other,
        }
    }

    /// As many sessions as can be read in [`PART`], from the name numbered `from` on.
    fn list(&mut self, from: usize) -> Result<Listed, Failure> {
        let begun = Instant::now();
        if from == 0 {
            let hints = self
                .source
                .reader()
                .find(&Find::Recent(sessions::RECENT))
                .map_err(|error| failure::of_read(&error))?;
            self.older = hints.len() >= sessions::RECENT;
            self.names = sessions::queries(&hints);
        }
        let mut rows: Vec<SessionRow> = Vec::new();
        let mut next = from;
        for query in self.names.iter().skip(from) {
            if let Ok(account) = self.source.account(query) {
                rows.extend(sessions::rows(&account));
            }
            next += 1;
            if begun.elapsed() >= PART {
                break;
            }
        }
        let mut listed = HashSet::new();
        rows.retain(|row| listed.insert(row.session.clone()));
        Ok(Listed {
            rows,
            next: (next < self.names.len()).then_some(next),
            older: self.older,
        })
    }
}

fn notice(failure: &Failure) -> Notice {
    Notice {
        what: failure.to_string(),
        hint: failure.hint().unwrap_or_default(),
    }
}
