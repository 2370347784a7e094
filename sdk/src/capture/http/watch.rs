//! The resources that a request writes, before and after: the same for every client.

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LOCATION},
};
use url::Url;
use vocabulary::{
    action::{Access, Effect, ReadAfter, ReadBefore},
    content::Content,
};

use super::{
    address, outcome,
    own::{self, Budget, Reader, Spent, State},
    rule::{Rule, Written},
};
use crate::{Action, ActionHandle, Diff};

/// Rules and what they may cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Watching {
    pub(super) rules: Vec<Rule>,
    pub(super) budget: Budget,
    pub(super) spent: std::sync::Arc<Spent>,
}

/// What a request writes by one rule.
pub(super) struct Watched {
    rule: Rule,
    resources: Vec<Resource>,
    /// Why something that is written is not among the resources.
    unseen: Option<String>,
}

/// One resource, as it was before.
struct Resource {
    url: Url,
    before: State,
    read_before: ReadBefore,
}

/// What of a diff is known when the answer's head has arrived.
pub(super) struct Changed {
    pub(super) resource: Subject,
    pub(super) before: Content,
    pub(super) read_before: ReadBefore,
    /// What was read after; `None` if the answer's body is the resource.
    pub(super) after: Option<(Content, ReadAfter)>,
    pub(super) effect: Effect,
}

/// What changed.
pub(super) enum Subject {
    Named(String),
    /// What the answer's body names, by a rule; else the URL that was written to.
    InBody(Box<(Rule, Url)>),
}

impl Subject {
    /// Its name, once the body is known.
    pub(super) fn named(self, body: &[u8]) -> String {
        match self {
            Self::Named(name) => name,
            Self::InBody(known) => {
                let (rule, url) = *known;
                address::target(rule.located(&url, body).as_ref().unwrap_or(&url))
            }
        }
    }
}

/// A request as rules see it.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    /// What the user sends; only guards are added.
    pub(super) headers: &'a mut HeaderMap,
    /// Where all of it is known.
    pub(super) body: Option<&'a [u8]>,
}

impl Watching {
    /// Reads what the request is about to write, where a rule says how.
    pub(super) async fn before(
        &self,
        action: &ActionHandle,
        asked: Asked<'_>,
        reader: &dyn Reader,
    ) -> Option<Watched> {
        let Asked {
            method,
            url,
            headers,
            body,
        } = asked;
        let (rule, written) = self
            .rules
            .iter()
            .find_map(|rule| Some((rule, rule.written(method, url, body)?)))?;
        let (urls, unseen) = match written {
            Written::New => (Vec::new(), None),
            Written::One(url) => (vec![url], None),
            Written::Unknown(why) => (Vec::new(), Some(why.to_owned())),
            Written::Many(urls, 0) => (urls, None),
            Written::Many(urls, more) => (urls, Some(format!("{more} more items are written"))),
        };
        let mut resources = Vec::with_capacity(urls.len());
        let alone = urls.len() == 1;
        for resource in urls {
            let (before, read_before) = if rule.reads {
                let like = (url, &*headers);
                let limits = (&self.budget, self.spent.as_ref());
                let before = own::read(action, &resource, like, reader, limits).await;
                let certain = alone && guard(rule, &before, headers);
                let read_before = match (before.read, certain) {
                    (false, _) => ReadBefore::NotRead,
                    (true, true) => ReadBefore::PreconditionSent,
                    (true, false) => ReadBefore::Unlocked,
                };
                (before, read_before)
            } else {
                let before = State::not_read("a rule says that it must not be read");
                (before, ReadBefore::NotRead)
            };
            resources.push(Resource {
                url: resource,
                before,
                read_before,
            });
        }
        Some(Watched {
            rule: rule.clone(),
            resources,
            unseen,
        })
    }

    /// What the answer's head, or a later read, says of the resources; nothing where the write did not happen.
    pub(super) async fn after(
        &self,
        action: &ActionHandle,
        watched: Watched,
        access: Access,
        answer: (StatusCode, &HeaderMap),
        like: (&Url, &HeaderMap),
        reader: &dyn Reader,
    ) -> Vec<Changed> {
        let (status, headers) = answer;
        let (_, effect) = outcome::answered(status, access);
        if effect == Effect::None {
            return Vec::new();
        }
        let Watched {
            rule,
            mut resources,
            unseen,
        } = watched;
        let mut changed = Vec::with_capacity(resources.len() + 1);
        let alone = resources.len() == 1;
        if rule.creates {
            match created(&rule, status, headers, like.0) {
                Ok(resource) => resources.push(resource),
                Err(in_body) => changed.push(*in_body),
            }
        }
        for resource in resources {
            let shown = rule.answers_with_resource && (alone || rule.creates);
            let after = self
                .one_after(
                    action,
                    &rule,
                    &resource.url,
                    (access, effect, shown),
                    answer,
                    like,
                    reader,
                )
                .await;
            changed.push(Changed {
                resource: Subject::Named(address::target(&resource.url)),
                before: resource.before.content,
                read_before: resource.read_before,
                after,
                effect,
            });
        }
        if let Some(why) = unseen {
            changed.push(Changed {
                resource: Subject::Named(address::target(like.0)),
                before: Content::not_captured(None, &why),
                read_before: ReadBefore::NotRead,
                after: Some((Content::not_captured(None, &why), ReadAfter::NotRead)),
                effect,
            });
        }
        changed
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what is known of one resource after its write"
    )]
    async fn one_after(
        &self,
        action: &ActionHandle,
        rule: &Rule,
        url: &Url,
        (access, effect, shown): (Access, Effect, bool),
        (status, headers): (StatusCode, &HeaderMap),
        like: (&Url, &HeaderMap),
        reader: &dyn Reader,
    ) -> Option<(Content, ReadAfter)> {
        let done = effect == Effect::Committed;
        if done && shown && matches!(status, StatusCode::OK | StatusCode::CREATED) {
            None
        } else if rule.reads_again {
            let limits = (&self.budget, self.spent.as_ref());
            let state = own::read(action, url, like, reader, limits).await;
            let how = match (state.read, &state.etag, headers.get(ETAG)) {
                (false, ..) => ReadAfter::NotRead,
                (true, Some(read), Some(written)) if read == written => ReadAfter::EtagMatched,
                (true, ..) => ReadAfter::LaterRead,
            };
            Some((state.content, how))
        } else if done && access == Access::Delete {
            // RFC 9110, 9.3.5: these statuses say that the deletion has been enacted.
            Some((Content::absent(), ReadAfter::ResponseBody))
        } else if done {
            let content = Content::not_captured(None, "no rule says how to read it");
            Some((content, ReadAfter::NotRead))
        } else {
            let content = Content::unknown("the answer does not say whether it was written");
            Some((content, ReadAfter::NotRead))
        }
    }
}

/// Adds the guard that a rule asks for, and says whether *before* is certain with what is sent.
fn guard(rule: &Rule, before: &State, headers: &mut HeaderMap) -> bool {
    if let (true, Some(etag), false) = (
        rule.if_match || rule.if_unmodified_since,
        &before.etag,
        headers.contains_key(IF_MATCH),
    ) {
        headers.insert(IF_MATCH, etag.clone());
    } else if let (true, None, Some(time), false) = (
        rule.if_unmodified_since,
        &before.etag,
        &before.modified,
        headers.contains_key(IF_UNMODIFIED_SINCE),
    ) {
        headers.insert(IF_UNMODIFIED_SINCE, time.clone());
    }
    // A weak tag never matches in `If-Match`, so it demands nothing.
    let demands = |etag: &HeaderValue| {
        !etag.as_bytes().starts_with(b"W/")
            && headers.get_all(IF_MATCH).iter().any(|sent| sent == etag)
    };
    before.etag.as_ref().is_some_and(demands)
}

/// The resource that a write made, where the answer's head names it; else what its body may name.
fn created(
    rule: &Rule,
    status: StatusCode,
    headers: &HeaderMap,
    url: &Url,
) -> Result<Resource, Box<Changed>> {
    let before = match status {
        StatusCode::CREATED => Content::absent(),
        _ => Content::unknown("the answer does not say that it is new"),
    };
    let location = headers
        .get(LOCATION)
        .and_then(|to| url.join(to.to_str().ok()?).ok());
    match location {
        Some(url) => Ok(Resource {
            url,
            before: State {
                content: before,
                ..State::not_read("")
            },
            read_before: ReadBefore::NotRead,
        }),
        None => Err(Box::new(Changed {
            resource: match rule.is_located_by_body() {
                true => Subject::InBody(Box::new((rule.clone(), url.clone()))),
                false => Subject::Named(address::target(url)),
            },
            before,
            read_before: ReadBefore::NotRead,
            after: (!rule.answers_with_resource).then(|| {
                let why = "no rule says how to read it";
                (Content::not_captured(None, why), ReadAfter::NotRead)
            }),
            effect: Effect::Committed,
        })),
    }
}

impl Watched {
    /// No answer came, and the write may have happened.
    pub(super) fn unanswered(self, action: &Action, effect: Effect) {
        if effect != Effect::Unknown {
            return;
        }
        for resource in self.resources {
            let diff = Diff::of(address::target(&resource.url))
                .before(resource.before.content)
                .after(Content::unknown("no answer came"));
            action.diff(
                diff.read_before(resource.read_before)
                    .read_after(ReadAfter::NotRead)
                    .effect(effect),
            );
        }
    }
}
