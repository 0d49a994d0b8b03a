//! What keys mean on the grid page. Digits are photos, letters are answers: the left hand marks, either hand accepts.

use kenami_domain::answer::Answer;

use super::session::{Event, Mark};
use crate::pages::annotate::keys::Press;

/// Keys of values, in order. The letters that mean something else are left out.
const VALUE_KEYS: [&str; 20] =
    ["q", "w", "e", "r", "t", "a", "s", "d", "f", "g", "c", "v", "b", "y", "h", "i", "j", "k", "m", "p"];

/// The key of the value with this index, as shown.
pub fn value_key(index: usize) -> Option<String> {
    VALUE_KEYS.get(index).map(|key| key.to_uppercase())
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// An event of the session.
    Session(Event),
    /// Show the photo at the cursor large.
    Look,
    /// Show or hide the list of keys.
    Help,
}

/// The command of a key press, if it has one.
pub fn command(press: Press<'_>) -> Option<Command> {
    if press.modified || press.typing || press.composing {
        return None;
    }
    let lower = press.key.to_lowercase();
    let event = match lower.as_str() {
        "enter" => Event::Accept,
        "arrowright" => Event::Move(1, 0),
        "arrowleft" => Event::Move(-1, 0),
        "arrowdown" => Event::Move(0, 1),
        "arrowup" => Event::Move(0, -1),
        "x" | "n" => Event::Mark(Mark::Answer(Answer::NotVisible)),
        "u" => Event::Mark(Mark::Answer(Answer::Unsure)),
        "l" => Event::Mark(Mark::Later),
        "delete" => Event::Unmark,
        "z" | "backspace" => Event::Undo,
        "o" => return (!press.repeat).then_some(Command::Look),
        "?" => return Some(Command::Help),
        key => match key.parse::<u8>() {
            Ok(digit) if key.len() == 1 => Event::Digit(digit),
            _ => Event::MarkValue(VALUE_KEYS.iter().position(|value| *value == key)?),
        },
    };
    // A key that is held down must not accept screen after screen; moving may repeat.
    let may_repeat = matches!(event, Event::Move(..));
    (!press.repeat || may_repeat).then_some(Command::Session(event))
}

/// The list of keys: keys, and what they mean.
pub const LIST: [(&[&str], &str); 9] = [
    (&["Enter"], "Accept the screen: every photo as suggested, except those that are marked"),
    (&["1", "2", "…"], "Point at the photo with this number"),
    (&["←", "→", "↑", "↓"], "Point at the next photo"),
    (&["Q", "W", "…"], "Mark the photo with another value"),
    (&["X"], "Mark it as not visible"),
    (&["U"], "Mark it as unsure"),
    (&["L"], "Put it off: it comes on the annotate page"),
    (&["O"], "Look at it large"),
    (&["Z"], "Take the last mark away, or the last screen back"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn press(key: &str) -> Option<Command> {
        command(Press { key, ..Press::default() })
    }

    #[test]
    fn every_value_key_marks_its_value_and_means_nothing_else() {
        for (index, key) in VALUE_KEYS.iter().enumerate() {
            assert_eq!(press(key), Some(Command::Session(Event::MarkValue(index))), "{key}");
        }
        assert_eq!(VALUE_KEYS.iter().collect::<BTreeSet<_>>().len(), VALUE_KEYS.len());
    }

    #[test]
    fn digits_point_and_a_held_key_accepts_once() {
        assert_eq!(press("7"), Some(Command::Session(Event::Digit(7))));
        assert_eq!(press("F7"), None);
        assert_eq!(command(Press { key: "Enter", repeat: true, ..Press::default() }), None);
        let moved = command(Press { key: "ArrowDown", repeat: true, ..Press::default() });
        assert_eq!(moved, Some(Command::Session(Event::Move(0, 1))));
    }

    #[test]
    fn keys_belong_to_the_browser_with_a_modifier_and_to_the_field_while_typing() {
        assert_eq!(command(Press { key: "q", modified: true, ..Press::default() }), None);
        assert_eq!(command(Press { key: "q", typing: true, ..Press::default() }), None);
    }
}
