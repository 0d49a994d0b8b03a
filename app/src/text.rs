//! Numbers, names and words as people read them.

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE},
    dataset::Split,
    roles::Role,
    schema::Attribute,
    view::job::{JobKind, JobState},
};

#[macro_use]
pub mod messages;

pub use kenami_domain::language::Language;
pub use messages::{arranged, translate, translate_sentence};

/// The language that the page speaks: on the server, from the request's context.
#[cfg(not(feature = "hydrate"))]
pub fn page_language() -> Language {
    leptos::prelude::use_context().unwrap_or_default()
}

/// The language that the page speaks: in the browser, that of the document, as the server has rendered it. Event handlers
/// have no context; changing the language loads the page again.
#[cfg(feature = "hydrate")]
pub fn page_language() -> Language {
    static OF_DOCUMENT: std::sync::OnceLock<Language> = std::sync::OnceLock::new();
    *OF_DOCUMENT.get_or_init(|| {
        let root = leptos::prelude::document().document_element();
        root.and_then(|root| root.get_attribute("lang")).and_then(|code| code.parse().ok()).unwrap_or_default()
    })
}

/// The code of the page's language.
pub fn language() -> &'static str {
    page_language().code()
}

/// An attribute's name.
pub fn attribute_name(attribute: &Attribute, language: &str) -> String {
    attribute.names.or_key(language, &attribute.key).to_owned()
}

/// The name of the attribute `key` of `attributes`; the key itself if there is none.
pub fn attribute_name_of(attributes: &[Attribute], key: &str, language: &str) -> String {
    attributes.iter().find(|a| a.key == key).map_or_else(|| key.to_owned(), |a| attribute_name(a, language))
}

/// The name of the value `key`; the key itself if there is no such value.
pub fn value_name(attribute: &Attribute, key: &str, language: &str) -> String {
    match attribute.value(key) {
        Some(value) => value.names.or_key(language, key).to_owned(),
        None if key == NOT_VISIBLE => t!("not visible").to_owned(),
        None => key.to_owned(),
    }
}

/// An answer's name: the value's, or "not visible", or "unsure".
pub fn answer_name(attribute: &Attribute, answer: &Answer, language: &str) -> String {
    match answer {
        Answer::Value(key) => value_name(attribute, key, language),
        Answer::NotVisible => t!("not visible").to_owned(),
        Answer::Unsure => t!("unsure").to_owned(),
    }
}

/// A role's name.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Annotator => t!("Annotator"),
        Role::Reviewer => t!("Reviewer"),
        Role::Lead => t!("Lead"),
    }
}

/// What a role may do, in a sentence.
pub fn role_rights(role: Role) -> &'static str {
    match role {
        Role::Annotator => t!("answers photos and reads the guidelines"),
        Role::Reviewer => t!("also decides disagreements and sees datasets and runs"),
        Role::Lead => t!("also writes guidelines, imports, invites, freezes, exports and trains"),
    }
}

/// What a job does, as a noun.
pub fn job_kind_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Import => t!("Import"),
        JobKind::Export => t!("Export"),
        JobKind::Train => t!("Training"),
        JobKind::Predict => t!("Prediction"),
        JobKind::Experiment => t!("Comparison"),
    }
}

/// What went wrong in a plain form (sign-in, joining, password), by the code in the address.
pub fn sign_in_error(code: &str) -> &'static str {
    match code {
        "credentials" => t!("Name and password do not fit together."),
        "throttled" => t!("Too many attempts. Wait a minute and try again."),
        "link" => t!("This link does not work any more. Ask for a new one."),
        "name" => {
            t!("The name does not fit: letters, digits, . _ and -, at most 64, beginning with a letter or digit.")
        }
        "password" => t!("The password does not fit: 10 to 256 characters, and the current one must be right."),
        "taken" => t!("Somebody has this name already. Choose another."),
        _ => t!("Something went wrong on the server; it has been logged."),
    }
}

/// The name of a part of a dataset.
pub fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => t!("train"),
        Split::Validation => t!("validation"),
        Split::Test => t!("test"),
    }
}

/// As [`split_name`], by the word that curves and metrics use; another word is itself.
pub fn split_name_of(word: &str) -> &str {
    Split::ALL.into_iter().find(|split| split.as_str() == word).map_or(word, |split| split_name(split))
}

/// Where a job stands.
pub fn job_state_name(state: JobState) -> &'static str {
    match state {
        JobState::Queued => t!("waiting"),
        JobState::Running => t!("running"),
        JobState::Done => t!("done"),
        JobState::Failed => t!("failed"),
        JobState::Cancelled => t!("cancelled"),
    }
}

/// A whole number with thin groups of three: `12,345`.
pub fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        grouped.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share from 0 to 1 as a percentage with `digits` decimals: `72.4 %`, in Japanese `72.4%`.
pub fn percent(share: f64, digits: usize) -> String {
    t!("{number} %", number = format!("{:.digits$}", share * 100.0))
}

/// A coefficient of agreement with two decimals and a true minus sign.
pub fn coefficient(value: f64) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text.replace('-', "−") }
}

/// `part` of `whole` in whole percent, rounded down so that 100 % means all; 0 where there is nothing.
pub fn whole_percent(part: i64, whole: i64) -> i64 {
    if whole <= 0 { 0 } else { (part.max(0) * 100 / whole).min(100) }
}

/// Milliseconds as people say them: `850 ms`, `5.9 s`, `3 min 20 s`.
pub fn duration(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    if milliseconds < 999.5 {
        t!("{number} ms", number = format!("{milliseconds:.0}"))
    } else if seconds < 59.95 {
        t!("{number} s", number = format!("{seconds:.1}"))
    } else {
        let seconds = seconds.round() as u64;
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        if minutes < 60 {
            t!("{minutes} min {seconds} s", minutes = minutes, seconds = seconds)
        } else {
            t!("{hours} h {minutes} min", hours = minutes / 60, minutes = minutes % 60)
        }
    }
}

/// A size in bytes: `3.4 MB`.
pub fn bytes(size: f64) -> String {
    let (unit, scale) = match size {
        s if s < 1e3 => ("B", 1.0),
        s if s < 1e6 => ("kB", 1e3),
        s if s < 1e9 => ("MB", 1e6),
        _ => ("GB", 1e9),
    };
    if scale == 1.0 { format!("{size:.0} {unit}") } else { format!("{:.1} {unit}", size / scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "−1,234,567")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(whole_percent(999, 1000), 99);
        assert_eq!(whole_percent(1000, 1000), 100);
        assert_eq!(whole_percent(0, 0), 0);
        assert_eq!(percent(0.7244, 1), "72.4 %");
    }

    #[test]
    fn durations_and_sizes_change_units_without_gaps() {
        for (ms, text) in
            [(12.0, "12 ms"), (999.6, "1.0 s"), (5_850.0, "5.8 s"), (59_990.0, "1 min 0 s"), (7_260_000.0, "2 h 1 min")]
        {
            assert_eq!(duration(ms), text, "{ms}");
        }
        assert_eq!(bytes(3_400_000.0), "3.4 MB");
        assert_eq!(bytes(12.0), "12 B");
    }
}
