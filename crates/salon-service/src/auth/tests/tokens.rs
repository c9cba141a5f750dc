//! Tokens that are good, and every way in which one is not (RFC 8725).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use salon_core::ports::Accounts as _;
use salon_core::{ErrorCode, Timestamp};
use salon_proto::link::open_session::Credential;
use serde_json::{Value, json};

use super::super::key::NodeKey;
use super::*;

/// Another node whose key the store knows, and who therefore may sign.
struct Forge {
    world: World,
    auth: Auth,
    key: NodeKey,
    /// Claims of a good token.
    claims: Value,
}

impl Forge {
    async fn new() -> Self {
        let world = World::new(SignupPolicy::Open);
        let auth = world.auth().await;
        let ann = auth.newcomer("ann@example.org").await;
        let key = NodeKey::open(None, &*world.parts.rng).unwrap();
        world.store.publish_key(&key.kid, &key.public, Timestamp(0)).await.unwrap();
        let now = world.clock.now().unix_s();
        let claims = json!({
            "iss": "salon", "aud": "salon", "sub": ann.user.id.as_str(), "sid": ann.login.as_str(),
            "iat": now, "exp": now + 60, "jti": "x",
        });
        Self { world, auth, key, claims }
    }

    fn header(&self) -> Header {
        Header { typ: Some("at+jwt".into()), kid: Some(self.key.kid.clone()), ..Header::new(Algorithm::EdDSA) }
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key.signing).unwrap()
    }

    fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[claim] = value;
        self.sign(&self.header(), &claims)
    }

    async fn refusal(&self, token: String) -> ErrorCode {
        self.auth.open(&Credential::Token(token)).await.unwrap_err().code
    }
}

#[tokio::test]
async fn every_nodes_token_is_good_until_it_expires() {
    let forge = Forge::new().await;
    let token = forge.sign(&forge.header(), &forge.claims);
    let identity = forge.auth.open(&Credential::Token(token.clone())).await.unwrap();
    assert_eq!(identity.user.email, "ann@example.org");
    assert!(identity.login.is_some() && identity.expires_at.is_none());
    forge.world.clock.advance_ms(59_999);
    assert!(forge.auth.open(&Credential::Token(token.clone())).await.is_ok());
    forge.world.clock.advance_ms(1);
    assert_eq!(forge.refusal(token).await, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_token_for_somebody_else_somewhere_else_or_of_another_kind_is_refused() {
    let forge = Forge::new().await;
    let now = forge.world.clock.now().unix_s();
    let bob = forge.auth.newcomer("bob@example.org").await;
    let wrong = [
        ("iss", json!("other")),
        ("iss", json!(["salon", "other"])),
        ("aud", json!("other")),
        ("aud", json!(["salon"])),
        ("exp", json!(now)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("iat", json!(now + 3_600)),
        ("sub", json!(bob.user.id.as_str())),
        ("sub", json!("root")),
        ("sid", json!("l_unknown")),
    ];
    for (claim, value) in wrong {
        let told = format!("{claim}: {value}");
        assert_eq!(forge.refusal(forge.with(claim, value)).await, ErrorCode::Unauthenticated, "{told}");
    }
    let id_token = Header { typ: Some("JWT".into()), ..forge.header() };
    let untyped = Header { typ: None, ..forge.header() };
    let critical = Header { crit: Some(vec!["b64".into()]), ..forge.header() };
    for header in [id_token, untyped, critical] {
        assert_eq!(forge.refusal(forge.sign(&header, &forge.claims)).await, ErrorCode::Unauthenticated, "{header:?}");
    }
}

#[tokio::test]
async fn the_algorithm_is_ours_to_choose() {
    let forge = Forge::new().await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let payload = part(&forge.claims);
    for alg in ["none", "None", "NONE", ""] {
        let header = part(&json!({ "alg": alg, "typ": "at+jwt", "kid": forge.key.kid }));
        assert_eq!(forge.refusal(format!("{header}.{payload}.")).await, ErrorCode::Unauthenticated, "{alg}");
    }
    // The public key as a shared secret: everybody knows it.
    let header = Header { alg: Algorithm::HS256, ..forge.header() };
    let confused = jsonwebtoken::encode(&header, &forge.claims, &EncodingKey::from_secret(&forge.key.public)).unwrap();
    assert_eq!(forge.refusal(confused).await, ErrorCode::Unauthenticated);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let header = Header { alg: Algorithm::ES256, ..forge.header() };
    let other = jsonwebtoken::encode(&header, &forge.claims, &EncodingKey::from_ec_der(pkcs8.as_ref())).unwrap();
    assert_eq!(forge.refusal(other).await, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_key_is_found_by_its_name_and_nowhere_else() {
    let forge = Forge::new().await;
    let stranger = NodeKey::open(None, &*forge.world.parts.rng).unwrap();
    // Signed by a key that nobody has published, under its own name, ours, or none that is a name.
    for kid in [&stranger.kid, &forge.key.kid, "../../etc/passwd", "' OR 1=1", ""] {
        let header = Header {
            kid: Some(kid.to_string()),
            jku: Some("https://attacker.example/keys".into()),
            x5u: Some("https://attacker.example/cert".into()),
            ..forge.header()
        };
        let token = jsonwebtoken::encode(&header, &forge.claims, &stranger.signing).unwrap();
        assert_eq!(forge.refusal(token).await, ErrorCode::Unauthenticated, "{kid}");
    }
    let nameless = Header { kid: None, ..forge.header() };
    assert_eq!(forge.refusal(forge.sign(&nameless, &forge.claims)).await, ErrorCode::Unauthenticated);
    // A store that somebody has tampered with: the stranger's key under another name.
    let name = "A".repeat(43);
    forge.world.store.publish_key(&name, &stranger.public, Timestamp(0)).await.unwrap();
    let header = Header { kid: Some(name), ..forge.header() };
    let token = jsonwebtoken::encode(&header, &forge.claims, &stranger.signing).unwrap();
    assert_eq!(forge.refusal(token).await, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_changed_or_malformed_token_is_refused() {
    let forge = Forge::new().await;
    let good = forge.sign(&forge.header(), &forge.claims);
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let mut claims = forge.claims.clone();
    claims["exp"] = json!(9_999_999_999_i64);
    let longer = URL_SAFE_NO_PAD.encode(claims.to_string());
    let huge = "A".repeat(1 << 20);
    for bad in [
        format!("{header}.{longer}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{good}.x"),
        format!("{header}.{payload}.{huge}"),
        String::new(),
        "..".to_owned(),
        "é.é.é".to_owned(),
    ] {
        assert_eq!(forge.refusal(bad).await, ErrorCode::Unauthenticated);
    }
}

#[tokio::test]
async fn the_command_lines_token_says_when_it_ends() {
    let world = World::new(SignupPolicy::Closed);
    let auth = world.auth().await;
    let ann = auth.add_user("ann@example.org", Some("Ann"), PASSWORD.into(), false).await.unwrap();
    let token = auth.create_token("ANN@example.org", 3_600).await.unwrap();
    let identity = auth.open(&Credential::Token(token.expose().to_owned())).await.unwrap();
    assert_eq!((identity.user, identity.login), (ann, None));
    assert_eq!(identity.expires_at, Some(world.clock.now().plus_ms(3_600_000)));
    for life_s in [0, u32::MAX] {
        assert_eq!(auth.create_token("ann@example.org", life_s).await.unwrap_err().field, Some("ttl"));
    }
    assert_eq!(auth.create_token("bob@example.org", 60).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_a_bad_token() {
    let forge = Forge::new().await;
    let token = forge.sign(&forge.header(), &forge.claims);
    forge.world.store.crash(0);
    assert_eq!(forge.refusal(token).await, ErrorCode::Unavailable);
}
