//! Texts of the pages in the reader's language. The English text is the message itself; the other languages' catalogues
//! (`texts/ja.toml`) translate it.
//!
//! ```text
//! t!("Sign in")                                     // -> &'static str
//! t!("Version {version} is in force.", version = 3) // -> String
//! n!(photos, "{count} photo", "{count} photos")     // -> String; the second is the catalogue's message
//! ```

use std::borrow::Cow;

use kenami_domain::language::Language;
use leptos::prelude::{AnyView, IntoAny};

use super::page_language;

/// What the pages say in Japanese, by the English message, sorted.
static JAPANESE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/ja.rs"));

/// A message in the page's language; `{name}` in it is replaced by the value that is given for `name`.
macro_rules! t {
    ($message:literal) => {
        $crate::text::messages::translate($message)
    };
    ($message:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::text::messages::fill($crate::text::messages::translate($message), &[$((stringify!($name), &$value)),+])
    };
}

/// A counted message in the page's language: `{count}` in it is the grouped number. Languages without plurals use the second
/// form alone.
macro_rules! n {
    ($count:expr, $one:literal, $many:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        let count: i64 = $count;
        let message = $crate::text::messages::counted(count, $one, $many);
        $crate::text::messages::fill(message, &[("count", &$crate::text::number(count)) $(, (stringify!($name), &$value))*])
    }};
}

/// A message that is translated where it is shown, with [`translate`]: for constants.
macro_rules! mark {
    ($message:literal) => {
        $message
    };
}

/// A message with views in the places of its placeholders, in the order in which the page's language has them; text around
/// them is text.
pub fn arranged<const N: usize>(message: &'static str, views: [(&str, AnyView); N]) -> Vec<AnyView> {
    let mut views: Vec<_> = views.into_iter().map(|(name, view)| (name, Some(view))).collect();
    let mut parts = Vec::new();
    let mut rest = message;
    while let Some((before, name, after)) = next_placeholder(rest) {
        parts.push(before.into_any());
        parts.extend(views.iter_mut().find(|(known, _)| *known == name).and_then(|(_, view)| view.take()));
        rest = after;
    }
    parts.push(rest.into_any());
    parts
}

/// `message` in the page's language; itself where no catalogue has it.
pub fn translate(message: &'static str) -> &'static str {
    lookup(page_language(), message).unwrap_or(message)
}

/// The form of a counted message that fits `count`, in the page's language.
pub fn counted(count: i64, one: &'static str, many: &'static str) -> &'static str {
    match lookup(page_language(), many) {
        Some(translated) => translated,
        None if count == 1 => one,
        None => many,
    }
}

/// `message` with every `{name}` replaced by the value given for `name`.
pub fn fill(message: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    let mut filled = String::with_capacity(message.len() + 16 * values.len());
    let mut rest = message;
    while let Some((before, name, after)) = next_placeholder(rest) {
        filled.push_str(before);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => filled.push_str(&value.to_string()),
            None => filled.extend(["{", name, "}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What stands before the first `{name}`, the name, and what stands behind it.
fn next_placeholder(message: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = message.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// A sentence that another room has put together (the store's errors), in the page's language: by the catalogue's message
/// itself, or by one whose words outside of its placeholders are the sentence's; itself where none fits.
pub fn translate_sentence(sentence: &str) -> Cow<'_, str> {
    let language = page_language();
    if language == Language::English {
        return Cow::Borrowed(sentence);
    }
    if let Some(translated) = lookup(language, sentence) {
        return Cow::Borrowed(translated);
    }
    let fitting = JAPANESE.iter().find_map(|(english, japanese)| Some((values_in(english, sentence)?, japanese)));
    match fitting {
        Some((values, japanese)) => {
            let values: Vec<_> = values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
            Cow::Owned(fill(japanese, &values))
        }
        None => Cow::Borrowed(sentence),
    }
}

/// The values that `message`'s placeholders have in `sentence`, if it is made of `message`. A message that begins with a
/// placeholder and has few words would fit too much: it must have ten letters outside of its placeholders.
fn values_in<'a>(message: &'a str, sentence: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    const WORDS: usize = 10;
    let (start, mut name, mut rest) = next_placeholder(message)?;
    let mut words = start.len();
    let mut left = sentence.strip_prefix(start)?;
    let mut values = Vec::new();
    loop {
        let (between, next) = match next_placeholder(rest) {
            Some((between, next, after)) => (between, Some((next, after))),
            None => (rest, None),
        };
        words += between.len();
        let (value, after) = match next {
            Some(_) => left.split_once(between)?,
            None => (left.strip_suffix(between)?, ""),
        };
        if value.is_empty() {
            return None;
        }
        values.push((name, value));
        left = after;
        match next {
            Some((following, after)) => (name, rest) = (following, after),
            None => return (words >= WORDS).then_some(values),
        }
    }
}

fn lookup(language: Language, message: &str) -> Option<&'static str> {
    match language {
        Language::English => None,
        Language::Japanese => {
            let place = JAPANESE.binary_search_by_key(&message, |(english, _)| english).ok()?;
            Some(JAPANESE[place].1)
        }
    }
}

#[cfg(test)]
mod tests;
