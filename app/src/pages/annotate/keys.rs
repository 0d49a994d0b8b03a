//! What keys mean on the annotate page.

/// Keys of values, in order. The letters that mean something else are left out.
const VALUE_KEYS: [&str; 28] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "h", "i", "j", "k", "l", "m", "o", "p",
    "q", "r", "s", "t", "v",
];

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
pub fn command(press: Press<'_>) -> Option<Command> {
    if press.modified || press.typing || press.composing {
        return None;
    }
    let command = match press.key {
        "0" | "n" | "N" => Command::NotVisible,
        "u" | "U" => Command::Unsure,
        "ArrowDown" => Command::Step(true),
        "ArrowUp" => Command::Step(false),
        "ArrowRight" => Command::Button(true),
        "ArrowLeft" => Command::Button(false),
        "Backspace" | "z" | "Z" => Command::Undo,
        "Enter" => Command::Advance,
        "g" | "G" => Command::Guideline,
        "?" => Command::Help,
        "Escape" => Command::Close,
        key => {
            let lower = key.to_lowercase();
            Command::Value(VALUE_KEYS.iter().position(|&value| value == lower)?)
        }
    };
    // A key that is held down must not run through answers and photos; moving may repeat.
    let may_repeat = matches!(command, Command::Step(_) | Command::Button(_));
    (!press.repeat || may_repeat).then_some(command)
}

/// The key of the value with this index, as its button shows it.
pub fn value_key(index: usize) -> Option<String> {
    VALUE_KEYS.get(index).map(|key| key.to_uppercase())
}

/// All keys and what they do, for the list.
pub const LIST: [(&[&str], &str); 9] = [
    (&["1", "…", "9"], "choose a value of the attribute in focus (letters follow after 9)"),
    (&["0", "N"], "not visible: the part cannot be judged in this photo"),
    (&["U"], "unsure: visible, but the rules do not decide; Enter confirms, with or without a note"),
    (&["↑", "↓", "Tab"], "move between attributes"),
    (&["←", "→"], "move between the buttons of an attribute; Space presses one"),
    (&["Backspace", "Z"], "take back the last answer, up to ten photos back"),
    (&["Enter"], "next photo, once every attribute has an answer"),
    (&["G"], "show or hide the guideline"),
    (&["?"], "show or hide this list"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(key: &str) -> Option<Command> {
        command(Press { key, ..Press::default() })
    }

    #[test]
    fn digits_choose_values_and_zero_is_not_visible() {
        assert_eq!(plain("1"), Some(Command::Value(0)));
        assert_eq!(plain("9"), Some(Command::Value(8)));
        assert_eq!(plain("a"), Some(Command::Value(9)));
        assert_eq!((plain("0"), plain("n")), (Some(Command::NotVisible), Some(Command::NotVisible)));
        assert_eq!((plain("z"), plain("Backspace")), (Some(Command::Undo), Some(Command::Undo)));
        assert_eq!((plain("F5"), plain("Tab"), plain("é")), (None, None, None));
    }

    #[test]
    fn every_value_key_is_its_own() {
        for (index, key) in VALUE_KEYS.iter().enumerate() {
            assert_eq!(plain(key), Some(Command::Value(index)), "{key}");
            assert_eq!(plain(&value_key(index).unwrap()), Some(Command::Value(index)), "{key} with shift");
        }
        assert_eq!(value_key(VALUE_KEYS.len()), None);
    }

    #[test]
    fn keys_belong_to_the_browser_with_a_modifier_and_to_the_field_while_typing() {
        for press in [
            Press { key: "1", modified: true, ..Press::default() },
            Press { key: "z", modified: true, ..Press::default() },
            Press { key: "u", typing: true, ..Press::default() },
            Press { key: "Enter", typing: true, ..Press::default() },
            Press { key: "n", composing: true, ..Press::default() },
        ] {
            assert_eq!(command(press), None, "{press:?}");
        }
    }

    #[test]
    fn a_held_key_answers_once() {
        assert_eq!(command(Press { key: "1", repeat: true, ..Press::default() }), None);
        assert_eq!(command(Press { key: "ArrowDown", repeat: true, ..Press::default() }), Some(Command::Step(true)));
    }
}
