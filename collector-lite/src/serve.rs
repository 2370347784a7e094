//! `serve`: open the ledger, open the doors, say so, and stop in order.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ledger::reader::{Find, Reader};
use ledger::store::{DiskStage, Fatal, InitOptions, Ledger, Options, Setting, StoreError, init};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::agent_door::door::AgentDoor;
use crate::agent_door::refusal::Refusal;
use crate::agent_door::{grpc, http};
use crate::anchor::lane::{Anchors, Shared};
use crate::clock;
use crate::doorway::{self, Peer, Places, Whence, WithUsers};
use crate::error::{Error, exit};
use crate::hidden::Ready;
use crate::intake::{Door, Sent};
use crate::producers::watch::Producers;
use crate::reader_door::listen::{SocketFile, agent_socket, socket};
use crate::reader_door::{self, ReaderDoor};
use crate::settings::{self, Origin, ReaderPlace, Settings};
use crate::tls::Gate;

/// Streams of an earlier run that are looked at for traces whose session may come now.
const RECALLED: usize = 2048;

/// How long connections may take to finish after a stop was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until a signal, or until the ledger stops for good.
pub(crate) fn serve(settings: &Settings, create: bool) -> Result<u8, Error> {
    log(&settings.log);
    let created = create && create_if_missing(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System {
            doing: "start the runtime",
            source,
        })?;
    runtime.block_on(run(settings, created))
}

pub(crate) fn log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "info".into());
    // A second start in one process, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Creates the ledger unless the folder already holds one.
fn create_if_missing(settings: &Settings) -> Result<bool, Error> {
    // What is left of a ledger is never made anew: opening it names the file that is missing.
    let left = |file| settings.store.join(file).exists();
    if ["ledger.db", "last_signed", "acked"].into_iter().any(left) {
        return Ok(false);
    }
    let options = InitOptions {
        origin: settings.origin.clone(),
        now_ns: clock::now_ns(),
    };
    let created = init(&settings.store, &options)?;
    tracing::info!(store = %created.dir.display(), key = %created.key, "created ledger {}", created.origin);
    Ok(true)
}

/// Opens the ledger for writing.
pub(crate) fn open_ledger(
    settings: &Settings,
    on_fatal: Box<dyn Fn(&Fatal) + Send + Sync>,
) -> Result<Arc<Ledger>, StoreError> {
    open_with(settings, Vec::new(), on_fatal)
}

/// As [`open_ledger`], with the settings that the ledger is to know: those of a collector that serves, not of a command
/// that does one thing.
fn open_with(
    settings: &Settings,
    known: Vec<Setting>,
    on_fatal: Box<dyn Fn(&Fatal) + Send + Sync>,
) -> Result<Arc<Ledger>, StoreError> {
    let mut options = Options::new(Arc::new(clock::now_ns));
    options.version = env!("CARGO_PKG_VERSION").to_owned();
    options.epoch = settings.epoch;
    options.settings = known;
    options.disk = settings.disk;
    options.on_disk = Box::new(tell_disk);
    options.on_fatal = on_fatal;
    Ledger::open(&settings.store, options).map(Arc::new)
}

async fn run(settings: &Settings, created: bool) -> Result<u8, Error> {
    let (stop, stopped) = watch::channel(false);
    let places = Places::available();
    // Doors first: a port that is taken is told before the ledger is touched.
    let http_listener = listen(settings.otlp_http, settings::OTLP_HTTP.flag).await?;
    let grpc_listener = listen(settings.otlp_grpc, settings::OTLP_GRPC.flag).await?;
    let agent_listener = match &settings.agent_socket {
        Some(path) => Some(agent_socket(path)?),
        None => None,
    };
    let producers = Producers::open(settings.store.clone(), settings.require_enrolment)?;
    let producers = Arc::new(producers);
    let known = settings.effective.clone();
    let said = known.iter().cloned().chain(producers.settings()).collect();
    let ledger = open_with(settings, said, Box::new(halt))?;
    let door = AgentDoor::new(
        Arc::clone(&ledger),
        settings.max_body,
        settings.max_in_flight,
    );
    let door = Arc::new(door.with(Arc::clone(&producers), known.clone()));
    let gates = Gates::open(settings, &door)?;

    // Before anything is taken: what earlier runs knew of traces.
    let anchors = Anchors::start(&ledger, &settings.anchors, settings.quorum())
        .map_err(|why| Error::Anchors { why })?;
    let reader = open_reader(settings, &ledger, &door, anchors.shared(), gates.all())?;

    let mut tasks = JoinSet::new();
    tasks.spawn(producers.watch(Arc::clone(&ledger), known, stopped.clone()));
    let mut ready = Ready {
        state: "ready".to_owned(),
        pid: std::process::id(),
        store: settings.store.clone(),
        created,
        otlp_grpc: None,
        otlp_http: None,
        agent_socket: None,
        tls: settings.tls.is_some(),
        reader: None,
    };
    if let Some((listener, address)) = http_listener {
        ready.otlp_http = Some(address.to_string());
        let router = http::router(Arc::clone(&door));
        tasks.spawn(doorway::serve(
            listener,
            router,
            places.agents,
            gates.http.clone(),
            stopped.clone(),
        ));
    }
    if let Some((listener, address)) = grpc_listener {
        ready.otlp_grpc = Some(address.to_string());
        let router = grpc::router(Arc::clone(&door));
        tasks.spawn(doorway::serve(
            listener,
            router,
            places.agents,
            gates.grpc.clone(),
            stopped.clone(),
        ));
    }
    let mut agents = None;
    if let Some((listener, file)) = agent_listener {
        ready.agent_socket = Some(file.path().display().to_string());
        let router = http::router(Arc::clone(&door));
        tasks.spawn(doorway::serve(
            WithUsers(listener),
            router,
            places.agents,
            None,
            stopped.clone(),
        ));
        agents = Some(file);
    }
    let mut socket = None;
    match reader_listener(settings).await? {
        Some(ReaderListener::Socket(listener, file)) => {
            ready.reader = Some(file.path().display().to_string());
            tasks.spawn(reader_doorway(
                listener,
                reader,
                places.readers,
                stopped.clone(),
            ));
            socket = Some(file);
        }
        Some(ReaderListener::Tcp(listener, address)) => {
            ready.reader = Some(address.to_string());
            tasks.spawn(reader_doorway(
                listener,
                reader,
                places.readers,
                stopped.clone(),
            ));
        }
        None => {}
    }
    // Before anybody is told that it runs: who was told may ask it to stop at once.
    let asked_to_stop = stop_signals();
    announce(&ready);

    asked_to_stop.await;
    tracing::info!("stopping");
    stop.send_replace(true);
    drop((socket, agents));
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::warn!(
            "some connections did not finish within {} s",
            GRACE.as_secs()
        );
        tasks.abort_all();
    }
    let closed = tokio::task::spawn_blocking(move || {
        anchors.stop();
        ledger.close()
    })
    .await;
    match closed {
        Ok(Ok(())) => {
            tracing::info!("stopped");
            Ok(exit::DONE)
        }
        Ok(Err(fatal)) => Err(Error::Halted {
            why: fatal.to_string(),
        }),
        Err(error) => Err(Error::Halted {
            why: error.to_string(),
        }),
    }
}

/// The handshakes before the agent doors on ports; none where they speak no TLS.
struct Gates {
    http: Option<Arc<Gate>>,
    grpc: Option<Arc<Gate>>,
}

impl Gates {
    fn open(settings: &Settings, door: &Arc<AgentDoor>) -> Result<Self, Error> {
        let gate = |through: Door| {
            let Some(files) = settings.tls.clone() else {
                return Ok(None);
            };
            let door = Arc::clone(door);
            let told = move |peer: Peer, why: String| {
                let refusal = Refusal::Credential(why);
                door.turned_away(through, &peer.to_string(), &refusal, Sent::Unread(0));
            };
            Gate::open(files, told).map(|gate| Some(Arc::new(gate)))
        };
        Ok(Self {
            http: gate(Door::Http)?,
            grpc: gate(Door::Grpc)?,
        })
    }

    fn all(&self) -> Vec<Arc<Gate>> {
        self.http.iter().chain(&self.grpc).cloned().collect()
    }
}

/// Says how the disk stands once that changes.
fn tell_disk(stage: DiskStage) {
    match stage {
        DiskStage::Fine => tracing::info!("there is room on the disk again"),
        DiskStage::Soft => {
            tracing::warn!("the disk fills: make room, or no new session will be taken")
        }
        DiskStage::Hard => tracing::error!("the disk is nearly full: no new session is taken"),
        DiskStage::Full => tracing::error!(
            "the disk is full: the ledger was brought to an orderly stop with its reserve; nothing is taken until there \
             is room"
        ),
    }
}

/// Ends the process at once. After a failed sync, or when a file was taken away, nothing may be answered, signed or
/// folded any more, and nobody may be kept waiting for it: the next start finds out what the disk holds.
fn halt(fatal: &Fatal) {
    let error = Error::Halted {
        why: fatal.to_string(),
    };
    crate::tell(&error);
    std::process::exit(i32::from(error.exit_code()));
}

/// Listens on an address, or names it and the flag that changes it.
pub(crate) async fn listen(
    address: Option<SocketAddr>,
    flag: &'static str,
) -> Result<Option<(TcpListener, SocketAddr)>, Error> {
    let Some(address) = address else {
        return Ok(None);
    };
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => Error::PortTaken { address, flag },
        _ => Error::Listen {
            address,
            flag,
            source,
        },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, bound)))
}

enum ReaderListener {
    Socket(UnixListener, SocketFile),
    Tcp(TcpListener, SocketAddr),
}

fn open_reader(
    settings: &Settings,
    ledger: &Arc<Ledger>,
    agent: &Arc<AgentDoor>,
    anchors: Arc<Shared>,
    gates: Vec<Arc<Gate>>,
) -> Result<Router, Error> {
    let token = match settings.reader {
        ReaderPlace::Tcp(_) => settings.reader_token.clone().map(|token| token.0),
        ReaderPlace::Socket(_) | ReaderPlace::Closed => None,
    };
    let folder = ledger.reader()?;
    agent.recall(&folder.find(&Find::Recent(RECALLED))?);
    Ok(reader_door::router(ReaderDoor::new(
        Arc::clone(ledger),
        folder,
        Arc::clone(agent),
        anchors,
        gates,
        token,
    )))
}

/// A reader door that nobody asked for and that cannot be opened is told, and the collector records without it.
async fn reader_listener(settings: &Settings) -> Result<Option<ReaderListener>, Error> {
    match &settings.reader {
        ReaderPlace::Closed => Ok(None),
        ReaderPlace::Tcp(address) => {
            if !address.ip().is_loopback() {
                tracing::warn!("readers at {address} send their token unencrypted");
            }
            let listening = listen(Some(*address), settings::READER.flag).await?;
            Ok(listening.map(|(listener, address)| ReaderListener::Tcp(listener, address)))
        }
        ReaderPlace::Socket(path) => match socket(path) {
            Ok((listener, file)) => Ok(Some(ReaderListener::Socket(listener, file))),
            Err(error) if settings.reader_origin == Origin::Default => {
                tracing::warn!("no reader door: {error}; {}", error.hint());
                Ok(None)
            }
            Err(error) => Err(error),
        },
    }
}

/// Serves the reader door until the stop. Live tails never end by themselves, so they are not waited for.
async fn reader_doorway<L>(
    listener: L,
    router: Router,
    places: usize,
    mut stopped: watch::Receiver<bool>,
) where
    L: axum::serve::Listener,
    L::Addr: Whence,
{
    let served = doorway::serve(listener, router, places, None, stopped.clone());
    tokio::select! {
        () = served => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// One line of JSON on stdout for programs, one line on stderr for people.
fn announce(ready: &Ready) {
    let mut stdout = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(ready) {
        // Nobody may be reading; that is no reason to stop.
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
    let place = |place: &Option<String>| place.clone().unwrap_or_else(|| "closed".to_owned());
    tracing::info!(
        tls = ready.tls,
        otlp_http = place(&ready.otlp_http),
        otlp_grpc = place(&ready.otlp_grpc),
        agent_socket = place(&ready.agent_socket),
        reader = place(&ready.reader),
        "recording into {}",
        ready.store.display()
    );
}

/// Receives SIGTERM and SIGINT from the call on; ends with the first of them.
pub(crate) fn stop_signals() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        let (Ok(mut term), Ok(mut int)) = signals else {
            tracing::error!("signals cannot be received; stop with SIGKILL");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}
