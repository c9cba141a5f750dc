//! A node's token key: made once, kept in a file that only its owner reads.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use salon_core::ports::Randomness;

use crate::StartError;

/// The key's file in the key directory: a private key in PKCS#8 (RFC 8410), DER.
const KEY_FILE: &str = "token-key";
/// Bytes of a raw public key (RFC 8032 §5.1.5).
pub(super) const PUBLIC_KEY_BYTES: usize = 32;
/// Largest file that is read as a key, in bytes; ours are below 100.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// Permissions that a key file must not give: writing to the group, anything to others. Reading by the group is how
/// orchestrators mount secrets.
#[cfg(unix)]
const FORBIDDEN_MODE: u32 = 0o027;

/// What this node signs with.
pub(super) struct NodeKey {
    pub(super) kid: String,
    pub(super) public: Vec<u8>,
    pub(super) signing: EncodingKey,
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl NodeKey {
    /// Reads the key in `dir`, or makes one there; without a directory, one for this process only.
    ///
    /// # Errors
    /// The file cannot be read or written, is no key, or can be read by others.
    pub(super) fn open(dir: Option<&Path>, rng: &dyn Randomness) -> Result<Self, StartError> {
        let Some(dir) = dir else { return Self::from_pkcs8(&mint(rng)?) };
        let path = dir.join(KEY_FILE);
        let found = match read(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(dir, &path, &mint(rng)?, rng).map_err(|error| about(&path, &error))?;
                // Whoever was first, both go on with the key that is there.
                read(&path).map_err(|error| about(&path, &error))?
            }
            Err(error) => return Err(about(&path, &error)),
        };
        Self::from_pkcs8(&found).map_err(|_| StartError::Keys(format!("{}: not an Ed25519 key in PKCS#8", path.display())))
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, StartError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|error| StartError::Keys(format!("the token key: {error}")))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { kid: thumbprint(&public), public, signing: EncodingKey::from_ed_der(pkcs8) })
    }
}

/// The name of a public key is its hash (RFC 7638, RFC 8037 §2): no other key can have it, whatever a store says.
pub(super) fn thumbprint(public: &[u8]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

/// What verifies a token that was signed by the holder of `public`.
pub(super) fn verifying_key(public: &[u8]) -> DecodingKey {
    DecodingKey::from_ed_der(public)
}

fn mint(rng: &dyn Randomness) -> Result<Vec<u8>, StartError> {
    let mut seed = [0; 32];
    rng.fill(&mut seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| StartError::Keys(format!("a new key: {error}")))?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|error| StartError::Keys(format!("a new key: {error}")))?;
    Ok(pkcs8.as_ref().to_vec())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::metadata(path)?;
    if file.len() > KEY_FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a key"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.permissions().mode() & FORBIDDEN_MODE != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may read it: run chmod 600 on it"));
        }
    }
    fs::read(path)
}

/// Writes the whole key under another name and then links it, so that nobody ever reads half a key and nobody's key is
/// overwritten.
fn create(dir: &Path, path: &Path, pkcs8: &[u8], rng: &dyn Randomness) -> io::Result<()> {
    private_dir().create(dir)?;
    let draft = dir.join(format!("{KEY_FILE}.{:016x}", rng.next_u64()));
    let placed = write_private(&draft, pkcs8).and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no links; two first starts at the same moment are the rarer trouble.
        Err(_) => fs::rename(&draft, path),
    });
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %draft.display(), %error, "a draft of the token key could not be removed: remove it");
    }
    placed?;
    fs::File::open(dir)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private_dir() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn about(path: &Path, error: &io::Error) -> StartError {
    StartError::Keys(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::CountingRandomness;

    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        // RFC 8037, appendices A.2 and A.3.
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_is_made_once_and_alone_in_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("a/b");
        let rng = CountingRandomness::default();
        let first = NodeKey::open(Some(&keys), &rng).unwrap();
        let again = NodeKey::open(Some(&keys), &rng).unwrap();
        assert_eq!((first.kid, first.public), (again.kid, again.public));
        let names: Vec<_> = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [KEY_FILE]);
    }

    #[test]
    fn who_comes_second_keeps_the_first_key() {
        let dir = tempfile::tempdir().unwrap();
        let (rng, path) = (CountingRandomness::default(), dir.path().join(KEY_FILE));
        let first = mint(&rng).unwrap();
        create(dir.path(), &path, &first, &rng).unwrap();
        create(dir.path(), &path, &mint(&rng).unwrap(), &rng).unwrap();
        assert_eq!(read(&path).unwrap(), first);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let rng = CountingRandomness::default();
        NodeKey::open(Some(dir.path()), &rng).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = NodeKey::open(Some(dir.path()), &rng).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        write_private(&path, b"precious").unwrap();
        assert!(NodeKey::open(Some(dir.path()), &CountingRandomness::default()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
