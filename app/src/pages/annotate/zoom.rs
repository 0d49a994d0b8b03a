//! How close the photo is looked at, without a browser: scale and shift, and what fingers, wheel and keys make of them.
//! Lengths are CSS pixels; points count from the middle of the room that the photo has.

/// The closest.
const MOST: f64 = 8.0;
/// What a key or a double click does.
pub const STEP: f64 = 1.5;
/// A double click or tap goes this close.
const CLOSE: f64 = 2.5;
/// Two taps within this time and distance are a double tap.
const TAP_MS: f64 = 320.0;
const TAP_DISTANCE: f64 = 28.0;
/// A finger that moved further did not tap.
const TAP_SLIP: f64 = 8.0;

/// A point, or a width and a height.
pub type Pair = (f64, f64);

/// Scale, and the shift of the photo's middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zoom {
    scale: f64,
    shift: Pair,
}

impl Default for Zoom {
    fn default() -> Self {
        Self { scale: 1.0, shift: (0.0, 0.0) }
    }
}

impl Zoom {
    /// Whether the whole photo shows.
    pub fn is_whole(self) -> bool {
        self.scale <= 1.0
    }

    /// The scale: 1 for the whole photo.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// `factor` times closer, with what is at `at` staying there.
    pub fn by(self, factor: f64, at: Pair, room: Pair) -> Self {
        let scale = (self.scale * factor).clamp(1.0, MOST);
        let grown = scale / self.scale;
        let keep = |at: f64, shift: f64| at - (at - shift) * grown;
        Self { scale, shift: (keep(at.0, self.shift.0), keep(at.1, self.shift.1)) }.inside(room)
    }

    /// Shifted.
    pub fn moved(self, by: Pair, room: Pair) -> Self {
        Self { shift: (self.shift.0 + by.0, self.shift.1 + by.1), ..self }.inside(room)
    }

    /// What a double click does: close to the point, or back.
    pub fn toggled(self, at: Pair, room: Pair) -> Self {
        if self.is_whole() { self.by(CLOSE, at, room) } else { Self::default() }
    }

    /// No emptier than the whole photo would be.
    fn inside(self, room: Pair) -> Self {
        let most = |length: f64| (self.scale - 1.0) * length / 2.0;
        let clamp = |shift: f64, length: f64| shift.clamp(-most(length), most(length));
        Self { shift: (clamp(self.shift.0, room.0), clamp(self.shift.1, room.1)), ..self }
    }

    /// As a CSS transform.
    pub fn css(self) -> String {
        format!("translate({:.1}px, {:.1}px) scale({:.4})", self.shift.0, self.shift.1, self.scale)
    }
}

/// Fingers (or the mouse) on the photo.
#[derive(Debug, Clone, Default)]
pub struct Fingers {
    down: Vec<(i32, Pair)>,
    /// Where the present touch began, as long as it can become a tap.
    tap: Option<Pair>,
    last_tap: Option<(f64, Pair)>,
}

impl Fingers {
    /// One more.
    pub fn press(&mut self, id: i32, at: Pair) {
        self.down.retain(|(other, _)| *other != id);
        self.down.push((id, at));
        self.tap = (self.down.len() == 1).then_some(at);
    }

    /// One moved: pans with one, pinches with two.
    pub fn drag(&mut self, id: i32, to: Pair, zoom: Zoom, room: Pair) -> Zoom {
        let before = self.down.clone();
        let Some(finger) = self.down.iter_mut().find(|(other, _)| *other == id) else { return zoom };
        let from = std::mem::replace(&mut finger.1, to);
        if self.tap.is_some_and(|begun| distance(begun, to) > TAP_SLIP) {
            self.tap = None;
        }
        match (&before[..], &self.down[..]) {
            ([_], [_]) => zoom.moved((to.0 - from.0, to.1 - from.1), room),
            ([(_, a), (_, b)], [(_, c), (_, d)]) => {
                let (old, new) = (middle(*a, *b), middle(*c, *d));
                let factor = distance(*c, *d).max(1.0) / distance(*a, *b).max(1.0);
                zoom.by(factor, old, room).moved((new.0 - old.0, new.1 - old.1), room)
            }
            _ => zoom,
        }
    }

    /// One left, at this time in milliseconds; the point of a double tap, if that was one.
    pub fn lift(&mut self, id: i32, now: f64) -> Option<Pair> {
        self.down.retain(|(other, _)| *other != id);
        let at = self.tap.take()?;
        let double =
            self.last_tap.take().filter(|(then, place)| now - then < TAP_MS && distance(*place, at) < TAP_DISTANCE);
        if double.is_none() {
            self.last_tap = Some((now, at));
        }
        double.map(|_| at)
    }

    /// The browser took it away.
    pub fn cancel(&mut self, id: i32) {
        self.down.retain(|(other, _)| *other != id);
        self.tap = None;
    }
}

fn distance(a: Pair, b: Pair) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn middle(a: Pair, b: Pair) -> Pair {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Pair = (800.0, 600.0);

    /// Where a point of the whole photo is now.
    fn seen(zoom: Zoom, point: Pair) -> Pair {
        (point.0 * zoom.scale + zoom.shift.0, point.1 * zoom.scale + zoom.shift.1)
    }

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let at = (100.0, -50.0);
        let zoom = Zoom::default().by(2.0, at, ROOM);
        assert_eq!(seen(zoom, at), at);
        let closer = zoom.by(1.5, (0.0, 20.0), ROOM);
        let point = ((0.0 - zoom.shift.0) / 2.0, (20.0 - zoom.shift.1) / 2.0);
        let there = seen(closer, point);
        assert!((there.0 - 0.0).abs() < 1e-9 && (there.1 - 20.0).abs() < 1e-9, "{there:?}");
    }

    #[test]
    fn it_stays_between_the_whole_photo_and_the_closest_and_inside_the_room() {
        assert!(Zoom::default().by(0.5, (10.0, 10.0), ROOM).is_whole());
        assert_eq!(Zoom::default().by(100.0, (0.0, 0.0), ROOM).scale(), MOST);
        let far = Zoom::default().by(2.0, (0.0, 0.0), ROOM).moved((9_999.0, -9_999.0), ROOM);
        assert_eq!(far.shift, (400.0, -300.0));
        assert_eq!(far.by(0.1, (0.0, 0.0), ROOM), Zoom::default());
        assert_eq!(
            Zoom::default().moved((50.0, 50.0), ROOM),
            Zoom::default(),
            "the whole photo cannot be dragged away"
        );
    }

    #[test]
    fn one_finger_pans_and_two_pinch() {
        let mut fingers = Fingers::default();
        let zoom = Zoom::default().by(2.0, (0.0, 0.0), ROOM);
        fingers.press(1, (0.0, 0.0));
        let zoom = fingers.drag(1, (30.0, 10.0), zoom, ROOM);
        assert_eq!(zoom.shift, (30.0, 10.0));
        fingers.press(2, (130.0, 10.0));
        let pinched = fingers.drag(2, (230.0, 10.0), zoom, ROOM);
        assert_eq!(pinched.scale(), 4.0);
        assert_eq!(fingers.lift(1, 0.0), None);
        assert_eq!(fingers.drag(7, (0.0, 0.0), pinched, ROOM), pinched, "a finger that never came down");
    }

    #[test]
    fn two_taps_in_one_place_are_a_double_tap_and_a_drag_is_none() {
        let tap = |fingers: &mut Fingers, at: Pair, now: f64| {
            fingers.press(1, at);
            fingers.lift(1, now)
        };
        let mut fingers = Fingers::default();
        assert_eq!(tap(&mut fingers, (5.0, 5.0), 0.0), None);
        assert_eq!(tap(&mut fingers, (9.0, 5.0), 200.0), Some((9.0, 5.0)));
        assert_eq!(tap(&mut fingers, (9.0, 5.0), 300.0), None, "the third is a first one again");
        assert_eq!(tap(&mut fingers, (9.0, 5.0), 900.0), None, "too late");
        assert_eq!(tap(&mut fingers, (300.0, 5.0), 1_000.0), None, "too far");
        fingers.press(1, (300.0, 5.0));
        fingers.drag(1, (340.0, 5.0), Zoom::default(), ROOM);
        assert_eq!(fingers.lift(1, 1_100.0), None);
        let close = Zoom::default().toggled((9.0, 5.0), ROOM);
        assert_eq!((close.scale(), close.toggled((0.0, 0.0), ROOM)), (CLOSE, Zoom::default()));
    }
}
