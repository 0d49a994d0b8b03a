//! The learning-rate finder: a short training in which the rate rises until the loss explodes (Smith 2015).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How far and how fast the rate rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// First rate.
    pub start: f64,
    /// Last rate, if the loss bears it.
    pub end: f64,
    /// Steps from the first to the last.
    pub steps: u32,
}

impl Default for Range {
    /// fastai's.
    fn default() -> Self {
        Self { start: 1e-7, end: 10.0, steps: 100 }
    }
}

/// One step of the search; a row of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// From 0.
    pub step: u32,
    /// The rate of the step.
    pub lr: f64,
    /// The step's loss.
    pub loss: f64,
    /// The loss so far, averaged with exponentially falling weights.
    pub smoothed: f64,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// All steps.
    pub rows: Vec<Row>,
    /// The rate at which the smoothed loss falls most steeply over ln(lr); absent where it never falls.
    pub suggestion: Option<f64>,
}

/// Decay of the average of losses.
const SMOOTHING: f64 = 0.98;
/// The search ends where the smoothed loss is above so many times its lowest.
const DIVERGED: f64 = 4.0;

/// Calls `step` with exponentially rising rates `start (end / start)^(i / (steps - 1))`; it trains one batch at that rate
/// and returns the batch's loss. Ends early where the smoothed loss diverges or a loss is not a number. Weights and
/// optimiser are changed: the caller keeps copies, or throws them away.
///
/// # Errors
/// `step`'s, or the range is empty.
pub fn find(range: Range, mut step: impl FnMut(f64) -> Result<f64>) -> Result<Found> {
    let Range { start, end, steps } = range;
    if !(start > 0.0 && end > start && end.is_finite() && steps >= 2) {
        return Err(Error::Run(format!("no learning rates to try from {start} to {end} in {steps} steps")));
    }
    let (mut rows, mut mean, mut best) = (Vec::new(), 0.0, f64::INFINITY);
    for i in 0..steps {
        let lr = start * (end / start).powf(f64::from(i) / f64::from(steps - 1));
        let loss = step(lr)?;
        if !loss.is_finite() {
            break;
        }
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
        let smoothed = mean / (1.0 - SMOOTHING.powf(f64::from(i + 1)));
        rows.push(Row { step: i, lr, loss, smoothed });
        if smoothed > DIVERGED * best {
            break;
        }
        best = best.min(smoothed);
    }
    Ok(Found { suggestion: steepest(&rows), rows })
}

/// The rate where the central difference of the smoothed loss over ln(lr) is lowest.
fn steepest(rows: &[Row]) -> Option<f64> {
    let slope = |w: &[Row]| ((w[2].smoothed - w[0].smoothed) / (w[2].lr / w[0].lr).ln(), w[1].lr);
    let falling = rows.windows(3).map(slope).filter(|(slope, _)| *slope < 0.0);
    falling.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, lr)| lr)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    /// Gradient descent on `5 x^2 / 2`, which diverges from a rate of 2 / 5 on.
    fn bowl(range: Range) -> Found {
        let mut x = 3.0;
        find(range, |lr| {
            let loss = 2.5 * x * x;
            x -= lr * 5.0 * x;
            Ok(loss)
        })
        .unwrap()
    }

    #[test]
    fn the_rate_rises_exponentially_until_the_loss_diverges() {
        let found = bowl(Range { start: 1e-4, end: 1e3, steps: 71 });
        assert_relative_eq!(found.rows[10].lr, 1e-3, max_relative = 1e-9);
        assert!(found.rows.len() < 71, "it did not stop");
        let (last, best) = (found.rows.last().unwrap(), found.rows.iter().map(|row| row.smoothed).fold(1e9, f64::min));
        assert!(last.smoothed > 4.0 * best);
        let suggestion = found.suggestion.unwrap();
        assert!(suggestion > 1e-3 && suggestion < 0.4, "{suggestion}");
    }

    #[test]
    fn smoothing_is_an_average_without_bias() {
        let found = find(Range { start: 0.1, end: 1.0, steps: 5 }, |_| Ok(2.0)).unwrap();
        found.rows.iter().for_each(|row| assert_relative_eq!(row.smoothed, 2.0, epsilon = 1e-12));
        // mean of 1 and 3 with weights .98 and 1.
        let mut losses = [1.0, 3.0].into_iter();
        let found = find(Range { start: 0.1, end: 1.0, steps: 2 }, |_| Ok(losses.next().unwrap())).unwrap();
        assert_relative_eq!(found.rows[1].smoothed, (0.98 + 3.0) / 1.98, epsilon = 1e-12);
        assert_eq!(found.suggestion, None);
    }

    #[test]
    fn a_loss_that_is_no_number_ends_the_search_and_an_error_goes_through() {
        let mut losses = [1.0, 0.5, f64::NAN].into_iter();
        let found = find(Range { start: 0.1, end: 1.0, steps: 9 }, |_| Ok(losses.next().unwrap())).unwrap();
        assert_eq!(found.rows.len(), 2);
        assert!(find(Range::default(), |_| Err(Error::Cancelled)).is_err());
        assert!(find(Range { start: 1.0, end: 0.1, steps: 9 }, |_| Ok(1.0)).is_err());
    }
}
