use std::sync::atomic::{AtomicU64, Ordering};

use salon_core::ports::Randomness;

/// Bytes that are different each time and the same in each run.
#[derive(Debug, Default)]
pub(crate) struct CountingRandomness(AtomicU64);

impl Randomness for CountingRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_le_bytes());
        for (byte, random) in bytes.iter_mut().zip(digest.as_ref().iter().cycle()) {
            *byte = *random;
        }
    }
}
