//! Position embeddings for grids of another size than in pretraining.

/// The authors add this to the wanted side before they divide by the stored one, against rounding; it moves the samples a
/// little, and features that were published have it.
const OFFSET: f64 = 0.1;
/// The cubic kernel's parameter (PyTorch's).
const A: f64 = -0.75;

/// `[1 + rows * columns, width]` from `stored` (`[1 + side * side, width]`, the class token first): bicubic without
/// antialiasing, pixel centres at halves, borders repeated. The grid of pretraining is taken as it is.
pub(super) fn interpolate(stored: &[f32], width: usize, side: usize, (rows, columns): (usize, usize)) -> Vec<f32> {
    if (rows, columns) == (side, side) {
        return stored.to_vec();
    }
    let (class_token, grid) = stored.split_at(width);
    let (down, across) = (samples(side, rows), samples(side, columns));
    let mut result = class_token.to_vec();
    let mut sum = vec![0.0f64; width];
    for vertical in &down {
        for horizontal in &across {
            sum.fill(0.0);
            for (row, weight) in vertical {
                for (column, factor) in horizontal {
                    let at = (row * side + column) * width;
                    let weight = weight * factor;
                    sum.iter_mut().zip(&grid[at..at + width]).for_each(|(sum, x)| *sum += weight * f64::from(*x));
                }
            }
            result.extend(sum.iter().map(|sum| *sum as f32));
        }
    }
    result
}

/// Per place of the wanted side, the four stored places around it and their weights.
fn samples(side: usize, wanted: usize) -> Vec<[(usize, f64); 4]> {
    let step = side as f64 / (wanted as f64 + OFFSET);
    let sample = |i: usize| {
        let centre = (i as f64 + 0.5) * step - 0.5;
        let (floor, t) = (centre.floor(), centre - centre.floor());
        let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
        std::array::from_fn(|tap| {
            let place = floor as isize + tap as isize - 1;
            (place.clamp(0, side as isize - 1) as usize, weights[tap])
        })
    };
    (0..wanted).map(sample).collect()
}

/// The kernel up to a distance of 1.
fn near(x: f64) -> f64 {
    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
}

/// The kernel between distances of 1 and 2.
fn far(x: f64) -> f64 {
    ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pretrained_grid_and_constants_stay() {
        let stored: Vec<f32> = (0..1 + 9).map(|i| i as f32).collect();
        assert_eq!(interpolate(&stored, 1, 3, (3, 3)), stored);
        let constant = interpolate(&[&[7.0; 2][..], &[2.5; 2 * 25]].concat(), 2, 5, (3, 8));
        assert_eq!(constant.len(), 2 * (1 + 24));
        assert_eq!(&constant[..2], [7.0, 7.0]);
        assert!(constant[2..].iter().all(|x| (x - 2.5).abs() < 1e-6));
    }

    #[test]
    fn samples_lie_around_the_offset_centre() {
        assert_eq!((near(0.0), near(1.0), far(1.0), far(2.0)), (1.0, 0.0, 0.0, 0.0));
        assert_eq!((near(0.5), far(1.5)), (0.59375, -0.09375));
        for (wanted, taps) in [(16, samples(37, 16)), (50, samples(37, 50))] {
            for (i, taps) in taps.iter().enumerate() {
                let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
                assert!((sum - 1.0).abs() < 1e-12);
                let centre = (i as f64 + 0.5) * 37.0 / (f64::from(wanted) + 0.1) - 0.5;
                assert_eq!(taps[1].0, centre.floor().max(0.0) as usize);
            }
        }
    }
}
