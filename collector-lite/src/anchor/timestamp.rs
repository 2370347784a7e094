//! A time-stamping authority (RFC 3161): says that the checkpoint's text was there at its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::stamp::{self, Authorities};

use super::web::Web;
use super::{Anchor, Failed, Given, Submission};

/// One authority.
#[derive(Debug)]
pub(crate) struct Timestamp {
    url: String,
    /// Certificates of the CA that its signers are traced to.
    ca: Option<PathBuf>,
    web: Web,
}

impl Timestamp {
    /// `ca` is the authority's, for its tokens; its web server, if it speaks TLS, is believed like any other.
    pub(crate) fn new(url: &str, ca: Option<&Path>, timeout: Duration) -> Self {
        Self {
            url: url.to_owned(),
            ca: ca.map(Path::to_path_buf),
            web: Web::new(timeout, None),
        }
    }
}

impl Anchor for Timestamp {
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed> {
        let authorities = match &self.ca {
            Some(path) => authorities(path)?,
            None => Authorities::none(),
        };
        let imprint = stamp::imprint(submission.checkpoint);
        let nonce = getrandom::u64().map_err(Failed::later)?;
        let headers = [("content-type", "application/timestamp-query")];
        let body = stamp::request(&imprint, nonce);
        let answer = self.web.ask("POST", &self.url, &headers, &body)?;
        if answer.status != 200 {
            let what = format!(
                "the authority answers {} {}",
                answer.status,
                answer.excerpt()
            );
            return Err(if answer.status >= 500 {
                Failed::Later(what)
            } else {
                Failed::Wrong(what)
            });
        }
        let (token, said) = stamp::check_response(&answer.body, &imprint, nonce, &authorities)
            .map_err(Failed::wrong)?;
        let untraced = match said.traced {
            true => "",
            false => ", signer not traced to a CA",
        };
        Ok(Given {
            handle: format!("time {}{untraced}", said.time_s),
            receipt: token.to_vec(),
            beacon: Some(token.to_vec()),
            ..Given::default()
        })
    }
}

/// The CAs in a PEM file.
fn authorities(path: &Path) -> Result<Authorities, Failed> {
    let wrong = |why: String| Failed::Wrong(format!("certificates in {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Authorities::pem(&pem).map_err(|error| wrong(error.to_string()))
}
