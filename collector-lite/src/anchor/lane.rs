//! Lanes: one thread per anchor, and one for all witnesses, so that they cosign the same checkpoint.
//!
//! A lane looks at the newest signed checkpoint at its pace, hands it over if it says anything new, and has the answer
//! sealed. It never holds up recording: what fails is tried again, later and later, and shown.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::Duration;

use ledger::checkpoint::Checkpoint;
use ledger::leaf::{ConfigChange, ConflictNote, Receipt, StreamId};
use ledger::reader::Reader;
use ledger::store::{Folder, Ledger, Statement};
use ledger::tree::Hash;
use sha2::{Digest, Sha256};

use super::board::{Board, Change, Standing};
use super::spec::{Place, Spec};
use super::{Anchor, Failed, Given, Submission, build};
use crate::clock;

/// How often a lane looks whether it is due, or asked.
const TICK: Duration = Duration::from_millis(500);

/// First wait after a failure, in seconds; doubled each time up to the anchor's own pace.
const RETRY_S: u64 = 5;

/// How long after the end of a session an anchor that wants to know is asked, in seconds.
const AFTER_CLOSE_S: u64 = 60;

/// How long somebody who asks waits for the signature over what is there.
const SIGNING: Duration = Duration::from_secs(10);

/// How long the threads may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// A file of this name in the ledger's folder has every anchor asked at once; it is removed when they are.
pub(crate) const NOW: &str = "anchor_now";

/// How many witnesses must cosign, and what every lane needs.
pub(crate) struct Shared {
    board: Board,
    ledger: Arc<Ledger>,
    folder: Folder,
    store: PathBuf,
    quorum: usize,
    bell: Mutex<Bell>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Bell {
    stop: bool,
    /// How often everybody was asked at once.
    now: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("board", &self.board)
            .finish_non_exhaustive()
    }
}

/// The running lanes.
#[derive(Debug)]
pub(crate) struct Anchors {
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
    running: usize,
}

/// One anchor of a lane.
struct Member {
    holder: String,
    spec: Spec,
    anchor: Box<dyn Anchor>,
}

/// The newest signed checkpoint.
struct Newest {
    note: Vec<u8>,
    checkpoint: Checkpoint,
}

/// Opens the board, says in the ledger which destinations changed, and makes the lanes.
fn prepare(
    ledger: &Arc<Ledger>,
    specs: &[Spec],
    quorum: usize,
    now_ns: u64,
) -> Result<(Shared, Vec<Vec<Member>>), String> {
    let store = ledger.dir().to_path_buf();
    let (board, changes) = Board::open(&store, specs, now_ns)?;
    if !changes.is_empty() {
        let said = changes
            .iter()
            .map(|change| changed(change, ledger.config()));
        let leaves = ledger
            .state(said.collect())
            .map_err(|error| error.to_string())?;
        for (change, leaf) in changes.iter().zip(leaves) {
            board.leaves(&change.from, leaf);
        }
    }
    let (mut witnesses, mut lanes) = (Vec::new(), Vec::new());
    for (holder, standing) in board.all() {
        let member = Member {
            holder,
            anchor: build(&standing.spec, &store),
            spec: standing.spec,
        };
        match member.spec.place {
            Place::Witness { .. } => witnesses.push(member),
            _ => lanes.push(vec![member]),
        }
    }
    if !witnesses.is_empty() {
        lanes.push(witnesses);
    }
    let shared = Shared {
        board,
        folder: ledger.reader().map_err(|error| error.to_string())?,
        ledger: Arc::clone(ledger),
        store,
        quorum,
        bell: Mutex::default(),
        rung: Condvar::new(),
    };
    Ok((shared, lanes))
}

fn changed(change: &Change, config: Hash) -> Statement {
    tracing::warn!(
        from = change.from,
        to = change.to,
        "an anchor is another than before"
    );
    Statement::ConfigChanged {
        config,
        change: ConfigChange {
            setting: "anchor".to_owned(),
            from: change.from.clone(),
            to: change.to.clone(),
            origin: "settings".to_owned(),
        },
    }
}

impl Anchors {
    /// Starts the lanes.
    ///
    /// # Errors
    /// What is known of the anchors cannot be read, or a change of theirs cannot be sealed.
    pub(crate) fn start(
        ledger: &Arc<Ledger>,
        specs: &[Spec],
        quorum: usize,
    ) -> Result<Self, String> {
        let (shared, lanes) = prepare(ledger, specs, quorum, clock::now_ns())?;
        let shared = Arc::new(shared);
        let (end, ended) = mpsc::channel();
        let running = lanes.len();
        for mut lane in lanes {
            let (shared, end) = (Arc::clone(&shared), end.clone());
            let started = std::thread::Builder::new()
                .name("anchor".into())
                .spawn(move || {
                    shared.run(&mut lane);
                    let _ = end.send(());
                });
            started.map_err(|error| format!("cannot start a thread: {error}"))?;
        }
        Ok(Self {
            shared,
            ended,
            running,
        })
    }

    /// What the doors show of them.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Ends the lanes; one that waits for an answer is left behind after a moment.
    pub(crate) fn stop(self) {
        self.shared.lock().stop = true;
        self.shared.rung.notify_all();
        for _ in 0..self.running {
            if self.ended.recv_timeout(GRACE).is_err() {
                tracing::warn!("an anchor does not answer; its thread is left behind");
                return;
            }
        }
    }
}

/// Asks every anchor once, in this process, for a command that has opened the ledger itself.
///
/// # Errors
/// As [`Anchors::start`].
pub(crate) fn once(
    ledger: &Arc<Ledger>,
    specs: &[Spec],
    quorum: usize,
) -> Result<Vec<(String, Standing)>, String> {
    let (shared, lanes) = prepare(ledger, specs, quorum, clock::now_ns())?;
    for mut lane in lanes {
        shared.round(&mut lane, true);
    }
    Ok(shared.board.all())
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How every anchor stands, by its holder.
    pub(crate) fn standings(&self) -> Vec<(String, Standing)> {
        self.board.all()
    }

    /// How many witnesses must cosign a checkpoint.
    pub(crate) fn quorum(&self) -> usize {
        self.quorum
    }

    fn run(&self, lane: &mut [Member]) {
        let mut heard = 0;
        loop {
            let asked = {
                let bell = self.lock();
                if bell.stop {
                    return;
                }
                bell.now > heard
            };
            if asked {
                heard = self.lock().now;
            }
            if asked || self.due(lane, clock::now_ns()) {
                self.round(lane, asked);
            }
            let bell = self.lock();
            if !bell.stop {
                drop(self.rung.wait_timeout(bell, TICK));
            }
            self.listen();
        }
    }

    /// Rings for everybody when a person asked.
    fn listen(&self) {
        let file = self.store.join(NOW);
        if file.exists() {
            let mut bell = self.lock();
            if std::fs::remove_file(&file).is_ok() {
                bell.now += 1;
                drop(bell);
                self.rung.notify_all();
            }
        }
    }

    fn due(&self, lane: &[Member], now_ns: u64) -> bool {
        lane.iter().any(|member| {
            self.board.get(&member.holder).is_some_and(|standing| {
                let waited_s = standing
                    .tried_ns
                    .map(|tried| now_ns.saturating_sub(tried) / 1_000_000_000);
                waited_s.is_none_or(|waited| waited >= wait_s(&standing))
            })
        })
    }

    fn newest(&self) -> Option<Newest> {
        let note = self.folder.checkpoint().ok().flatten()?;
        let checkpoint = Checkpoint::open(&note, self.ledger.key()).ok()?;
        Some(Newest { note, checkpoint })
    }

    /// Hands the newest checkpoint to every member that has not got what it says.
    fn round(&self, lane: &mut [Member], asked: bool) {
        // Whoever found another history outside had the signing held: what is here may be the fork.
        if self.ledger.signing_held().is_some() {
            return;
        }
        // Whoever asks means all that is there now, not what was signed some time ago.
        if asked && !self.ledger.sign_now(SIGNING) {
            tracing::warn!(
                "the newest checkpoint could not be signed in time; an earlier one is handed over"
            );
        }
        let Some(newest) = self.newest() else { return };
        let now_ns = clock::now_ns();
        let mut lacking = Vec::new();
        let mut others = Vec::new();
        for member in lane {
            let standing = self.board.get(&member.holder);
            let Some(standing) = standing else { continue };
            // The last checkpoint of one that is leaving tells it so; until it is signed, there is none.
            let told = standing.leaving.and_then(|leaving| leaving.leaf);
            if told.is_some_and(|leaf| newest.checkpoint.head.size <= leaf) {
                continue;
            }
            let from = standing.taken.as_ref().map_or(0, |taken| taken.size);
            let news = News::between(&self.folder, from, newest.checkpoint.head.size);
            let pace_s = standing.spec.every_s;
            let soon = standing.spec.on_close && news.closed;
            let waited_s = standing
                .taken
                .as_ref()
                .map(|taken| now_ns.saturating_sub(taken.at_ns) / 1_000_000_000);
            let due = asked
                || soon
                || standing.failing.is_some()
                || waited_s.is_none_or(|waited| waited >= pace_s);
            if standing.taken.is_none() || (news.any && due) {
                lacking.push(member);
            } else {
                self.board.current(&member.holder, now_ns);
                others.push(member);
            }
        }
        if lacking.is_empty() {
            return;
        }
        let mut lines = self.ask(&mut lacking, &newest);
        // A quorum is of one checkpoint: those who have an earlier one that says as much are asked for this one, too.
        if !lines.is_empty() && lines.len() < self.quorum && !others.is_empty() {
            lines.extend(self.ask(&mut others, &newest));
        }
        if lines.len() >= self.quorum && !lines.is_empty() {
            let note = [&newest.note, lines.concat().as_bytes()].concat();
            if let Err(error) = self.ledger.keep_witnessed(&note) {
                tracing::warn!(%error, "the cosigned checkpoint cannot be kept");
            }
        }
    }

    /// Asks all of them at once and has what they give sealed. The lines of those who cosigned.
    fn ask(&self, members: &mut [&mut Member], newest: &Newest) -> Vec<String> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = members
                .iter_mut()
                .map(|member| scope.spawn(move || self.submit(member, newest)))
                .collect();
            asked
                .into_iter()
                .filter_map(|asked| asked.join().ok().flatten())
                .collect()
        })
    }

    fn submit(&self, member: &mut Member, newest: &Newest) -> Option<String> {
        let now_ns = clock::now_ns();
        let before = self
            .board
            .get(&member.holder)
            .and_then(|standing| standing.taken);
        let submission = Submission {
            note: &newest.note,
            checkpoint: &newest.checkpoint,
            key: self.ledger.key(),
            reader: &self.folder,
            before: before.as_ref(),
            now_ns,
        };
        match member.anchor.submit(&submission) {
            Ok(given) => self.seal(member, newest, given, now_ns),
            Err(error) => {
                tracing::warn!(holder = member.holder, %error, "an anchor did not take the checkpoint");
                self.board.failed(&member.holder, &error, now_ns);
                if let Failed::Conflict { what, theirs } = error {
                    self.conflict(member, newest, &what, theirs);
                }
                None
            }
        }
    }

    /// The receipt becomes a leaf; then the board knows. In this order: a receipt that is lost is asked for again.
    fn seal(&self, member: &Member, newest: &Newest, given: Given, now_ns: u64) -> Option<String> {
        let head = newest.checkpoint.head;
        let mut statements = vec![Statement::Anchored {
            head,
            kind: member.spec.kind(),
            receipt: Receipt {
                holder: member.holder.clone(),
                receipt: given.receipt.clone(),
            },
        }];
        statements.extend(
            given
                .beacon
                .clone()
                .map(|value| Statement::Beacon { kind: 1, value }),
        );
        if let Some(remark) = &given.remark {
            tracing::error!(holder = member.holder, "{remark}");
            statements.push(contradiction(&member.holder, remark, &newest.note, [0; 32]));
        }
        if let Err(error) = self.ledger.state(statements) {
            tracing::warn!(%error, "a receipt could not be sealed; the anchor is asked again");
            return None;
        }
        tracing::debug!(holder = member.holder, size = head.size, "anchored");
        self.board.took(&member.holder, head.size, &given, now_ns);
        given.cosignature
    }

    /// Somebody outside knows another history: nothing more is signed until a person has looked.
    fn conflict(&self, member: &Member, newest: &Newest, what: &str, theirs: [u8; 32]) {
        let first = what.lines().next().unwrap_or_default();
        let why = format!("{}: {first}", member.holder);
        tracing::error!("signing is held: {why}");
        if let Err(error) = self.ledger.hold_signing(&why) {
            tracing::error!(%error, "the reason could not be kept");
        }
        let leaf = contradiction(&member.holder, what, &newest.note, theirs);
        if let Err(error) = self.ledger.state(vec![leaf]) {
            tracing::error!(%error, "the conflict could not be sealed");
        }
    }
}

fn contradiction(holder: &str, what: &str, ours: &[u8], theirs: [u8; 32]) -> Statement {
    let what: String = format!("{holder}: {what}").chars().take(8000).collect();
    Statement::Conflict {
        kind: 4,
        stream: StreamId([0; 32]),
        note: ConflictNote {
            what,
            first: Sha256::digest(ours).into(),
            second: theirs,
        },
    }
}

/// How long an anchor is left alone, in seconds.
fn wait_s(standing: &Standing) -> u64 {
    let every = standing.spec.every_s;
    match &standing.failing {
        Some(failing) => {
            let doubled = RETRY_S.saturating_mul(1 << failing.attempts.saturating_sub(1).min(20));
            doubled.min(every).max(1)
        }
        None if standing.spec.on_close => every.min(AFTER_CLOSE_S),
        None => every,
    }
}

/// What a range of leaves says that an anchor's own receipts do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct News {
    any: bool,
    /// A session ended.
    closed: bool,
}

/// Leaves that are looked at; more are news in any case.
const LOOKED_AT: u64 = 4096;

impl News {
    /// Receipts and beacons are no news: they come of anchoring, which would otherwise never rest. Heartbeats say only
    /// that nothing happened; epoch seals say that, too, and are signed for.
    fn between(reader: &dyn Reader, from: u64, to: u64) -> Self {
        if to > from.saturating_add(LOOKED_AT) {
            return Self {
                any: true,
                closed: true,
            };
        }
        let kinds: Vec<u8> = match reader.control(from, to) {
            Ok(leaves) => leaves
                .iter()
                .filter_map(|stored| stored.leaf.get(1).copied())
                .collect(),
            Err(_) => {
                return Self {
                    any: true,
                    closed: false,
                };
            }
        };
        Self {
            any: kinds.iter().any(|kind| !matches!(kind, 12 | 13 | 18)),
            closed: kinds.contains(&5),
        }
    }
}
