//! Everything the screens know, and the messages and effects that change it.

use account::filter::{Filter, Malformed};
use account::model::Account;
use vocabulary::Timestamp;
use vocabulary::id::RecordRef;
use vocabulary::record::IntegrityStatus;
use vocabulary::session::OutcomeStatus;

use super::card::Card;
use super::changes::{self, Changes};
use super::clock::Clock;
use super::export::Exported;
use super::follow::{Follow, News, Watch};
use super::jumps::Jumps;
use super::keys::{Key, Screen};
use super::list::List;
use super::look::Look;
use super::palette::Palette;
use super::picker::{Candidate, Picker};
use super::replay::{Replay, Steps};
use super::rows::Rows;
use crate::args::ExportForm;
use crate::notes::{About, Note, Noted, Notes, Said};

/// Something that happened outside the core.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The terminal's background is light, or dark.
    Background {
        /// Whether it is light.
        light: bool,
    },
    /// An account was read, or could not be.
    Opened {
        /// The number of the request for it; older answers are dropped.
        generation: u64,
        /// The account.
        result: Result<Box<Opened>, Notice>,
    },
    /// A name leads to several requests.
    Which {
        /// The number of the request for it.
        generation: u64,
        /// The name.
        query: String,
        /// What it could mean.
        candidates: Vec<Candidate>,
    },
    /// A part of the sessions was listed, or could not be.
    Sessions {
        /// The number of the request for it.
        generation: u64,
        /// The part.
        result: Result<Listed, Notice>,
    },
    /// A note was written down, or could not be.
    Noted(Result<Box<Note>, Notice>),
    /// Text is on the clipboard, as far as anybody can tell.
    Copied {
        /// The text.
        text: String,
        /// By which ways.
        ways: String,
    },
    /// A citation was made, or could not be.
    Cited(Result<String, Notice>),
    /// An export was written, or was not.
    Exported(Exported),
    /// A time that was waited for has passed.
    Woke(u64),
    /// Something was recorded meanwhile, or the place was lost or found again.
    News {
        /// The number of what is watched; news about anything else are dropped.
        generation: u64,
        /// What is new.
        news: News,
    },
}

/// Something that the core wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read and verify the account of a query.
    Open {
        /// The number that its answer must carry.
        generation: u64,
        /// What is asked for.
        query: String,
    },
    /// List the sessions, or go on with that.
    List {
        /// The number that its answer must carry.
        generation: u64,
        /// How many names are dealt with already.
        from: usize,
    },
    /// Write a note down.
    Note {
        /// What it is about.
        about: About,
        /// What it says.
        said: Said,
    },
    /// Name a record with the hash of its leaf.
    Cite {
        /// What is asked for.
        query: String,
        /// The record.
        record: RecordRef,
    },
    /// Write a request out.
    Export {
        /// What is asked for.
        query: String,
        /// In which form.
        form: ExportForm,
        /// Into which file, which must not exist.
        file: String,
    },
    /// Say [`Msg::Woke`] after a time; it takes the place of an earlier wake.
    Wake {
        /// The number that it must carry.
        wake: u64,
        /// After how long.
        after: std::time::Duration,
    },
    /// Watch what is recorded meanwhile; this takes the place of what was watched before.
    Follow {
        /// The number that its news must carry.
        generation: u64,
        /// What.
        watch: Watch,
        /// Only count what arrives.
        paused: bool,
    },
    /// Put text on the clipboard.
    Copy(String),
    /// Let the shell have the terminal.
    Suspend,
    /// Leave.
    Quit,
}

/// Something that could not be done, as the user reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub what: String,
    /// The next step; may be empty.
    pub hint: String,
}

/// A part of the list of sessions: reading each one's account takes time, so they come a few at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Some sessions.
    pub rows: Vec<SessionRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<usize>,
    /// Whether there are older ones that are not listed at all.
    pub older: bool,
}

/// One session in the list of Home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The request it served.
    pub request: String,
    /// Its id.
    pub session: String,
    /// The agent's name.
    pub agent: String,
    /// Who asked.
    pub asked_by: String,
    /// What was asked.
    pub intent: String,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How the request came out.
    pub status: OutcomeStatus,
    /// One line on the outcome.
    pub summary: String,
    /// Problems by their word, such as `1 DENY 2 ERR`; empty when there are none.
    pub flags: String,
    /// What changed, in a few words.
    pub changed: String,
    /// The kinds of its actions, each once.
    pub kinds: Vec<String>,
    /// The verdicts on its actions, each once.
    pub verdicts: Vec<String>,
    /// The resources that its actions were aimed at, each once; of very many, the first.
    pub touched: Vec<String>,
    /// Whether its record is whole.
    pub integrity: IntegrityStatus,
}

impl SessionRow {
    /// Whether somebody should look at it.
    pub fn is_bad(&self) -> bool {
        !self.flags.is_empty()
            || matches!(
                self.integrity,
                IntegrityStatus::Broken | IntegrityStatus::Incomplete
            )
    }

    /// Its text, for search and filter.
    pub fn text(&self) -> String {
        let SessionRow {
            request,
            session,
            agent,
            asked_by,
            intent,
            flags,
            ..
        } = self;
        format!(
            "{request} {session} {agent} {asked_by} {intent} {flags} {} {}",
            self.status, self.integrity
        )
    }
}

/// An account and what the screens computed from it once.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The account.
    pub account: Account,
    /// The timeline.
    pub rows: Rows,
    /// What changed.
    pub changes: Changes,
    /// The steps of its replay.
    pub steps: Steps,
    /// The record right after which it is looked at; `None`: as it is.
    pub at: Option<RecordRef>,
}

impl Opened {
    /// Computes what the screens need. Takes time that grows with the account: belongs on a worker.
    pub fn of(account: Account) -> Opened {
        let rows = Rows::of(&account);
        let changes = Changes::of(&account);
        let steps = Steps::of(&account, &rows, &changes);
        Opened {
            steps,
            account,
            rows,
            changes,
            at: None,
        }
    }

    /// The same, of an account that was cut after a record.
    #[must_use]
    pub fn at(self, at: Option<RecordRef>) -> Opened {
        Opened { at, ..self }
    }
}

/// Home: the sessions and the prompt.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// All sessions, newest first.
    pub sessions: Vec<SessionRow>,
    /// Those that the filter keeps.
    pub kept: Vec<usize>,
    /// The cursor over those kept.
    pub list: List,
    /// What the user filters by.
    pub filter: String,
    /// Whether the list was read at least once.
    pub read: bool,
    /// The listing that goes on: its number.
    pub listing: Option<u64>,
    /// The listing that the sessions come from.
    pub fresh: Option<u64>,
    /// Whether there are older sessions than those listed.
    pub older: bool,
}

/// The timeline's own state.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Rows that the filter keeps, as indexes into the account's rows.
    pub kept: Vec<u32>,
    /// The cursor over those kept.
    pub list: List,
    /// What the user filters by.
    pub filter: String,
    /// The filter, read.
    pub parsed: Filter,
    /// Keep only rows with problems.
    pub only_problems: bool,
    /// Show times as offsets from the start.
    pub offsets: bool,
    /// Hide the preview.
    pub no_preview: bool,
    /// Give the selected row most of the screen.
    pub zoomed: bool,
    /// The last row, if the user went there: then what arrives moves the cursor on.
    pub end: Option<usize>,
    /// How many rows the density strip has in each column, and the worst mark there.
    pub strip: Vec<(u32, char)>,
}

/// The diffs screen's own state.
#[derive(Clone, Debug, Default)]
pub struct Diffs {
    /// The selected resource.
    pub resource: usize,
    /// Its lines.
    pub lines: Vec<changes::Line>,
    /// The cursor over the lines.
    pub list: List,
    /// Unchanged lines around a change.
    pub context: usize,
    /// Before and after beside each other, as the user wants it; `None`: where there is room.
    pub side_by_side: Option<bool>,
    /// Which of the resource's edits are shown, and how.
    pub view: changes::View,
    /// Whether the lines were made to be shown side by side: there is room, and nobody wants it otherwise.
    pub beside: bool,
    /// Columns that the longest field name of the lines takes.
    pub field_width: usize,
}

/// A line that the user types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub kind: PromptKind,
    /// What was typed.
    pub text: String,
    /// What was there before, for Esc.
    pub before: String,
    /// Why what was typed is no filter.
    pub wrong: Option<Malformed>,
}

/// What a prompt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// Opening a request.
    Open,
    /// Searching.
    Search,
    /// Filtering.
    Filter,
    /// Going to a record.
    GoTo,
    /// Tagging what is selected.
    Tag,
    /// Writing a comment on what is selected.
    Comment,
    /// Naming the filter to keep it.
    Save,
    /// Naming the file of an export.
    Export(ExportForm),
}

/// Where the user was, for going back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The screen.
    pub screen: Screen,
    /// The cursor there.
    pub cursor: usize,
    /// The resource that the diffs show.
    pub resource: usize,
}

/// The whole state.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whether a frame is due.
    pub dirty: bool,
    /// The screen shown.
    pub screen: Screen,
    /// Columns and rows.
    pub size: (u16, u16),
    /// How it looks.
    pub look: Look,
    /// How times are shown.
    pub clock: Clock,
    /// The store or door that is looked at.
    pub place: String,
    /// The flags that name it again.
    pub place_flags: String,
    /// The sessions.
    pub home: Home,
    /// The account, when one is open.
    pub opened: Option<Box<Opened>>,
    /// The cursor over the answer's problems.
    pub answer: List,
    /// The timeline.
    pub timeline: Timeline,
    /// The cursor over the decisions.
    pub decisions: List,
    /// The diffs.
    pub diffs: Diffs,
    /// The replay.
    pub replay: Replay,
    /// The scroll position of the integrity screen.
    pub integrity: List,
    /// All notes.
    pub notes: Notes,
    /// Those about the opened account.
    pub noted: Noted,
    /// The cursor over the notes screen.
    pub noting: List,
    /// Whether the help is open, and its scroll position.
    pub help: Option<List>,
    /// The command palette, if it is open.
    pub palette: Option<Palette>,
    /// What a name could mean, while the user chooses.
    pub picker: Option<Picker>,
    /// Who left a line as it is, if the user asked.
    pub card: Option<Card>,
    /// Where the user jumped from.
    pub jumps: Jumps,
    /// The line that the user types, if any.
    pub prompt: Option<Prompt>,
    /// What the user searched for last.
    pub search: String,
    /// What was filtered by before, oldest first.
    pub filters: Vec<String>,
    /// When the program started: what `2h` counts back from in a filter.
    pub now: Option<Timestamp>,
    /// What is said on the last line until the next key.
    pub message: Option<Notice>,
    /// Keys typed so far of a chord.
    pub typed: String,
    /// Where going back leads.
    pub back: Vec<Spot>,
    /// What is being read, with the number of the request for it.
    pub waiting: Option<(u64, String)>,
    /// How things stand with what is recorded meanwhile.
    pub follow: Follow,
    pub(crate) generation: u64,
}

impl Model {
    /// A model that shows nothing yet.
    pub fn new(look: Look, clock: Clock, place: String, place_flags: String) -> Model {
        Model {
            dirty: true,
            screen: Screen::Home,
            size: (80, 24),
            look,
            clock,
            place,
            place_flags,
            home: Home::default(),
            opened: None,
            answer: List::default(),
            timeline: Timeline::default(),
            decisions: List::default(),
            diffs: Diffs {
                context: 3,
                ..Diffs::default()
            },
            replay: Replay::default(),
            integrity: List::default(),
            notes: Notes::default(),
            noted: Noted::default(),
            noting: List::default(),
            help: None,
            palette: None,
            picker: None,
            card: None,
            jumps: Jumps::default(),
            prompt: None,
            search: String::new(),
            filters: Vec::new(),
            now: None,
            message: None,
            typed: String::new(),
            back: Vec::new(),
            waiting: None,
            follow: Follow::default(),
            generation: 0,
        }
    }

    /// Starts reading an account; the effect does it.
    pub fn open(&mut self, query: &str) -> Effect {
        self.generation += 1;
        self.waiting = Some((self.generation, query.to_owned()));
        Effect::Open {
            generation: self.generation,
            query: query.to_owned(),
        }
    }

    /// Starts reading the list of sessions; the effect does it.
    pub fn list(&mut self) -> Effect {
        self.generation += 1;
        self.waiting = Some((self.generation, "sessions".to_owned()));
        self.home.listing = Some(self.generation);
        Effect::List {
            generation: self.generation,
            from: 0,
        }
    }

    /// Shows an account on its first screen.
    pub fn show(&mut self, opened: Box<Opened>) {
        let account = &opened.account;
        self.answer = List::new(account.problems.len());
        self.decisions = List::new(account.decisions.len());
        self.diffs = Diffs {
            context: self.diffs.context,
            side_by_side: self.diffs.side_by_side,
            view: self.diffs.view.without_place(),
            ..Diffs::default()
        };
        self.replay = Replay::of(&opened);
        self.integrity = List::default();
        self.noted = Noted::of(&self.notes, account);
        self.noting = List::default();
        self.timeline = Timeline {
            offsets: self.timeline.offsets,
            no_preview: self.timeline.no_preview,
            zoomed: self.timeline.zoomed,
            ..Timeline::default()
        };
        self.opened = Some(opened);
        self.screen = Screen::Answer;
        self.back.clear();
        self.jumps = Jumps::default();
        (self.card, self.picker) = (None, None);
        super::prompt::keep_rows(self);
        super::edits::show_resource(self, 0);
    }

    /// Reads a filter.
    pub(crate) fn read_filter(&self, text: &str) -> Result<Filter, Malformed> {
        let text = self.notes.filter(text).map_err(|name| Malformed {
            at: 0,
            len: text.len(),
            what: format!("no filter is saved as {name}"),
            hint: "S saves the filter of the timeline under a name".to_owned(),
        })?;
        Filter::parse(text, &|text| super::time::read(text, self.now))
    }

    /// What the user called the opened account.
    pub fn query(&self) -> &str {
        self.opened
            .as_ref()
            .map_or("", |opened| opened.account.query.text.as_str())
    }

    /// The list that the movement keys move.
    pub fn active(&self) -> &List {
        match self.screen {
            Screen::Home => &self.home.list,
            Screen::Answer => &self.answer,
            Screen::Timeline => &self.timeline.list,
            Screen::Decisions => &self.decisions,
            Screen::Diffs => &self.diffs.list,
            Screen::Replay => &self.replay.list,
            Screen::Integrity => &self.integrity,
            Screen::Notes => &self.noting,
        }
    }

    pub(crate) fn active_mut(&mut self) -> &mut List {
        match self.screen {
            Screen::Home => &mut self.home.list,
            Screen::Answer => &mut self.answer,
            Screen::Timeline => &mut self.timeline.list,
            Screen::Decisions => &mut self.decisions,
            Screen::Diffs => &mut self.diffs.list,
            Screen::Replay => &mut self.replay.list,
            Screen::Integrity => &mut self.integrity,
            Screen::Notes => &mut self.noting,
        }
    }

    /// The account's row under the timeline's cursor.
    pub(crate) fn timeline_row(&self) -> Option<usize> {
        self.timeline
            .kept
            .get(self.timeline.list.cursor())
            .map(|row| *row as usize)
    }
}
