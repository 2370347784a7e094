//! Resource rules: which writes change which resource, and how the recorder may read it.

use http::Method;
use reqwest::Url;

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
            answers_with_resource: false,
            reads_again: false,
        })
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
        self
    }

    /// Where to read the resource that this request writes, if the rule is about it.
    pub(super) fn resource(&self, method: &Method, url: &Url) -> Option<Url> {
        if !self.methods.contains(method) {
            return None;
        }
        self.read.fill(&self.written.matches(url)?)
    }
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
            rule.resource(&Method::POST, &written),
            Some(url("http://127.0.0.1:81/accounts/a%20b"))
        );
        assert_eq!(rule.resource(&Method::PUT, &written), None);
        assert_eq!(
            rule.resource(&Method::POST, &url("http://127.0.0.1:82/accounts/1/stage")),
            None
        );
        assert_eq!(
            rule.resource(&Method::POST, &url("http://127.0.0.1:81/accounts//stage")),
            None
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
