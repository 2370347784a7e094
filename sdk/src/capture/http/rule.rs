//! Resource rules: which writes change which resource, and how the recorder may read it.

use http::Method;
use serde_json::Value;
use url::Url;

/// A URL with placeholders, as `https://crm.example.test/accounts/{id}`: each `{name}` stands for one path segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    /// Scheme, host and port, as `Url` writes them.
    origin: String,
    segments: Vec<String>,
}

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRule {
    /// It is no absolute URL.
    #[error("{template:?} is no absolute http or https url: {why}")]
    NotAUrl {
        /// The template as given.
        template: String,
        /// What is wrong with it.
        why: String,
    },
    /// The read template has a placeholder that the write template does not fill.
    #[error("{template:?} has the placeholder {name:?}, which the written url does not fill")]
    Unfilled {
        /// The template as given.
        template: String,
        /// The placeholder.
        name: String,
    },
}

impl Template {
    fn parse(template: &str) -> Result<Self, MalformedRule> {
        let not_a_url = |why: String| MalformedRule::NotAUrl {
            template: template.to_owned(),
            why,
        };
        let (before, path) = match template
            .find("://")
            .and_then(|at| template[at + 3..].find('/').map(|to| at + 3 + to))
        {
            Some(at) => template.split_at(at),
            None => (template, "/"),
        };
        let url = Url::parse(before).map_err(|error| not_a_url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https")
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(not_a_url(
                "it may have scheme, host, port and path only".to_owned(),
            ));
        }
        let segments = path
            .trim_start_matches('/')
            .split('/')
            .map(str::to_owned)
            .collect();
        Ok(Self {
            origin: origin(&url),
            segments,
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .filter_map(|segment| placeholder(segment))
    }

    /// What each placeholder stands for in `url`, or `None` if the template does not match it.
    fn matches<'a>(&'a self, url: &'a Url) -> Option<Vec<(&'a str, &'a str)>> {
        if origin(url) != self.origin {
            return None;
        }
        let segments: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        if segments.len() != self.segments.len() {
            return None;
        }
        let mut filled = Vec::new();
        for (template, segment) in self.segments.iter().zip(segments) {
            match placeholder(template) {
                Some(name) if !segment.is_empty() => filled.push((name, segment)),
                Some(_) => return None,
                None if template == segment => {}
                None => return None,
            }
        }
        Some(filled)
    }

    /// The URL with each placeholder replaced.
    fn fill(&self, values: &[(&str, &str)]) -> Option<Url> {
        let mut path = Vec::new();
        for segment in &self.segments {
            let segment = match placeholder(segment) {
                Some(name) => values.iter().find(|(known, _)| *known == name)?.1,
                None => segment.as_str(),
            };
            path.push(segment);
        }
        Url::parse(&format!("{}/{}", self.origin, path.join("/"))).ok()
    }
}

fn placeholder(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn origin(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

/// How to see what a write changes. Without a rule, a write is recorded without the state around it.
///
/// ```
/// # use recount::capture::http::Rule;
/// let rule = Rule::for_writes(["PUT", "PATCH", "DELETE"], "https://crm.example.test/accounts/{id}")?
///     .if_match()
///     .answers_with_resource();
/// # Ok::<(), recount::capture::http::MalformedRule>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    methods: Vec<Method>,
    written: Template,
    read: Template,
    pub(super) reads: bool,
    pub(super) if_match: bool,
    pub(super) if_unmodified_since: bool,
    /// The write makes a new resource.
    pub(super) creates: bool,
    /// Where in the answer the id of a new resource is, and where it lies then.
    located: Option<(String, Template)>,
    /// Where in the request the items of a bulk write are, what names each, and where it lies.
    bulk: Option<(String, String, Template)>,
    pub(super) answers_with_resource: bool,
    pub(super) reads_again: bool,
}

impl Rule {
    /// A rule for requests with one of `methods` to URLs matching `template`; the resource is read with `GET` from
    /// the same URL. Methods that are no tokens match nothing.
    ///
    /// # Errors
    /// If the template is no absolute `http` or `https` URL.
    pub fn for_writes<'a>(
        methods: impl IntoIterator<Item = &'a str>,
        template: &str,
    ) -> Result<Self, MalformedRule> {
        let written = Template::parse(template)?;
        Ok(Self {
            methods: methods
                .into_iter()
                .filter_map(|method| Method::from_bytes(method.as_bytes()).ok())
                .collect(),
            read: written.clone(),
            written,
            reads: true,
            if_match: false,
            if_unmodified_since: false,
            creates: false,
            located: None,
            bulk: None,
            answers_with_resource: false,
            reads_again: false,
        })
    }

    /// A rule for `POST` requests to `template` that make a new resource: it lies where the answer's `Location` says,
    /// and with a 201 there was none before.
    ///
    /// # Errors
    /// As [`Rule::for_writes`].
    pub fn for_creations(template: &str) -> Result<Self, MalformedRule> {
        let mut rule = Self::for_writes(["POST"], template)?;
        rule.creates = true;
        Ok(rule)
    }

    /// A new resource lies at `template` with `{item}` filled by what the answer's JSON has at the JSON Pointer `id`,
    /// where the answer has no `Location`.
    ///
    /// # Errors
    /// As [`Rule::read_from`], of which `{item}` is a placeholder more.
    pub fn located_by(mut self, id: &str, template: &str) -> Result<Self, MalformedRule> {
        let template = self.of_items(template)?;
        self.creates = true;
        self.located = Some((id.to_owned(), template));
        Ok(self)
    }

    /// The request's JSON has a list at the JSON Pointer `items` (empty: the body is the list), and each item names its
    /// resource at the JSON Pointer `id` (empty: the item is the name): it lies at `template` with `{item}` filled by
    /// that. Each is a diff; the first 100 are looked at, and that there were more is said.
    ///
    /// # Errors
    /// As [`Rule::located_by`].
    pub fn bulk(mut self, items: &str, id: &str, template: &str) -> Result<Self, MalformedRule> {
        let template = self.of_items(template)?;
        self.bulk = Some((items.to_owned(), id.to_owned(), template));
        Ok(self)
    }

    fn of_items(&self, template: &str) -> Result<Template, MalformedRule> {
        let read = Template::parse(template)?;
        let known = |name: &str| name == ITEM || self.written.names().any(|known| known == name);
        let unfilled = read.names().find(|name| !known(name)).map(str::to_owned);
        match unfilled {
            Some(name) => Err(MalformedRule::Unfilled {
                template: template.to_owned(),
                name,
            }),
            None => Ok(read),
        }
    }

    /// Reads the resource from another URL, filled with what the written URL's placeholders stand for.
    ///
    /// # Errors
    /// If the template is no URL, or has a placeholder that the written template lacks.
    pub fn read_from(mut self, template: &str) -> Result<Self, MalformedRule> {
        let read = Template::parse(template)?;
        if let Some(name) = read
            .names()
            .find(|name| !self.written.names().any(|known| known == *name))
        {
            return Err(MalformedRule::Unfilled {
                template: template.to_owned(),
                name: name.to_owned(),
            });
        }
        self.read = read;
        Ok(self)
    }

    /// Sends `If-Match` with the entity tag that was read, so that *before* is certain: a write that somebody else
    /// overtook fails with 412 where it would have succeeded. Changes what the agent does; off unless asked for.
    pub fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    /// Sends `If-Unmodified-Since` with the time that was read, where the server gives no entity tag; else as
    /// [`Rule::if_match`]. Times have seconds only: a write of the same second is not noticed, so *before* stays
    /// `unlocked`.
    pub fn if_unmodified_since(mut self) -> Self {
        self.if_unmodified_since = true;
        self
    }

    /// A successful answer's body is the resource after the write.
    pub fn answers_with_resource(mut self) -> Self {
        self.answers_with_resource = true;
        self
    }

    /// Reads the resource once more after the write, where the answer does not show it.
    pub fn read_again(mut self) -> Self {
        self.reads_again = true;
        self
    }

    /// Never reads the resource: for reads that cost, count or change something. The diff then says so.
    pub fn do_not_read(mut self) -> Self {
        self.reads = false;
        self.reads_again = false;
        self.if_match = false;
        self.if_unmodified_since = false;
        self
    }

    /// What a request with this JSON body writes, if the rule is about it.
    pub(super) fn written(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
    ) -> Option<Written> {
        if !self.methods.contains(method) {
            return None;
        }
        let values = self.written.matches(url)?;
        if self.creates {
            return Some(Written::New);
        }
        let Some((items, id, template)) = &self.bulk else {
            return self.read.fill(&values).map(Written::One);
        };
        let parsed = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let Some(list) = parsed
            .as_ref()
            .and_then(|body| body.pointer(items)?.as_array())
        else {
            return Some(Written::Unknown(
                "the request has no list where the rule says",
            ));
        };
        let of = |item: &Value| fill_item(template, &values, item.pointer(id)?);
        let found: Vec<Url> = list.iter().take(ITEMS).filter_map(of).collect();
        let unseen = list.len() - found.len();
        Some(Written::Many(found, unseen))
    }

    /// Where a new resource lies, as the answer has it.
    pub(super) fn located(&self, url: &Url, body: &[u8]) -> Option<Url> {
        let (id, template) = self.located.as_ref()?;
        let values = self.written.matches(url)?;
        let body: Value = serde_json::from_slice(body).ok()?;
        fill_item(template, &values, body.pointer(id)?)
    }

    /// Whether the answer says by its body where the new resource lies.
    pub(super) fn is_located_by_body(&self) -> bool {
        self.located.is_some()
    }
}

/// The placeholder of an item.
const ITEM: &str = "item";

/// How many items of a bulk write are looked at.
const ITEMS: usize = 100;

/// What a request writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The resource that is read here.
    One(Url),
    /// A resource that is not there yet.
    New,
    /// Some resources, and so many that are not looked at.
    Many(Vec<Url>, usize),
    /// Nobody can tell, and why.
    Unknown(&'static str),
}

fn fill_item(template: &Template, values: &[(&str, &str)], id: &Value) -> Option<Url> {
    let id = match id {
        Value::String(text) if !text.is_empty() => segment(text),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut values = values.to_vec();
    values.push((ITEM, &id));
    template.fill(&values)
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // A segment of dots would lead elsewhere.
    if out.bytes().all(|byte| byte == b'.') {
        out = out.replace('.', "%2E");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fills_the_read_url_from_the_written_one() {
        let rule = Rule::for_writes(["POST"], "http://127.0.0.1:81/accounts/{id}/stage").unwrap();
        let rule = rule.read_from("http://127.0.0.1:81/accounts/{id}").unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        let written = url("http://127.0.0.1:81/accounts/a%20b/stage?x=1");
        assert_eq!(
            rule.written(&Method::POST, &written, None),
            Some(Written::One(url("http://127.0.0.1:81/accounts/a%20b")))
        );
        assert_eq!(rule.written(&Method::PUT, &written, None), None);
        assert_eq!(
            rule.written(
                &Method::POST,
                &url("http://127.0.0.1:82/accounts/1/stage"),
                None
            ),
            None
        );
        assert_eq!(
            rule.written(
                &Method::POST,
                &url("http://127.0.0.1:81/accounts//stage"),
                None
            ),
            None
        );
    }

    #[test]
    fn the_items_of_a_bulk_write_are_found_in_its_body() {
        let url = |text: &str| Url::parse(text).unwrap();
        let rule = Rule::for_writes(["PATCH"], "http://h/{org}/batch").unwrap();
        let rule = rule
            .bulk("/rows", "/id", "http://h/{org}/rows/{item}")
            .unwrap();
        let of = |body: &str| {
            rule.written(
                &Method::PATCH,
                &url("http://h/7/batch"),
                Some(body.as_bytes()),
            )
            .unwrap()
        };
        assert_eq!(
            of(r#"{"rows":[{"id":1},{"id":"../x"},{"name":"no id"}]}"#),
            Written::Many(
                vec![url("http://h/7/rows/1"), url("http://h/7/rows/..%2Fx")],
                1
            )
        );
        assert!(matches!(of("no json"), Written::Unknown(_)));
        let many: Vec<String> = (0..120).map(|id| format!("{{\"id\":{id}}}")).collect();
        let Written::Many(seen, unseen) = of(&format!("{{\"rows\":[{}]}}", many.join(","))) else {
            panic!("many");
        };
        assert_eq!((seen.len(), unseen), (100, 20));
        let created = Rule::for_creations("http://h/rows").unwrap();
        let created = created.located_by("/id", "http://h/rows/{item}").unwrap();
        assert_eq!(
            created.located(&url("http://h/rows"), br#"{"id":".."}"#),
            Some(url("http://h/rows/%2E%2E"))
        );
    }

    #[test]
    fn malformed_templates_are_named() {
        assert!(matches!(
            Rule::for_writes(["PUT"], "/accounts/{id}"),
            Err(MalformedRule::NotAUrl { .. })
        ));
        assert!(matches!(
            Rule::for_writes(["PUT"], "ftp://h/x"),
            Err(MalformedRule::NotAUrl { .. })
        ));
        let rule = Rule::for_writes(["PUT"], "http://h/{a}").unwrap();
        assert!(matches!(
            rule.read_from("http://h/{b}"),
            Err(MalformedRule::Unfilled { .. })
        ));
    }
}
