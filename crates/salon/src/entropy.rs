//! The real clock and the real randomness: the one place where the process asks for either.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use salon_core::Timestamp;
use salon_core::ports::{Clock, Randomness};

#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else takes as an argument")]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

#[derive(Debug)]
pub(crate) struct SystemRandomness(SystemRandom);

impl SystemRandomness {
    pub(crate) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Randomness for SystemRandomness {
    #[expect(
        clippy::panic,
        reason = "a server that cannot make secrets must not go on; the kernel's generator does not fail once it has started"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if self.0.fill(bytes).is_err() {
            panic!("the operating system gives no random bytes");
        }
    }
}
