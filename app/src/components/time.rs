//! Times as people read them.

use leptos::prelude::*;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::text::{Language, page_language};

/// How long ago `at` was: "3 minutes ago". The server, which does not know the reader's clock, writes the date in UTC;
/// the browser puts the distance in its place and the date into the tooltip.
#[component]
pub fn Ago(
    /// The moment.
    at: OffsetDateTime,
) -> impl IntoView {
    let absolute = absolute(at);
    let shown = RwSignal::new(absolute.clone());
    Effect::new(move |_| shown.set(relative(at.unix_timestamp(), now())));
    view! { <time datetime=at.format(&Rfc3339).unwrap_or_default() title=absolute>{shown}</time> }
}

/// The date and time in UTC: `2026-11-24 08:05 UTC`, in Japanese `2026年11月24日 08:05 UTC`.
pub fn absolute(at: OffsetDateTime) -> String {
    let format = match page_language() {
        Language::English => format_description!("[year]-[month]-[day] [hour]:[minute] UTC"),
        Language::Japanese => {
            format_description!("[year]年[month padding:none]月[day padding:none]日 [hour]:[minute] UTC")
        }
    };
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}

/// The first moment of a day as a date field gives it, in UTC.
pub fn start_of_day(date: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(&format!("{date}T00:00:00Z"), &Rfc3339).ok()
}

/// Seconds since 1970 by the clock of the machine that runs this.
fn now() -> i64 {
    if cfg!(target_family = "wasm") {
        (js_sys::Date::now() / 1000.0) as i64
    } else {
        OffsetDateTime::now_utc().unix_timestamp()
    }
}

/// The distance from `now` to `at` (both seconds since 1970) in the largest unit that fits.
pub fn relative(at: i64, now: i64) -> String {
    let distance = now - at;
    let seconds = distance.unsigned_abs();
    let past = distance >= 0;
    let said = |unit, value: u64| said(unit, value as i64, past);
    match seconds {
        0..45 if past => t!("just now").to_owned(),
        0..45 => t!("in a moment").to_owned(),
        45..2_700 => said(Unit::Minute, (seconds + 30) / 60),
        2_700..79_200 => said(Unit::Hour, (seconds + 1_800) / 3_600),
        79_200..2_592_000 => said(Unit::Day, (seconds + 43_200) / 86_400),
        2_592_000..31_536_000 => said(Unit::Month, seconds / 2_592_000),
        _ => said(Unit::Year, seconds / 31_536_000),
    }
}

enum Unit {
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

fn said(unit: Unit, value: i64, past: bool) -> String {
    match (unit, past) {
        (Unit::Minute, true) => n!(value, "{count} minute ago", "{count} minutes ago"),
        (Unit::Minute, false) => n!(value, "in {count} minute", "in {count} minutes"),
        (Unit::Hour, true) => n!(value, "{count} hour ago", "{count} hours ago"),
        (Unit::Hour, false) => n!(value, "in {count} hour", "in {count} hours"),
        (Unit::Day, true) => n!(value, "{count} day ago", "{count} days ago"),
        (Unit::Day, false) => n!(value, "in {count} day", "in {count} days"),
        (Unit::Month, true) => n!(value, "{count} month ago", "{count} months ago"),
        (Unit::Month, false) => n!(value, "in {count} month", "in {count} months"),
        (Unit::Year, true) => n!(value, "{count} year ago", "{count} years ago"),
        (Unit::Year, false) => n!(value, "in {count} year", "in {count} years"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_said_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "just now"),
            (60, "1 minute ago"),
            (3_600, "1 hour ago"),
            (86_400, "1 day ago"),
            (3 * 86_400, "3 days ago"),
            (45 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
            (-10, "in a moment"),
            (-7 * 86_400, "in 7 days"),
        ] {
            assert_eq!(relative(1_000_000_000, 1_000_000_000 + seconds), text);
        }
    }

    #[test]
    fn dates_are_in_utc() {
        let at = time::macros::datetime!(2026-11-24 17:05 +9);
        assert_eq!(absolute(at), "2026-11-24 08:05 UTC");
    }
}
