//! Time of one pass.

use std::time::{Duration, Instant};

use kenami_domain::metrics::Timing;

use crate::error::Result;

/// Passes before those that are measured: memory is taken and caches are filled.
const WARM_UP: usize = 3;
/// Passes measured, unless they take longer than the budget.
const PASSES: usize = 100;
const FEWEST: usize = 11;
const BUDGET: Duration = Duration::from_secs(3);

/// Runs `pass` (one photo through network and heads) some times and says how long it takes: 100 times, or for three seconds
/// but no less than 11 times. What passes compute must not change with how often they run.
///
/// # Errors
/// A pass fails.
pub fn time_passes(mut pass: impl FnMut() -> Result<()>) -> Result<Timing> {
    for _ in 0..WARM_UP {
        pass()?;
    }
    let started = Instant::now();
    let mut times = Vec::with_capacity(PASSES);
    while times.len() < PASSES && (times.len() < FEWEST || started.elapsed() < BUDGET) {
        let started = Instant::now();
        pass()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(Timing { passes: times.len(), median_ms: percentile(&times, 50), p95_ms: percentile(&times, 95) })
}

/// The smallest value that `percent` of 100 values do not exceed (nearest rank).
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95), percentile(&values, 100)), (10.0, 19.0, 20.0));
        assert_eq!(percentile(&[7.0], 50), 7.0);
    }

    #[test]
    fn warm_up_is_not_measured() {
        let mut calls = 0;
        let timing = time_passes(|| {
            calls += 1;
            std::thread::sleep(Duration::from_millis(if calls <= WARM_UP { 40 } else { 1 }));
            Ok(())
        });
        let timing = timing.unwrap();
        assert_eq!((timing.passes, calls), (PASSES, PASSES + WARM_UP));
        assert!(timing.median_ms >= 1.0 && timing.median_ms < 40.0 && timing.p95_ms >= timing.median_ms, "{timing:?}");
    }
}
