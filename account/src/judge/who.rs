//! Who is responsible, role by role, and how well each is known.

use vocabulary::id::SessionRef;
use vocabulary::principal::{PrincipalProof, WhoRole};
use vocabulary::record::ProducerProof;
use vocabulary::source::Source;
use vocabulary::verdict::Approval;

use crate::fold::{Fold, Imported, Run};
use crate::model::{Agent, Authorization, Evidence, Principal, Standing, Who};

/// Everybody responsible, session by session.
pub(crate) fn collect(fold: &Fold) -> Vec<Who> {
    let mut who = Vec::new();
    for run in &fold.runs {
        who.push(asked(run));
        who.push(ran(run));
        allowed(run, &mut who);
        approved(fold, run.row.name, &mut who);
        who.push(owns(run));
        who.extend(run.imported.as_ref().map(|it| imported(run, it)));
    }
    // That nobody is named, nobody said.
    for row in who.iter_mut().filter(|row| row.identity.is_none()) {
        row.evidence.source = Source::Derived;
    }
    who
}

fn asked(run: &Run) -> Who {
    let proof = match run.principal.proof {
        PrincipalProof::Asserted => "said by the sender, not checked",
        PrincipalProof::TokenPresented => "a token was presented, not checked",
        PrincipalProof::VerifiedByAgent => "checked by the agent, on its word",
        PrincipalProof::VerifiedByCollector => "checked by the collector",
        PrincipalProof::Unknown => "unknown",
    };
    Who {
        role: WhoRole::Asked,
        session: run.row.name,
        identity: name(&run.principal),
        at: run.row.started_at,
        proof: proof.to_owned(),
        evidence: Evidence::new(Source::Stated, run.started.into_iter().collect())
            .with(&[("proof", Source::Observed)]),
    }
}

/// The name to show for a principal, with its issuer where there is one.
pub(crate) fn name(principal: &Principal) -> Option<String> {
    let name = principal.display.as_ref().or(principal.subject.as_ref())?;
    Some(match (&principal.subject, &principal.issuer) {
        (Some(subject), Some(issuer)) if subject != name => {
            format!("{name} ({subject} at {issuer})")
        }
        (_, Some(issuer)) => format!("{name} (at {issuer})"),
        _ => name.clone(),
    })
}

fn ran(run: &Run) -> Who {
    let proven = run
        .row
        .streams
        .iter()
        .filter(|stream| stream.standing != Standing::Claims)
        .find_map(|stream| Some((stream.producer.clone(), shown(stream.producer_proof)?)));
    let own = agent(&run.row.agent);
    let evidence = Evidence::new(Source::Stated, first(run));
    let (identity, proof, evidence) = match proven {
        None => (own, "self-named".to_owned(), evidence),
        Some((producer, shown)) => (
            own.or_else(|| Some(producer.clone())),
            format!("enrolled as {producer}, known to the collector by {shown}"),
            evidence.with(&[("proof", Source::Observed)]),
        ),
    };
    Who {
        role: WhoRole::Ran,
        session: run.row.name,
        identity,
        at: run.row.started_at,
        proof,
        evidence,
    }
}

/// What a producer showed; `None` if nothing that the collector could check.
fn shown(proof: ProducerProof) -> Option<&'static str> {
    match proof {
        ProducerProof::PeerCredentials => Some("the user that it runs as"),
        ProducerProof::Token => Some("its token"),
        ProducerProof::Certificate => Some("its certificate"),
        ProducerProof::Unauthenticated | ProducerProof::Unknown => None,
    }
}

fn first(run: &Run) -> Vec<vocabulary::id::RecordRef> {
    run.row.evidence.refs.iter().take(1).copied().collect()
}

/// Name, version and host of an agent, as far as it gives them.
pub(crate) fn agent(agent: &Agent) -> Option<String> {
    let mut text = agent.name.clone().or_else(|| agent.id.clone())?;
    if let Some(version) = &agent.version {
        text = format!("{text} {version}");
    }
    if let Some(host) = &agent.host {
        text = format!("{text} on {host}");
    }
    Some(text)
}

fn allowed(run: &Run, who: &mut Vec<Who>) {
    for row in &run.authorizations {
        let identity = granted(row);
        let known = who.iter().any(|known| {
            known.role == WhoRole::Allowed
                && known.session == row.session
                && known.identity == identity
        });
        if !known {
            who.push(Who {
                role: WhoRole::Allowed,
                session: row.session,
                identity,
                at: row.from,
                proof: "said by the agent".to_owned(),
                evidence: Evidence::new(Source::Stated, row.evidence.refs.clone()),
            });
        }
    }
}

/// Who granted an authorization, and under which policy.
pub(crate) fn granted(row: &Authorization) -> Option<String> {
    let policy = match (&row.policy, &row.version) {
        (Some(policy), Some(version)) => Some(format!("{policy} {version}")),
        (policy, version) => policy.clone().or_else(|| version.clone()),
    };
    match (&row.granted_by, policy) {
        (Some(by), Some(policy)) => Some(format!("{by} ({policy})")),
        (Some(by), None) => Some(by.clone()),
        (None, Some(policy)) => Some(format!("policy {policy}, granted by nobody named")),
        (None, None) => None,
    }
}

fn approved(fold: &Fold, session: SessionRef, who: &mut Vec<Who>) {
    for approval in &fold.approvals {
        let here = approval.at.stream.session == session && !approval.claims;
        if !here || approval.what != Approval::Approved {
            continue;
        }
        who.push(Who {
            role: WhoRole::Approved,
            session,
            identity: approval.by.clone(),
            at: Some(approval.time),
            proof: match &approval.reason {
                Some(reason) => format!("said by the agent: {reason}"),
                None => "said by the agent".to_owned(),
            },
            evidence: Evidence::new(Source::Stated, vec![approval.at]),
        });
    }
}

/// Who brought the records in. When is observed, by whom is what the import says.
fn imported(run: &Run, it: &Imported) -> Who {
    let from = match &it.file {
        Some(file) => format!("imported from {file}, on the importer's word"),
        None => "imported, on the importer's word".to_owned(),
    };
    Who {
        role: WhoRole::Imported,
        session: run.row.name,
        identity: it.by.clone(),
        at: Some(it.at),
        proof: from,
        evidence: Evidence::new(Source::Stated, vec![it.shown_by])
            .with(&[("at", Source::Observed)]),
    }
}

fn owns(run: &Run) -> Who {
    let owner = run.row.agent.owner.clone();
    let known = owner.is_some();
    Who {
        role: WhoRole::Owns,
        session: run.row.name,
        identity: owner,
        at: run.row.started_at.filter(|_| known),
        proof: if known { "self-named" } else { "unknown" }.to_owned(),
        evidence: Evidence::new(Source::Stated, if known { first(run) } else { Vec::new() }),
    }
}
