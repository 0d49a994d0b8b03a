//! File names for exported photos: flat, unique and harmless on every file system and in every export format.

use std::collections::{HashMap, HashSet};

/// The longest stem, in bytes: leaves room for folders below Windows' 260 characters and other systems' 255 bytes a name.
const LONGEST_STEM: usize = 100;

/// Names that Windows keeps for devices, whatever the extension.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A file name for each of (name, file hash, extension), in the order given.
///
/// A name that is safe as it stands is kept if it can be. Folders are dropped; characters other than letters, digits, `-`,
/// `_` and those of the extension become `_` (a dot in the stem would end the key in WebDataset, a blank a word in a list
/// of files, a leading `=` starts a formula). Names that would be the same without regard to case or extension are numbered,
/// in the order of name and hash, so that the result does not depend on the order of the photos. The extension given is
/// used where the name has none.
pub fn safe_names<'a>(photos: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a str>)>) -> Vec<String> {
    let photos: Vec<_> = photos.into_iter().collect();
    let parts: Vec<(String, String)> = photos.iter().map(|(name, _, extension)| cleaned(name, *extension)).collect();
    let mut order: Vec<usize> = (0..photos.len()).collect();
    let is_changed = |n: usize| parts[n].0.clone() + &parts[n].1 != photos[n].0;
    order.sort_by_cached_key(|&n| (is_changed(n), photos[n].0, photos[n].1));
    let mut taken = Taken::default();
    let mut stems: Vec<Option<String>> = vec![None; photos.len()];
    for &n in order.iter().filter(|&&n| !is_changed(n)) {
        stems[n] = taken.take(&parts[n].0);
    }
    for n in order {
        let stem = stems[n].take().unwrap_or_else(|| taken.number(&parts[n].0));
        stems[n] = Some(stem);
    }
    stems.into_iter().zip(parts).map(|(stem, (_, extension))| stem.unwrap_or_default() + &extension).collect()
}

/// Stems in use, without regard to case.
#[derive(Default)]
struct Taken {
    stems: HashSet<String>,
    /// The last number tried behind a stem: a million photos of one name are numbered in one pass.
    last: HashMap<String, u32>,
}

impl Taken {
    /// Takes the stem as it is; `None` where it is taken.
    fn take(&mut self, stem: &str) -> Option<String> {
        self.stems.insert(stem.to_lowercase()).then(|| stem.to_owned())
    }

    /// Takes the stem, with the first free number behind it if need be.
    fn number(&mut self, stem: &str) -> String {
        if let Some(stem) = self.take(stem) {
            return stem;
        }
        let mut number = self.last.get(&stem.to_lowercase()).copied().unwrap_or(1);
        loop {
            number += 1;
            if let Some(numbered) = self.take(&format!("{stem}_{number}")) {
                self.last.insert(stem.to_lowercase(), number);
                return numbered;
            }
        }
    }
}

/// Stem and extension (with its dot; empty where there is none) of a name, made safe.
fn cleaned(name: &str, extension: Option<&str>) -> (String, String) {
    let name = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
    let is_extension = |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let (stem, own) = match name.rsplit_once('.') {
        Some((stem, own)) if is_extension(own) => (stem, Some(own)),
        _ => (name, None),
    };
    let is_image = |own: &&str| ["jpg", "jpeg", "png", "webp"].contains(&own.to_ascii_lowercase().as_str());
    let (stem, extension) = match (own.filter(is_image), extension.filter(|given| is_extension(given))) {
        (Some(own), _) => (stem, Some(own)),
        // `tabby.2019` with the extension jpg: the year is no extension.
        (None, Some(given)) => (name, Some(given)),
        (None, None) => (stem, own),
    };
    let mut safe: String = stem.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    while safe.len() > LONGEST_STEM {
        safe.pop();
    }
    if safe.is_empty() || safe.starts_with('-') || is_reserved(&safe) {
        safe.insert(0, '_');
    }
    (safe, extension.map(|extension| format!(".{extension}")).unwrap_or_default())
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

fn is_reserved(stem: &str) -> bool {
    let lower = stem.to_lowercase();
    let port = lower.strip_prefix("com").or_else(|| lower.strip_prefix("lpt"));
    RESERVED.contains(&lower.as_str())
        || port.is_some_and(|number| number.chars().count() == 1 && number.chars().all(char::is_numeric))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(of: &[&str]) -> Vec<String> {
        safe_names(of.iter().map(|&name| (name, name, None)))
    }

    #[test]
    fn plain_names_stay_letter_for_letter() {
        let plain = ["american_bulldog_203.jpg", "IMG-0001.JPG", "柴犬_1.png", "a.webp"];
        assert_eq!(names(&plain), plain);
    }

    #[test]
    fn what_could_do_harm_is_replaced() {
        for (name, safe) in [
            ("../../etc/passwd.jpg", "passwd.jpg"),
            ("C:\\photos\\a.jpg", "a.jpg"),
            ("a\nb\0c.jpg", "a_b_c.jpg"),
            ("a.b c.jpg", "a_b_c.jpg"),
            ("=1+1.jpg", "_1_1.jpg"),
            ("-rf.jpg", "_-rf.jpg"),
            ("con.jpg", "_con.jpg"),
            ("Lpt1.png", "_Lpt1.png"),
            ("..", "__"),
            ("", "_"),
            ("a\u{202e}gpj.jpg", "a_gpj.jpg"),
        ] {
            assert_eq!(names(&[name]), [safe]);
        }
        let long = "é".repeat(200);
        assert_eq!(names(&[&format!("{long}.jpg")]), [format!("{}.jpg", "é".repeat(50))]);
    }

    #[test]
    fn the_extension_given_stands_in_for_a_missing_one() {
        let given = safe_names([("tabby.2019", "h", Some("jpg")), ("x.PNG", "h", Some("jpg")), ("y", "h", None)]);
        assert_eq!(given, ["tabby_2019.jpg", "x.PNG", "y"]);
    }

    #[test]
    fn equal_names_are_numbered_and_a_safe_name_keeps_its_own() {
        let given = ["b/a.jpg", "a.jpg", "A.png", "a_2.jpg", "c/a.jpg"];
        assert_eq!(names(&given), ["a_4.jpg", "a_3.jpg", "A.png", "a_2.jpg", "a_5.jpg"]);
    }

    proptest! {
        #[test]
        fn names_are_unique_safe_and_independent_of_order(given in proptest::collection::btree_set("[aA./\\\\ \u{0}-~é]{0,6}(\\.jpg|\\.png)?", 1..30)) {
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            let safe = names(&given);
            let stems: HashSet<String> = safe.iter().map(|name| name.split('.').next().unwrap().to_lowercase()).collect();
            prop_assert_eq!(stems.len(), given.len());
            for name in &safe {
                prop_assert!(name.chars().all(|c| is_plain(c) || c == '.') && name.matches('.').count() <= 1, "{}", name);
                prop_assert!(!name.starts_with(['.', '-']));
            }
            let reversed: Vec<&str> = given.iter().rev().copied().collect();
            let mut back = names(&reversed);
            back.reverse();
            prop_assert_eq!(back, safe);
        }
    }
}
