//! `salon.toml`.

use std::io::ErrorKind;
use std::path::Path;

use super::{BadConfig, Settings};

/// Keys of `salon gateway` and `salon service`.
const OTHER_ROLES_KEYS: [&str; 3] = ["link_secret_file", "metrics_addr", "service_url"];

/// Reads the file; an absent one is empty unless somebody named it.
pub(super) fn read(path: &Path, named: bool) -> Result<Settings, BadConfig> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => return Ok(Settings::default()),
        Err(error) => return Err(BadConfig::new("config", path.display(), format!("the file cannot be read: {error}"))),
    };
    parse(&text).map_err(|error| {
        // The error itself shows the line it is about, which may hold a secret: only its message and place are told.
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        BadConfig::new("config", path.display(), format!("line {line}: {}", error.message()))
    })
}

/// One file may configure several roles: keys that only other roles know are passed over.
fn parse(text: &str) -> Result<Settings, toml::de::Error> {
    match toml::from_str(text) {
        Ok(settings) => Ok(settings),
        Err(error) => {
            let Ok(mut table) = text.parse::<toml::Table>() else { return Err(error) };
            let keys = table.len();
            OTHER_ROLES_KEYS.iter().for_each(|key| drop(table.remove(*key)));
            if table.len() == keys { Err(error) } else { table.try_into() }
        }
    }
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
    fn keys_of_other_roles_are_passed_over() {
        let settings = read_text("service_url = [\"http://a:1\"]\nsignup = \"open\"\n").unwrap();
        assert_eq!(settings.signup.as_deref(), Some("open"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_says_where() {
        let error = read_text("signup = \"open\"\nsingup = 1\n").unwrap_err();
        assert!(error.remedy.starts_with("line 2: unknown field `singup`"), "{}", error.remedy);
    }
}
