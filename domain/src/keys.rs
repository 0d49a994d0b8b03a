//! Keys of the pages on which photos are answered: what they do by default, and which an annotator may choose instead.
//!
//! A key is named as browsers name it (`KeyboardEvent.key`), a letter in its small form. Tab, Escape, the arrows, Space and
//! `?` mean the same everywhere and cannot be chosen; nor can anything with Ctrl, Alt or Meta, which is the browser's.

use std::collections::BTreeMap;

use thiserror::Error;

/// A page with keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// One photo after the other.
    Annotate,
    /// Many photos at once.
    Grid,
}

/// Something that a page does at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// Its name, without the page's.
    pub id: &'static str,
    /// Its keys, the one that is shown first.
    pub keys: &'static [&'static str],
}

/// The actions `value-1` to `value-9` are values of an attribute; further values have letters that cannot be chosen.
pub const CHOSEN_VALUES: usize = 9;

const fn action(id: &'static str, keys: &'static [&'static str]) -> Action {
    Action { id, keys }
}

/// Digits, Q, E, Z, X, W and G lie under the left hand; the number pad, Enter, Backspace, U and N under the right one.
const ANNOTATE: [Action; 18] = [
    action("value-1", &["1"]),
    action("value-2", &["2"]),
    action("value-3", &["3"]),
    action("value-4", &["4"]),
    action("value-5", &["5"]),
    action("value-6", &["6"]),
    action("value-7", &["7"]),
    action("value-8", &["8"]),
    action("value-9", &["9"]),
    action("not-visible", &["0", "n", "q"]),
    action("unsure", &["u", "e"]),
    action("undo", &["z", "Backspace"]),
    action("next-photo", &["Enter"]),
    action("guideline", &["g"]),
    action("examples", &["x"]),
    action("zoom-in", &["+", "="]),
    action("zoom-out", &["-"]),
    action("whole-photo", &["w"]),
];
/// Of the tenth value and those that follow.
const ANNOTATE_LETTERS: [&str; 16] = ["a", "b", "c", "d", "f", "h", "i", "j", "k", "l", "m", "o", "p", "r", "s", "t"];

/// Digits are photos, letters are answers: the left hand marks, either hand accepts.
const GRID: [Action; 16] = [
    action("value-1", &["q"]),
    action("value-2", &["w"]),
    action("value-3", &["e"]),
    action("value-4", &["r"]),
    action("value-5", &["t"]),
    action("value-6", &["a"]),
    action("value-7", &["s"]),
    action("value-8", &["d"]),
    action("value-9", &["f"]),
    action("accept", &["Enter"]),
    action("not-visible", &["x", "n"]),
    action("unsure", &["u"]),
    action("later", &["l"]),
    action("unmark", &["Delete"]),
    action("undo", &["z", "Backspace"]),
    action("look", &["o"]),
];
const GRID_LETTERS: [&str; 11] = ["g", "c", "v", "b", "y", "h", "i", "j", "k", "m", "p"];

impl Page {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Annotate, Self::Grid];

    /// What the page does at keys that can be chosen.
    pub fn actions(self) -> &'static [Action] {
        match self {
            Self::Annotate => &ANNOTATE,
            Self::Grid => &GRID,
        }
    }

    fn letters(self) -> &'static [&'static str] {
        match self {
            Self::Annotate => &ANNOTATE_LETTERS,
            Self::Grid => &GRID_LETTERS,
        }
    }

    /// The name of an action among those of all pages: what [`Chosen`] is keyed by.
    pub fn full_id(self, id: &str) -> String {
        match self {
            Self::Annotate => format!("annotate.{id}"),
            Self::Grid => format!("grid.{id}"),
        }
    }
}

/// Keys that an annotator chose, by [`Page::full_id`]. A chosen key takes the place of all of an action's own.
pub type Chosen = BTreeMap<String, String>;

/// Why a key cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// With Ctrl, Alt or Meta.
    #[error("keys with Ctrl, Alt or Meta belong to the browser and the operating system")]
    Modified,
    /// A key of the browser or the operating system.
    #[error("this key belongs to the browser or the operating system")]
    Browser,
    /// Tab, arrows, Space, Escape, `?`.
    #[error("this key means the same on every page: it moves, presses, closes or shows the list of keys")]
    Everywhere,
    /// Enter for something else than going on.
    #[error("Enter presses buttons: it can only go on to what is next")]
    Enter,
    /// A digit in the grid.
    #[error("digits are the numbers of photos in the grid")]
    Digit,
    /// Another action of the page has it.
    #[error("another action has this key: {0}")]
    Taken(&'static str),
    /// An action that there is not.
    #[error("there is no such action: {0}")]
    Unknown(String),
}

/// A key as it is compared and stored: letters small.
pub fn normal(key: &str) -> String {
    let mut letters = key.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter.to_lowercase().collect(),
        _ => key.to_owned(),
    }
}

/// What a page's keys mean, with the chosen ones in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    page: Page,
    keys: BTreeMap<&'static str, Vec<String>>,
    letters: Vec<&'static str>,
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The value with this index of the attribute that is asked.
    Value(usize),
    /// The action with this name.
    Action(&'static str),
}

impl Layout {
    /// The layout of a page; what is chosen but cannot be is passed over.
    pub fn new(page: Page, chosen: &Chosen) -> Self {
        let keys: BTreeMap<_, _> = page
            .actions()
            .iter()
            .map(|action| {
                let mine = chosen.get(&page.full_id(action.id)).map(|key| normal(key));
                let keys = match mine.filter(|key| allowed(page, action.id, key).is_ok()) {
                    Some(key) => vec![key],
                    None => action.keys.iter().map(|key| (*key).to_owned()).collect(),
                };
                (action.id, keys)
            })
            .collect();
        let taken = |letter: &&str| keys.values().flatten().any(|key| key == letter);
        let letters = page.letters().iter().copied().filter(|letter| !taken(letter)).collect();
        Self { page, keys, letters }
    }

    /// What a key means, if it means anything.
    pub fn meaning(&self, key: &str) -> Option<Meaning> {
        let key = normal(key);
        // In the table's order: of two actions with one key, which `choose` does not let in, always the same one wins.
        let action = self.page.actions().iter().find(|action| self.keys[action.id].contains(&key));
        match action {
            Some(action) => Some(match value_index(action.id) {
                Some(index) => Meaning::Value(index),
                None => Meaning::Action(action.id),
            }),
            None => {
                let place = self.letters.iter().position(|letter| *letter == key)?;
                Some(Meaning::Value(CHOSEN_VALUES + place))
            }
        }
    }

    /// The keys of an action, the one that is shown first; none if there is no such action.
    pub fn keys_of(&self, id: &str) -> &[String] {
        self.keys.get(id).map_or(&[], Vec::as_slice)
    }

    /// The key of the value with this index.
    pub fn value_key(&self, index: usize) -> Option<&str> {
        if index < CHOSEN_VALUES {
            return self.keys_of(&format!("value-{}", index + 1)).first().map(String::as_str);
        }
        self.letters.get(index - CHOSEN_VALUES).copied()
    }
}

fn value_index(id: &str) -> Option<usize> {
    id.strip_prefix("value-")?.parse::<usize>().ok()?.checked_sub(1)
}

/// Whether an action may have a key, whatever others have.
fn allowed(page: Page, id: &str, key: &str) -> Result<(), Refusal> {
    match key {
        "Backspace" | "Delete" => return Ok(()),
        "Enter" if matches!(id, "next-photo" | "accept") => return Ok(()),
        "Enter" => return Err(Refusal::Enter),
        "Tab" | "Escape" | " " | "?" | "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight" => {
            return Err(Refusal::Everywhere);
        }
        // Some browsers search at these.
        "/" | "'" => return Err(Refusal::Browser),
        _ => {}
    }
    let mut letters = key.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if page == Page::Grid && letter.is_ascii_digit() => Err(Refusal::Digit),
        (Some(letter), None) if !letter.is_control() && !letter.is_whitespace() => Ok(()),
        _ => Err(Refusal::Browser),
    }
}

/// The chosen keys with one more.
///
/// # Errors
/// The key cannot be chosen, or another action of the page has it.
pub fn choose(page: Page, id: &str, key: &str, chosen: &Chosen) -> Result<Chosen, Refusal> {
    if !page.actions().iter().any(|action| action.id == id) {
        return Err(Refusal::Unknown(id.to_owned()));
    }
    let key = normal(key);
    allowed(page, id, &key)?;
    let layout = Layout::new(page, chosen);
    let other = page.actions().iter().find(|action| action.id != id && layout.keys_of(action.id).contains(&key));
    if let Some(other) = other {
        return Err(Refusal::Taken(other.id));
    }
    let mut chosen = chosen.clone();
    chosen.insert(page.full_id(id), key);
    Ok(chosen)
}

/// Checks a whole choice.
///
/// # Errors
/// The first thing that [`choose`] would not have let in.
pub fn check(chosen: &Chosen) -> Result<(), Refusal> {
    let known = |full: &&String| {
        !Page::ALL.iter().any(|page| page.actions().iter().any(|action| page.full_id(action.id) == **full))
    };
    if let Some(unknown) = chosen.keys().find(known) {
        return Err(Refusal::Unknown(unknown.clone()));
    }
    for page in Page::ALL {
        let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
        for action in page.actions() {
            let mine = chosen.get(&page.full_id(action.id)).map(|key| normal(key));
            if let Some(key) = &mine {
                allowed(page, action.id, key)?;
            }
            let keys = mine.map_or_else(|| action.keys.iter().map(|key| (*key).to_owned()).collect(), |key| vec![key]);
            for key in keys {
                if let Some(other) = seen.insert(key, action.id) {
                    return Err(Refusal::Taken(other));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotate(key: &str) -> Option<Meaning> {
        Layout::new(Page::Annotate, &Chosen::new()).meaning(key)
    }

    #[test]
    fn the_defaults_can_be_chosen_and_collide_nowhere() {
        assert_eq!(check(&Chosen::new()), Ok(()));
        for page in Page::ALL {
            for action in page.actions() {
                for key in action.keys {
                    assert_eq!(allowed(page, action.id, key), Ok(()), "{page:?} {} {key}", action.id);
                }
            }
            let layout = Layout::new(page, &Chosen::new());
            for index in 0..CHOSEN_VALUES + page.letters().len() {
                let key = layout.value_key(index).unwrap();
                assert_eq!(layout.meaning(key), Some(Meaning::Value(index)), "{page:?} {key}");
            }
            assert_eq!(layout.value_key(CHOSEN_VALUES + page.letters().len()), None);
        }
    }

    #[test]
    fn a_chosen_key_takes_the_place_of_the_defaults() {
        let chosen = choose(Page::Annotate, "not-visible", "Y", &Chosen::new()).unwrap();
        let layout = Layout::new(Page::Annotate, &chosen);
        assert_eq!(layout.meaning("y"), Some(Meaning::Action("not-visible")));
        assert_eq!((layout.meaning("0"), layout.meaning("n")), (None, None));
        assert_eq!(annotate("0"), Some(Meaning::Action("not-visible")));
        // What became free can be chosen for something else.
        let chosen = choose(Page::Annotate, "undo", "n", &chosen).unwrap();
        assert_eq!(check(&chosen), Ok(()));
        assert_eq!(Layout::new(Page::Annotate, &chosen).meaning("n"), Some(Meaning::Action("undo")));
    }

    #[test]
    fn a_letter_of_a_late_value_gives_way() {
        let chosen = choose(Page::Annotate, "undo", "a", &Chosen::new()).unwrap();
        let layout = Layout::new(Page::Annotate, &chosen);
        assert_eq!(layout.meaning("a"), Some(Meaning::Action("undo")));
        assert_eq!(layout.value_key(9), Some("b"));
        assert_eq!(layout.meaning("b"), Some(Meaning::Value(9)));
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_with_its_reason() {
        let refused = |page, id, key| choose(page, id, key, &Chosen::new()).unwrap_err();
        assert_eq!(refused(Page::Annotate, "undo", "u"), Refusal::Taken("unsure"));
        assert_eq!(refused(Page::Annotate, "undo", "1"), Refusal::Taken("value-1"));
        for key in ["F5", "PageDown", "Dead", "Process", "/", "'", ""] {
            assert_eq!(refused(Page::Annotate, "undo", key), Refusal::Browser, "{key}");
        }
        for key in ["Tab", "Escape", " ", "?", "ArrowLeft"] {
            assert_eq!(refused(Page::Annotate, "undo", key), Refusal::Everywhere, "{key}");
        }
        assert_eq!(refused(Page::Annotate, "undo", "Enter"), Refusal::Enter);
        assert_eq!(refused(Page::Grid, "undo", "7"), Refusal::Digit);
        assert_eq!(refused(Page::Grid, "guideline", "g"), Refusal::Unknown("guideline".to_owned()));
    }

    #[test]
    fn a_whole_choice_is_checked() {
        let chosen = |pairs: &[(&str, &str)]| -> Chosen {
            pairs.iter().map(|(id, key)| ((*id).to_owned(), (*key).to_owned())).collect()
        };
        assert_eq!(check(&chosen(&[("annotate.undo", "y"), ("grid.undo", "y")])), Ok(()));
        // Two that change places.
        assert_eq!(check(&chosen(&[("annotate.value-1", "2"), ("annotate.value-2", "1")])), Ok(()));
        assert_eq!(check(&chosen(&[("annotate.undo", "y"), ("annotate.guideline", "y")])), Err(Refusal::Taken("undo")));
        assert_eq!(check(&chosen(&[("annotate.undo", "F1")])), Err(Refusal::Browser));
        assert_eq!(check(&chosen(&[("review.undo", "y")])), Err(Refusal::Unknown("review.undo".to_owned())));
    }
}
