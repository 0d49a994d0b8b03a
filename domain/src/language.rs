//! The languages that pages speak, and which of them a browser asks for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Japanese.
    #[serde(rename = "ja")]
    Japanese,
}

/// A word that names no language of the pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no language of the pages: choose en or ja")]
pub struct UnknownLanguage(pub String);

impl Language {
    /// All of them, the one that stands in for others first.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// The code for `lang` attributes, for [`crate::schema::Texts`] and for the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// What the language calls itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// The language that an `Accept-Language` header (RFC 9110, section 12.5.4) prefers among those of the pages; none
    /// if it names none of them. `*` stands for English.
    pub fn preferred(accept_language: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.trim().parse().ok());
            let language = if tag == "*" { Some(Self::default()) } else { Self::of_tag(tag) };
            let (Some(language), Some(quality)) = (language, quality) else { continue };
            // The first of equals stands: browsers list them in the order of preference.
            if quality > 0.0 && best.is_none_or(|(before, _)| quality > before) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The language of a tag such as `ja-JP`, whatever its region and case.
    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(primary))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.code() == code).ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_asked_by_weight_then_by_order() {
        for (header, language) in [
            ("ja", Some(Language::Japanese)),
            ("ja-JP", Some(Language::Japanese)),
            ("JA-jp", Some(Language::Japanese)),
            ("en-US,en;q=0.9,ja;q=0.8", Some(Language::English)),
            ("ja,en-US;q=0.9,en;q=0.8", Some(Language::Japanese)),
            ("en;q=0.5, ja;q=0.7", Some(Language::Japanese)),
            ("de-DE,de;q=0.9,ja;q=0.4", Some(Language::Japanese)),
            ("fr, *;q=0.5", Some(Language::English)),
            ("ja;q=0, en;q=0.1", Some(Language::English)),
            ("ja;q=x, en", Some(Language::English)),
            ("jav, jam", None),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Language::preferred(header), language, "{header:?}");
        }
    }

    #[test]
    fn codes_are_read_back() {
        for language in Language::ALL {
            assert_eq!(language.code().parse(), Ok(language));
            assert_eq!(serde_json::to_value(language).unwrap(), language.code());
        }
        assert!("de".parse::<Language>().is_err());
    }
}
