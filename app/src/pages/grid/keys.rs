//! What keys mean on the grid page. Digits are photos, letters are answers: the left hand marks, either hand accepts.

use kenami_domain::{
    answer::Answer,
    keys::{Layout, Meaning},
};

use super::session::{Event, Mark};
use crate::{
    components::keys::{KeyRow, action_row, value_row},
    pages::annotate::keys::Press,
};

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
pub fn command(layout: &Layout, press: Press<'_>) -> Option<Command> {
    if press.modified || press.typing || press.composing {
        return None;
    }
    let event = match press.key {
        "ArrowRight" => Event::Move(1, 0),
        "ArrowLeft" => Event::Move(-1, 0),
        "ArrowDown" => Event::Move(0, 1),
        "ArrowUp" => Event::Move(0, -1),
        "?" => return Some(Command::Help),
        key => match (key.parse::<u8>(), layout.meaning(key)) {
            (Ok(digit), _) if key.len() == 1 => Event::Digit(digit),
            (_, Some(Meaning::Value(index))) => Event::MarkValue(index),
            (_, Some(Meaning::Action("look"))) => return (!press.repeat).then_some(Command::Look),
            (_, Some(Meaning::Action(id))) => of_action(id)?,
            (_, None) => return None,
        },
    };
    // A key that is held down must not accept screen after screen; moving may repeat.
    let may_repeat = matches!(event, Event::Move(..));
    (!press.repeat || may_repeat).then_some(Command::Session(event))
}

fn of_action(id: &str) -> Option<Event> {
    Some(match id {
        "accept" => Event::Accept,
        "not-visible" => Event::Mark(Mark::Answer(Answer::NotVisible)),
        "unsure" => Event::Mark(Mark::Answer(Answer::Unsure)),
        "later" => Event::Mark(Mark::Later),
        "unmark" => Event::Unmark,
        "undo" => Event::Undo,
        _ => return None,
    })
}

/// The list of keys: keys, and what they mean.
pub fn list(layout: &Layout) -> Vec<KeyRow> {
    let fixed = |keys: &[&str], meaning| (keys.iter().map(|key| (*key).to_owned()).collect(), meaning);
    let row = |id, meaning| action_row(layout, id, meaning);
    vec![
        row("accept", t!("Accept the screen: every photo as suggested, except those that are marked")),
        fixed(&["1", "2", "…"], t!("Point at the photo with this number")),
        fixed(&["←", "→", "↑", "↓"], t!("Point at the next photo")),
        value_row(layout, t!("Mark the photo with another value")),
        row("not-visible", t!("Mark it as not visible")),
        row("unsure", t!("Mark it as unsure")),
        row("later", t!("Put it off: it comes on the annotate page")),
        row("unmark", t!("Take its mark away")),
        row("look", t!("Look at it large")),
        row("undo", t!("Take the last mark away, or the last screen back")),
        fixed(&["?"], t!("Show or hide this list")),
    ]
}

#[cfg(test)]
mod tests {
    use kenami_domain::keys::{Chosen, Page, choose};

    use super::*;

    fn layout() -> Layout {
        Layout::new(Page::Grid, &Chosen::new())
    }

    fn press(key: &str) -> Option<Command> {
        command(&layout(), Press { key, ..Press::default() })
    }

    #[test]
    fn every_action_does_something() {
        for action in Page::Grid.actions() {
            for key in action.keys {
                assert!(press(key).is_some(), "{key}");
            }
        }
        assert_eq!(press("W"), Some(Command::Session(Event::MarkValue(1))));
        assert_eq!(press("g"), Some(Command::Session(Event::MarkValue(9))));
    }

    #[test]
    fn digits_point_and_a_held_key_accepts_once() {
        assert_eq!(press("7"), Some(Command::Session(Event::Digit(7))));
        assert_eq!(press("F7"), None);
        let held = |key| command(&layout(), Press { key, repeat: true, ..Press::default() });
        assert_eq!(held("Enter"), None);
        assert_eq!(held("ArrowDown"), Some(Command::Session(Event::Move(0, 1))));
    }

    #[test]
    fn chosen_keys_hold_and_keys_belong_to_the_browser_with_a_modifier_and_to_the_field_while_typing() {
        let chosen = choose(Page::Grid, "accept", "v", &Chosen::new()).unwrap();
        let chosen = Layout::new(Page::Grid, &chosen);
        let press = Press { key: "v", ..Press::default() };
        assert_eq!(command(&chosen, press), Some(Command::Session(Event::Accept)));
        assert_eq!(command(&chosen, Press { key: "Enter", ..press }), None);
        assert_eq!(command(&chosen, Press { modified: true, ..press }), None);
        assert_eq!(command(&chosen, Press { typing: true, ..press }), None);
    }
}
