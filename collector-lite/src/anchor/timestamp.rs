//! A time-stamping authority (RFC 3161): says that the checkpoint's text was there at its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::web::{Web, certificates};
use super::{Anchor, Failed, Given, Submission, token};

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
        let ca = match &self.ca {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let ca: Vec<CertificateDer<'_>> = ca
            .iter()
            .map(|certificate| CertificateDer::from(certificate.der()))
            .collect();
        let imprint: [u8; 32] = Sha256::digest(submission.text).into();
        let nonce = getrandom::u64().map_err(Failed::later)?;
        let headers = [("content-type", "application/timestamp-query")];
        let body = token::request(&imprint, nonce);
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
        let token = token::check(&answer.body, &imprint, nonce, &ca).map_err(Failed::wrong)?;
        Ok(Given {
            handle: format!(
                "time {}{}",
                token.time_s,
                if token.chained {
                    ""
                } else {
                    ", signer not traced to a CA"
                }
            ),
            receipt: token.der.clone(),
            beacon: Some(token.der),
            ..Given::default()
        })
    }
}
