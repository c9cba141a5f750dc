//! What people type about themselves: e-mail addresses, names, passwords. Parsed here; inside they are well formed.

use salon_core::CommandError;
use salon_core::limits::NAME_CHARS_MAX;

/// Longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// Shortest password, in characters (NIST SP 800-63B §5.1.1).
pub(super) const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: enough for any passphrase, and no work for the hash.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;

/// An e-mail address that mail could reach; whether it does is not asked.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Email(String);

impl Email {
    /// # Errors
    /// `invalid`, field `email`.
    pub(super) fn parse(text: &str) -> Result<Self, CommandError> {
        let text = text.trim();
        let sides = text.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let one_at = sides.is_some_and(|(_, domain)| !domain.contains('@'));
        let printable = !text.chars().any(|c| c.is_whitespace() || is_unprintable(c));
        if one_at && printable && text.len() <= EMAIL_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(CommandError::invalid("email", "an e-mail address looks like name@example.org, at most 254 bytes"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of somebody who gave none.
    pub(super) fn local_part(&self) -> String {
        let local = self.0.split('@').next().unwrap_or_default();
        local.chars().take(NAME_CHARS_MAX).collect()
    }
}

/// A display name: trimmed, runs of white space made one space.
///
/// # Errors
/// `invalid`, field `name`: empty, longer than 64 characters, or with characters that hide or turn text around.
pub(crate) fn parse_name(text: &str) -> Result<String, CommandError> {
    if text.chars().any(is_unprintable) {
        return Err(CommandError::invalid("name", "a name has no control characters and none that turn the text around"));
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let visible = name.chars().any(|c| !c.is_whitespace() && !is_joiner(c));
    if !visible || name.chars().count() > NAME_CHARS_MAX {
        return Err(CommandError::invalid("name", "a name is 1 to 64 characters"));
    }
    Ok(name)
}

/// # Errors
/// `invalid`, field `password`.
pub(super) fn check_new_password(password: &str) -> Result<(), CommandError> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(CommandError::invalid("password", "a password has at least 8 characters"));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(CommandError::invalid("password", "a password has at most 1024 bytes"));
    }
    Ok(())
}

/// Control characters, bidirectional marks, embeddings, overrides and isolates (UAX #9), line separators, and what has
/// no width and no use in a name.
fn is_unprintable(c: char) -> bool {
    let turns_or_breaks = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_or_breaks || matches!(c, '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}')
}

/// Joiners have no width but a use: emoji sequences, Persian.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_at_and_two_sides() {
        for good in ["a@b", " ann@example.org ", "zoé@exemple.fr", "a+b.c@d-e.f"] {
            assert_eq!(Email::parse(good).map(|email| email.0), Ok(good.trim().to_owned()));
        }
        let long = format!("{}@example.org", "a".repeat(250));
        for bad in ["", "ann", "@b", "a@", "a@b@c", "a b@c", "a\n@b", "a\u{202e}@b", &long] {
            assert_eq!(Email::parse(bad).map_err(|error| error.field).err(), Some(Some("email")), "{bad:?}");
        }
    }

    #[test]
    fn a_name_can_be_seen_and_does_not_turn_its_neighbours_around() {
        for (given, kept) in [(" Ann ", "Ann"), ("Jean\u{a0} Paul", "Jean Paul"), ("👩\u{200d}🚀", "👩\u{200d}🚀"), ("é", "é")]
        {
            assert_eq!(parse_name(given).as_deref(), Ok(kept));
        }
        let long = "x".repeat(65);
        for bad in ["", "  ", "\u{200d}", "a\u{202e}b", "a\u{2066}b", "a\nb", "a\u{0}", "\u{feff}", &long] {
            assert_eq!(parse_name(bad).map_err(|error| error.field).err(), Some(Some("name")), "{bad:?}");
        }
        assert!(parse_name(&"é".repeat(64)).is_ok());
    }

    #[test]
    fn a_name_is_made_of_a_long_address() {
        let email = Email::parse(&format!("{}@b", "é".repeat(100))).unwrap();
        assert_eq!(parse_name(&email.local_part()).unwrap().chars().count(), NAME_CHARS_MAX);
    }

    #[test]
    fn a_password_is_neither_short_nor_endless() {
        assert!(check_new_password("ééééé").is_err());
        assert!(check_new_password("correct horse").is_ok());
        assert!(check_new_password(&"x".repeat(PASSWORD_BYTES_MAX)).is_ok());
        assert!(check_new_password(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
    }
}
