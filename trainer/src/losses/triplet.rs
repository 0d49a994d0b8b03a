//! Batch-hard triplet loss.

use candle_core::{Result, Tensor};
use kenami_domain::run_config::TripletMargin;

/// Added under the square root of a distance, whose slope is infinite at 0.
const SMALLEST: f64 = 1e-12;

/// Mean over the photos that have both of `margin` applied to the distance to the farthest photo of the same class less
/// that to the nearest of another (Hermans, Beyer and Leibe 2017): `max(m + d_p - d_n, 0)` or `ln(1 + exp(d_p - d_n))`
/// with Euclidean distances of `features` `[n, width]` as they are. `None` where no photo has both. Photos without a
/// class take no part. Of equally far photos the first counts.
///
/// # Errors
/// The shapes disagree.
pub fn batch_hard_triplet(features: &Tensor, classes: &[Option<u32>], margin: TripletMargin) -> Result<Option<Tensor>> {
    let hardest = hardest(&features.detach().to_vec2()?, classes);
    if hardest.is_empty() {
        return Ok(None);
    }
    let column = |pick: fn(&Hardest) -> u32| {
        let rows: Vec<u32> = hardest.iter().map(pick).collect();
        features.index_select(&Tensor::new(rows, features.device())?, 0)
    };
    let anchors = column(|h| h.anchor)?;
    let distance = |other: Tensor| ((&anchors - other)?.sqr()?.sum(1)? + SMALLEST)?.sqrt();
    let excess = (distance(column(|h| h.positive)?)? - distance(column(|h| h.negative)?)?)?;
    let losses = match margin {
        TripletMargin::Hard(margin) => (excess + margin)?.relu()?,
        TripletMargin::Soft => Tensor::stack(&[&excess, &excess.zeros_like()?], 0)?.log_sum_exp(0)?,
    };
    losses.mean_all().map(Some)
}

/// Rows of an anchor and its hardest photos.
struct Hardest {
    anchor: u32,
    positive: u32,
    negative: u32,
}

fn hardest(features: &[Vec<f32>], classes: &[Option<u32>]) -> Vec<Hardest> {
    let distance = |a: usize, b: usize| -> f64 {
        features[a].iter().zip(&features[b]).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
    };
    let known = || classes.iter().enumerate().filter_map(|(row, class)| Some((row, (*class)?)));
    let mut found = Vec::new();
    for (anchor, class) in known() {
        let mut positive: Option<(f64, usize)> = None;
        let mut negative: Option<(f64, usize)> = None;
        for (row, other) in known().filter(|(row, _)| *row != anchor) {
            let d = distance(anchor, row);
            if other == class && positive.is_none_or(|(farthest, _)| d > farthest) {
                positive = Some((d, row));
            }
            if other != class && negative.is_none_or(|(nearest, _)| d < nearest) {
                negative = Some((d, row));
            }
        }
        if let (Some((_, positive)), Some((_, negative))) = (positive, negative) {
            found.push(Hardest { anchor: anchor as u32, positive: positive as u32, negative: negative as u32 });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use candle_core::{Device, Var};

    use super::*;

    const CLASSES: [Option<u32>; 9] = [Some(0), Some(0), Some(1), Some(1), Some(2), None, Some(0), Some(2), Some(3)];

    fn features() -> Vec<Vec<f32>> {
        (0..9).map(|i| (0..4).map(|k| ((i * 4 + k) as f32 * 1.3).sin()).collect()).collect()
    }

    fn tensor(rows: &[Vec<f32>]) -> Tensor {
        Tensor::from_vec(rows.concat(), (rows.len(), 4), &Device::Cpu).unwrap()
    }

    /// Over all triplets: the largest value per anchor is that of its hardest pair.
    fn naive(features: &[Vec<f32>], margin: TripletMargin) -> f64 {
        let distance = |a: usize, b: usize| -> f64 {
            features[a].iter().zip(&features[b]).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        let mut losses = Vec::new();
        let known = || (0..9).filter_map(|row: usize| Some((row, CLASSES[row]?)));
        for (a, of_a) in known() {
            let positives = || known().filter(|(p, class)| *p != a && *class == of_a);
            let negatives = || known().filter(|(_, class)| *class != of_a);
            let pairs = positives().flat_map(|(p, _)| negatives().map(move |(n, _)| (p, n)));
            let worst = pairs.map(|(p, n)| distance(a, p) - distance(a, n)).max_by(f64::total_cmp);
            losses.extend(worst.map(|excess| match margin {
                TripletMargin::Hard(margin) => (margin + excess).max(0.0),
                TripletMargin::Soft => excess.exp().ln_1p(),
            }));
        }
        assert_eq!(losses.len(), 7);
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    fn loss(features: &[Vec<f32>], margin: TripletMargin) -> f32 {
        batch_hard_triplet(&tensor(features), &CLASSES, margin).unwrap().unwrap().to_scalar().unwrap()
    }

    const MARGINS: [TripletMargin; 3] = [TripletMargin::Soft, TripletMargin::Hard(0.2), TripletMargin::Hard(3.0)];

    #[test]
    fn it_is_the_worst_of_all_triplets() {
        for margin in MARGINS {
            assert_relative_eq!(f64::from(loss(&features(), margin)), naive(&features(), margin), epsilon = 1e-5);
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        for margin in MARGINS {
            let input = Var::from_tensor(&tensor(&features())).unwrap();
            let total = batch_hard_triplet(input.as_tensor(), &CLASSES, margin).unwrap().unwrap();
            let gradients = total.backward().unwrap().get(input.as_tensor()).unwrap().to_vec2::<f32>().unwrap();
            for (i, k) in [(0, 0), (2, 3), (5, 1), (7, 2), (8, 0)] {
                let at = |step: f32| {
                    let mut features = features();
                    features[i][k] += step;
                    loss(&features, margin)
                };
                assert_relative_eq!(gradients[i][k], (at(1e-3) - at(-1e-3)) / 2e-3, epsilon = 2e-3);
            }
        }
    }

    #[test]
    fn equal_photos_have_a_finite_gradient_and_one_class_adds_nothing() {
        let rows = vec![vec![1f32, 2.0, 3.0, 4.0]; 3];
        let input = Var::from_tensor(&tensor(&rows)).unwrap();
        let classes = [Some(0), Some(0), Some(1)];
        let total = batch_hard_triplet(input.as_tensor(), &classes, TripletMargin::Soft).unwrap().unwrap();
        let gradients = total.backward().unwrap().get(input.as_tensor()).unwrap().to_vec2::<f32>().unwrap();
        assert!(gradients.concat().iter().all(|g| g.is_finite()));
        assert!(batch_hard_triplet(input.as_tensor(), &[Some(4); 3], TripletMargin::Soft).unwrap().is_none());
    }
}
