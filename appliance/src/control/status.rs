//! How the gate is, for the admin API: what is in force, and whether issuers and transmitters answer.

use portreeve_core::credential::Mode;
use portreeve_core::identity::Issuer;

use crate::admin::contract::{Failing, IssuerStatus, RefusedSet, ServerStatus, Status, TransmitterStatus};
use crate::clock;
use crate::config::api_key::API_KEY_ISSUER;
use crate::issuers::{self, Keeper};
use crate::signals::Received;

use super::desk::Desk;

/// How the gate is now.
pub(super) fn of(desk: &Desk<'_>) -> Status {
    let Desk {
        gate,
        keeper,
        broker,
        introspector,
        receivers,
        ..
    } = desk;
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
            .map(|issuer| IssuerStatus {
                introspection: introspector.failing(&issuer.name).map(failing),
                ..of_issuer(issuer, keeper)
            })
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
                failing: broker.failing(&server.name).map(failing),
            })
            .collect(),
        signals: receivers.all().map(of_transmitter).collect(),
    }
}

fn of_transmitter(received: &Received) -> TransmitterStatus {
    let (configured, health) = (&received.configured, &received.health);
    TransmitterStatus {
        name: configured.name.clone(),
        issuer: configured.signer.issuer.clone(),
        keys: received.transmitter.keys.keys().len(),
        poll: configured.poll.as_ref().map(|poll| poll.place.to_string()),
        push: configured.push_token_file.as_ref().map(|_| configured.push_path()),
        accepted: health.accepted,
        repeated: health.repeated,
        refused: health.refused,
        last_accepted: health.last_accepted.map(|time| time.secs()),
        last_refusal: health.last_refusal.as_ref().map(|(at, error)| RefusedSet {
            at: at.secs(),
            error: error.clone(),
        }),
        answered: health.answered.map(|time| time.secs()),
        failing: health.failing.as_ref().map(failing),
    }
}

fn failing(failing: &issuers::Failing) -> Failing {
    Failing {
        since: failing.since.secs(),
        attempts: failing.attempts,
        error: failing.error.clone(),
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
        failing: health.and_then(|health| health.failing).map(failing),
        introspection: None,
    }
}
