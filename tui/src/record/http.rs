//! `recount http`: a relay to a JSON API. Each call is recorded by the SDK's layer, and what a write changes where a
//! rule says how to see it.

mod rules;

use http::Response;
use recount::Recorder;
use reqwest_middleware::ClientWithMiddleware;

use self::rules::Rules;
use super::relay::{self, Body, Call, Relay, Upstream};
use crate::args::Http;
use crate::command::Context;
use crate::failure::{Exit, Failure};

/// Runs it until it is told to stop.
pub(crate) fn run(context: &Context, args: &Http) -> Result<Exit, Failure> {
    let text = match &args.rules {
        Some(file) => Some((file, rules::text(file)?)),
        None => None,
    };
    relay::run(context, "http", &args.relaying, |recorder, upstream| {
        let rules = match &text {
            Some((file, text)) => Rules::parse(file, text, &upstream.base())?,
            None => Rules::default(),
        };
        Ok(Api {
            client: client(recorder, rules)?,
            upstream,
        })
    })
}

fn client(recorder: &Recorder, rules: Rules) -> Result<ClientWithMiddleware, Failure> {
    let mut layer = relay::layer(recorder).budget(rules.budget);
    for rule in rules.rules {
        layer = layer.rule(rule);
    }
    relay::client(layer)
}

struct Api {
    client: ClientWithMiddleware,
    upstream: Upstream,
}

impl Relay for Api {
    async fn answer(&self, call: Call) -> Response<Body> {
        relay::pass(&self.client, &self.upstream, call).await
    }
}
