//! Masking: RFC 6455 §5.3.

/// Removes a mask in place, eight bytes at a time, and returns the key as it goes on behind these bytes.
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let mut wide = [0; 8];
    for (position, byte) in wide.iter_mut().enumerate() {
        *byte = key[position % 4];
    }
    let wide_key = u64::from_ne_bytes(wide);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide_key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide) {
        *byte ^= key;
    }
    let mut next = key;
    next.rotate_left(rest.len() % 4);
    next
}
