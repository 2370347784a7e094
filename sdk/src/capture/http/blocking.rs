//! The blocking twin of a client with the layer, for programs without a runtime.

use std::io::{self, Read};
use std::ops::Deref;

use bytes::{Buf as _, Bytes};
use http::{Extensions, HeaderMap, StatusCode};
use reqwest::{Response, Url};
use reqwest_middleware::{ClientWithMiddleware, Error, RequestBuilder, Result};
use serde::de::DeserializeOwned;

use super::Layer;
use crate::capture::driver::Driver;

/// A client whose requests are sent with [`Blocking::send`]: recorded as by [`Layer::client`], the thread waiting
/// meanwhile. A thread of its own does the work; no runtime is needed, and inside one it blocks that one's thread.
///
/// ```no_run
/// # fn example(session: &recount::Handle) -> Result<(), Box<dyn std::error::Error>> {
/// use recount::capture::http::Layer;
///
/// let crm = Layer::new(session.recorder())
///     .session(session)
///     .blocking_client(reqwest::Client::builder())?;
/// let account = crm.send(crm.get("https://crm.example.test/accounts/17"))?;
/// println!("{} {}", account.status(), account.text()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Blocking {
    client: ClientWithMiddleware,
    driver: Driver,
}

/// A blocking client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// As [`reqwest::ClientBuilder::build`].
    #[error(transparent)]
    Client(#[from] reqwest::Error),
    /// Its thread cannot be started.
    #[error("cannot start the thread of a blocking client: {0}")]
    Thread(#[from] io::Error),
}

impl Layer {
    /// As [`Layer::client`], for code that blocks.
    ///
    /// # Errors
    /// As [`reqwest::ClientBuilder::build`], or if a thread cannot be started.
    pub fn blocking_client(
        self,
        builder: reqwest::ClientBuilder,
    ) -> std::result::Result<Blocking, BlockingError> {
        let driver = Driver::start()?;
        let client = self.client(builder)?;
        Ok(Blocking { client, driver })
    }
}

impl Deref for Blocking {
    type Target = ClientWithMiddleware;

    fn deref(&self) -> &ClientWithMiddleware {
        &self.client
    }
}

impl Blocking {
    /// Sends a request that this client built, and gives its answer once its head has arrived.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`], which it is used instead of.
    pub fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let sent = self.driver.wait(request.send());
        let response = sent.map_err(Error::middleware)??;
        Ok(Answer {
            response: Some(response),
            unread: Bytes::new(),
            driver: self.driver.clone(),
        })
    }
}

/// The answer to a request; its body is read with one of the methods or as [`Read`]. The action ends with the body:
/// read to its end, failed or dropped.
#[derive(Debug)]
pub struct Answer {
    /// Absent only while a chunk of it is waited for, and after that panicked.
    response: Option<Response>,
    /// Of a chunk, what [`Read`] did not hand out yet.
    unread: Bytes,
    driver: Driver,
}

impl Answer {
    fn of<T>(&self, field: impl FnOnce(&Response) -> T) -> Option<T> {
        self.response.as_ref().map(field)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.of(Response::status).unwrap_or_default()
    }

    /// The headers.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.response.as_ref().map(Response::headers)
    }

    /// Where it came from, redirects followed.
    pub fn url(&self) -> Option<&Url> {
        self.response.as_ref().map(Response::url)
    }

    /// What was attached to it on the way: [`super::Recorded`] names its action.
    pub fn extensions(&self) -> Option<&Extensions> {
        self.response.as_ref().map(Response::extensions)
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn chunk(&mut self) -> Result<Option<Bytes>> {
        let Some(mut response) = self.response.take() else {
            return Ok(None);
        };
        let waited = self.driver.wait(async move {
            let chunk = response.chunk().await;
            (response, chunk)
        });
        let (response, chunk) = waited.map_err(Error::middleware)?;
        self.response = Some(response);
        Ok(chunk?)
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        let mut body = self.unread.to_vec();
        while let Some(chunk) = self.chunk()? {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The rest of the body as text; what is no UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn text(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If the connection fails, or the body is no such JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        serde_json::from_slice(&self.bytes()?).map_err(Error::middleware)
    }
}

impl Read for Answer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() {
            match self.chunk().map_err(io::Error::other)? {
                Some(chunk) => self.unread = chunk,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.unread.len());
        self.unread.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
