//! How the gate is, for the admin API: what is in force, and whether the issuers answer.

use portreeve_core::credential::Mode;
use portreeve_core::identity::Issuer;

use crate::admin::contract::{Failing, IssuerStatus, ServerStatus, Status};
use crate::boot::Gate;
use crate::broker::Broker;
use crate::clock;
use crate::config::api_key::API_KEY_ISSUER;
use crate::issuers::Keeper;

/// How `gate` is now.
pub(super) fn of(gate: &Gate, keeper: &Keeper, broker: &Broker) -> Status {
    let snapshot = gate.snapshot();
    Status {
        now: clock::now().secs(),
        generation: snapshot.generation,
        public_url: snapshot.front.public_url.clone(),
        listening: gate.address().to_string(),
        issuers: snapshot
            .trust
            .issuers()
            .iter()
            .filter(|issuer| issuer.name != API_KEY_ISSUER)
            .map(|issuer| of_issuer(issuer, keeper))
            .collect(),
        servers: snapshot
            .servers
            .iter()
            .map(|server| ServerStatus {
                name: server.name.to_string(),
                credential: snapshot
                    .credentials
                    .mode(&server.name)
                    .map_or("none", Mode::name)
                    .to_owned(),
                failing: broker.failing(&server.name).map(|failing| Failing {
                    since: failing.since.secs(),
                    attempts: failing.attempts,
                    error: failing.error.clone(),
                }),
            })
            .collect(),
    }
}

fn of_issuer(issuer: &Issuer, keeper: &Keeper) -> IssuerStatus {
    let health = keeper.health(&issuer.name);
    IssuerStatus {
        name: issuer.name.clone(),
        issuer: issuer.issuer.clone(),
        keys: issuer.keys.keys().len(),
        dropped: issuer.keys.dropped().iter().map(|key| key.fault.to_string()).collect(),
        fetches: health.is_some(),
        place: health.as_ref().and_then(|health| health.place).map(str::to_owned),
        fetched: health
            .as_ref()
            .and_then(|health| health.fetched)
            .map(|time| time.secs()),
        good_until: health
            .as_ref()
            .and_then(|health| health.good_until)
            .map(|time| time.secs()),
        failing: health.and_then(|health| health.failing).map(|failing| Failing {
            since: failing.since.secs(),
            attempts: failing.attempts,
            error: failing.error.clone(),
        }),
    }
}
