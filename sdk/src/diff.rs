//! State before and after of one resource.

use vocabulary::action::{Effect, ReadAfter, ReadBefore};
use vocabulary::attribute;
use vocabulary::content::Content;
use vocabulary::id::{ActionId, DiffId, TransactionId};

use crate::Attributes;

/// State before and after of one resource, and how each side was read.
///
/// ```
/// use recount::{Content, Diff};
/// let diff = Diff::of("file:pending-review/acme.md")
///     .before(Content::absent())
///     .after(Content::text("Dear Acme, …"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    resource: String,
    before: Content,
    after: Content,
    read_before: ReadBefore,
    read_after: ReadAfter,
    effect: Option<Effect>,
    transaction: Option<TransactionId>,
}

impl Diff {
    /// Of a canonical resource: `file:…`, `http:host/path`, `db:file/table/key`.
    /// Both sides are unknown and not read until they are set.
    pub fn of(resource: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            before: Content::unknown("not read"),
            after: Content::unknown("not read"),
            read_before: ReadBefore::NotRead,
            read_after: ReadAfter::NotRead,
            effect: None,
            transaction: None,
        }
    }

    /// The state before; read without a lock unless [`Diff::read_before`] says otherwise.
    #[must_use]
    pub fn before(mut self, content: Content) -> Self {
        self.before = content;
        if self.read_before == ReadBefore::NotRead {
            self.read_before = ReadBefore::Unlocked;
        }
        self
    }

    /// The state after; read later unless [`Diff::read_after`] says otherwise.
    #[must_use]
    pub fn after(mut self, content: Content) -> Self {
        self.after = content;
        if self.read_after == ReadAfter::NotRead {
            self.read_after = ReadAfter::LaterRead;
        }
        self
    }

    /// How the state before was read.
    #[must_use]
    pub fn read_before(mut self, how: ReadBefore) -> Self {
        self.read_before = how;
        self
    }

    /// How the state after was read.
    #[must_use]
    pub fn read_after(mut self, how: ReadAfter) -> Self {
        self.read_after = how;
        self
    }

    /// What became of it; without this `pending` inside a transaction, else `committed`.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// The transaction that decides whether it lasts.
    #[must_use]
    pub fn transaction(mut self, transaction: TransactionId) -> Self {
        self.transaction = Some(transaction);
        self
    }

    pub(crate) fn in_transaction(mut self, transaction: Option<TransactionId>) -> Self {
        self.transaction = self.transaction.or(transaction);
        self
    }

    /// The effect that this diff has by itself.
    pub(crate) fn own_effect(&self) -> Effect {
        self.effect.unwrap_or(match self.transaction {
            Some(_) => Effect::Pending,
            None => Effect::Committed,
        })
    }

    pub(crate) fn write(&self, id: DiffId, action: ActionId, attributes: &mut Attributes) {
        attributes
            .uuid(attribute::DIFF_ID, id.uuid())
            .uuid(attribute::ACTION_ID, action.uuid())
            .text(attribute::RESOURCE, &self.resource)
            .content(attribute::BEFORE, &self.before)
            .content(attribute::AFTER, &self.after)
            .str(attribute::READ_BEFORE, self.read_before.as_str())
            .str(attribute::READ_AFTER, self.read_after.as_str())
            .str(attribute::EFFECT, self.own_effect().as_str());
        if let Some(transaction) = self.transaction {
            attributes.uuid(attribute::TRANSACTION_ID, transaction.uuid());
        }
    }
}
