use approx::assert_relative_eq;

use super::*;

#[test]
fn an_exact_law_is_found() {
    let labels = [25.0, 50.0, 100.0, 200.0, 400.0];
    for (floor, scale, exponent) in [(0.1, 1.5, 0.5), (0.0, 2.0, 0.35), (0.25, 8.0, 1.1)] {
        let law = PowerLaw { floor, scale, exponent, explained: 1.0 };
        let found = fit(&labels, &labels.map(|n| law.error(n)));
        assert_relative_eq!(found.exponent, exponent, epsilon = 2e-3);
        assert_relative_eq!(found.error(1_600.0), law.error(1_600.0), epsilon = 1e-4);
        assert!(found.explained > 0.999_99, "{found:?}");
    }
}

#[test]
fn noisy_points_as_scipy_fits_them() {
    // ../statistics/reference.py prints this.
    let found = fit(&[50.0, 100.0, 200.0, 400.0, 800.0], &[0.41, 0.33, 0.285, 0.26, 0.235]);
    assert_relative_eq!(found.floor, 0.209_107_749, epsilon = 2e-4);
    assert_relative_eq!(found.scale, 3.096_011_4, epsilon = 2e-2);
    assert_relative_eq!(found.exponent, 0.700_156_2, epsilon = 2e-3);
}

#[test]
fn what_rises_has_no_law_below_zero() {
    let found = fit(&[50.0, 100.0, 200.0, 400.0], &[0.2, 0.21, 0.22, 0.23]);
    assert_eq!(found.scale, 0.0);
    assert!(found.explained <= 0.0 + 1e-12);
    let steep = fit(&[50.0, 100.0, 200.0, 400.0], &[0.4, 0.2, 0.1, 0.05]);
    assert!(steep.floor >= 0.0 && steep.error(10_000.0) > 0.0, "{steep:?}");
}

/// Photos of which a share that follows the law is right, the hardest last; each seed is wrong on others of the border.
fn measured(labels: f64, photos: usize, right: f64, seeds: usize) -> Measured {
    let border = (right * photos as f64).round() as usize;
    let of_seed = |seed: usize| (0..photos).map(|photo| (photo + seed * 3) % photos < border).collect();
    Measured { labels, hits: (0..seeds).map(of_seed).collect() }
}

fn curve(errors: &[(f64, f64)], photos: usize, seeds: usize) -> LearningCurve {
    let sizes = errors.iter().map(|(labels, error)| measured(*labels, photos, 1.0 - error, seeds)).collect();
    learning_curve("coat", sizes).unwrap()
}

#[test]
fn more_labels_bring_what_the_law_says_within_an_interval() {
    let law = PowerLaw { floor: 0.1, scale: 2.0, exponent: 0.5, explained: 1.0 };
    let sizes: Vec<(f64, f64)> = [50.0, 100.0, 200.0, 400.0, 800.0].map(|n| (n, law.error(n))).to_vec();
    let found = curve(&sizes, 2_000, 5);
    assert_eq!((found.refused, found.photos, found.seeds, found.points.len()), (None, 2_000, 5, 5));
    assert_relative_eq!(found.points[0].accuracy, 1.0 - law.error(50.0), epsilon = 1e-3);
    let next = found.gains.iter().find(|gain| gain.more == 500).unwrap();
    assert_relative_eq!(next.gain, law.error(800.0) - law.error(1_300.0), epsilon = 2e-3);
    assert!(next.low <= next.gain && next.gain <= next.high && next.high - next.low < 0.02, "{next:?}");
    assert_eq!(found.gains.len(), 4, "2,800 is less than eight times 800");
    assert_eq!(found, curve(&sizes, 2_000, 5), "always the same interval");
}

#[test]
fn an_extrapolation_that_is_not_borne_out_is_refused() {
    let rising = [(50.0, 0.5), (100.0, 0.4), (200.0, 0.33), (400.0, 0.28)];
    assert_eq!(curve(&rising[..3], 500, 3).refused, Some(Refusal::TooFewRuns));
    assert_eq!(curve(&rising, 500, 1).refused, Some(Refusal::TooFewRuns));
    // Sizes err on the same photos here, so that half a point less would be sure.
    let flat = [(50.0, 0.30), (100.0, 0.29), (200.0, 0.31), (400.0, 0.305)];
    assert_eq!(curve(&flat, 500, 3).refused, Some(Refusal::Flat));
    let scattered = [(50.0, 0.5), (100.0, 0.1), (200.0, 0.6), (400.0, 0.2)];
    let found = curve(&scattered, 500, 3);
    assert_eq!((found.refused, found.law, found.gains.len()), (Some(Refusal::Scattered), None, 0));
    let near = curve(&rising.map(|(n, e)| (n / 10.0, e)), 500, 3);
    assert_eq!(near.gains.iter().map(|gain| gain.more).collect::<Vec<_>>(), [100], "40 labels tell nothing of 540");
}

#[test]
fn sizes_must_fit_together() {
    assert_eq!(learning_curve("coat", Vec::new()), None);
    let sizes = vec![measured(10.0, 20, 0.5, 2), measured(20.0, 21, 0.5, 2)];
    assert_eq!(learning_curve("coat", sizes), None);
    let twice = learning_curve("coat", vec![measured(10.0, 20, 0.5, 2), measured(10.0, 20, 0.6, 2)]).unwrap();
    assert_eq!(twice.points.len(), 1);
}
