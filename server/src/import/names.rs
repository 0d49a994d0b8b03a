//! Keys and the names that people read.

use kenami_domain::schema::{Attribute, AttributeKind, AttributeValue, Texts, is_valid_key};

/// `semi_erect` as people read it: `Semi erect`.
pub(super) fn human(key: &str) -> String {
    let spaced = key.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A key for a name that people chose (a folder, a cell): the name itself where it can be a key, else its letters and
/// digits with `_` between, and a short hash where that loses a letter, so that two names never meet in one key.
pub(super) fn key_of(name: &str) -> String {
    let name = name.trim();
    if is_valid_key(name) {
        return name.to_owned();
    }
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect();
    let spaces_only = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '));
    if spaces_only && is_valid_key(&kept) {
        return kept;
    }
    let hash = &blake3::hash(name.as_bytes()).to_hex()[..8];
    let stem: String = kept.trim_matches('_').chars().take(50).collect();
    if stem.is_empty() { format!("v_{hash}") } else { format!("{stem}_{hash}") }
}

/// A value with a name made of its key.
pub(super) fn value(key: &str) -> AttributeValue {
    AttributeValue { key: key.to_owned(), names: Texts::en(human(key)), retired: false }
}

/// An attribute with names made of its keys.
pub(super) fn attribute<'a>(key: &str, kind: AttributeKind, values: impl IntoIterator<Item = &'a String>) -> Attribute {
    let values = values.into_iter().map(|key| value(key)).collect();
    Attribute { key: key.to_owned(), names: Texts::en(human(key)), kind, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_without_meeting() {
        assert_eq!(key_of("american_bulldog"), "american_bulldog");
        assert_eq!(key_of(" Great Dane "), "Great_Dane");
        assert_ne!(key_of("柴犬"), key_of("秋田"));
        assert_ne!(key_of("a.b"), key_of("a/b"));
        assert_ne!(key_of("unsure"), "unsure");
        for name in ["柴犬", "", "unsure", "a.b", &"x".repeat(200)] {
            assert!(is_valid_key(&key_of(name)), "{name}");
        }
    }

    #[test]
    fn keys_become_names() {
        assert_eq!(human("semi_erect"), "Semi erect");
        assert_eq!(human("ear"), "Ear");
    }
}
