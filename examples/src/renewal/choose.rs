//! Which ten: the rule by which the renewal agent picks customers, and its reasons against the others.

use jiff::civil::Date;

/// How many renewals are drafted.
pub const WANTED: usize = 10;

/// Contracts that end within so many days are candidates.
pub const WITHIN_DAYS: i32 = 60;

/// An enterprise customer whose contract ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Number in the CRM.
    pub id: u32,
    /// Name of the company.
    pub name: String,
    /// When the contract ends.
    pub ends_on: Date,
    /// Yearly value of the contract.
    pub value: i64,
    /// Title of an open ticket of severity 1, if there is one.
    pub blocked_by: Option<String>,
}

impl Candidate {
    /// As a decision cites it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} {}", self.id, self.name)
    }
}

/// The pick: those chosen, most valuable first, and those discarded, each with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The customers to write to.
    pub chosen: Vec<Candidate>,
    /// The customers not to write to, and why.
    pub discarded: Vec<(Candidate, String)>,
}

/// Takes the [`WANTED`] most valuable candidates that have no open ticket of severity 1.
#[must_use]
pub fn most_valuable(mut candidates: Vec<Candidate>) -> Pick {
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.value), candidate.id));
    let (blocked, mut free): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|c| c.blocked_by.is_some());
    let rest = free.split_off(free.len().min(WANTED));
    let least = free.last().map_or(0, |candidate| candidate.value);
    let blocked = blocked.into_iter().map(|candidate| {
        let why = format!(
            "open severity-1 ticket: {}",
            candidate.blocked_by.as_deref().unwrap_or_default()
        );
        (candidate, why)
    });
    let poorer = rest.into_iter().map(|candidate| {
        let why = format!(
            "contract value {} is below the tenth, {least}",
            candidate.value
        );
        (candidate, why)
    });
    Pick {
        discarded: blocked.chain(poorer).collect(),
        chosen: free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn candidate(id: u32, value: i64) -> Candidate {
        Candidate {
            id,
            name: format!("c{id}"),
            ends_on: date(2026, 4, 1),
            value,
            blocked_by: None,
        }
    }

    #[test]
    fn the_ten_most_valuable_are_chosen_and_every_other_has_a_reason() {
        let mut all: Vec<_> = (1..=13)
            .map(|id| candidate(id, i64::from(id) * 100))
            .collect();
        all[12].blocked_by = Some("Calls drop".into());
        let pick = most_valuable(all);
        assert_eq!(
            pick.chosen.iter().map(|c| c.id).collect::<Vec<_>>(),
            [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
        );
        let reasons: Vec<_> = pick
            .discarded
            .iter()
            .map(|(c, why)| (c.id, why.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                (13, "open severity-1 ticket: Calls drop"),
                (2, "contract value 200 is below the tenth, 300"),
                (1, "contract value 100 is below the tenth, 300"),
            ]
        );
    }
}
