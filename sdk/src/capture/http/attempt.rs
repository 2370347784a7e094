//! One request of `reqwest` from begin to the end of its answer's body.

use http::{Extensions, HeaderMap};
use reqwest::{Method, Request, Response, ResponseBuilderExt as _, Url};
use reqwest_middleware::Next;
use vocabulary::{
    action::{Access, Outcome},
    content::Content,
    id::ActionId,
    record::ContentState,
};

use super::{
    Beginning, Layer, Recorded, address, asked,
    finish::finish,
    own::{Answered, Reader, media_type},
    tee::{Ended, Tee},
    unanswered,
    watch::{Asked, Changed},
};
use crate::{
    Action, Ambient, Attributes,
    capture::step::{self, End},
};

/// What is known before a request is sent.
pub(super) struct Attempt<'a> {
    pub(super) layer: &'a Layer,
    pub(super) context: &'a Ambient,
    pub(super) access: Option<Access>,
    /// Which attempt it is, and of what.
    pub(super) attempt: (u32, Option<ActionId>),
}

/// Own reads go where the request goes.
struct ByNext<'a>(Next<'a>);

#[async_trait::async_trait]
impl Reader for ByNext<'_> {
    async fn get(&self, url: &Url, headers: HeaderMap, most: usize) -> Result<Answered, String> {
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers;
        let next = self.0.clone();
        let mut response = next
            .run(request, &mut Extensions::new())
            .await
            .map_err(|error| error.without_url().to_string())?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Some(Vec::new());
        while let (Some(kept), Some(chunk)) = (
            &mut body,
            response
                .chunk()
                .await
                .map_err(|error| error.without_url().to_string())?,
        ) {
            kept.extend_from_slice(&chunk);
            if kept.len() > most {
                body = None;
            }
        }
        Ok(Answered {
            status,
            headers,
            body,
        })
    }
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
        let url = request.url().clone();
        let method = request.method().clone();
        let access = self.access.unwrap_or_else(|| asked::access_of(&method));
        let address = address::address(&url);
        let input = match request.body() {
            None => Content::absent(),
            Some(body) => match body.as_bytes() {
                Some(bytes) => Content::redacted(bytes, &media_type(request.headers())),
                None => match extensions.get::<Beginning>() {
                    Some(beginning) => begins(beginning, &media_type(request.headers())),
                    None => Content::not_captured(None, "the body is a stream"),
                },
            },
        };
        let plan = asked::plan(&method, &url, request.headers(), access, &address, input);
        // Where the request names a context of its own, what it is part of comes from there too.
        let builder = self.context.run(|| plan.in_session(self.context.session()));
        let action = match step::attempt(builder, self.attempt).begin().await {
            Ok(action) => action,
            Err(refused) => return Err(reqwest_middleware::Error::middleware(refused)),
        };
        begun(action.id());
        let reader = ByNext(next.clone());
        let watching = &self.layer.watching;
        let mut watched = None;
        if !watching.rules.is_empty() {
            let user_headers = request.headers().clone();
            let mut headers = user_headers.clone();
            let asked = Asked {
                method: &method,
                url: &url,
                headers: &mut headers,
                body: request.body().and_then(|body| body.as_bytes()),
            };
            let before = watching.before(&action, asked, &reader).await;
            watched = before.map(|watched| (watched, user_headers));
            *request.headers_mut() = headers;
        }
        if self.layer.follows {
            self.layer
                .peers
                .tell(&url, &step::identity(&action), request.headers_mut());
        }
        match next.run(request, extensions).await {
            Ok(response) => {
                let changed = match watched {
                    Some((watched, user_headers)) => {
                        let answer = (response.status(), response.headers());
                        let like = (&url, &user_headers);
                        watching
                            .after(&action, watched, access, answer, like, &reader)
                            .await
                    }
                    None => Vec::new(),
                };
                Ok(answered(
                    action,
                    access,
                    changed,
                    response,
                    self.layer.beside,
                ))
            }
            Err(error) => {
                let (outcome, effect) = unanswered::unanswered(&error, access);
                if let Some((watched, _)) = watched {
                    watched.unanswered(&action, effect);
                }
                let end = End {
                    outcome,
                    effect,
                    result: "no answer".to_owned(),
                    output: None,
                    fault: Some(unanswered::error_fault(&error)),
                    attributes: Attributes::new(),
                };
                step::end(action, end);
                Err(error)
            }
        }
    }
}

/// A body of which only the beginning is known when the request is sent.
fn begins(beginning: &Beginning, media_type: &str) -> Content {
    let mut content = Content::redacted(&beginning.bytes, media_type);
    content.state = ContentState::Truncated;
    content.size = beginning.size;
    content.digest = None;
    content.why = Some("the body is a stream".to_owned());
    content
}

/// Hands the response on; the action ends with its body.
fn answered(
    action: Action,
    access: Access,
    changed: Vec<Changed>,
    response: Response,
    beside: bool,
) -> Response {
    let mut end = asked::end(&action, access, response.status(), response.headers());
    let recorded = Recorded {
        action: action.id(),
    };
    let media_type = media_type(response.headers());
    let url = response.url().clone();
    let (mut parts, body) = http::Response::from(response).into_parts();
    if let Ok(with_url) = http::Response::builder().url(url).body(()) {
        parts.extensions.extend(with_url.into_parts().0.extensions);
    }
    parts.extensions.insert(recorded);
    let body = Tee::new(body, move |passed| {
        if beside && passed.ended == Ended::Dropped {
            end.outcome = Outcome::Cancelled;
        }
        finish(action, end, changed, passed, &media_type)
    });
    Response::from(http::Response::from_parts(parts, reqwest::Body::wrap(body)))
}
