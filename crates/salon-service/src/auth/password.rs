//! Password hashes: argon2id on a bounded pool, so that logins can be slow without the server becoming slow.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use salon_core::ports::Randomness;
use salon_core::{CommandError, ErrorCode};
use tokio::sync::{AcquireError, Semaphore};
use tokio_util::task::TaskTracker;

/// Memory of one hash, in KiB (OWASP: 19 MiB with two passes and one lane).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of salt (RFC 9106 §3.1).
const SALT_BYTES: usize = 16;
/// Requests that may wait for a hash: some seconds of work, beyond which waiting is no service.
const HASHES_WAITING_MAX: usize = 512;
/// When to come back after finding the queue full, in milliseconds.
const RETRY_AFTER_MS: u64 = 2_000;

/// Compared with where there is nobody to compare with: an unknown address costs the same time as a wrong password.
/// Nobody knows a password for it, and what the comparison says is not looked at.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2Fsb24gaGFzIG5vYm9keQ$kq2zq1mmcnHqlNYDbZJnTHiVdVYGYw9nOPsIOg0y2qM";

#[derive(Debug)]
pub(super) struct Passwords {
    /// A permit is a place in the queue, running hashes included.
    queue: Arc<Semaphore>,
    /// A permit is a hash being computed.
    running: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Passwords {
    pub(super) fn new(hashing_threads: usize) -> Self {
        let threads = hashing_threads.max(1);
        Self {
            queue: Arc::new(Semaphore::new(threads + HASHES_WAITING_MAX)),
            running: Arc::new(Semaphore::new(threads)),
            tasks: TaskTracker::new(),
        }
    }

    /// A new password's hash, as a PHC string.
    ///
    /// # Errors
    /// `unavailable` where too many wait.
    pub(super) async fn hash(&self, password: String, rng: &dyn Randomness) -> Result<String, CommandError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill(&mut salt);
        self.compute(move || {
            let hash: PasswordHash = argon2id()?.hash_password_with_salt(password.as_bytes(), &salt)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Is this the password? Takes the same time where there is no hash to compare with, and says no.
    ///
    /// # Errors
    /// `unavailable` where too many wait; `internal` where the stored hash is none.
    pub(super) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, CommandError> {
        self.compute(move || {
            let known = stored.is_some();
            let hash = PasswordHash::new(stored.as_deref().unwrap_or(NOBODY))?;
            match argon2id()?.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(other) => Err(other),
            }
        })
        .await
    }

    /// Waits for the hashes that are being computed.
    pub(super) async fn stop(&self) {
        self.queue.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The permits go along with the work: a request that is given up does not make room for another hash before its own is done.
    async fn compute<T, F>(&self, work: F) -> Result<T, CommandError>
    where
        T: Send + 'static,
        F: FnOnce() -> password_hash::Result<T> + Send + 'static,
    {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| too_many())?;
        let slot = self.running.clone().acquire_owned().await.map_err(|_: AcquireError| too_many())?;
        let computed = self.tasks.spawn_blocking(move || {
            let computed = work();
            drop((slot, place));
            computed
        });
        match computed.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(broken(&error)),
            Err(error) => Err(broken(&error)),
        }
    }
}

fn argon2id() -> password_hash::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| password_hash::Error::ParamsInvalid)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn too_many() -> CommandError {
    let error = CommandError::unavailable("too many people are logging in at this moment: try again");
    CommandError { retry_after_ms: Some(RETRY_AFTER_MS), ..error }
}

fn broken(error: &dyn std::error::Error) -> CommandError {
    tracing::error!(%error, "a password could not be hashed or compared");
    CommandError::new(ErrorCode::Internal, "the password could not be checked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::CountingRandomness;

    #[test]
    fn nobody_costs_what_everybody_costs() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!((hash.salt.unwrap().len(), hash.hash.unwrap().len()), (SALT_BYTES, 32));
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::new(2);
        let hash = passwords.hash("correct horse".into(), &CountingRandomness::default()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse".into(), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("wrong horse".into(), Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify("correct horse".into(), None).await, Ok(false));
        let spoiled = passwords.verify("x".into(), Some("not a hash".into())).await.unwrap_err();
        assert_eq!(spoiled.code, ErrorCode::Internal);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_empties() {
        let passwords = Passwords::new(1);
        let held = passwords.running.clone().acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..=HASHES_WAITING_MAX).map(|_| passwords.compute(|| Ok(()))).collect();
        let waiting = futures_join(waiting);
        let refused = async {
            tokio::task::yield_now().await;
            let refused = passwords.compute(|| Ok(())).await.unwrap_err();
            drop(held);
            refused
        };
        let (done, refused) = tokio::join!(waiting, refused);
        assert!(done.iter().all(Result::is_ok));
        assert_eq!((refused.code, refused.retry_after_ms), (ErrorCode::Unavailable, Some(RETRY_AFTER_MS)));
        assert_eq!(passwords.compute(|| Ok(5)).await, Ok(5));
        passwords.stop().await;
        assert_eq!(passwords.compute(|| Ok(5)).await.unwrap_err().code, ErrorCode::Unavailable);
    }

    /// All of them at once, polled in order, like `join_all`.
    async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
        let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
        let mut done: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (future, slot) in pinned.iter_mut().zip(&mut done) {
                if slot.is_none()
                    && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
                {
                    *slot = Some(output);
                }
            }
            if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        done.into_iter().flatten().collect()
    }
}
