//! `salon.toml`.

use std::io::ErrorKind;
use std::path::Path;

use super::{BadConfig, Settings};

/// Reads the file; an absent one is empty unless somebody named it.
pub(super) fn read(path: &Path, named: bool) -> Result<Settings, BadConfig> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => return Ok(Settings::default()),
        Err(error) => return Err(BadConfig::new("config", path.display(), format!("the file cannot be read: {error}"))),
    };
    // The error shows the line it is about, which may hold a secret: only its message and place are told.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].lines().count());
        BadConfig::new("config", path.display(), format!("line {line}: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Settings, BadConfig> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("salon.toml");
        std::fs::write(&path, text).unwrap();
        read(&path, true)
    }

    #[test]
    fn keys_are_the_flags_names() {
        let settings = read_text("signup = \"open\"\nhttp_addr = [\"127.0.0.1:0\"]\nmessage_burst = 5\n").unwrap();
        assert_eq!((settings.signup.as_deref(), settings.http_addr.len(), settings.message_burst), (Some("open"), 1, Some(5)));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_says_where() {
        let error = read_text("signup = \"open\"\nsingup = 1\n").unwrap_err();
        assert!(error.remedy.starts_with("line 2: unknown field `singup`"), "{}", error.remedy);
    }
}
