//! Asking over HTTP: one agent per anchor, with a time limit, no redirects and bounded answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::Failed;

/// Longest answer that is read.
const MAX_ANSWER: u64 = 1 << 20;

/// An HTTP client for one anchor.
#[derive(Debug)]
pub(crate) struct Web {
    timeout: Duration,
    ca: Option<std::path::PathBuf>,
    agent: Option<ureq::Agent>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body, for messages.
    pub(crate) fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

impl Web {
    pub(crate) fn new(timeout: Duration, ca: Option<&Path>) -> Self {
        Self {
            timeout,
            ca: ca.map(Path::to_path_buf),
            agent: None,
        }
    }

    fn agent(&mut self) -> Result<ureq::Agent, Failed> {
        if let Some(agent) = &self.agent {
            return Ok(agent.clone());
        }
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None);
        if let Some(path) = &self.ca {
            let roots = RootCerts::Specific(Arc::new(certificates(path)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let agent: ureq::Agent = config.build().into();
        self.agent = Some(agent.clone());
        Ok(agent)
    }

    /// One exchange; any status is an answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Failed> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent = self.agent()?;
        let response = if body.is_empty() && matches!(method, "GET" | "HEAD") {
            agent.run(request.body(()).map_err(Failed::wrong)?)
        } else {
            agent.run(request.body(body).map_err(Failed::wrong)?)
        };
        let mut response = response.map_err(Failed::later)?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER);
        let body = body.read_to_vec().map_err(Failed::later)?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }
}

/// The certificates in a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, Failed> {
    let wrong = |why: String| Failed::Wrong(format!("certificates in {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(wrong("there are none".to_owned()));
    }
    Ok(found)
}
