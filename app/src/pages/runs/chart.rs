//! Line charts in SVG, over epochs or something else: axes with round numbers, a legend, the last value of each line.

use leptos::prelude::*;

use crate::text;

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it shows.
    pub label: String,
    /// Which of the colours; they repeat after six.
    pub colour: usize,
    /// Drawn in dashes.
    pub dashed: bool,
    /// In the order of x.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 36.0;

/// An axis from `low` to `high` with its marks.
#[derive(Debug, Clone, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    marks: Vec<f64>,
    decimals: usize,
}

impl Axis {
    /// A little more than `low` to `high`, with about `count` round marks.
    fn around(low: f64, high: f64, count: usize) -> Self {
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let step = round_step((high - low) / count as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let marks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        Self { low: first * step, high: last * step, marks, decimals: (-step.log10().floor()).max(0.0) as usize }
    }

    /// Whole epochs from 1 to `last`.
    fn epochs(last: f64) -> Self {
        let last = last.max(2.0);
        let step = round_step(((last - 1.0) / 8.0).max(1.0)).max(1.0).round();
        let mut marks = vec![1.0];
        let mut next = step;
        while next <= last {
            if next > 1.0 {
                marks.push(next);
            }
            next += step;
        }
        Self { low: 1.0, high: last, marks, decimals: 0 }
    }

    /// Where `value` lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|&step| step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Lines over epochs, or over what is named `across`. `epochs` is the last epoch that will come, where it is known.
#[component]
pub fn Chart(
    /// What it shows.
    #[prop(into)]
    title: String,
    /// The vertical axis.
    #[prop(into)]
    unit: String,
    /// Values are shares, shown in percent.
    #[prop(optional)]
    percent: bool,
    /// The lines.
    #[prop(into)]
    lines: Signal<Vec<Line>>,
    /// The last epoch to come.
    #[prop(optional, into)]
    epochs: Signal<Option<f64>>,
    /// What goes across; epochs if none is given.
    #[prop(optional)]
    across: Option<&'static str>,
) -> impl IntoView {
    let label = title.clone();
    view! {
        <figure class="chart">
            <figcaption>{title}</figcaption>
            {move || {
                let lines = lines.get();
                if lines.iter().all(|line| line.points.is_empty()) {
                    return view! { <p class="quiet chart-empty">{t!("The first epoch has not ended yet.")}</p> }.into_any();
                }
                view! {
                    {picture(&lines, epochs.get(), across, percent, &unit, &label)}
                    {legend(&lines, percent)}
                }.into_any()
            }}
        </figure>
    }
}

fn picture(
    lines: &[Line],
    epochs: Option<f64>,
    across: Option<&'static str>,
    percent: bool,
    unit: &str,
    label: &str,
) -> impl IntoView + use<> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p.1), high.max(p.1)));
    let last = all().map(|p| p.0).fold(epochs.unwrap_or(1.0), f64::max);
    let x_axis = if across.is_some() { Axis::around(0.0, last, 6) } else { Axis::epochs(last) };
    let y_axis = Axis::around(low, high, 5);
    let x = |value: f64| LEFT + x_axis.place(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - y_axis.place(value) * (HEIGHT - TOP - BOTTOM);
    let rows = y_axis
        .marks
        .iter()
        .map(|&mark| {
            let words = if percent { format!("{:.0} %", mark * 100.0) } else { format!("{mark:.*}", y_axis.decimals) };
            let at = format!("{:.1}", y(mark));
            view! {
                <line class="chart-grid" x1=LEFT.to_string() x2=(WIDTH - RIGHT).to_string() y1=at.clone() y2=at></line>
                <text class="chart-mark" x=(LEFT - 6.0).to_string() y=format!("{:.1}", y(mark) + 4.0) text-anchor="end">{words}</text>
            }
        })
        .collect_view();
    let columns = x_axis
        .marks
        .iter()
        .map(|&mark| {
            view! {
                <text class="chart-mark" x=format!("{:.1}", x(mark)) y=(HEIGHT - BOTTOM + 16.0).to_string() text-anchor="middle">
                    {text::number(mark.round() as i64)}
                </text>
            }
        })
        .collect_view();
    let drawn = lines
        .iter()
        .map(|line| {
            let points: String =
                line.points.iter().map(|&(px, py)| format!("{:.1},{:.1} ", x(px), y(py))).collect();
            // One point alone makes no line; what was measured now and then is seen as such.
            let points_show = line.points.len() == 1 || (across.is_some() && !line.dashed);
            let dots = line.points.iter().filter(|_| points_show).map(|&(px, py)| {
                view! { <circle class=class(line) cx=format!("{:.1}", x(px)) cy=format!("{:.1}", y(py)) r="3"></circle> }
            });
            let dots = dots.collect_view();
            view! {
                <polyline class=class(line) class:chart-dashed=line.dashed points=points></polyline>
                {dots}
            }
        })
        .collect_view();
    view! {
        <svg class="chart-picture" viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=format!("{label}: {}", spoken(lines, percent))>
            {rows}
            {columns}
            <text class="chart-mark" x=((LEFT + WIDTH - RIGHT) / 2.0).to_string() y=(HEIGHT - 4.0).to_string() text-anchor="middle">{across.unwrap_or(t!("epoch"))}</text>
            <text class="chart-mark" x="2" y=(TOP - 1.0).max(9.0).to_string()>{if percent { String::new() } else { unit.to_owned() }}</text>
            {drawn}
        </svg>
    }
}

fn legend(lines: &[Line], percent: bool) -> impl IntoView + use<> {
    let items = lines
        .iter()
        .map(|line| {
            let last = line.points.last().map(|&(_, value)| shown(value, percent));
            view! {
                <li>
                    <svg class="chart-key" viewBox="0 0 24 8" aria-hidden="true">
                        <polyline class=class(line) class:chart-dashed=line.dashed points="0,4 24,4"></polyline>
                    </svg>
                    {line.label.clone()}
                    " "
                    <b>{last}</b>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="legend">{items}</ul> }
}

fn class(line: &Line) -> String {
    format!("chart-line chart-line-{}", line.colour % 6 + 1)
}

fn shown(value: f64, percent: bool) -> String {
    if percent { text::percent(value, 1) } else { format!("{value:.3}") }
}

/// The lines' last values, for those who do not see them.
fn spoken(lines: &[Line], percent: bool) -> String {
    let last = |line: &Line| line.points.last().map(|&(_, value)| format!("{} {}", line.label, shown(value, percent)));
    lines.iter().filter_map(last).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_marks_that_hold_the_data() {
        let axis = Axis::around(0.412, 1.37, 5);
        assert_eq!((axis.low, axis.decimals), (0.4, 1));
        assert!((axis.high - 1.4).abs() < 1e-12);
        assert_eq!(
            axis.marks.iter().map(|m| format!("{m:.1}")).collect::<Vec<_>>(),
            ["0.4", "0.6", "0.8", "1.0", "1.2", "1.4"]
        );
        let flat = Axis::around(0.9, 0.9, 5);
        assert!(flat.low < 0.9 && 0.9 < flat.high, "a flat line has room around it");
        for (low, high) in [(0.0, 1.0), (0.8731, 0.8744), (-3.0, 250.0), (1e-6, 2e-6)] {
            let axis = Axis::around(low, high, 5);
            assert!(axis.low <= low && high <= axis.high, "{low} to {high}: {axis:?}");
            assert!((3..=8).contains(&axis.marks.len()), "{axis:?}");
        }
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(Axis::epochs(1.0).marks, [1.0, 2.0]);
        assert_eq!(Axis::epochs(4.0).marks, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Axis::epochs(10.0).marks, [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Axis::epochs(100.0).marks, [1.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }

    #[test]
    fn steps_are_one_two_or_five() {
        for (least, step) in [(0.9, 1.0), (1.0, 1.0), (1.01, 2.0), (3.0, 5.0), (6.0, 10.0), (0.021, 0.05)] {
            assert!((round_step(least) - step).abs() < 1e-12, "{least}");
        }
    }
}
