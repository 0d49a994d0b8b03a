//! The catalogue against the sources: every message has a translation with the same placeholders, and no translation is
//! left of a message that is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use leptos::prelude::{Owner, provide_context};

use super::*;

/// Messages that the pages get from elsewhere: words of other rooms' types, sentences made by the store and by jobs.
const OTHER_ROOMS: [&str; 3] = ["../store/src", "../domain/src", "../server/src"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn texts_below(folder: &str) -> String {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    let texts = files.iter().filter(|path| !path.ends_with("messages.rs") && !path.ends_with("messages/tests.rs"));
    texts.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The string literal that `source` begins with, and what follows it.
fn literal(source: &str) -> Option<(String, &str)> {
    let mut rest = source.trim_start().strip_prefix('"')?;
    let mut text = String::new();
    loop {
        let end = rest.find(['"', '\\'])?;
        text.push_str(&rest[..end]);
        if rest[end..].starts_with('"') {
            return Some((text, &rest[end + 1..]));
        }
        let escaped = rest[end + 1..].chars().next()?;
        rest = &rest[end + 1 + escaped.len_utf8()..];
        match escaped {
            '\n' => rest = rest.trim_start(),
            'n' => text.push('\n'),
            other => text.push(other),
        }
    }
}

/// The messages of the macros in the pages' sources.
fn messages() -> BTreeSet<String> {
    let source = texts_below("src");
    let mut messages = BTreeSet::new();
    for call in ["t!(", "mark!("] {
        for (start, _) in source.match_indices(call) {
            // assert!(, format!( and others end in the same letters.
            if source[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            messages.extend(literal(&source[start + call.len()..]).map(|(text, _)| text));
        }
    }
    for (start, _) in source.match_indices("n!(") {
        if source[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        // Behind the count, which may hold commas: `"one", "many"` are the first two literals.
        let from_one = &source[start..][source[start..].find('"').unwrap()..];
        let (_, rest) = literal(from_one).unwrap();
        let (many, _) = literal(rest.trim_start().strip_prefix(',').unwrap()).unwrap();
        messages.insert(many);
    }
    messages
}

fn placeholders(message: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = message;
    while let Some((_, name, after)) = next_placeholder(rest) {
        names.insert(name);
        rest = after;
    }
    names
}

fn japanese<T>(read: impl FnOnce() -> T) -> T {
    let owner = Owner::new();
    owner.with(|| {
        provide_context(Language::Japanese);
        read()
    })
}

#[test]
fn every_message_is_translated() {
    let known: BTreeMap<_, _> = JAPANESE.iter().copied().collect();
    let missing: Vec<_> = messages().into_iter().filter(|message| !known.contains_key(message.as_str())).collect();
    assert!(missing.is_empty(), "not in texts/ja.toml: {missing:#?}");
}

#[test]
fn every_translation_is_of_a_message() {
    let messages = messages();
    let others: String = OTHER_ROOMS.iter().map(|folder| texts_below(folder)).collect();
    // Literals of several lines are joined there as the compiler joins them.
    let others: Vec<String> =
        others.match_indices('"').filter_map(|(at, _)| literal(&others[at..])).map(|(text, _)| text).collect();
    let others: BTreeSet<&str> = others.iter().map(String::as_str).collect();
    let own: BTreeSet<&str> = messages.iter().map(String::as_str).collect();
    let unused: Vec<_> =
        JAPANESE.iter().map(|(english, _)| *english).filter(|m| !own.contains(m) && !others.contains(m)).collect();
    assert!(unused.is_empty(), "in texts/ja.toml, but nowhere in the sources: {unused:#?}");
}

#[test]
fn translations_keep_the_placeholders() {
    for (english, japanese) in JAPANESE {
        assert_eq!(placeholders(english), placeholders(japanese), "{english}");
        assert!(!japanese.trim().is_empty(), "{english}");
    }
}

#[test]
fn the_table_is_sorted() {
    assert!(JAPANESE.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn placeholders_are_filled() {
    assert_eq!(fill("{a} of {b}, {a}", &[("a", &1), ("b", &"two")]), "1 of two, 1");
    assert_eq!(fill("no {such} name", &[]), "no {such} name");
}

#[test]
fn english_counts_one_and_japanese_does_not() {
    assert_eq!(n!(1, "{count} photo", "{count} photos"), "1 photo");
    assert_eq!(n!(2_000, "{count} photo", "{count} photos"), "2,000 photos");
    japanese(|| {
        assert_eq!(n!(1, "{count} photo", "{count} photos"), "写真 1 枚");
        assert_eq!(t!("Sign in"), "サインイン");
    });
    assert_eq!(t!("Sign in"), "Sign in");
}

#[test]
fn sentences_of_the_store_are_recognised() {
    assert_eq!(values_in("the name {name} is taken", "the name ann is taken"), Some(vec![("name", "ann")]));
    assert_eq!(values_in("the name {name} is taken", "the name is taken"), None);
    assert_eq!(values_in("{a} or {b}", "drop or erect"), None, "too few words to be sure");
    japanese(|| {
        assert_eq!(translate_sentence("the name ann is taken"), "名前「ann」はすでに使われています");
        assert_eq!(translate_sentence("nothing that is known"), "nothing that is known");
    });
    assert_eq!(translate_sentence("the name ann is taken"), "the name ann is taken");
}
