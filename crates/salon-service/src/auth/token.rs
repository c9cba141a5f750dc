//! Access tokens: JSON Web Tokens with one algorithm, one issuer, one audience and one type (RFC 8725, RFC 9068).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use parking_lot::Mutex;
use salon_core::ports::{Randomness, Store};
use salon_core::{CommandError, ErrorCode, LoginId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::key::{self, NodeKey};
use super::secret::Secret;
use super::{store_error, unauthenticated};

/// Who made the token and whom it is for: one Salon.
const ISSUER: &str = "salon";
const AUDIENCE: &str = "salon";
/// The type of an access token (RFC 9068 §2.1); a token of another type is not one.
const TYPE: &str = "at+jwt";
/// Longest token that is looked at, in bytes; ours are below 500.
const TOKEN_BYTES_MAX: usize = 4096;
/// Characters of a key's name, which is a SHA-256 in base64url.
const KID_CHARS: usize = 43;
/// Nodes' public keys that are kept in memory; beyond that all are read again.
const KEYS_MAX: usize = 256;
/// Clocks of two nodes may differ by this much, in seconds. It counts for tokens from the future only: an expired one
/// has expired.
const CLOCK_SKEW_S: i64 = 60;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// The login; absent for a token that no login made.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
}

/// What a good token says. Whether the login is still alive is the store's to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) user: UserId,
    pub(super) login: Option<LoginId>,
    pub(super) expires_at: Timestamp,
}

/// Makes this node's tokens and verifies every node's.
pub(super) struct Tokens {
    key: NodeKey,
    store: Arc<dyn Store>,
    known: Mutex<BTreeMap<String, DecodingKey>>,
    validation: Validation,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(key: NodeKey, store: Arc<dyn Store>) -> Self {
        let known = BTreeMap::from([(key.kid.clone(), key::verifying_key(&key.public))]);
        Self { key, store, known: Mutex::new(known), validation: validation() }
    }

    /// A token of this life, in seconds.
    ///
    /// # Errors
    /// `internal`: the key does not sign.
    pub(super) fn issue(
        &self,
        user: &UserId,
        login: Option<&LoginId>,
        now: Timestamp,
        life_s: u32,
        rng: &dyn Randomness,
    ) -> Result<Secret, CommandError> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_string(),
            sid: login.map(ToString::to_string),
            iat: now.unix_s(),
            exp: now.unix_s().saturating_add(i64::from(life_s)),
            jti: URL_SAFE_NO_PAD.encode(rng.next_u128().to_be_bytes()),
        };
        let header = Header { typ: Some(TYPE.to_owned()), kid: Some(self.key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.key.signing).map(Secret::new).map_err(|error| {
            tracing::error!(%error, "a token could not be signed");
            CommandError::new(ErrorCode::Internal, "the token could not be made")
        })
    }

    /// # Errors
    /// `unauthenticated`, always with the same words: why a token is bad is for its maker to know. `unavailable`.
    pub(super) async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, CommandError> {
        let kid = kid_of(token).ok_or_else(unauthenticated)?;
        let key = self.key_named(&kid).await?.ok_or_else(unauthenticated)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation).map_err(|_| unauthenticated())?.claims;
        // The library would ask the system's clock; ours may be virtual.
        if claims.exp <= now.unix_s() || claims.iat > now.unix_s() + CLOCK_SKEW_S {
            return Err(unauthenticated());
        }
        Ok(Verified {
            user: UserId::parse(&claims.sub).map_err(|_| unauthenticated())?,
            login: claims.sid.as_deref().map(LoginId::from_stored),
            expires_at: Timestamp(claims.exp.saturating_mul(1000)),
        })
    }

    /// The key of this name, from memory or else from the store, where every node has published its own.
    async fn key_named(&self, kid: &str) -> Result<Option<DecodingKey>, CommandError> {
        if let Some(key) = self.known.lock().get(kid) {
            return Ok(Some(key.clone()));
        }
        let Some(public) = self.store.public_key(kid).await.map_err(|error| store_error(&error))? else { return Ok(None) };
        if public.len() != key::PUBLIC_KEY_BYTES || key::thumbprint(&public) != kid {
            tracing::error!(kid, "the store holds another key under this name; it is not used");
            return Ok(None);
        }
        let key = key::verifying_key(&public);
        let mut known = self.known.lock();
        if known.len() >= KEYS_MAX {
            known.retain(|kid, _| *kid == self.key.kid);
        }
        known.insert(kid.to_owned(), key.clone());
        Ok(Some(key))
    }
}

/// The name of the key, of a token that could be one of ours. Nothing else in the header is used for anything: no key,
/// no address of a key, no certificate.
fn kid_of(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let plain = header.alg == Algorithm::EdDSA && header.typ.as_deref() == Some(TYPE) && header.crit.is_none();
    let base64url = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    header.kid.filter(|kid| plain && kid.len() == KID_CHARS && kid.bytes().all(base64url))
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.validate_exp = false;
    validation
}
