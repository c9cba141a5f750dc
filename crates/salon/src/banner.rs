//! What a person sees on the terminal before the line for scripts.

use std::io::IsTerminal;
use std::net::SocketAddr;

/// The language of the terminal: French where the locale says so, English elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    French,
}

impl Language {
    /// `LC_ALL` wins over `LC_MESSAGES` over `LANG` (POSIX, 8.2).
    pub(crate) fn of_the_terminal() -> Self {
        let locale =
            ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Self::of_locale(&locale.unwrap_or_default())
    }

    fn of_locale(locale: &str) -> Self {
        if locale == "fr" || locale.starts_with("fr_") || locale.starts_with("fr.") { Self::French } else { Self::English }
    }
}

/// The line with the one-time link, for people and for scripts.
pub(crate) fn setup_line(language: Language, link: &str) -> String {
    match language {
        Language::English => format!("Create the administrator (works once): {link}"),
        Language::French => format!("Créez l'administrateur (une seule fois) : {link}"),
    }
}

/// Tells where everything is, on a terminal only.
pub(crate) fn print(language: Language, public_url: &str, listeners: &[SocketAddr], grpc: SocketAddr) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    let (page, protocol, health) = match language {
        Language::English => ("page", "WebSocket", "health"),
        Language::French => ("page", "WebSocket", "santé"),
    };
    println!("\n  Salon {}\n", env!("CARGO_PKG_VERSION"));
    println!("  {page:10} {public_url}/");
    for listener in listeners {
        println!("  {protocol:10} ws://{listener}/ws");
        println!("  {health:10} http://{listener}/readyz");
    }
    println!("  {:10} http://{grpc}\n", "gRPC");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_chooses_the_language() {
        for (locale, language) in [
            ("fr_FR.UTF-8", Language::French),
            ("fr", Language::French),
            ("en_GB", Language::English),
            ("", Language::English),
            ("fry_NL", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
