//! Opening a ledger for writing: the lock, what recovery finds, and the threads that write and sign.

use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::batch::{Batch, Receipt};
use super::book::Book;
use super::configuration::{self, Setting};
use super::control::WriteError;
use super::disk::{Disk, DiskStage, Stage};
use super::epochs::Epochs;
use super::error::{AppendError, Fatal, StoreError};
use super::files::{self, Identity, Lock, Paths};
use super::folder::Folder;
use super::options::Options;
use super::queue::{Limits, Queue, Task};
use super::signer::{Committed, Handle, Pace, Signer};
use super::statement::Statement;
use super::watch::Watch;
use super::writer::{OnFatal, Writer, stop};
use super::{database, held, recover, schema};
use crate::checkpoint::Checkpoint;
use crate::leaf::{ControlBody, LedgerId, Receipt as AnchorReceipt, ShortText, TreeHead};
use crate::note::{SignerKey, VerifierKey};
use crate::tree::Hash;

/// The one writer of a ledger folder. Everything it appends goes through its queue to one thread.
pub struct Ledger {
    paths: Paths,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<Result<(), Fatal>>>>,
    ledger: LedgerId,
    key: VerifierKey,
    database: Identity,
    signer: Handle,
    config: Hash,
    stage: Stage,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("dir", &self.paths.dir)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Takes the folder's lock, checks that nothing acknowledged or signed is missing, says in the ledger that it
    /// started, and starts its threads. Changes nothing if it refuses.
    ///
    /// # Errors
    /// Everything that [`StoreError`] names.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let paths = Paths::of(dir);
        paths.require()?;
        let lock = Lock::exclusive(&paths)?;
        let connection = database::open_writer(&paths.database)?;
        schema::check(&connection, &paths.database)?;
        let state = recover::read_state(&paths, &connection)?;
        let signer_key = read_key(&paths, &state.origin)?;
        let key = signer_key.verifier();
        recover::against_acked(&paths, &connection, &state)?;
        let (signed, note) = recover::against_signed(&paths, &connection, &state, &key)?;
        database::fold(&connection, &paths.database)?;
        let now_ns = (options.clock)();
        recover::recompute(&paths, &connection, &state, signed)?;
        let mut book = Book::load(&connection, now_ns, options.streams_at_hand)
            .map_err(|error| recover::damaged(&paths.database, error))?;

        let identity = read_key(&paths, &state.origin)?;
        let epochs = Epochs::open(&paths, &connection, identity, options.epoch)?;

        let queue = Arc::new(Queue::new(Limits {
            waiting_records: options.waiting_records,
            waiting_bytes: options.waiting_bytes,
            commit_records: 8192,
            commit_bytes: 16 * 1024 * 1024,
        }));
        let on_fatal: Arc<OnFatal> = Arc::new(options.on_fatal);
        let signer = start_signer(
            &paths,
            signed,
            note,
            signer_key,
            &queue,
            &on_fatal,
            options.sign_soon,
            options.sign_late,
        )?;
        let handle = signer.handle();
        let database = Identity::of(&paths.database)?;
        let beside = [&paths.acked, &paths.lock]
            .map(|path| Identity::of(path).map(|identity| (path.clone(), identity)));
        let [acked_file, lock_file] = beside;
        let instance = random_instance(&paths)?;
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        book.hold(&instance, ns(options.gap_after));
        let encoded = configuration::encode(&options.settings);
        let config = configuration::digest(&encoded);
        let changes = match configuration::before(&paths)? {
            Some(before) if before != encoded && !encoded.is_empty() => {
                configuration::changes(&before, &options.settings)
            }
            Some(_) => Vec::new(),
            None => configuration::first(&options.settings),
        };
        let disk = Disk::new(&paths.dir, &paths.reserve, options.disk, options.space_of);
        // Without room for the reserve the ledger still opens: it may be opened to make room.
        let _ = disk.set_aside();
        let watch = Watch::new(
            Arc::clone(&options.boot_clock),
            instance,
            options.heartbeat_after,
            now_ns,
        );
        let startup = ControlBody::Startup {
            clean: if state.commit == 1 {
                2
            } else {
                u8::from(state.clean)
            },
            boot: boot_id(),
            instance,
            commit: state.commit,
            boot_ns: (options.boot_clock)().unwrap_or(0),
            config,
            version: ShortText(options.version),
        };
        let acked = OpenOptions::new()
            .write(true)
            .open(&paths.acked)
            .map_err(|error| StoreError::io("open", &paths.acked, error))?;
        let ledger = book.ledger;
        let mut writer = Writer {
            connection,
            paths: paths.clone(),
            book,
            acked,
            named: vec![(paths.database.clone(), database), acked_file?, lock_file?],
            wal: None,
            signer,
            disk,
            watch,
            startup,
            on_disk: options.on_disk,
            queue: Arc::clone(&queue),
            clock: options.clock,
            head_after_ns: u64::try_from(options.head_after.as_nanos()).unwrap_or(u64::MAX),
            instance,
            on_fatal,
            lock,
            epochs,
        };
        writer.commit_startup(config, changes)?;
        if !encoded.is_empty() {
            files::replace_file(&paths.settings, &encoded)?;
        }
        let stage = writer.disk.shared();
        writer.rotate_if_due()?;
        let thread = std::thread::Builder::new()
            .name("ledger-writer".into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::io("start the writer of", dir, error))?;
        Ok(Self {
            paths,
            queue,
            writer: Mutex::new(Some(thread)),
            ledger,
            key,
            database,
            signer: handle,
            config,
            stage,
        })
    }

    /// Hands a batch to the writer. `done` is called once, on the writer's thread or before this returns: with the
    /// receipt after the batch is durable, or with the reason why nothing of it was kept. It must not block.
    pub fn append(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) {
        match batch.check() {
            Ok(()) => self.queue.push(batch, Box::new(done)),
            Err(error) => done(Err(error)),
        }
    }

    /// As [`Ledger::append`], waiting for the answer. For programs without an executor, and for tests.
    ///
    /// # Errors
    /// Those of [`AppendError`].
    pub fn append_and_wait(&self, batch: Batch) -> Result<Receipt, AppendError> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        self.append(batch, move |answer| {
            let _ = send.send(answer);
        });
        receive.recv().unwrap_or(Err(AppendError::Closing))
    }

    /// Says in the ledger that someone outside holds a checkpoint; back once it is durable, with the leaf's index.
    /// `kind` is one of 1 file, 2 git, 3 object store, 4 witness, 5 RFC 3161.
    ///
    /// # Errors
    /// Those of [`AppendError`].
    pub fn anchored(
        &self,
        head: TreeHead,
        kind: u8,
        receipt: AnchorReceipt,
    ) -> Result<u64, AppendError> {
        let anchored = Statement::Anchored {
            head,
            kind,
            receipt,
        };
        let indexes = self.state(vec![anchored])?;
        indexes.first().copied().ok_or(AppendError::Closing)
    }

    /// Appends leaves that say something of the collector itself, in one commit; back once they are durable, with
    /// their indexes.
    ///
    /// # Errors
    /// Those of [`AppendError`].
    pub fn state(&self, statements: Vec<Statement>) -> Result<Vec<u64>, AppendError> {
        // Checked here: what fails in the writer stops the ledger.
        statements.iter().try_for_each(Statement::check)?;
        self.act(move |book, connection| {
            let append = |statement: Statement| statement.append(connection, &mut book.control);
            statements.into_iter().map(append).collect()
        })
    }

    /// Says which settings are others than they were when somebody last said so, and keeps them for the next start to
    /// compare; gives how many. Blocks until the leaves are durable.
    ///
    /// # Errors
    /// The settings that were kept cannot be read or replaced; the leaves cannot be appended now.
    pub fn reconfigure(&self, settings: &[Setting]) -> Result<usize, StoreError> {
        let encoded = configuration::encode(settings);
        let changes = match configuration::before(&self.paths)? {
            Some(before) if before == encoded => return Ok(0),
            Some(before) => configuration::changes(&before, settings),
            None => configuration::first(settings),
        };
        let changed = |change| Statement::ConfigChanged {
            config: self.config,
            change,
        };
        let count = changes.len();
        self.state(changes.into_iter().map(changed).collect())
            .map_err(|error| {
                let source = std::io::Error::other(error.to_string());
                StoreError::io("say what changed in", &self.paths.dir, source)
            })?;
        files::replace_file(&self.paths.settings, &encoded)?;
        Ok(count)
    }

    /// Has the writer do something in a transaction of its own, and waits for its end.
    pub(crate) fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Book, &Connection) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<T, AppendError> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let (made, take) = std::sync::mpsc::sync_channel(1);
        self.queue.push_task(Task {
            act: Box::new(move |book, connection| {
                let _ = made.send(act(book, connection)?);
                Ok(())
            }),
            done: Box::new(move |outcome| {
                let _ = send.send(outcome);
            }),
        });
        receive.recv().unwrap_or(Err(AppendError::Closing))?;
        take.recv().map_err(|_| AppendError::Closing)
    }

    /// A reader of this ledger while it is being written, for the process that writes it.
    ///
    /// # Errors
    /// The database does not open again.
    pub fn reader(&self) -> Result<Folder, StoreError> {
        Folder::beside_writer(self.paths.clone(), self.database)
    }

    /// The ledger's id.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.ledger
    }

    /// The key that signs its checkpoints.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// SHA-256 of the settings that it was opened with.
    #[must_use]
    pub fn config(&self) -> Hash {
        self.config
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.paths.dir
    }

    /// Records that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Signs nothing any more, now and after every later start, until [`release_signing`](super::release_signing):
    /// someone outside knows another history of this ledger, and each further signature could be one for a fork.
    /// Recording goes on. The first reason stays.
    ///
    /// # Errors
    /// The reason cannot be kept; signing is held all the same, as long as this process runs.
    pub fn hold_signing(&self, why: &str) -> Result<(), StoreError> {
        self.signer.hold();
        held::keep(&self.paths, why)
    }

    /// Why nothing is signed, if signing is held.
    #[must_use]
    pub fn signing_held(&self) -> Option<String> {
        held::why(&self.paths)
    }

    /// Has the ledger log as it is now signed, whatever the pace, and waits for it: records that wait for their stream's
    /// next head are not in it. `false` if it was not signed in time:
    /// signing is held, the ledger stops, or there is no space.
    #[must_use]
    pub fn sign_now(&self, patience: Duration) -> bool {
        self.signer.sign_now(patience)
    }

    /// Keeps a checkpoint of this ledger that its witnesses cosigned, for readers.
    ///
    /// # Errors
    /// It is not a checkpoint of this ledger; the file cannot be written.
    pub fn keep_witnessed(&self, note: &[u8]) -> Result<(), StoreError> {
        Checkpoint::open(note, &self.key).map_err(|error| StoreError::Damaged {
            place: "the cosigned checkpoint".to_owned(),
            why: error.to_string(),
        })?;
        files::replace_file(&self.paths.witnessed, note)
    }

    /// How the disk stands.
    #[must_use]
    pub fn disk(&self) -> DiskStage {
        self.stage.get()
    }

    /// Why it stopped for good, if it did.
    #[must_use]
    pub fn fatal(&self) -> Option<Fatal> {
        self.queue.fatal()
    }

    /// Writes what waits, a head for every stream that lacks one and the shutdown leaf, signs the last checkpoint and
    /// leaves a database without a log. Later appends are refused. A second call does nothing.
    ///
    /// # Errors
    /// The ledger had to stop.
    pub fn close(&self) -> Result<(), Fatal> {
        self.queue.close();
        let thread = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => {
                let fatal = Fatal {
                    dir: self.paths.dir.clone(),
                    why: "the writer's thread panicked".into(),
                };
                self.queue.poison(&fatal);
                Err(fatal)
            }
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn read_key(paths: &Paths, origin: &str) -> Result<SignerKey, StoreError> {
    let place = || paths.identity.display().to_string();
    let seed = match files::read_small(&paths.identity, 33) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Missing {
                dir: paths.dir.clone(),
                file: "keys/identity".into(),
            });
        }
        other => other?,
    };
    let seed: [u8; 32] = seed
        .try_into()
        .map_err(|seed: Vec<u8>| StoreError::Damaged {
            place: place(),
            why: format!("it holds {} bytes, not 32", seed.len()),
        })?;
    SignerKey::new(origin, &seed).map_err(|error| StoreError::Damaged {
        place: place(),
        why: error.to_string(),
    })
}

#[expect(clippy::too_many_arguments, reason = "one call, at start")]
fn start_signer(
    paths: &Paths,
    signed: TreeHead,
    note: Vec<u8>,
    key: SignerKey,
    queue: &Arc<Queue>,
    on_fatal: &Arc<OnFatal>,
    soon: Duration,
    late: Duration,
) -> Result<Signer, StoreError> {
    let origin = key.verifier().name().to_owned();
    let sign = move |size: u64, root: &Hash, epoch: Option<&SignerKey>| {
        let head = TreeHead { size, root: *root };
        Checkpoint {
            origin: origin.clone(),
            head,
        }
        .sign_in_epoch(&key, epoch)
        .map_err(|error| error.to_string())
    };
    let (alarm_paths, queue, on_fatal) = (paths.clone(), Arc::clone(queue), Arc::clone(on_fatal));
    let alarm = move |why| drop(stop(&alarm_paths, &queue, &on_fatal, why));
    let signed = Committed {
        size: signed.size,
        root: signed.root,
    };
    Signer::start(
        paths.clone(),
        signed,
        note,
        Pace { soon, late },
        Box::new(sign),
        Box::new(alarm),
        held::why(paths).is_some(),
    )
}

fn random_instance(paths: &Paths) -> Result<[u8; 16], StoreError> {
    let mut instance = [0; 16];
    getrandom::fill(&mut instance).map_err(|error| {
        StoreError::io(
            "draw random bytes for",
            &paths.dir,
            std::io::Error::other(error.to_string()),
        )
    })?;
    Ok(instance)
}

/// The kernel's name for this boot; zeros where there is none.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}
