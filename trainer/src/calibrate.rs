//! Temperature scaling: probabilities of `logits / T`, with one T per head (C. Guo et al., On Calibration of Modern Neural
//! Networks, ICML 2017). It moves no answer, only how sure the model says it is.

use kenami_domain::run_config::LossName;

/// Temperatures looked at.
const RANGE: (f64, f64) = (0.05, 20.0);
/// Width of ln T at which the search ends.
const TOLERANCE: f64 = 1e-9;

/// Probabilities of `logits / temperature` under a head's loss: softmax, or sigmoids brought to sum 1 where each value has
/// its own.
pub fn tempered(loss: LossName, logits: &[f32], temperature: f64) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raw = |x: f32| match loss {
        LossName::Bce => (1.0 / (1.0 + (-f64::from(x) / temperature).exp())).max(f64::MIN_POSITIVE),
        LossName::CrossEntropy | LossName::Kl => (f64::from(x - highest) / temperature).exp(),
    };
    let raw: Vec<f64> = logits.iter().map(|x| raw(*x)).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|p| p / total).collect()
}

/// The temperature with the least mean of -ln p(answer). `photos` are logits and the answer's index.
///
/// With softmax the mean is convex in 1 / T, so it has one valley in ln T, which a golden-section search finds. `None` where
/// there is no photo or the valley has no bottom between 0.05 and 20: photos that are all answered right would ask for T = 0,
/// which is no knowledge.
pub fn fit(loss: LossName, photos: &[(&[f32], usize)]) -> Option<f64> {
    if photos.is_empty() {
        return None;
    }
    let nll = |log_t: f64| {
        let t = log_t.exp();
        -photos.iter().map(|(logits, answer)| log_probability(loss, logits, *answer, t)).sum::<f64>()
    };
    let ends = (RANGE.0.ln(), RANGE.1.ln());
    let best = golden_section(nll, ends);
    let is_inside = best - ends.0 > 1e-3 && ends.1 - best > 1e-3;
    is_inside.then(|| best.exp())
}

/// `ln` of [`tempered`]'s entry for `answer`, without the detour over probabilities that vanish.
fn log_probability(loss: LossName, logits: &[f32], answer: usize, temperature: f64) -> f64 {
    let scaled = logits.iter().map(|x| f64::from(*x) / temperature);
    let log_sum = |values: &mut dyn Iterator<Item = f64>| {
        let values: Vec<f64> = values.collect();
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        highest + values.iter().map(|x| (x - highest).exp()).sum::<f64>().ln()
    };
    match loss {
        LossName::CrossEntropy | LossName::Kl => {
            f64::from(logits[answer]) / temperature - log_sum(&mut scaled.into_iter())
        }
        LossName::Bce => {
            let log_sigmoid = |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p();
            log_sigmoid(f64::from(logits[answer]) / temperature) - log_sum(&mut scaled.map(log_sigmoid))
        }
    }
}

/// Where `f` is least between two ends, for an `f` with one valley.
fn golden_section(f: impl Fn(f64) -> f64, (mut low, mut high): (f64, f64)) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    while high - low > TOLERANCE {
        // Equal values on a plateau at the lower end: go down, so that the end is recognised as one.
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = f(b);
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::heads::probabilities;

    const LOGITS: [f32; 4] = [1.5, -0.25, 3.0, 2.9];

    #[test]
    fn a_temperature_of_one_changes_nothing_and_none_moves_an_answer() {
        for loss in LossName::ALL {
            assert_eq!(tempered(*loss, &LOGITS, 1.0), probabilities(*loss, &LOGITS));
            for t in [0.1, 0.7, 5.0] {
                let p = tempered(*loss, &LOGITS, t);
                assert_relative_eq!(p.iter().sum::<f64>(), 1.0, epsilon = 1e-12);
                assert!(p[2] > p[3] && p[3] > p[0] && p[0] > p[1], "{loss} {t} {p:?}");
            }
        }
    }

    /// Two values whose logits differ by `d`, right in `hits` of `n` photos: the best T makes the sigmoid of d / T the share.
    #[test]
    fn the_temperature_of_two_values_has_a_closed_form() {
        let logits = [2.0f32, -1.0];
        let photos: Vec<(&[f32], usize)> = (0..10).map(|i| (logits.as_slice(), usize::from(i >= 8))).collect();
        let expected = 3.0 / (0.8f64 / 0.2).ln();
        assert_relative_eq!(fit(LossName::CrossEntropy, &photos).unwrap(), expected, epsilon = 1e-6);
    }

    #[test]
    fn photos_that_name_no_temperature_give_none() {
        let logits = [2.0f32, -1.0];
        let right: &[(&[f32], usize)] = &[(&logits, 0), (&logits, 0)];
        let wrong: &[(&[f32], usize)] = &[(&logits, 1)];
        for photos in [right, wrong, &[]] {
            for loss in LossName::ALL {
                assert_eq!(fit(*loss, photos), None, "{loss}");
            }
        }
    }
}
