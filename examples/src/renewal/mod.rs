//! The renewal agent: an ordinary agent, instrumented with the SDK, that drafts renewal emails and runs into trouble.
//!
//! It works on the services it is given and knows nothing of the demo around it. What others do meanwhile (a colleague
//! edits an account, an administrator takes a permission away) comes through [`Surroundings`].

pub mod choose;
pub mod spelling;
pub mod subagent;
pub mod systems;

mod gather;
mod hand_over;
mod settle;
mod write;

use choose::{Candidate, Pick};
use jiff::civil::Date;
use recount::vocabulary::decision::Point;
use recount::vocabulary::id::DecisionId;
use recount::vocabulary::principal::PrincipalProof;
use recount::{Authorization, End, EndReason, Handle, Principal, Recorder, Session, TriggerKind};
use systems::Systems;

/// The agent's version, as it states it.
pub const VERSION: &str = "1.4.0";

/// The request this agent serves in the demo.
pub const REQUEST: &str = "47892";

/// What the user asked for, in their words.
pub const INTENT: &str = "draft a renewal email for our top 10 enterprise customers";

/// The version of the agent's own rules.
pub const RULES: &str = "renewal-rules 3";

/// What the user's request was declared to touch.
pub const SCOPE: &[&str] = &[
    "read http:crm.example.test/**",
    "write http:crm.example.test/accounts/*",
    "read http:desk.example.test/**",
    "read db:contracts/**",
    "write db:contracts/**",
    "send llm:**",
    "read file:pending-review/**",
    "write file:pending-review/**",
    "delete file:pending-review/**",
    "execute tool:**",
    "read tool:**",
    "execute process:**",
];

/// Any failure ends the run; the example has no use for telling them apart.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What happens around the agent while it works, and who watches.
pub trait Surroundings {
    /// A step of the story begins.
    fn step(&mut self, number: u8, what: &str);

    /// Something worth a line happened.
    fn note(&mut self, what: &str);

    /// The agent has read this account and is about to write it.
    fn before_write(&mut self, account: u32) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The agent has one account left to write.
    fn before_last_write(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Runs the agent to its end, records included.
///
/// # Errors
/// When a service it needs does not answer, or the recorder refuses an action.
pub async fn run(
    recorder: &Recorder,
    systems: &Systems,
    today: Date,
    around: &mut (impl Surroundings + Send),
) -> Result<(), Failure> {
    let session = start(recorder).await;
    let done = work(&session, systems, today, around).await;
    match &done {
        Ok(report) => {
            let end = End::from(EndReason::Partial).summary(report.as_str());
            session.end(end).await;
        }
        Err(_) => session.end(&done).await,
    }
    done.map(drop)
}

async fn start(recorder: &Recorder) -> Session {
    recorder
        .session(REQUEST)
        .alias("chat-2207")
        .agent("renewal-agent", VERSION)
        .trigger(
            TriggerKind::Chat,
            "https://chat.example.test/channels/renewals",
        )
        .asked_by(
            Principal::user("https://idp.example.test", "u-104")
                .display("user@example.test")
                .proof(PrincipalProof::VerifiedByAgent),
        )
        .intent(INTENT)
        .scope(SCOPE.iter().copied())
        .scope_declared_by("user@example.test")
        .start()
        .await
}

async fn work(
    session: &Handle,
    systems: &Systems,
    today: Date,
    around: &mut (impl Surroundings + Send),
) -> Result<String, Failure> {
    let systems = systems.for_session(session)?;
    systems.read_permissions(session).await?;
    let candidates = gather::candidates(session, &systems, today, around).await?;
    let (pick, why) = decide(session, candidates, around);
    let drafts = write::drafts(session, &systems, &pick, why, around).await?;
    let staged = settle::all(session, &systems, &pick, why, around).await?;
    write::check_spelling(session, &drafts, around).await?;
    hand_over::first_customer(session, &systems, &pick, around).await?;
    Ok(format!(
        "{} drafts wait for review; {staged} of {} CRM stages set, one refused by the CRM",
        drafts.len(),
        pick.chosen.len()
    ))
}

/// Which ten, and why not the others.
fn decide(
    session: &Handle,
    candidates: Vec<Candidate>,
    around: &mut impl Surroundings,
) -> (Pick, DecisionId) {
    around.step(5, "decide which ten");
    let labels: Vec<String> = candidates.iter().map(Candidate::label).collect();
    let pick = choose::most_valuable(candidates);
    let decision = session
        .decide("which ten customers get a renewal draft?")
        .point(Point::Rank)
        .by_code("most_valuable")
        .criteria("enterprise; contract ends within 60 days; no open severity-1 ticket")
        .ordering("yearly contract value, highest first")
        .candidates(&labels)
        .considered(&labels)
        .chose(pick.chosen.iter().map(Candidate::label))
        .discarded(
            pick.discarded
                .iter()
                .map(|(candidate, why)| (candidate.label(), why)),
        )
        .rationale("the most valuable contracts first, and nobody who waits for an urgent fix")
        .record();
    for (candidate, why) in &pick.discarded {
        around.note(&format!("not {}: {why}", candidate.label()));
    }
    (pick, decision.id())
}

/// The grant the agent works under, as the CRM describes it.
pub(crate) fn grant(version: &str, permissions: Vec<String>) -> Authorization {
    Authorization::new(format!("crm-grant-{version}"), "crm-agents")
        .version(version)
        .permissions(permissions)
        .granted_by("ops@example.test")
}
