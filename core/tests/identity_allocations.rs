//! The second request of the same caller costs no memory.

use core::time::Duration;

use portreeve_core::identity::AgentState;
use portreeve_core::identity::Authenticator;
use portreeve_core::identity::ClaimNames;
use portreeve_core::identity::Dialect;
use portreeve_core::identity::Issuer;
use portreeve_core::identity::Nonces;
use portreeve_core::identity::Presented;
use portreeve_core::identity::RegisteredAgent;
use portreeve_core::identity::RequireBinding;
use portreeve_core::identity::Roles;
use portreeve_core::identity::Terms;
use portreeve_core::identity::Trust;
use portreeve_core::jose::Algorithm;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::json::Scratch;
use portreeve_core::time::UnixTime;
use portreeve_jwt_corpus::Corpus;
use portreeve_jwt_corpus::Settings;
use portreeve_jwt_corpus::Side;

const NOW_SECS: u64 = 1_800_000_000;

#[test]
fn two_cached_identities_allocate_nothing() {
    let corpus = Corpus::generate(Settings {
        issuer: "https://issuer.example".to_owned(),
        audience: "https://gate.example".to_owned(),
        decoy: "127.0.0.1:1".to_owned(),
        now_secs: NOW_SECS,
    });
    let issuer = Issuer {
        name: "corpus".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        roles: Roles {
            agent: true,
            user: true,
        },
        types: vec!["at+jwt".to_owned()],
        algorithms: vec![Algorithm::Es256],
        audiences: vec!["https://gate.example".to_owned()],
        keys: KeySet::parse(corpus.jwks().as_bytes()).unwrap(),
        max_lifetime: None,
        leeway: Duration::from_secs(30),
        claims: ClaimNames::default(),
        dialect: Dialect::default(),
        allow_unlinked_with: Vec::new(),
    };
    let agent = RegisteredAgent {
        name: "clerk-bot".to_owned(),
        issuer: "corpus".to_owned(),
        subject: Corpus::AGENT.to_owned(),
        groups: Vec::new(),
        state: AgentState::Active,
        expires: None,
        servers: None,
        clients: Vec::new(),
        require_binding: RequireBinding::None,
        x509: false,
    };
    let trust = Trust::new(1, vec![issuer], vec![agent]).unwrap();
    let (agent, user) = (corpus.valid(Side::Agent), corpus.valid(Side::User));
    let now = UnixTime::from_secs(NOW_SECS);
    let mut authenticator = Authenticator::new(64);
    let mut scratch = Scratch::new();
    let nonces = Nonces::new([1; 32], now);
    let terms = Terms {
        trust: &trust,
        nonces: &nonces,
        require_nonce: true,
        method: "POST",
        origin: "https://gate.example",
        path: "/ledger/mcp",
        certificate: None,
    };
    let mut identify = || {
        let presented = Presented::from_values(Some(&agent), Some(&user)).unwrap();
        authenticator
            .authenticate(&presented, &terms, &mut scratch, now)
            .unwrap()
    };

    let cold = allocation_counter::measure(|| drop(identify()));
    let warm = allocation_counter::measure(|| drop(identify()));
    assert!(cold.count_total > 0, "nothing was counted");
    assert_eq!(warm.count_total, 0);
}
