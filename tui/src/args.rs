//! The command line: every command, flag and help text.

mod recording;
mod wrapping;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use recording::{Http, Keep, Llm, LogLine, OnLoss, Relaying, Sending};
pub use wrapping::{Mcp, Run};

/// What did an AI agent do, why, on whose authority, and is the record whole?
#[derive(Debug, Parser)]
#[command(
    name = "recount",
    version,
    about = "What did an AI agent do, why, on whose authority, and is the record whole?",
    long_about = None,
    subcommand_precedence_over_arg = true,
    after_help = AFTER_HELP,
    max_term_width = 100
)]
pub struct Cli {
    /// A request (47892), session, trace, record (47892#s1a#14), link or bundle (FILE.tar); none lists the sessions
    pub query: Option<String>,

    /// What to do with it; without a command a terminal opens the screens and a pipe gets the text
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print the account in this form instead of opening the screens
    #[arg(short, long, value_enum, value_name = "FORM")]
    pub output: Option<AccountForm>,

    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

const AFTER_HELP: &str = "\
Exit codes:
  0 answered and intact     1 nothing matched          2 usage or malformed input
  3 record not intact       4 not allowed              5 store or collector unavailable
  6 incomplete, unchecked   7 verification policy not met                 130 interrupted

Which store: --store or --collector, RECOUNT_STORE, the config file, a running collector's
reader socket, /var/lib/recount, the XDG data folder. Every answer names the one used.";

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// The ledger's folder, or an exported bundle
    #[arg(long, global = true, value_name = "DIR", help_heading = "Common")]
    pub store: Option<PathBuf>,

    /// A collector's reader door: a socket, unix:PATH or http://HOST:PORT
    #[arg(
        long,
        global = true,
        value_name = "URL|SOCKET",
        conflicts_with = "store",
        help_heading = "Common"
    )]
    pub collector: Option<String>,

    /// The ledger's public key, or a file with it (ledger.pub), pinned from then on; without it the first one seen is
    #[arg(long, global = true, value_name = "KEY|FILE", help_heading = "Common")]
    pub key: Option<String>,

    /// Only what had happened at this record (14, s1a#14): for every look at one request
    #[arg(long, global = true, value_name = "REF", help_heading = "Common")]
    pub at: Option<String>,

    /// Use colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help_heading = "Common"
    )]
    pub color: When,

    /// No screens, no colours, one fact per line
    #[arg(long, global = true, help_heading = "Common")]
    pub plain: bool,

    /// Draw with ASCII only
    #[arg(long, global = true, help_heading = "Common")]
    pub ascii: bool,

    /// How the screens look
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "NAME",
        default_value_t,
        help_heading = "Common"
    )]
    pub theme: ThemeName,

    /// What the terminal's background is like
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "KIND",
        default_value_t,
        help_heading = "Common"
    )]
    pub background: Background,

    /// Time zone of shown times: utc, local or a name such as Europe/Berlin
    #[arg(
        long,
        global = true,
        value_name = "ZONE",
        default_value = "utc",
        help_heading = "Common"
    )]
    pub tz: String,

    /// Say nothing but the answer
    #[arg(short, long, global = true, help_heading = "Common")]
    pub quiet: bool,

    /// Say more on stderr
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "quiet",
        help_heading = "Common"
    )]
    pub verbose: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The names of the themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// The terminal's sixteen colours
    #[default]
    Auto,
    /// No colours, attributes only
    Mono,
    /// Cyan, yellow, magenta: for colour vision deficiencies
    Cvd,
    /// High contrast: bold and reversed, nothing dim, no colours
    Hc,
}

/// What the terminal's background is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Background {
    /// As COLORFGBG says, else as the terminal answers within 50 ms, else dark
    #[default]
    Auto,
    /// Dark colours on it
    Light,
    /// The terminal's own colours
    Dark,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the account of a request
    Show(Show),
    /// List sessions, or the records of one request
    Log(Log),
    /// What changed: files, rows, remote resources
    Diff(Diff),
    /// Decisions: question, options, rule, who approved
    Why(Why),
    /// The steps of a request, or the state at one of them
    Replay(Replay),
    /// Which request left a line of a file, a column of a row or a field of a resource as it is
    Blame(Blame),
    /// Check that the record is whole; one line per property
    Verify(Verify),
    /// Prove that one record is in the ledger, in a text of 2 KB (C2SP tlog-proof)
    Proof(Proof),
    /// Write a request out, for others to read or to check offline
    Export(Export),
    /// Record any command as a session: files before and after, output, exit code
    Run(Run),
    /// Record what a client asks of an MCP server and what it answers
    Mcp(Mcp),
    /// Record one line of stdin, text or JSON, as one sealed record
    LogLine(LogLine),
    /// Write something down about a record or request, beside the ledger
    Note(NoteArgs),
    /// Tag a record or request, beside the ledger
    Tag(TagArgs),
    /// What was written down
    Notes(Notes),
    /// Record what passes between programs and the interface of a language model
    Llm(Llm),
    /// Record what passes between programs and a JSON API, with what writes change
    Http(Http),
    /// Name a record so that others find it again and see that it is the same: by its hash
    Cite(Cite),
    /// Every setting with its value, and where that comes from
    Config(Config),
    /// What this program found: terminal, settings, notes, store, clock, key
    Doctor,
    /// Explain what no single command can: keys, filters, exit codes, files, formats
    Topic(TopicArgs),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all pages into a folder
    Man(Man),
    /// Requests that begin like this, for completion scripts
    #[command(hide = true)]
    Requests(Requests),
}

/// `recount cite`
#[derive(Args, Debug)]
pub struct Cite {
    /// The record: 47892#14, or 47892#s1a#14 as recount log shows it
    pub record: String,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount config`
#[derive(Args, Debug)]
pub struct Config {
    /// Leave with 2 where the config file has what is no setting
    #[arg(long)]
    pub check: bool,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount man`
#[derive(Args, Debug)]
pub struct Man {
    /// Write every command's page into this folder
    pub dir: Option<PathBuf>,
}

/// `recount requests`
#[derive(Args, Debug)]
pub struct Requests {
    /// How they begin
    #[arg(default_value = "")]
    pub beginning: String,
}

/// `recount note`
#[derive(Args, Debug)]
pub struct NoteArgs {
    /// What it is about: 47892, or 47892#s1a#14 as recount log shows it
    pub query: String,
    /// The words
    #[arg(required = true)]
    pub text: Vec<String>,
}

/// `recount tag`
#[derive(Args, Debug)]
pub struct TagArgs {
    /// What it is about: 47892, or 47892#s1a#14 as recount log shows it
    pub query: String,
    /// The tags
    #[arg(required = true)]
    pub tags: Vec<String>,
    /// Take them back
    #[arg(long)]
    pub remove: bool,
}

/// `recount notes`
#[derive(Args, Debug)]
pub struct Notes {
    /// Only about this request or record, as it stands; none: every line that was ever written
    pub query: Option<String>,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount topic`
#[derive(Args, Debug)]
pub struct TopicArgs {
    /// The topic
    #[arg(value_enum)]
    pub topic: Topic,
}

/// What is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// Every key of the screens
    Keys,
    /// What filters can say
    Filters,
    /// What the exit codes mean
    ExitCodes,
    /// Which files and variables are read and written
    Files,
    /// The forms that come out
    Formats,
}

/// `recount show`
#[derive(Args, Debug)]
pub struct Show {
    /// A request, session, trace or record
    pub query: String,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: AccountForm,
    /// Every item of every list, not only the first thousand
    #[arg(long)]
    pub all: bool,
}

/// `recount proof`
#[derive(Args, Debug)]
pub struct Proof {
    /// The record: 47892#14, or 47892#s1a#14 as recount log shows it
    pub record: String,
}

/// The forms of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AccountForm {
    /// One fact per line, first word a stable name
    #[default]
    Text,
    /// recount.account/1
    Json,
    /// Markdown
    Md,
    /// One HTML file that needs nothing else
    Html,
}

/// `recount log`
#[derive(Args, Debug, Default)]
pub struct Log {
    /// A request or session: its records; none: all sessions
    pub query: Option<String>,
    /// The form: json is one object per record per line, csv has cells that no spreadsheet runs
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ListForm,
    /// Go on with what is recorded from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only what a filter keeps, as the screens take it ('kind:http is:denied', 'by:ops or -agent:bot', 'since:2h')
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Only this agent (name or id)
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Only what this user asked for (subject or shown name)
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only this kind of action or event (http, file, agent.diff)
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only this verdict (allow, deny, ask)
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Option<String>,
    /// Only from this time on (2026-03-14T09:00Z, 2026-03-14, 2h)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// The forms of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListForm {
    /// Columns
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Comma-separated values
    Csv,
}

/// The forms of an answer to a narrower question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FactForm {
    /// Text
    #[default]
    Text,
    /// The account's rows as JSON
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values, in cells that no spreadsheet runs
    Csv,
}

/// `recount diff`
#[derive(Args, Debug)]
pub struct Diff {
    /// A request, session, trace or record
    pub query: String,
    /// Only resources that contain this text
    pub path: Option<String>,
    /// One line per resource
    #[arg(long, conflicts_with_all = ["net", "per_edit", "side_by_side"])]
    pub stat: bool,
    /// All edits of a resource as one, from the state before the first to the one after the last
    #[arg(long, conflicts_with = "per_edit")]
    pub net: bool,
    /// Each edit by itself; so without --net
    #[arg(long)]
    pub per_edit: bool,
    /// Texts with both sides beside each other, what differs between [-marks-] and {+marks+}
    #[arg(long)]
    pub side_by_side: bool,
    /// What did not change as well
    #[arg(long)]
    pub all: bool,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount blame`
#[derive(Args, Debug)]
pub struct Blame {
    /// A file, row or resource as recount diff names it, without the kind or from any / on; then a line or a field
    #[arg(value_name = "RESOURCE[:LINE|#FIELD]")]
    pub resource: String,
    /// Only what was done for this request; without it the last 1,000 streams are looked through
    #[arg(long = "in", value_name = "QUERY")]
    pub within: Option<String>,
    /// The form: json is one object per line or field
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ListForm,
}

/// `recount why`
#[derive(Args, Debug)]
pub struct Why {
    /// A request, or one record or action of it (47892#88)
    #[arg(value_name = "QUERY[#REF]")]
    pub query: String,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount replay`
#[derive(Args, Debug)]
pub struct Replay {
    /// A request, session, trace or record
    pub query: String,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}

/// `recount export`
#[derive(Args, Debug)]
pub struct Export {
    /// A request, session or trace
    pub query: String,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub format: ExportForm,
    /// Write to this file, which must not exist; without it to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write out what does not verify too, as it is; the exit code stays 3
    #[arg(long)]
    pub broken: bool,
    /// Carry every leaf of the ledger log, so that nobody has to ask which streams were left out
    #[arg(long)]
    pub whole_log: bool,
    /// Let the bundle show that its ledger extends this checkpoint
    #[arg(long, value_name = "FILE")]
    pub known_checkpoint: Option<PathBuf>,
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum ExportForm {
    /// Records, proofs and account in one file that others verify offline
    #[default]
    Bundle,
    /// The account as recount.account/1
    Json,
    /// The account as Markdown
    Md,
    /// The account as one HTML file that needs nothing else
    Html,
}

/// `recount verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// A request, session, trace or record, or the file of a bundle or of one record's proof
    #[arg(value_name = "QUERY|FILE")]
    pub query: Option<String>,
    /// The whole ledger: every record, index and page (also without a query or a known checkpoint)
    #[arg(long, conflicts_with = "query")]
    pub all: bool,
    /// Prove that the ledger still extends this checkpoint, or each of a file anchor's
    #[arg(long, value_name = "FILE")]
    pub known_checkpoint: Option<PathBuf>,
    /// Demand what this policy says: logs, witnesses, quorum, properties
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Compare receipts with what an anchor holds: its file, or a branch, fetched by the program git
    #[arg(long, value_name = "FILE|git:REPO[#BRANCH]")]
    pub anchor: Vec<String>,
    /// Trace time stamps to this authority: its CA's certificates as PEM
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Vec<PathBuf>,
    /// Make the whole index again from the sealed bytes and compare
    #[arg(long)]
    pub view: bool,
    /// The form
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: FactForm,
}
