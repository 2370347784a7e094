//! `recount llm`: a relay to the interface of a language model. What passes is recorded as the SDK's capture has it:
//! model, tokens, each tool call a decision, messages once per session by digest; anything else as a call over HTTP.

use bytes::Bytes;
use http::{Method, Response};
use recount::capture::http::Unrecorded;
use recount::capture::llm::{Api, ChatCall, Cut, Endpoint, Heard};
use recount::{Kind, Refused};
use reqwest_middleware::ClientWithMiddleware;
use serde::Deserialize;

use super::relay::{self, Body, Busy, Call, Ended, Relay, Upstream, Watch, addressed};
use crate::args::Llm;
use crate::command::Context;
use crate::failure::{Exit, Failure};

/// The longest request that is taken, in bytes: it is read before it is sent, because its record comes first.
const REQUEST_BYTES: usize = 64 << 20;

/// Runs it until it is told to stop.
pub(crate) fn run(context: &Context, args: &Llm) -> Result<Exit, Failure> {
    relay::run(context, "llm", &args.relaying, |recorder, upstream| {
        Ok(Models {
            client: relay::client(relay::layer(recorder))?,
            upstream,
            provider: args.provider.clone(),
        })
    })
}

struct Models {
    client: ClientWithMiddleware,
    upstream: Upstream,
    provider: Option<String>,
}

impl Relay for Models {
    async fn answer(&self, call: Call) -> Response<Body> {
        match Api::at(call.parts.uri.path()) {
            Some(api) if call.parts.method == Method::POST => self.model(api, call).await,
            _ => relay::pass(&self.client, &self.upstream, call).await,
        }
    }
}

impl Models {
    async fn model(&self, api: Api, mut call: Call) -> Response<Body> {
        let sent = match call.collected(REQUEST_BYTES).await {
            Ok(sent) => sent,
            Err(answer) => return answer,
        };
        let begun = match self.begin(api, &call, &sent).await {
            Ok(begun) => begun,
            Err(refused) => return self.upstream.refused(&refused),
        };
        let request = self.upstream.request(&call.parts, sent.into());
        let mut extensions = http::Extensions::new();
        extensions.insert(Unrecorded);
        let response = self
            .client
            .execute_with_extensions(request, &mut extensions)
            .await;
        match response {
            Ok(response) => {
                let listener = Listener::new(api, begun, &response, call.busy());
                self.upstream.answer(response, listener)
            }
            Err(error) => {
                let class = match &error {
                    error if error.is_timeout() => "timeout",
                    error if error.is_connect() => "connect",
                    _ => "request",
                };
                let (answer, why) = self.upstream.unanswered(&error);
                begun.failed(class, &why, !error.is_connect());
                answer
            }
        }
    }

    async fn begin(&self, api: Api, call: &Call, sent: &[u8]) -> Result<ChatCall, Refused> {
        let text = String::from_utf8_lossy(sent);
        let model = model(&text);
        let target = addressed(&Kind::Llm, &call.host(), &format!("/{model}"));
        let host = self.upstream.host();
        let to = Endpoint {
            provider: self.provider.as_deref().unwrap_or(api.provider()),
            host: &host,
        };
        call.session(Some(target)).llm(api, to, &text, None).await
    }
}

/// The model that a request names.
fn model(request: &str) -> String {
    #[derive(Deserialize)]
    struct Asked {
        model: String,
    }
    let asked: Result<Asked, _> = serde_json::from_str(request);
    asked.map_or_else(|_| "unknown".to_owned(), |asked| asked.model)
}

/// Reads a reply as it passes, and ends the call with it.
struct Listener {
    call: ChatCall,
    heard: Heard,
    status: u16,
    retry_after: Option<i64>,
    _busy: Busy,
}

impl Listener {
    fn new(api: Api, call: ChatCall, response: &reqwest::Response, busy: Busy) -> Self {
        let retry_after = response.headers().get(http::header::RETRY_AFTER);
        Self {
            call,
            heard: Heard::new(api, relay::media_type(response.headers())),
            status: response.status().as_u16(),
            retry_after: retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok()),
            _busy: busy,
        }
    }
}

impl Watch for Listener {
    fn passed(&mut self, data: &Bytes) {
        self.heard.push(data);
    }

    fn ended(self, how: Ended) {
        let cut = match how {
            Ended::Whole => None,
            Ended::Failed(why) => Some(Cut::Failed(why)),
            Ended::Dropped => Some(Cut::Gone),
        };
        self.call
            .heard(self.status, self.retry_after, self.heard, cut);
    }
}
