//! The HTTP client of the examples, with the one TLS provider the workspace links.

/// A client that can speak TLS (a real `OPENAI_BASE_URL` needs it) and plain HTTP.
///
/// # Errors
/// When the client cannot be set up, for example because the system has no root certificates.
pub fn client() -> reqwest::Result<reqwest::Client> {
    builder().build()
}

/// The same before it is built: no proxy, and the workspace's TLS provider.
pub fn builder() -> reqwest::ClientBuilder {
    // An earlier call has already installed it: that is the state we want.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}
