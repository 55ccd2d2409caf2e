//! The entities and the context of one request, built from verified facts and the parsed message. The shapes are those
//! of `docs/policy-reference.md`; nothing here takes a type or an entity from what the agent sent.

use std::collections::HashSet;

use cedar_policy::Context;
use cedar_policy::Entities;
use cedar_policy::EntityUid;
use cedar_policy::Request;
use cedar_policy::RestrictedExpression;

use super::action::Kind;
use super::action::Target;
use super::action::find_known;
use super::catalog::Catalog;
use super::decide::AccessRequest;
use super::names::Names;
use super::names::entity;
use super::names::string;
use super::names::uid;
use super::values;
use super::vocabulary::ARGS;
use super::who::Facts;
use super::who::Who;
use crate::json::Value;
use crate::time::UnixTime;

/// The request has no form in Cedar: its arguments are too deep or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unevaluable;

/// Everything about a request but its arguments, ready to be asked.
pub(super) struct Question {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    /// `server/name` of the resource, for actions that have one.
    pub(super) item: Option<String>,
    pub(super) kind: Kind,
    pub(super) entities: Entities,
}

impl Question {
    /// The question whether `request` is allowed, under its own action or under `instead` (a fixed id).
    pub(super) fn new(
        names: &Names,
        catalog: &Catalog,
        request: &AccessRequest<'_>,
        instead: Option<&'static str>,
    ) -> Result<Self, Unevaluable> {
        let who = &request.who;
        let in_groups = |name, groups: &[String]| groups.iter().map(|group| uid(name, group)).collect();
        let principal = uid(&names.user, who.user);
        let user_attributes = [("id", who.user), ("issuer", who.user_issuer)];
        let agent_attributes = [("issuer", who.agent_issuer), ("subject", who.agent_subject)];
        let user = entity(
            principal.clone(),
            &user_attributes,
            in_groups(&names.group, who.user_groups),
        );
        let agent = entity(
            uid(&names.agent, who.agent),
            &agent_attributes,
            in_groups(&names.agent_group, who.agent_groups),
        );

        let server = uid(&names.server, request.server);
        let (kind, item, resource, attributes, resource_parents) = match request.action.target() {
            Target::Item(kind, name) => {
                let id = format!("{}/{name}", request.server);
                let resource = uid(names.of_kind(kind), &id);
                let mut attributes = vec![("server", request.server)];
                attributes.push((if kind == Kind::Resource { "uri" } else { "name" }, name));
                let mut parents = HashSet::from([server]);
                if kind == Kind::Tool {
                    let tool = catalog.tool(request.server, name);
                    attributes.push(("class", tool.class.as_str()));
                    parents.insert(uid(&names.class, tool.class.as_str()));
                    parents.extend(tool.labels.iter().map(|label| uid(&names.label, label)));
                }
                (kind, Some(id), resource, attributes, parents)
            }
            Target::Server => (
                Kind::Server,
                None,
                server,
                vec![("name", request.server)],
                HashSet::new(),
            ),
        };
        let resource_entity = entity(resource.clone(), &attributes, resource_parents);
        let (action, parents) = action(names, catalog, request, instead, item.as_deref());
        let action_entity = entity(action.clone(), &[], parents);

        let all = [user, agent, resource_entity, action_entity]
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .ok_or(Unevaluable)?;
        let entities = Entities::from_entities(all, None).map_err(|_| Unevaluable)?;
        Ok(Self {
            principal,
            action,
            resource,
            item,
            kind,
            entities,
        })
    }

    /// The question as Cedar takes it.
    pub(super) fn request(&self, context: Context) -> Result<Request, Unevaluable> {
        let (principal, action, resource) = (self.principal.clone(), self.action.clone(), self.resource.clone());
        Request::new(principal, action, resource, context, None).map_err(|_| Unevaluable)
    }
}

/// The action entity and its parents.
fn action(
    names: &Names,
    catalog: &Catalog,
    request: &AccessRequest<'_>,
    instead: Option<&'static str>,
    item: Option<&str>,
) -> (EntityUid, HashSet<EntityUid>) {
    let fixed = instead.or(request.action.fixed_id());
    let parents = |ids: &[&str]| ids.iter().map(|id| uid(&names.action, id)).collect();
    match (fixed, request.action.target()) {
        (None, Target::Item(_, name)) => {
            let class = catalog.class(request.server, name).action_id();
            (
                uid(&names.action, item.unwrap_or_default()),
                parents(&["call_tool", class]),
            )
        }
        (fixed, _) => {
            let id = fixed.unwrap_or_default();
            (
                uid(&names.action, id),
                parents(find_known(id).map_or(&[], |known| known.parents)),
            )
        }
    }
}

/// The context of `request`, with `arguments` as `context.args`.
pub(super) fn context(
    names: &Names,
    request: &AccessRequest<'_>,
    arguments: Option<Value<'_>>,
) -> Result<Context, Unevaluable> {
    let Who {
        agent,
        agent_issuer,
        agent_subject,
        ..
    } = request.who;
    let set = |texts: &mut dyn Iterator<Item = &str>| RestrictedExpression::new_set(texts.map(string));
    let agent_record = record([
        ("id", string(agent)),
        ("issuer", string(agent_issuer)),
        ("subject", string(agent_subject)),
    ])?;
    let Facts {
        now,
        peer_ip,
        tls,
        credential,
        standing,
    } = request.facts;
    let mut auth = vec![
        ("amr", set(&mut request.who.amr.iter().map(String::as_str))),
        ("scopes", set(&mut request.who.scopes.iter().map(String::as_str))),
        ("link", string(request.who.link)),
        ("binding", string(request.who.binding)),
        ("agent_method", string(request.who.agent_method)),
    ];
    auth.extend(request.who.acr.map(|acr| ("acr", string(acr))));
    if let Some(at) = request.who.auth_time {
        auth.push(("age", long(now.since(at).as_secs())));
    }
    let net = record([
        ("ip", RestrictedExpression::new_ip(peer_ip.to_canonical().to_string())),
        ("tls", RestrictedExpression::new_bool(tls)),
    ])?;
    let time = record([
        ("now", RestrictedExpression::new_datetime(now.to_string())),
        ("local_minutes", long(now.secs() / 60 % (24 * 60))),
        ("weekday", string(weekday(now))),
    ])?;
    let args = match arguments {
        Some(arguments) => values::record(arguments, &names.unrepresentable).ok_or(Unevaluable)?,
        None => record([])?,
    };
    let pairs = [
        ("agent", agent_record),
        (
            "agent_ref",
            RestrictedExpression::new_entity_uid(uid(&names.agent, agent)),
        ),
        ("auth", record(auth)?),
        ("credential", string(credential)),
        ("net", net),
        ("time", time),
        (ARGS, args),
    ];
    let risk = standing.risk.map(|risk| ("user_risk", string(risk.name())));
    let device = standing.device_compliant.map(RestrictedExpression::new_bool);
    let device = device.map(|compliant| ("device_compliant", compliant));
    let pairs = pairs.into_iter().chain(risk).chain(device);
    Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).map_err(|_| Unevaluable)
}

fn record<'n>(
    fields: impl IntoIterator<Item = (&'n str, RestrictedExpression)>,
) -> Result<RestrictedExpression, Unevaluable> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(fields).map_err(|_| Unevaluable)
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The day of the week, in UTC.
fn weekday(now: UnixTime) -> &'static str {
    // 1970-01-01 was a Thursday.
    match now.secs() / 86_400 % 7 {
        0 => "thursday",
        1 => "friday",
        2 => "saturday",
        3 => "sunday",
        4 => "monday",
        5 => "tuesday",
        _ => "wednesday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_moments_as_calendar_dates() {
        for (millis, text, day) in [
            (0, "1970-01-01T00:00:00.000Z", "thursday"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "tuesday"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z", "thursday"),
            (1_795_219_200_000, "2026-11-21T00:00:00.000Z", "saturday"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "monday"),
        ] {
            let now = UnixTime::from_millis(millis);
            assert_eq!((now.to_string().as_str(), weekday(now)), (text, day));
        }
    }
}
