//! Small pictures of figures: bars a day, a share with its interval. Geometry is in attributes, since the content security
//! policy allows no inline styles.

use kenami_domain::view::report::DayCount;
use leptos::prelude::*;

use crate::text;

/// Photos of each day as bars, the days with their dates at both ends.
#[component]
pub fn DayBars(
    /// Oldest first.
    days: Vec<DayCount>,
    /// What is counted.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    const WIDTH: f64 = 600.0;
    const HEIGHT: f64 = 120.0;
    let (Some(first), Some(last)) = (days.first().cloned(), days.last().cloned()) else {
        return view! { <p class="quiet">{t!("Nothing in the last 30 days.")}</p> }.into_any();
    };
    let most = days.iter().map(|day| day.photos).max().unwrap_or(1).max(1);
    let step = WIDTH / days.len().max(7) as f64;
    let bars = days
        .iter()
        .enumerate()
        .map(|(place, day)| {
            let height = day.photos as f64 / most as f64 * (HEIGHT - 16.0);
            let (x, y) = (place as f64 * step, HEIGHT - height);
            let words = format!("{}: {}", day.day, text::number(day.photos));
            view! {
                <rect class="day-bar" x=format!("{:.1}", x + step * 0.1) y=format!("{y:.1}") width=format!("{:.1}", step * 0.8) height=format!("{height:.1}")>
                    <title>{words}</title>
                </rect>
            }
        })
        .collect_view();
    let all = days.iter().map(|day| day.photos).sum::<i64>();
    let spoken = n!(
        days.len() as i64,
        "{label}: {all} on {count} day, at most {most} a day",
        "{label}: {all} on {count} days, at most {most} a day",
        label = label,
        all = text::number(all),
        most = most
    );
    let ends = match days.len() {
        1 => first.day,
        _ => t!("{from} to {to}", from = first.day, to = last.day),
    };
    view! {
        <figure class="days">
            <svg class="days-picture" viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=spoken>
                <text class="chart-mark" x="0" y="11">{text::number(most)}</text>
                <line class="chart-grid" x1="0" x2=WIDTH.to_string() y1="15.5" y2="15.5"></line>
                {bars}
                <line class="chart-grid" x1="0" x2=WIDTH.to_string() y1=HEIGHT.to_string() y2=HEIGHT.to_string()></line>
            </svg>
            <figcaption class="quiet">{ends}</figcaption>
        </figure>
    }
    .into_any()
}

/// A share from 0 to 1 as a mark on a line, with its interval as a thick part.
#[component]
pub fn ShareLine(
    /// The share.
    share: f64,
    /// Its interval.
    interval: Option<[f64; 2]>,
    /// What it is a share of.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let x = |share: f64| format!("{:.1}", share * 200.0);
    let spoken = match interval {
        Some([low, high]) => {
            t!(
                "{label}: {share}, {low} to {high}",
                label = label,
                share = text::percent(share, 0),
                low = text::percent(low, 0),
                high = text::percent(high, 0)
            )
        }
        None => t!("{label}: {share}", label = label, share = text::percent(share, 0)),
    };
    let part = interval.map(|[low, high]| {
        view! { <rect class="share-interval" x=x(low) y="5" width=x((high - low).max(0.005)) height="6"></rect> }
    });
    view! {
        <svg class="share-line" viewBox="-2 0 204 16" role="img" aria-label=spoken>
            <line class="chart-grid" x1="0" x2="200" y1="8" y2="8"></line>
            {part}
            <rect class="share-mark" x=format!("{:.1}", share * 200.0 - 1.5) y="1" width="3" height="14"></rect>
        </svg>
    }
}

/// Shades of a confusion matrix' cells, besides none.
const SHADES: i64 = 6;

/// The class of a confusion matrix' cell: its shade by the share of the row's `total`, right ones in another colour than wrong
/// ones.
pub fn cell_class(count: i64, total: i64, right: bool) -> String {
    let shade = if total == 0 { 0 } else { (count * SHADES + total - 1) / total };
    format!("cell-{}-{shade}", if right { "right" } else { "wrong" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_by_the_share_of_the_row() {
        assert_eq!(cell_class(0, 40, false), "cell-wrong-0");
        assert_eq!(cell_class(1, 40, false), "cell-wrong-1", "a single photo is seen");
        assert_eq!(cell_class(20, 40, false), "cell-wrong-3");
        assert_eq!(cell_class(40, 40, true), "cell-right-6");
        assert_eq!(cell_class(0, 0, true), "cell-right-0");
    }
}
