//! What changed, by resource.

mod lines;
mod patch;

pub use account::change::stands;
use account::change::text;
use account::model::{Account, Diff};
use similar::{ChangeTag, TextDiff};
use vocabulary::record::ContentState;

pub(crate) use lines::between;
pub use lines::{By, Line, Text, View, beside, lines};
pub(crate) use patch::between as patch_between;
pub use patch::{patch, stored_patches};

/// One resource and the changes to it, in order.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its canonical name, with its kind.
    pub name: String,
    /// Its changes, as indexes into the account's diffs.
    pub diffs: Vec<usize>,
    /// `A`, `M` or `D` over all changes.
    pub sign: &'static str,
    /// Lines added by changes that stand.
    pub added: usize,
    /// Lines removed by changes that stand.
    pub removed: usize,
    /// Whether one of its changes is outside the scope.
    pub outside: bool,
    /// Whether none of its changes stands.
    pub undone: bool,
}

/// All changes of an account.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The resources, in the order of their first change.
    pub resources: Vec<Resource>,
    /// Lines added over all resources.
    pub added: usize,
    /// Lines removed over all resources.
    pub removed: usize,
}

impl Changes {
    /// Groups the account's diffs.
    pub fn of(account: &Account) -> Changes {
        let mut changes = Changes::default();
        let mut places = std::collections::HashMap::new();
        for (n, diff) in account.diffs.iter().enumerate() {
            let at = *places.entry(diff.resource.as_str()).or_insert_with(|| {
                changes.resources.push(Resource {
                    name: diff.resource.clone(),
                    diffs: Vec::new(),
                    sign: "M",
                    added: 0,
                    removed: 0,
                    outside: false,
                    undone: true,
                });
                changes.resources.len() - 1
            });
            let resource = &mut changes.resources[at];
            resource.diffs.push(n);
            resource.outside |= diff.in_scope == Some(false);
            if stands(diff) {
                resource.undone = false;
                let (added, removed) = tally(diff);
                resource.added += added;
                resource.removed += removed;
                changes.added += added;
                changes.removed += removed;
            }
        }
        for resource in &mut changes.resources {
            resource.sign = net_sign(account, &resource.diffs);
        }
        changes
    }

    /// The resource that a diff belongs to.
    pub fn of_diff(&self, diff: usize) -> Option<usize> {
        self.resources
            .iter()
            .position(|resource| resource.diffs.contains(&diff))
    }
}

fn net_sign(account: &Account, diffs: &[usize]) -> &'static str {
    let standing: Vec<&Diff> = diffs
        .iter()
        .map(|n| &account.diffs[*n])
        .filter(|diff| stands(diff))
        .collect();
    let (Some(first), Some(last)) = (standing.first(), standing.last()) else {
        return "-";
    };
    match (first.before.state, last.after.state) {
        (ContentState::Absent, ContentState::Absent) => "-",
        (ContentState::Absent, _) => "A",
        (_, ContentState::Absent) => "D",
        _ => "M",
    }
}

fn tally(diff: &Diff) -> (usize, usize) {
    let (Some(before), Some(after)) = (text(&diff.before), text(&diff.after)) else {
        return (0, 0);
    };
    let compared = TextDiff::from_lines(before.as_str(), after.as_str());
    let mut tally = (0, 0);
    for change in compared.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => tally.0 += 1,
            ChangeTag::Delete => tally.1 += 1,
            ChangeTag::Equal => {}
        }
    }
    tally
}
