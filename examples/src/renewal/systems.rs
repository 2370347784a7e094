//! The systems the agent works on, reached over real connections that the SDK watches.

use super::{Failure, grant};
use crate::world::{CRM_HOST, DESK_HOST, LLM_HOST, MAIL_HOST, World, crm};
use recount::Handle;
use recount::capture::files::Files;
use recount::capture::http::{Layer, Retries, Rule};
use recount::capture::llm;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Systems {
    hosts: Vec<(String, SocketAddr)>,
    llm_base: String,
    llm_key: Option<String>,
    /// The model to ask.
    pub model: String,
    /// The contracts database.
    pub contracts: PathBuf,
    /// The folder for drafts.
    pub pending_review: PathBuf,
    /// Where the agent's recorder ships to.
    pub collector: String,
    /// Where the agent's recorder keeps what is not yet shipped.
    pub spool: PathBuf,
}

impl Systems {
    /// The world's systems; `OPENAI_BASE_URL`, `OPENAI_API_KEY` and `OPENAI_MODEL` name another model than the local
    /// one.
    #[must_use]
    pub fn of(world: &World, collector: String, spool: PathBuf) -> Self {
        let variable = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        Self {
            hosts: world
                .hosts()
                .map(|(name, address)| (name.to_owned(), address))
                .to_vec(),
            llm_base: variable("OPENAI_BASE_URL")
                .unwrap_or_else(|| format!("http://{LLM_HOST}/v1")),
            llm_key: variable("OPENAI_API_KEY"),
            model: variable("OPENAI_MODEL").unwrap_or_else(|| crate::world::llm::MODEL.into()),
            contracts: world.contracts(),
            pending_review: world.pending_review(),
            collector,
            spool,
        }
    }

    /// Clients that record into this session.
    pub(crate) fn for_session(&self, session: &Handle) -> Result<Clients, Failure> {
        let accounts = format!("http://{CRM_HOST}/accounts/{{id}}");
        let layer = Layer::new(session.recorder())
            .session(session)
            .tell(CRM_HOST)
            .tell(DESK_HOST)
            .rule(
                Rule::for_writes(["PATCH"], &accounts)?
                    .if_match()
                    .answers_with_resource(),
            )
            // A discount is set without asking whether it changed meanwhile: the diff is honestly unlocked.
            .rule(
                Rule::for_writes(["PUT"], &format!("{accounts}/discount"))?.answers_with_resource(),
            );
        Ok(Clients {
            web: layer.client(self.builder())?,
            llm: llm::Client::new(
                session.recorder(),
                self.builder().build()?,
                &self.llm_base,
                self.llm_key.as_deref(),
            )?,
            files: session
                .files()
                .root_named("pending-review", &self.pending_review),
            systems: self.clone(),
        })
    }

    /// A client to whom the world's host names lead to its loopback ports.
    fn builder(&self) -> reqwest::ClientBuilder {
        self.hosts
            .iter()
            .fold(crate::http::builder(), |builder, (name, address)| {
                builder.resolve(name, *address)
            })
    }

    /// As arguments for a process of the same agent.
    pub(crate) fn crm_address(&self) -> Option<SocketAddr> {
        self.hosts
            .iter()
            .find(|(name, _)| name == CRM_HOST)
            .map(|(_, address)| *address)
    }
}

/// The agent's clients, each recording what it does.
pub(crate) struct Clients {
    pub(crate) web: ClientWithMiddleware,
    pub(crate) llm: llm::Client,
    pub(crate) files: Files,
    pub(crate) systems: Systems,
}

impl Clients {
    /// A request to the CRM, as the agent.
    pub(crate) fn crm(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest_middleware::RequestBuilder {
        self.web
            .request(method, format!("http://{CRM_HOST}{path}"))
            .bearer_auth(crm::AGENT_TOKEN)
    }

    /// What the support desk has on an account. A desk that is overloaded is asked once more.
    pub(crate) async fn tickets(&self, account: u32) -> Result<Value, Failure> {
        let attempts = Retries::new();
        let ask = || {
            self.web
                .get(format!("http://{DESK_HOST}/accounts/{account}/tickets"))
                .with_extension(attempts.clone())
                .send()
        };
        let mut answer = ask().await?;
        if answer.status().is_server_error() {
            // Read to its end, so that the action ends when the answer did.
            answer.bytes().await?;
            answer = ask().await?;
        }
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Where mail would go.
    pub(crate) fn mail_target() -> String {
        format!("http:{MAIL_HOST}/send")
    }

    /// Reads what the CRM lets the agent do, and records it as the authorization in force.
    pub(crate) async fn read_permissions(&self, session: &Handle) -> Result<Vec<String>, Failure> {
        let answer: Value = self
            .crm(reqwest::Method::GET, "/permissions")
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let permissions: Vec<String> = serde_json::from_value(answer["permissions"].clone())?;
        session.authorization(&grant(
            answer["grant"].as_str().unwrap_or("unnamed"),
            permissions.clone(),
        ));
        Ok(permissions)
    }
}
