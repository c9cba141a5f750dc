//! Searching without an index, close enough to the tokenizer of SQLite's FTS5 (`unicode61 remove_diacritics 2`).

use crate::paging::search_words;

/// Does the content have all of these words? Each is a prefix; what has punctuation inside is a phrase.
pub(super) fn matches(content: &str, text: &str) -> bool {
    let tokens = tokens(content);
    let words = search_words(text);
    !words.is_empty() && words.into_iter().all(|word| has_phrase(&tokens, &self::tokens(word)))
}

fn has_phrase(tokens: &[String], phrase: &[String]) -> bool {
    let Some((last, whole)) = phrase.split_last() else { return true };
    tokens.windows(phrase.len()).any(|window| match window.split_last() {
        Some((end, start)) => start == whole && end.starts_with(last),
        None => false,
    })
}

fn tokens(text: &str) -> Vec<String> {
    let folded: String = text.chars().filter(|c| !is_combining(*c)).flat_map(char::to_lowercase).map(bare).collect();
    folded.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

fn is_combining(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// The letter without its accent, for the languages of western Europe.
fn bare(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ě' => 'e',
        'ì'..='ï' | 'ī' => 'i',
        'ñ' | 'ń' => 'n',
        'ò'..='ö' | 'ō' | 'ő' => 'o',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'š' | 'ś' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        other => other,
    }
}
