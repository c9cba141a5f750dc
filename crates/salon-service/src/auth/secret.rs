//! Secrets: made here, shown once, kept as hashes.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use salon_core::ids::base32;
use salon_core::ports::{Randomness, SecretHash};

/// Random bytes of refresh tokens, session cookies and tickets.
const TOKEN_BYTES: usize = 32;
/// Characters of an invitation's code: 128 random bits, in an alphabet that can be read aloud.
const CODE_CHARS: usize = 26;
/// Longest secret that is looked at, in bytes: ours are all shorter, and hashing a long one is work for nothing.
const SECRET_BYTES_MAX: usize = 256;

/// Text that proves something to whoever holds it. It is printed only where [`Secret::expose`] is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// 256 random bits in base64url: a refresh token, a cookie, a ticket.
    pub(super) fn mint(rng: &dyn Randomness) -> Self {
        let mut bytes = [0; TOKEN_BYTES];
        rng.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An invitation's code.
    pub(super) fn mint_code(rng: &dyn Randomness) -> Self {
        Self(base32(rng.next_u128(), CODE_CHARS))
    }

    /// The text itself, to be sent to whom it belongs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the store knows of a secret that somebody presents. `None`: no secret of ours is that long.
pub(super) fn hash_presented(text: &str) -> Option<SecretHash> {
    (text.len() <= SECRET_BYTES_MAX).then(|| hash(text))
}

/// The same for an invitation's code, which people type: case, hyphens and spaces do not matter, nor do the letters that
/// look like digits.
pub(super) fn hash_presented_code(text: &str) -> Option<SecretHash> {
    if text.len() > SECRET_BYTES_MAX {
        return None;
    }
    let plain = |c: char| match c.to_ascii_lowercase() {
        '-' | ' ' => None,
        'o' => Some('0'),
        'i' | 'l' => Some('1'),
        other => Some(other),
    };
    Some(hash(&text.chars().filter_map(plain).collect::<String>()))
}

fn hash(text: &str) -> SecretHash {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut hash = SecretHash::default();
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::CountingRandomness;

    #[test]
    fn a_secret_is_long_different_each_time_and_never_printed() {
        let rng = CountingRandomness::default();
        let (one, other) = (Secret::mint(&rng), Secret::mint(&rng));
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one, other);
        assert_ne!(one.hash(), other.hash());
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn a_code_may_be_typed_sloppily() {
        let code = Secret::mint_code(&CountingRandomness::default());
        let typed = format!(" {}-{} ", code.expose()[..13].to_uppercase(), &code.expose()[13..]).replace('0', "O");
        assert_eq!(hash_presented_code(&typed), Some(code.hash()));
        assert_eq!(hash_presented_code(&"x".repeat(257)), None);
    }
}
