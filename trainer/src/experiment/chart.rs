//! Curves of several runs as one inline SVG picture.

use std::fmt::Write as _;

use super::page::escape;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 28.0;
const MARGIN: f64 = 12.0;
/// Colours that the page defines.
pub(super) const COLOURS: usize = 6;

/// One run's curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// What it is, shown when pointed at.
    pub name: String,
    /// Which variant: decides its colour.
    pub variant: usize,
    /// Epoch and value.
    pub points: Vec<(f64, f64)>,
}

/// The picture; nothing where there is no finite point.
pub(super) fn svg(title: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|(_, y)| y.is_finite());
    let Some(frame) = Frame::around(points()) else { return String::new() };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>\n",
        escape(title)
    );
    for tick in ticks(frame.low, frame.high) {
        let y = frame.y(tick);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - MARGIN);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" class=\"y\">{}</text>", LEFT - 6.0, y + 4.0, label(tick));
    }
    let middle = ((frame.first + frame.last) / 2.0).round();
    let mut epochs = vec![frame.first, middle, frame.last];
    epochs.dedup();
    for epoch in epochs {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"x\">{epoch}</text>",
            frame.x(epoch),
            HEIGHT - BOTTOM + 18.0
        );
    }
    for line in lines {
        let points: Vec<_> = line.points.iter().filter(|(_, y)| y.is_finite()).collect();
        let places: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y))).collect();
        let (class, name) = (line.variant % COLOURS, escape(&line.name));
        let _ = match &points[..] {
            [] => Ok(()),
            // One point makes no line.
            [(x, y)] => writeln!(
                svg,
                "<circle class=\"c{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{name}</title></circle>",
                frame.x(*x),
                frame.y(*y)
            ),
            _ => writeln!(
                svg,
                "<polyline class=\"c{class}\" points=\"{}\"><title>{name}</title></polyline>",
                places.join(" ")
            ),
        };
    }
    svg.push_str("</svg>");
    svg
}

/// Where values lie in the picture.
struct Frame {
    first: f64,
    last: f64,
    low: f64,
    high: f64,
}

impl Frame {
    fn around<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> Option<Self> {
        let mut frame: Option<Self> = None;
        for (x, y) in points {
            let f = frame.get_or_insert(Self { first: *x, last: *x, low: *y, high: *y });
            (f.first, f.last) = (f.first.min(*x), f.last.max(*x));
            (f.low, f.high) = (f.low.min(*y), f.high.max(*y));
        }
        if let Some(f) = &mut frame
            && f.high - f.low < 1e-9
        {
            (f.low, f.high) = (f.low - 0.5, f.high + 0.5);
        }
        frame
    }

    fn x(&self, epoch: f64) -> f64 {
        let share = if self.last > self.first { (epoch - self.first) / (self.last - self.first) } else { 0.5 };
        LEFT + MARGIN + share * (WIDTH - LEFT - 3.0 * MARGIN)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - MARGIN - share * (HEIGHT - BOTTOM - 2.0 * MARGIN)
    }
}

/// Round values between `low` and `high`: multiples of 1, 2 or 5 times a power of ten, three to seven of them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|k| k as f64 * step).collect()
}

/// Without digits that are rounding errors.
fn label(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0).into_iter().map(label).collect::<Vec<_>>(), ["0", "0.5", "1"]);
        assert_eq!(ticks(0.81, 0.93).into_iter().map(label).collect::<Vec<_>>(), ["0.85", "0.9"]);
        assert_eq!(ticks(-3.0, 9.0).into_iter().map(label).collect::<Vec<_>>(), ["0", "5"]);
    }

    #[test]
    fn a_line_goes_from_corner_to_corner_and_its_name_is_escaped() {
        let line =
            Line { name: "<b> & \"c\"".into(), variant: 7, points: vec![(1.0, 0.0), (2.0, f64::NAN), (3.0, 1.0)] };
        let svg = svg("t", &[line, Line { name: "one".into(), variant: 0, points: vec![(2.0, 0.5)] }]);
        assert!(svg.contains("points=\"64.0,200.0 536.0,12.0\""), "{svg}");
        assert!(svg.contains("class=\"c1\"") && svg.contains("&lt;b&gt; &amp; &quot;c&quot;"), "{svg}");
        assert!(svg.contains("<circle class=\"c0\" cx=\"300.0\" cy=\"106.0\""), "{svg}");
        let nothing = Line { name: String::new(), variant: 0, points: vec![(1.0, f64::INFINITY)] };
        assert_eq!(super::svg("t", &[nothing]), "");
    }
}
