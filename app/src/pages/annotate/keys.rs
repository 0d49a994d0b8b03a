//! What keys mean on the annotate page.

use kenami_domain::keys::{Layout, Meaning};

use crate::components::keys::{KeyRow, action_row, value_row};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The value with this index of the attribute in focus.
    Value(usize),
    /// The answer "not visible".
    NotVisible,
    /// The answer "unsure": opens its note.
    Unsure,
    /// The next (or, if false, the previous) attribute.
    Step(bool),
    /// The next (or, if false, the previous) button of the attribute in focus.
    Button(bool),
    /// Take back the last answer.
    Undo,
    /// Finish the photo.
    Advance,
    /// Show or hide the guideline.
    Guideline,
    /// Show or hide the guideline's examples beside the photo.
    Examples,
    /// Closer (or, if false, further away).
    Zoom(bool),
    /// The whole photo.
    Whole,
    /// Show or hide the list of keys.
    Help,
    /// Close what lies over the page.
    Close,
}

/// A key press as far as it decides what is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Press<'a> {
    /// The key's value, as `KeyboardEvent.key` gives it.
    pub key: &'a str,
    /// Ctrl, Alt or Meta is held: the press is the browser's.
    pub modified: bool,
    /// The target takes text, or is a list or slider that uses keys itself.
    pub typing: bool,
    /// The key is held down and repeats.
    pub repeat: bool,
    /// An input method is composing.
    pub composing: bool,
}

/// The command of a key press, if it has one.
pub fn command(layout: &Layout, press: Press<'_>) -> Option<Command> {
    if press.modified || press.typing || press.composing {
        return None;
    }
    let command = match press.key {
        "ArrowDown" => Command::Step(true),
        "ArrowUp" => Command::Step(false),
        "ArrowRight" => Command::Button(true),
        "ArrowLeft" => Command::Button(false),
        "?" => Command::Help,
        "Escape" => Command::Close,
        key => match layout.meaning(key)? {
            Meaning::Value(index) => Command::Value(index),
            Meaning::Action(id) => of_action(id)?,
        },
    };
    // A key that is held down must not run through answers and photos; moving may repeat.
    let may_repeat = matches!(command, Command::Step(_) | Command::Button(_) | Command::Zoom(_));
    (!press.repeat || may_repeat).then_some(command)
}

fn of_action(id: &str) -> Option<Command> {
    Some(match id {
        "not-visible" => Command::NotVisible,
        "unsure" => Command::Unsure,
        "undo" => Command::Undo,
        "next-photo" => Command::Advance,
        "guideline" => Command::Guideline,
        "examples" => Command::Examples,
        "zoom-in" => Command::Zoom(true),
        "zoom-out" => Command::Zoom(false),
        "whole-photo" => Command::Whole,
        _ => return None,
    })
}

/// How the page's own keys serve one hand; not true of keys that somebody chose.
pub const ONE_HAND: &str = mark!(
    "One hand is enough. Left: 1 to 5, Q and E for not visible and unsure, Z, X, W and G, and Tab \
    between attributes. Right, on the number pad: 1 to 9, 0 for not visible, + and −, Enter; Backspace takes back."
);

/// All keys and what they do, for the list.
pub fn list(layout: &Layout) -> Vec<KeyRow> {
    let fixed = |keys: &[&str], meaning| (keys.iter().map(|key| (*key).to_owned()).collect(), meaning);
    let row = |id, meaning| action_row(layout, id, meaning);
    vec![
        value_row(layout, t!("choose a value of the attribute in focus (letters follow after the ninth)")),
        row("not-visible", t!("not visible: the part cannot be judged in this photo")),
        row("unsure", t!("unsure: visible, but the rules do not decide; Enter confirms, with or without a note")),
        fixed(&["↑", "↓", "Tab"], t!("move between attributes")),
        fixed(&["←", "→"], t!("move between the buttons of an attribute; Space presses one")),
        row("undo", t!("take back the last answer, up to ten photos back")),
        row("next-photo", t!("next photo, once every attribute has an answer")),
        row("zoom-in", t!("closer; so do the wheel, two fingers and a double click")),
        row("zoom-out", t!("further away; drag to look elsewhere")),
        row("whole-photo", t!("the whole photo again")),
        row("examples", t!("the guideline's example photos beside this one")),
        row("guideline", t!("show or hide the guideline")),
        fixed(&["?"], t!("show or hide this list")),
    ]
}

#[cfg(test)]
mod tests {
    use kenami_domain::keys::{Chosen, Page, choose};

    use super::*;

    fn layout() -> Layout {
        Layout::new(Page::Annotate, &Chosen::new())
    }

    fn plain(key: &str) -> Option<Command> {
        command(&layout(), Press { key, ..Press::default() })
    }

    #[test]
    fn digits_choose_values_and_zero_is_not_visible() {
        assert_eq!(plain("1"), Some(Command::Value(0)));
        assert_eq!(plain("9"), Some(Command::Value(8)));
        assert_eq!(plain("a"), Some(Command::Value(9)));
        assert_eq!((plain("0"), plain("n")), (Some(Command::NotVisible), Some(Command::NotVisible)));
        assert_eq!((plain("z"), plain("Backspace")), (Some(Command::Undo), Some(Command::Undo)));
        assert_eq!((plain("="), plain("-")), (Some(Command::Zoom(true)), Some(Command::Zoom(false))));
        assert_eq!((plain("F5"), plain("Tab"), plain("é")), (None, None, None));
    }

    #[test]
    fn every_action_does_something_and_is_listed() {
        let listed: Vec<String> = list(&layout()).into_iter().flat_map(|(keys, _)| keys).collect();
        for action in Page::Annotate.actions() {
            for key in action.keys {
                assert!(plain(key).is_some(), "{key}");
            }
            let shown = action.keys[0].to_owned();
            let value = action.id.starts_with("value-");
            assert!(value || listed.contains(&crate::components::keys::shown(&shown)), "{}", action.id);
        }
    }

    #[test]
    fn keys_belong_to_the_browser_with_a_modifier_and_to_the_field_while_typing() {
        let chosen = choose(Page::Annotate, "undo", "y", &Chosen::new()).unwrap();
        let chosen = Layout::new(Page::Annotate, &chosen);
        assert_eq!(command(&chosen, Press { key: "y", ..Press::default() }), Some(Command::Undo));
        for press in [
            Press { key: "1", modified: true, ..Press::default() },
            Press { key: "y", modified: true, ..Press::default() },
            Press { key: "y", typing: true, ..Press::default() },
            Press { key: "u", typing: true, ..Press::default() },
            Press { key: "Enter", typing: true, ..Press::default() },
            Press { key: "n", composing: true, ..Press::default() },
        ] {
            assert_eq!(command(&chosen, press), None, "{press:?}");
        }
    }

    #[test]
    fn a_held_key_answers_once() {
        let held = |key| command(&layout(), Press { key, repeat: true, ..Press::default() });
        assert_eq!(held("1"), None);
        assert_eq!(held("ArrowDown"), Some(Command::Step(true)));
    }
}
