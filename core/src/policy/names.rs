//! Cedar's names for the entities of a request, parsed once per policy set.

use core::str::FromStr;
use std::collections::HashMap;
use std::collections::HashSet;

use cedar_policy::Entity;
use cedar_policy::EntityId;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::RestrictedExpression;

use super::action::Kind;
use super::vocabulary::UNREPRESENTABLE;

/// The entity types.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) user: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) agent: EntityTypeName,
    pub(super) agent_group: EntityTypeName,
    pub(super) action: EntityTypeName,
    pub(super) server: EntityTypeName,
    pub(super) class: EntityTypeName,
    pub(super) label: EntityTypeName,
    tool: EntityTypeName,
    resource: EntityTypeName,
    prompt: EntityTypeName,
    pub(super) unrepresentable: EntityTypeName,
}

impl Names {
    pub(super) fn new() -> Self {
        let name = |text| EntityTypeName::from_str(text).expect("a plain identifier is an entity type name");
        Self {
            user: name("User"),
            group: name("Group"),
            agent: name("Agent"),
            agent_group: name("AgentGroup"),
            action: name("Action"),
            server: name("Server"),
            class: name("Class"),
            label: name("Label"),
            tool: name("Tool"),
            resource: name("Resource"),
            prompt: name("Prompt"),
            unrepresentable: name(UNREPRESENTABLE),
        }
    }

    /// The type of a request's resource.
    pub(super) fn of_kind(&self, kind: Kind) -> &EntityTypeName {
        match kind {
            Kind::Tool => &self.tool,
            Kind::Resource => &self.resource,
            Kind::Prompt => &self.prompt,
            Kind::Server => &self.server,
        }
    }
}

/// `<name>::"<id>"`, with any text as id.
pub(super) fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

/// An entity with string attributes; `None` if Cedar refuses them.
pub(super) fn entity(uid: EntityUid, attributes: &[(&str, &str)], parents: HashSet<EntityUid>) -> Option<Entity> {
    let attributes: HashMap<_, _> = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), string(value)))
        .collect();
    Entity::new(uid, attributes, parents).ok()
}

/// A string value.
pub(super) fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}
