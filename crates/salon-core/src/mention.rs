//! Mentions: `@name` or `@u_…` in the text of a message.

use crate::ids::UserId;
use crate::limits::MENTIONS_MAX;

/// Words after an `@` that may belong to a name.
const NAME_WORDS_MAX: usize = 3;

/// What may be meant behind one `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// A person's id, written out.
    Id(UserId),
    /// Folded names, the longest first; the first that belongs to a member is meant.
    Names(Vec<String>),
}

/// Names that differ in case or in surrounding space only are the same name.
#[must_use]
pub fn fold_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The places in `content` where somebody may be mentioned, at most [`MENTIONS_MAX`].
#[must_use]
pub fn candidates(content: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in content.char_indices() {
        if c == '@' && !before.is_alphanumeric() {
            found.extend(candidate(&content[at + 1..]));
        }
        if found.len() == MENTIONS_MAX {
            break;
        }
        before = c;
    }
    found
}

fn candidate(rest: &str) -> Option<Candidate> {
    let line = rest.lines().next().unwrap_or_default();
    if line.is_empty() || line.starts_with(char::is_whitespace) {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().take(NAME_WORDS_MAX).collect();
    let first = words.first()?.trim_end_matches(is_punctuation);
    if let Ok(id) = UserId::parse(first) {
        return Some(Candidate::Id(id));
    }
    let mut names = Vec::new();
    for count in (1..=words.len()).rev() {
        let whole = fold_name(&words[..count].join(" "));
        let bare = whole.trim_end_matches(is_punctuation).to_owned();
        for name in [whole, bare] {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (!names.is_empty()).then_some(Candidate::Names(names))
}

fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tried_from_the_longest() {
        let found = candidates("Salut @Jean Paul, ça va ?");
        assert_eq!(found, [Candidate::Names(["jean paul, ça", "jean paul,", "jean paul", "jean"].map(str::to_owned).to_vec())]);
    }

    #[test]
    fn ids_are_mentions_and_addresses_are_not() {
        let ann = UserId::mint(5);
        assert_eq!(candidates(&format!("@{ann}: hello")), [Candidate::Id(ann)]);
        assert_eq!(candidates("write to ann@example.org or @ nobody"), []);
        assert_eq!(candidates(&"@x ".repeat(500)).len(), MENTIONS_MAX);
    }
}
