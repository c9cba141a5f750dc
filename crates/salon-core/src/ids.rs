//! Identifiers. They are parsed at the edge; a value of one of these types is well formed.

use std::fmt;
use std::sync::Arc;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`, so that an id can be read aloud.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a person's id behind `u_`: 80 random bits.
const USER_ID_CHARS: usize = 16;
/// Random characters that end a message id: 50 bits, so that an id cannot be guessed from its neighbours.
const MESSAGE_SALT_CHARS: usize = 10;
/// Longest slug of a named room, in characters (PROTOCOL §1).
pub const ROOM_SLUG_CHARS_MAX: usize = 64;
/// Longest `client_id`, in bytes of UTF-8 (PROTOCOL §1).
pub const CLIENT_ID_BYTES_MAX: usize = 64;

/// Text that is not the id it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub &'static str);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

text_id! {
    /// A room's permanent id: the slug of a named room, `d_…` of a direct room, `@u_…` of a person's own log
    /// (printed as `@me`).
    RoomId
}
text_id! {
    /// A person's permanent, opaque id: `u_…`, or `g_…` for a guest.
    UserId
}
text_id! {
    /// A message's opaque id, `m_…`. It carries the `seq` of its entry, so that finding a message needs no index.
    MessageId
}
text_id! {
    /// A random string that changes when a log cannot continue. Compared for equality only.
    Epoch
}
text_id! {
    /// The sender's own name for a message, unique per room and sender: a retry under it stays one entry.
    ClientId
}
text_id! {
    /// One login of one person on one device, `l_…`: what a logout ends.
    LoginId
}

/// A position in a room's log: 1, 2, 3 … without gaps. 0 is the position before the first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The position of the entry behind this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many entries lie between an earlier position and this one; 0 if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl RoomId {
    /// Parses what a client wrote: a slug `[a-z0-9][a-z0-9-]{0,63}` or a direct room's `d_…`.
    ///
    /// `@me` is not parsed here: whose log it is depends on who asks, see [`RoomId::me`].
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if let Some(pair) = text.strip_prefix("d_") {
            let well_formed = pair.split_once('_').is_some_and(|(low, high)| is_base32(low) && is_base32(high) && low < high);
            return if well_formed {
                Ok(Self(text.into()))
            } else {
                Err(InvalidId("a direct room's id is d_ and two people's ids"))
            };
        }
        Self::parse_slug(text)
    }

    /// Parses the slug of a named room, as it is given when the room is created.
    ///
    /// # Errors
    /// The text is not `[a-z0-9][a-z0-9-]{0,63}`.
    pub fn parse_slug(text: &str) -> Result<Self, InvalidId> {
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if text.is_empty() || text.len() > ROOM_SLUG_CHARS_MAX || text.starts_with('-') || !text.bytes().all(legal) {
            return Err(InvalidId("a room is named by 1 to 64 of a-z, 0-9 and -, not starting with -"));
        }
        Ok(Self(text.into()))
    }

    /// The one direct room of two people; the order in which they are named does not matter.
    ///
    /// # Errors
    /// Both are the same person, or one is a guest.
    pub fn direct(one: &UserId, other: &UserId) -> Result<Self, InvalidId> {
        let (Some(one), Some(other)) = (one.account_part(), other.account_part()) else {
            return Err(InvalidId("a guest has no direct rooms"));
        };
        if one == other {
            return Err(InvalidId("a direct room is between two different people"));
        }
        let (low, high) = if one < other { (one, other) } else { (other, one) };
        Ok(Self(format!("d_{low}_{high}").into()))
    }

    /// A person's own log.
    #[must_use]
    pub fn me(user: &UserId) -> Self {
        Self(format!("@{user}").into())
    }

    /// Reads back what a store wrote.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Whose own log this is, if it is one.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        self.0.strip_prefix('@').map(|user| UserId(user.into()))
    }

    /// The two people of a direct room.
    #[must_use]
    pub fn direct_pair(&self) -> Option<(UserId, UserId)> {
        let (low, high) = self.0.strip_prefix("d_")?.split_once('_')?;
        Some((UserId(format!("u_{low}").into()), UserId(format!("u_{high}").into())))
    }

    /// The id as clients know it: everybody's own log is `@me`.
    #[must_use]
    pub fn public(&self) -> &str {
        if self.0.starts_with('@') { "@me" } else { &self.0 }
    }
}

impl UserId {
    /// A new person's id from 80 random bits.
    #[must_use]
    pub fn mint(random: u128) -> Self {
        Self(format!("u_{}", base32(random, USER_ID_CHARS)).into())
    }

    /// A new guest's id from 80 random bits.
    #[must_use]
    pub fn mint_guest(random: u128) -> Self {
        Self(format!("g_{}", base32(random, USER_ID_CHARS)).into())
    }

    /// # Errors
    /// The text is not `u_…` or `g_…` as this server makes them.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let rest = text.strip_prefix("u_").or_else(|| text.strip_prefix("g_"));
        match rest {
            Some(rest) if rest.len() == USER_ID_CHARS && is_base32(rest) => Ok(Self(text.into())),
            Some(_) | None => Err(InvalidId("a person's id is u_ and 16 characters")),
        }
    }

    /// Reads back what a store wrote.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// True for a guest, who has no account.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.0.starts_with("g_")
    }

    fn account_part(&self) -> Option<&str> {
        self.0.strip_prefix("u_")
    }
}

impl MessageId {
    /// The id of the message at `seq`; `random` makes it unguessable and tells it from the message that had the same
    /// position in another epoch.
    #[must_use]
    pub fn mint(seq: Seq, random: u64) -> Self {
        let mut position = base32(u128::from(seq.0), 13);
        let zeros = position.bytes().take_while(|b| *b == b'0').count().min(12);
        position.drain(..zeros);
        Self(format!("m_{position}{}", base32(u128::from(random), MESSAGE_SALT_CHARS)).into())
    }

    /// # Errors
    /// The text is not an id that this server could have made.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let id = Self(text.into());
        match id.position() {
            Some(_) => Ok(id),
            None => Err(InvalidId("a message's id is m_ and letters and digits, as the server gave it")),
        }
    }

    /// Reads back what a store wrote.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Where the message is, if it is: the entry there still has to carry this very id.
    #[must_use]
    pub fn seq_hint(&self) -> Seq {
        Seq(self.position().unwrap_or_default())
    }

    fn position(&self) -> Option<u64> {
        let rest = self.0.strip_prefix("m_")?;
        let digits = rest.len().checked_sub(MESSAGE_SALT_CHARS).filter(|n| (1..=13).contains(n))?;
        if !is_base32(rest) {
            return None;
        }
        let value = rest.bytes().take(digits).try_fold(0_u128, |value, digit| {
            let digit = BASE32.iter().position(|c| *c == digit)?;
            Some(value << 5 | digit as u128)
        })?;
        u64::try_from(value).ok().filter(|seq| *seq > 0)
    }
}

impl Epoch {
    /// A new epoch from 40 random bits.
    #[must_use]
    pub fn mint(random: u64) -> Self {
        Self(base32(u128::from(random), 8).into())
    }

    /// Reads back what a store wrote or a client repeated: any text, because it is only ever compared.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl ClientId {
    /// # Errors
    /// The text is empty or longer than [`CLIENT_ID_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() || text.len() > CLIENT_ID_BYTES_MAX {
            return Err(InvalidId("a client_id is 1 to 64 bytes"));
        }
        Ok(Self(text.into()))
    }

    /// Reads back what a store wrote.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl LoginId {
    /// A new login's id from 80 random bits.
    #[must_use]
    pub fn mint(random: u128) -> Self {
        Self(format!("l_{}", base32(random, 16)).into())
    }

    /// Reads back what a store or a verified token holds.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }
}

/// The low `5 × chars` bits of `value`, most significant first.
#[must_use]
pub fn base32(value: u128, chars: usize) -> String {
    (0..chars).rev().map(|place| char::from(BASE32[(value >> (5 * place) & 31) as usize])).collect()
}

fn is_base32(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| BASE32.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slug_is_what_the_protocol_says() {
        for good in ["general", "a", "0-1", &"x".repeat(64)] {
            assert!(RoomId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "General", "a_b", "é", "a b", "@me", "d_", "d_a", "d_b_a", &"x".repeat(65)] {
            assert!(RoomId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_people_have_one_direct_room() {
        let (ann, bob) = (UserId::mint(1), UserId::mint(2));
        let room = RoomId::direct(&bob, &ann).unwrap();
        assert_eq!(room, RoomId::direct(&ann, &bob).unwrap());
        assert_eq!(RoomId::parse(room.as_str()), Ok(room.clone()));
        assert_eq!(room.direct_pair(), Some((ann.clone(), bob)));
        assert!(RoomId::direct(&ann, &ann).is_err());
        assert!(RoomId::direct(&ann, &UserId::mint_guest(3)).is_err());
    }

    #[test]
    fn everyones_own_log_is_printed_alike() {
        let ann = UserId::mint(7);
        assert_eq!(RoomId::me(&ann).public(), "@me");
        assert_eq!(RoomId::me(&ann).owner(), Some(ann));
    }

    proptest! {
        #[test]
        fn a_message_id_tells_its_position(seq in 1_u64..=(1 << 53), random: u64) {
            let id = MessageId::mint(Seq(seq), random);
            prop_assert_eq!(id.seq_hint(), Seq(seq));
            prop_assert_eq!(MessageId::parse(id.as_str()), Ok(id));
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,90}") {
            let _ = (RoomId::parse(&text), UserId::parse(&text), MessageId::parse(&text), ClientId::parse(&text));
        }
    }
}
