//! The command line: what can be asked for. `--help` is the contract.

use std::net::SocketAddr;
use std::path::PathBuf;

use ledger::store::ErasureReason;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::{self, Key};

const EXIT_CODES: &str = "Exit codes: 0 done, and intact; 1 nothing matched; 2 wrong usage or setting; 3 not intact; 4 not allowed; \
                          5 store, port or collector unavailable; 6 intact, but not all of it is signed or readable; 7 the policy demands more";

/// Records what agents report: listens for OpenTelemetry, seals every record into a ledger, and lets people read it.
#[derive(Debug, Parser)]
#[command(name = "recount-collector", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder of the ledger [env: RECOUNT_STORE]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<String>,
    /// Reader door: a socket, or an address with --reader-token-file; `none` closes it
    /// [default: $XDG_RUNTIME_DIR/recount/reader.sock] [env: RECOUNT_READER]
    #[arg(long, global = true, value_name = "ADDR|SOCKET")]
    pub(crate) reader: Option<String>,
    /// Configuration file, TOML [env: RECOUNT_COLLECTOR_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Which messages go to stderr: error, warn, info, debug, trace [env: RECOUNT_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a ledger: its folder, its keys and a first signed checkpoint. Never over something else
    Init(Origin),
    /// Listen, seal and serve until stopped
    Serve(Serve),
    /// How the ledger stands
    Status(Output),
    /// Recompute everything: every record, tile, head and checkpoint
    Verify(Verify),
    /// Make the search index again from the sealed bytes
    Reindex,
    /// Rewrite sealed segments into larger ones; no hash changes
    Compact,
    /// Put a ledger aside that lacks what it had acknowledged or signed, and go on under a new name that links to it
    Recover(Recover),
    /// Print what this ledger is recognised by: its key, 24 words, a QR code
    Key(KeyForm),
    /// Print the signed checkpoint, to mail or commit somewhere else
    Checkpoint,
    /// Bring in the spool of an agent that is gone
    Adopt(Adopt),
    /// Bring in a log that was written elsewhere: each line one sealed record, marked as imported
    Import(Import),
    /// Take payloads out for good, with a leaf that says on whose word; the tree does not change
    Erase(Erase),
    /// Let a producer be known: print a token for it, once, and keep what else it must show
    Enroll(Enroll),
    /// The producers that are enrolled, and those that were
    Producers(Output),
    /// Take a producer's credentials out of force at once, in a running collector, too
    Revoke {
        /// The producer
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Look for what would keep the collector from working here
    Doctor,
    /// Every setting, its value and where it came from
    Config,
    /// Anchors and witnesses: places outside that hold this ledger's checkpoints
    #[command(subcommand)]
    Anchor(AnchorCommand),
    /// Be a witness of other ledgers: cosign their checkpoints, and never two histories of one
    Witness(Witness),
}

#[derive(Debug, Args)]
pub(crate) struct Origin {
    /// Name of the ledger in its checkpoints, like recount.example.org/lab [default: derived from its id]
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Doors {
    /// Agent door, OTLP over gRPC; `none` closes it. Beyond loopback with TLS and --require-enrolment alone
    /// [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_grpc: Option<String>,
    /// Agent door, OTLP over HTTP; `none` closes it. Beyond loopback with TLS and --require-enrolment alone
    /// [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_http: Option<String>,
    /// Agent door, OTLP/HTTP over a Unix socket, which also shows as which user a producer runs [default: none]
    #[arg(long, value_name = "PATH")]
    pub(crate) agent_socket: Option<String>,
    /// Certificate of the agent doors on ports, in PEM, with what it was signed with: they then speak TLS alone
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<String>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<String>,
    /// Authorities, in PEM, whose client certificates count; `enroll --certificate` says whose each one is
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<String>,
    /// Take nothing from producers that are not enrolled, and let a session be of one producer alone
    #[arg(long)]
    pub(crate) require_enrolment: bool,
    /// File with the token that a reader over TCP has to present
    #[arg(long, value_name = "FILE")]
    pub(crate) reader_token_file: Option<String>,
    /// How long a signing epoch lasts: from 1m to 24h [default: 15m]
    #[arg(long, value_name = "TIME")]
    pub(crate) epoch: Option<String>,
    /// Largest export, after decompression [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_body_bytes: Option<String>,
    /// Memory for exports that are being received [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_in_flight_bytes: Option<String>,
    /// How many of the configured witnesses must cosign a checkpoint [default: more than half]
    #[arg(long, value_name = "N")]
    pub(crate) witness_quorum: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Create the ledger first, if there is none
    #[arg(long)]
    pub(crate) init: bool,
    #[command(flatten)]
    pub(crate) origin: Origin,
    #[command(flatten)]
    pub(crate) doors: Doors,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Checkpoints that were kept elsewhere, one or a file anchor's: prove that the ledger still extends them
    #[arg(long, value_name = "FILE")]
    pub(crate) known_checkpoint: Option<PathBuf>,
    /// Demand what this policy says: logs, witnesses, quorum, properties
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Trace time stamps to this authority: its CA's certificates as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa_ca: Vec<PathBuf>,
    /// The key that must have signed: as in ledger.pub, or the 24 words that init printed
    #[arg(long, value_name = "VKEY|WORDS")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct KeyForm {
    /// Only the 24 words
    #[arg(long, conflicts_with = "qr")]
    pub(crate) words: bool,
    /// Only the QR code: key and words
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// The folder that the agent spooled to
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Where the collector listens [default: http://127.0.0.1:4318]
    #[arg(long, value_name = "URL")]
    pub(crate) collector: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true).multiple(true))]
pub(crate) struct Import {
    /// The file: lines of text or JSON
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The request that the lines belong to; with --request-field, those that name none
    #[arg(long, value_name = "N", group = "asked")]
    pub(crate) request: Option<String>,
    /// The field of a line that names its request: request.id, or /request/id
    #[arg(long, value_name = "PATH", group = "asked")]
    pub(crate) request_field: Option<String>,
    /// The field that names its session [default: one session per request and file]
    #[arg(long, value_name = "PATH")]
    pub(crate) session_field: Option<String>,
    /// The field that says when: RFC 3339, or seconds to nanoseconds since 1970 [default: when it is imported]
    #[arg(long, value_name = "PATH")]
    pub(crate) time_field: Option<String>,
    /// The agent that wrote the lines, as you say
    #[arg(long, value_name = "NAME", default_value = "import")]
    pub(crate) agent: String,
    /// Where the collector listens [default: the store itself, else http://127.0.0.1:4318]
    #[arg(long, value_name = "URL")]
    pub(crate) collector: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AnchorCommand {
    /// What each holds, since when, and what fails
    Status(Output),
    /// Ask every one of them now, and wait
    Now,
    /// Sign again after a conflict, once it is known which history is the true one; the collector must be stopped
    Release,
}

/// Without a subcommand: listen until stopped.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Witness {
    #[command(subcommand)]
    pub(crate) command: Option<WitnessCommand>,
    /// Where to listen; what is asked and answered is signed, so plain HTTP will do
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4380")]
    pub(crate) listen: SocketAddr,
    /// A log to witness, by the key in its ledger.pub; beside those that `witness trust` added
    #[arg(long = "trust", value_name = "VKEY")]
    pub(crate) logs: Vec<String>,
    /// Keep the key that comes with the first request of an unknown log, and trust it from then on
    #[arg(long)]
    pub(crate) trust_on_first_use: bool,
    /// With --trust-on-first-use: only logs of this name [default: any]
    #[arg(long, value_name = "NAME", requires = "trust_on_first_use")]
    pub(crate) origin: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Create the folder of a witness and its key
    Init {
        /// Name of the witness in its cosignatures, like witness.example.org/attic
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Print the key that collectors and verifiers need
    Vkey,
    /// Witness this log from now on
    Trust {
        /// The key in the log's ledger.pub
        #[arg(value_name = "VKEY")]
        vkey: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// What: a request or session, or a part of it: 47892, 47892#s1, 47892#s1a, 47892#s1a#14, 47892#s1a#14..20
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,
    /// Who asks for it; sealed beside the leaf
    #[arg(long, value_name = "WHO")]
    pub(crate) actor: String,
    /// Why, in words; sealed beside the leaf
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Why, in the leaf itself
    #[arg(long, value_enum, default_value_t = Because::Person)]
    pub(crate) because: Because,
    /// A second person who agreed; needed where erase_needs_approval is set
    #[arg(long, value_name = "WHO")]
    pub(crate) approved_by: Option<String>,
    /// The names in the ledger log go, too: session, requests, producer
    #[arg(long)]
    pub(crate) names: bool,
    /// Look into this folder, too, for copies that are left; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) search: Vec<PathBuf>,
    /// Do it; without this the plan is shown and nothing changes
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Because {
    /// A person concerned asked for it
    Person,
    /// A secret was found
    Secret,
    /// Something else
    Other,
}

impl Because {
    pub(crate) fn code(self) -> ErasureReason {
        match self {
            Self::Person => ErasureReason::Person,
            Self::Secret => ErasureReason::Secret,
            Self::Other => ErasureReason::Other,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// What the ledger and every account call the producer
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The public key that signs its records: 64 hexadecimal digits, or the agent's key file
    #[arg(long, value_name = "HEX|FILE")]
    pub(crate) key: Option<String>,
    /// The user that it must run as: its token then counts only over the agent socket
    #[arg(long, value_name = "NUMBER")]
    pub(crate) uid: Option<u32>,
    /// Its client certificate, in PEM, or the SHA-256 of its public key: what comes with it is this producer's, and no
    /// token is given. Twice for the one in use and the next one
    #[arg(long, value_name = "FILE|HEX", conflicts_with_all = ["uid", "no_token"])]
    pub(crate) certificate: Vec<String>,
    /// Give no token: whatever this user sends over the agent socket is this producer's
    #[arg(long, requires = "uid")]
    pub(crate) no_token: bool,
    /// It is a recorder beside agents, which no agent controls; it may write into any session
    #[arg(long)]
    pub(crate) recorder: bool,
    /// Enrol it anew if it is enrolled: its earlier token counts no longer
    #[arg(long)]
    pub(crate) renew: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Why, for the record: which backup was restored, and what happened
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who says so [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<String>,
    #[command(flatten)]
    pub(crate) origin: Origin,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub(crate) output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Text,
    Json,
}

impl Cli {
    /// The settings that were given as flags.
    pub(crate) fn flags(&self) -> Vec<(&'static Key, Option<String>)> {
        let common = &self.common;
        let mut flags = vec![
            (settings::STORE, common.store.clone()),
            (settings::READER, common.reader.clone()),
            (settings::LOG, common.log.clone()),
        ];
        match &self.command {
            Command::Serve(serve) => {
                let doors = &serve.doors;
                flags.extend([
                    (settings::OTLP_GRPC, doors.otlp_grpc.clone()),
                    (settings::OTLP_HTTP, doors.otlp_http.clone()),
                    (settings::AGENT_SOCKET, doors.agent_socket.clone()),
                    (settings::TLS_CERT, doors.tls_cert.clone()),
                    (settings::TLS_KEY, doors.tls_key.clone()),
                    (settings::TLS_CLIENT_CA, doors.tls_client_ca.clone()),
                    (
                        settings::REQUIRE_ENROLMENT,
                        doors.require_enrolment.then(|| "true".to_owned()),
                    ),
                    (settings::READER_TOKEN_FILE, doors.reader_token_file.clone()),
                    (settings::EPOCH, doors.epoch.clone()),
                    (settings::MAX_BODY, doors.max_body_bytes.clone()),
                    (settings::MAX_IN_FLIGHT, doors.max_in_flight_bytes.clone()),
                    (settings::WITNESS_QUORUM, doors.witness_quorum.clone()),
                    (settings::ORIGIN, serve.origin.origin.clone()),
                ]);
            }
            Command::Init(origin) => flags.push((settings::ORIGIN, origin.origin.clone())),
            _ => {}
        }
        flags
    }
}
