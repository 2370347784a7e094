//! The resources and scopes of one export, each read once however many records it has.

use std::borrow::Cow;

use ledger::envelope::{Encoding, Mask, Part};
use ledger::otlp::{Attributes, Malformed, Resource, Scope, Slice};
use vocabulary::attribute;

use super::mask;

/// One pair of resource and scope.
#[derive(Debug)]
pub(crate) struct About<'b> {
    from: (*const u8, *const u8),
    resource: Cow<'b, [u8]>,
    scope: Cow<'b, [u8]>,
    attributes: Attributes<'b>,
    masks: Vec<Mask>,
    claim: String,
}

impl<'b> About<'b> {
    fn read(encoding: Encoding, slice: &Slice<'b>) -> Result<Self, Malformed> {
        let resource = Resource::decode(encoding, slice.resource)?;
        let scope = Scope::decode(encoding, slice.scope)?;
        let in_resource = mask::in_attributes(encoding, slice.resource, &resource.attributes);
        let in_scope = mask::in_attributes(encoding, slice.scope, &scope.attributes);
        let masks = mask::masks(Part::Resource, &in_resource)
            .chain(mask::masks(Part::Scope, &in_scope))
            .collect();
        Ok(Self {
            from: (slice.resource.as_ptr(), slice.scope.as_ptr()),
            resource: masked(slice.resource, &in_resource),
            scope: masked(slice.scope, &in_scope),
            claim: claim(&resource.attributes),
            attributes: resource.attributes,
            masks,
        })
    }

    /// The resource's bytes as they are to be sealed.
    pub(crate) fn resource(&self) -> &[u8] {
        &self.resource
    }

    /// The scope's bytes as they are to be sealed.
    pub(crate) fn scope(&self) -> &[u8] {
        &self.scope
    }

    /// The resource's attributes.
    pub(crate) fn attributes(&self) -> &Attributes<'b> {
        &self.attributes
    }

    /// What was overwritten in both.
    pub(crate) fn masks(&self) -> impl Iterator<Item = Mask> {
        self.masks.iter().cloned()
    }

    /// Whether a recount SDK sent it: its exports are taken whole or not at all.
    pub(crate) fn is_sdk(&self) -> bool {
        self.attributes.get(attribute::PRODUCER).is_some()
    }

    /// The producer and its run, as the sender says.
    pub(crate) fn run(&self) -> Option<(&str, &str)> {
        Some((
            self.attributes.str(attribute::PRODUCER)?,
            self.attributes.str(attribute::RUN)?,
        ))
    }

    /// Who the sender says it is; empty when it says nothing.
    pub(crate) fn claim(&self) -> &str {
        &self.claim
    }

    /// Whether anything was overwritten in either.
    pub(crate) fn is_masked(&self) -> bool {
        !self.masks.is_empty()
    }
}

/// What a resource calls its sender: an SDK's producer, else the service and its instance.
fn claim(attributes: &Attributes<'_>) -> String {
    let text = |key| attributes.str(key).unwrap_or_default();
    let claim = match (text(attribute::PRODUCER), text(attribute::SERVICE_NAME)) {
        ("", service) => match text(attribute::SERVICE_INSTANCE_ID) {
            "" => service.to_owned(),
            instance => format!("{service}/{instance}"),
        },
        (producer, _) => producer.to_owned(),
    };
    claim.chars().take(super::session::MAX_NAME / 4).collect()
}

fn masked<'b>(bytes: &'b [u8], places: &[mask::Overwrite]) -> Cow<'b, [u8]> {
    if places.is_empty() {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(mask::overwrite(bytes, places))
    }
}

/// All pairs of one export, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Surroundings<'b> {
    encoding: Encoding,
    all: Vec<About<'b>>,
    none: About<'b>,
}

impl<'b> Surroundings<'b> {
    pub(crate) fn new(encoding: Encoding) -> Self {
        let none = About {
            from: (std::ptr::null(), std::ptr::null()),
            resource: Cow::Borrowed(&[]),
            scope: Cow::Borrowed(&[]),
            attributes: Attributes::default(),
            masks: Vec::new(),
            claim: String::new(),
        };
        Self {
            encoding,
            all: Vec::new(),
            none,
        }
    }

    /// The number of the pair that a record lies in. Neighbours share it, so only the last one is compared.
    pub(crate) fn of(&mut self, slice: &Slice<'b>) -> Result<usize, Malformed> {
        let from = (slice.resource.as_ptr(), slice.scope.as_ptr());
        let same = |about: &About<'b>| {
            about.from == from
                && about.resource.len() == slice.resource.len()
                && about.scope.len() == slice.scope.len()
        };
        if !self.all.last().is_some_and(same) {
            self.all.push(About::read(self.encoding, slice)?);
        }
        Ok(self.all.len() - 1)
    }

    pub(crate) fn get(&self, number: usize) -> &About<'b> {
        self.all.get(number).unwrap_or(&self.none)
    }

    /// Whether the pair read last belongs to an SDK.
    pub(crate) fn last_is_sdk(&self) -> bool {
        self.all.last().is_some_and(About::is_sdk)
    }
}
