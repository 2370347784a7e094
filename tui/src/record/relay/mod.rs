//! What every relay shares: it listens, knows whose call it is, passes it on, and stops in good order.
//!
//! A relay implements [`Relay::answer`]; [`run`] does the rest. It gets each request as a [`Call`], whose body has not
//! been read, and answers with any [`Body`]; [`Upstream::request`] and [`Upstream::answer`] carry messages over without
//! what belongs to one connection, and nothing is held back: the first byte of a stream passes as it comes, and who
//! reads slowly slows down who writes. [`Call::session`] is the handle to record with. It says by which span the caller
//! told of the call, so that the account tells an instrumented agent's record and the relay's as one action.
//!
//! A relay has no timeout of its own. Credentials in headers pass through and are kept nowhere.

mod body;
mod clients;
mod listen;
mod pass;
mod serve;
mod told;
mod upstream;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, request};
use recount::{Handle, Observed};

pub(crate) use body::{Body, Ended, Watch, full};
pub(crate) use clients::Busy;
use clients::Clients;
pub(crate) use listen::Listen;
pub(crate) use pass::{client, layer, pass};
pub(crate) use told::addressed;
pub(crate) use upstream::Upstream;

use super::declared::Declared;
use super::sender::{self, PATIENCE, Sender};
use crate::args::{OnLoss, Relaying};
use crate::command::Context;
use crate::failure::{Exit, Failure};

/// What a relay does with a request.
pub(crate) trait Relay: Send + Sync + 'static {
    /// Answers it. The future is dropped when the caller goes away.
    fn answer(&self, call: Call) -> impl Future<Output = Response<Body>> + Send;
}

/// One request, and who made it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: request::Parts,
    pub(crate) body: hyper::body::Incoming,
    client: clients::Client,
    relay: &'static str,
}

impl Call {
    /// The session to record in. `target` is the resource as the caller addressed it.
    pub(crate) fn session(&self, target: Option<String>) -> Handle {
        self.client.session.observing(Observed {
            span: self.client.span,
            target,
        })
    }

    /// Holds the session open: kept in whatever is still under way.
    pub(crate) fn busy(&self) -> Busy {
        self.client.busy.clone()
    }

    /// Host and port as the caller addressed them.
    pub(crate) fn host(&self) -> String {
        let authority = || self.parts.uri.authority().map(ToString::to_string);
        let header = self.parts.headers.get(http::header::HOST);
        header
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned)
            .or_else(authority)
            .unwrap_or_else(|| "localhost".to_owned())
    }
}

/// Runs a relay until it is told to stop. `make` gets where calls go.
pub(crate) fn run<R: Relay>(
    context: &Context,
    name: &'static str,
    args: &Relaying,
    make: impl FnOnce(&recount::Recorder, Upstream) -> Result<R, Failure>,
) -> Result<Exit, Failure> {
    let listen = Listen::parse(&args.listen)?;
    let upstream = Upstream::new(name, &args.upstream)?;
    let declared = Declared::read(name, &args.scope, args.intent.as_deref())?;
    let sender = match args.on_collector_loss {
        OnLoss::Refuse => {
            // Whoever is refused call after call looks for the reason in the wrong place.
            sender::reachable(&args.sending.endpoint)?;
            Sender::open(context, name, &args.sending.endpoint)?
        }
        OnLoss::Pass => Sender::open_spooling(context, name, &args.sending.endpoint)?,
    };
    let recorder = &sender.recorder;
    let relay = make(recorder, upstream)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Unavailable {
            place: args.listen.clone(),
            what: format!("no threads to work with: {error}"),
            hint: "look at the limits of this user's processes".to_owned(),
        })?;
    let clients = Clients::new(
        recorder,
        clients::Defaults {
            relay: name,
            request: args.request.clone(),
            agent: args.agent.clone(),
            content: args.content.map(Into::into),
            declared,
            idle: Duration::from_secs(args.idle),
        },
    );
    runtime.block_on(async {
        let listener = listen.bind().await?;
        context.note(&format!(
            "listening on {}, relaying to {}; records go to {}",
            listener.address(),
            args.upstream,
            args.sending.endpoint
        ));
        serve::serve(listener, relay, &clients).await;
        clients.quiet(PATIENCE).await;
        Ok::<(), Failure>(())
    })?;
    clients.end_all();
    let unsent = recorder.close_blocking(PATIENCE);
    if !unsent.is_none() {
        context.note(&format!(
            "{} wait in the spool: {}",
            crate::app::words::count(unsent.0, "record", "records"),
            recorder.last_error().unwrap_or_default()
        ));
    }
    Ok(Exit::Answered)
}

/// An answer of the relay's own, as the libraries that call it read errors. They do not try again by themselves what
/// the relay refused.
pub(crate) fn own_answer(status: StatusCode, name: &str, message: &str) -> Response<Body> {
    let error = serde_json::json!({
        "type": "error",
        "error": {
            "type": "recount_relay",
            "code": "recount_relay",
            "message": format!("recount {name}: {message}"),
        },
    });
    let mut response = Response::new(full(error.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = http::HeaderValue::from_static("application/json");
    headers.insert(http::header::CONTENT_TYPE, json);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let no = http::HeaderValue::from_static("false");
        headers.insert("x-should-retry", no);
    }
    response
}

/// The media type that a message states.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let stated = headers.get(http::header::CONTENT_TYPE);
    stated
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream")
}
