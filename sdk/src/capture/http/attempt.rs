//! One request from begin to the end of its answer's body.

use http::{
    Extensions, HeaderMap, Method, StatusCode,
    header::{ETAG, IF_MATCH, LOCATION},
};
use reqwest::{Request, Response, ResponseBuilderExt as _, Url};
use reqwest_middleware::Next;
use vocabulary::{
    action::{Access, Effect, Kind, ReadAfter, ReadBefore},
    attribute,
    content::Content,
    id::ActionId,
    redaction,
};

use super::{
    Layer, Recorded,
    address::{self, Address},
    finish::{Changed, finish},
    outcome,
    own::{self, State, media_type},
    rule::Rule,
    tee::Tee,
};
use crate::{
    Action, ActionHandle, Ambient, Attributes, Diff,
    capture::step::{self, End, Plan},
};

/// What is known before a request is sent.
pub(super) struct Attempt<'a> {
    pub(super) layer: &'a Layer,
    pub(super) context: &'a Ambient,
    pub(super) access: Option<Access>,
    /// Which attempt it is, and of what.
    pub(super) attempt: (u32, Option<ActionId>),
}

/// A resource that the request writes, as it was before.
struct Watched<'a> {
    rule: &'a Rule,
    url: Url,
    before: State,
    read_before: ReadBefore,
}

impl Attempt<'_> {
    /// Sends `request` as one action; `begun` is told its id.
    pub(super) async fn run(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
        begun: impl FnOnce(ActionId),
    ) -> reqwest_middleware::Result<Response> {
        let access = self.access.unwrap_or_else(|| access_of(request.method()));
        let address = address::address(request.url());
        let plan = self.plan(&request, access, &address);
        // Where the request names a context of its own, what it is part of comes from there too.
        let builder = self.context.run(|| plan.in_session(self.context.session()));
        let action = match step::attempt(builder, self.attempt).begin().await {
            Ok(action) => action,
            Err(refused) => return Err(reqwest_middleware::Error::middleware(refused)),
        };
        begun(action.id());
        let url = request.url().clone();
        let user_headers = request.headers().clone();
        let watched = self.look_before(&action, &mut request, next.clone()).await;
        if self.layer.follows {
            self.layer
                .peers
                .tell(&url, &step::identity(&action), request.headers_mut());
        }
        match next.clone().run(request, extensions).await {
            Ok(response) => {
                let changed = match watched {
                    Some(watched) => {
                        self.look_after(
                            &action,
                            watched,
                            access,
                            &response,
                            (&url, &user_headers),
                            next,
                        )
                        .await
                    }
                    None => None,
                };
                Ok(self.answered(action, access, changed, response, &url))
            }
            Err(error) => {
                self.unanswered(action, access, watched, &error);
                Err(error)
            }
        }
    }

    fn plan(&self, request: &Request, access: Access, address: &Address) -> Plan {
        let method = request.method().as_str();
        let url = request.url();
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::HTTP_METHOD, method)
            .str(attribute::URL_FULL, &address.full)
            .removed(attribute::URL_FULL, address.removed.iter().cloned())
            .str(
                attribute::SERVER_ADDRESS,
                url.host_str().unwrap_or_default(),
            );
        if let Some(port) = url.port_or_known_default() {
            attributes.int(attribute::SERVER_PORT, i64::from(port));
        }
        headers(&mut attributes, "http.request.header", request.headers());
        let input = match request.body() {
            None => Content::absent(),
            Some(body) => match body.as_bytes() {
                Some(bytes) => Content::redacted(bytes, &media_type(request.headers())),
                None => Content::not_captured(None, "the body is a stream"),
            },
        };
        Plan {
            kind: Kind::Http,
            access,
            name: format!("{method} {}", redaction::replace(url.path()).0),
            operation: method.to_owned(),
            target: address.target.clone(),
            input,
            attributes,
        }
    }

    /// Reads what the request is about to write, where a rule says how.
    async fn look_before<'a>(
        &'a self,
        action: &ActionHandle,
        request: &mut Request,
        next: Next<'_>,
    ) -> Option<Watched<'a>> {
        let (rule, url) = self
            .layer
            .rules
            .iter()
            .find_map(|rule| Some((rule, rule.resource(request.method(), request.url())?)))?;
        if !rule.reads {
            let before = State::not_read("a rule says that it must not be read");
            return Some(Watched {
                rule,
                url,
                before,
                read_before: ReadBefore::NotRead,
            });
        }
        let like = (request.url(), request.headers());
        let limits = (&self.layer.budget, self.layer.spent.as_ref());
        let before = own::read(action, &url, like, next, limits).await;
        if let (true, Some(etag), false) = (
            rule.if_match,
            &before.etag,
            request.headers().contains_key(IF_MATCH),
        ) {
            request.headers_mut().insert(IF_MATCH, etag.clone());
        }
        // A weak tag never matches in `If-Match`, so it demands nothing.
        let demanded = before.etag.as_ref().is_some_and(|etag| {
            !etag.as_bytes().starts_with(b"W/")
                && request
                    .headers()
                    .get_all(IF_MATCH)
                    .iter()
                    .any(|wanted| wanted == etag)
        });
        let read_before = match (before.read, demanded) {
            (false, _) => ReadBefore::NotRead,
            (true, true) => ReadBefore::PreconditionSent,
            (true, false) => ReadBefore::Unlocked,
        };
        Some(Watched {
            rule,
            url,
            before,
            read_before,
        })
    }

    /// What the answer's head, or a later read, says of the resource; nothing where the write did not happen.
    async fn look_after(
        &self,
        action: &ActionHandle,
        watched: Watched<'_>,
        access: Access,
        response: &Response,
        like: (&Url, &HeaderMap),
        next: Next<'_>,
    ) -> Option<Changed> {
        let (_, effect) = outcome::answered(response.status(), access);
        if effect == Effect::None {
            return None;
        }
        let Watched {
            rule,
            url,
            before,
            read_before,
        } = watched;
        let done = effect == Effect::Committed;
        let after = if done && rule.answers_with_resource && has_resource(response.status()) {
            None
        } else if rule.reads_again {
            let limits = (&self.layer.budget, self.layer.spent.as_ref());
            let state = own::read(action, &url, like, next, limits).await;
            let how = match (state.read, &state.etag, response.headers().get(ETAG)) {
                (false, ..) => ReadAfter::NotRead,
                (true, Some(read), Some(written)) if read == written => ReadAfter::EtagMatched,
                (true, ..) => ReadAfter::LaterRead,
            };
            Some((state.content, how))
        } else if done && access == Access::Delete {
            // RFC 9110, 9.3.5: these statuses say that the deletion has been enacted.
            Some((Content::absent(), ReadAfter::ResponseBody))
        } else if done {
            Some((
                Content::not_captured(None, "no rule says how to read it"),
                ReadAfter::NotRead,
            ))
        } else {
            Some((
                Content::unknown("the answer does not say whether it was written"),
                ReadAfter::NotRead,
            ))
        };
        Some(Changed {
            resource: address::target(&url),
            before: before.content,
            read_before,
            after,
            effect,
        })
    }

    /// Hands the response on; the action ends with its body.
    fn answered(
        &self,
        action: Action,
        access: Access,
        changed: Option<Changed>,
        response: Response,
        url: &Url,
    ) -> Response {
        let status = response.status();
        if let Some(event) = outcome::security(status) {
            let mut attributes = Attributes::new();
            attributes.int(attribute::HTTP_STATUS, i64::from(status.as_u16()));
            if let Some(seconds) = outcome::retry_after(response.headers()) {
                attributes.int(attribute::RETRY_AFTER_S, seconds);
            }
            action.security(
                event,
                status.canonical_reason().unwrap_or_default(),
                &attributes,
            );
        }
        let (outcome, effect) = outcome::answered(status, access);
        let mut attributes = Attributes::new();
        attributes.int(attribute::HTTP_STATUS, i64::from(status.as_u16()));
        headers(&mut attributes, "http.response.header", response.headers());
        let end = End {
            outcome,
            effect,
            result: status.to_string(),
            output: None,
            fault: outcome::status_fault(status),
            attributes,
        };
        let recorded = Recorded {
            action: action.id(),
        };
        let media_type = media_type(response.headers());
        let response_url = response.url().clone();
        let (mut parts, body) = http::Response::from(response).into_parts();
        if let Ok(with_url) = http::Response::builder().url(response_url).body(()) {
            parts.extensions.extend(with_url.into_parts().0.extensions);
        }
        parts.extensions.insert(recorded);
        debug_assert!(url.has_host(), "only urls with a host are sent");
        let body = Tee::new(body, move |passed| {
            finish(action, end, changed, passed, &media_type)
        });
        Response::from(http::Response::from_parts(parts, reqwest::Body::wrap(body)))
    }

    /// Ends an action that got no answer.
    fn unanswered(
        &self,
        action: Action,
        access: Access,
        watched: Option<Watched<'_>>,
        error: &reqwest_middleware::Error,
    ) {
        let (outcome, effect) = outcome::unanswered(error, access);
        if let (Some(watched), Effect::Unknown) = (watched, effect) {
            let diff = Diff::of(address::target(&watched.url))
                .before(watched.before.content)
                .after(Content::unknown("no answer came"));
            action.diff(
                diff.read_before(watched.read_before)
                    .read_after(ReadAfter::NotRead)
                    .effect(effect),
            );
        }
        let fault = Some(outcome::error_fault(error));
        step::end(
            action,
            End {
                outcome,
                effect,
                result: "no answer".to_owned(),
                output: None,
                fault,
                attributes: Attributes::new(),
            },
        );
    }
}

/// What a method does, as RFC 9110 has it.
fn access_of(method: &Method) -> Access {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => Access::Read,
        Method::DELETE => Access::Delete,
        _ => Access::Write,
    }
}

/// Whether a body with this status can be the resource.
fn has_resource(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::CREATED)
}

/// Adds the headers that may be recorded, as OpenTelemetry names them.
fn headers(attributes: &mut Attributes, prefix: &str, headers: &HeaderMap) {
    for name in headers
        .keys()
        .filter(|name| redaction::header_is_kept(name.as_str()))
    {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        if *name == LOCATION || !values.is_empty() {
            attributes.texts(&format!("{prefix}.{name}"), &values);
        }
    }
}
