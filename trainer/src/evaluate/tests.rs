use approx::assert_relative_eq;

use super::*;

fn labels() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

#[test]
fn figures_of_a_small_case_by_hand() {
    // Answers a a a b b; predictions a a b b a. No c.
    let distributions = [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.3, 0.7, 0.0], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0]];
    let answers = [0, 0, 0, 1, 1];
    let names = ["1", "2", "3", "4", "5"];
    let photos: Vec<Judged<'_>> =
        (0..5).map(|i| Judged { image: names[i], answer: answers[i], probabilities: &distributions[i] }).collect();
    let metrics = evaluate(&labels(), &photos).unwrap();
    assert_eq!(metrics.n, 5);
    assert_relative_eq!(metrics.accuracy, 0.6);
    // a: tp 2, answers 3, predictions 3; b: tp 1, answers 2, predictions 2; c does not occur.
    assert_relative_eq!(metrics.macro_f1, (2.0 / 3.0 + 0.5) / 2.0);
    assert_relative_eq!(metrics.mean_per_class_accuracy, (2.0 / 3.0 + 0.5) / 2.0);
    let nll = -(0.8f64.ln() + 0.6f64.ln() + 0.3f64.ln() + 0.8f64.ln() + 0.1f64.ln()) / 5.0;
    assert_relative_eq!(metrics.nll, nll, epsilon = 1e-12);
    // Bins of 1/15: .8 twice (two hits), .6, .7 (miss), .9 (miss) each alone.
    assert_relative_eq!(metrics.ece, (0.4 + 0.4 + 0.7 + 0.9) / 5.0, epsilon = 1e-12);
    assert_eq!(metrics.confusion.counts, [[2, 1, 0], [1, 1, 0], [0, 0, 0]]);
    assert_eq!(metrics.most_confused.len(), 2);
    assert_eq!(metrics.most_confused[0].images, ["3"]);
}

#[test]
fn mistakes_are_ordered_by_number_then_surety() {
    let (sure, unsure) = ([0.0, 0.1, 0.9], [0.3, 0.3, 0.4]);
    let photos = [
        Judged { image: "once", answer: 0, probabilities: &sure },
        Judged { image: "unsure", answer: 1, probabilities: &unsure },
        Judged { image: "sure", answer: 1, probabilities: &sure },
    ];
    let metrics = evaluate(&labels(), &photos).unwrap();
    assert_eq!(metrics.most_confused[0].images, ["sure", "unsure"]);
    assert_eq!(metrics.most_confused[0].count, 2);
    assert_eq!(metrics.most_confused[1].answer, "a");
    assert_eq!(metrics.accuracy, 0.0);
}

#[test]
fn nothing_answered_gives_no_figures() {
    assert!(evaluate(&labels(), &[]).is_none());
}

#[test]
fn the_first_of_equal_values_is_predicted() {
    assert_eq!(most_likely(&[0.25, 0.25, 0.25, 0.25]), 0);
    assert_eq!(most_likely(&[0.1, 0.45, 0.45]), 1);
}

#[test]
fn the_largest_losses_come_first_and_equal_ones_by_name() {
    let (good, bad) = ([0.9, 0.1, 0.0], [0.1, 0.2, 0.7]);
    let photo = |image, answer, probabilities| Judged { image, answer, probabilities };
    let photos = [photo("d", 0, &good), photo("c", 0, &bad), photo("b", 0, &bad), photo("a", 2, &bad)];
    assert_eq!(top_losses(&photos, 3), [2, 1, 3]);
}

#[test]
fn a_value_that_never_occurs_has_figures_of_zero() {
    let certain = [1.0, 0.0, 0.0];
    let metrics = evaluate(&labels(), &[Judged { image: "1", answer: 0, probabilities: &certain }]).unwrap();
    assert_eq!(metrics.per_class[0].f1, 1.0);
    let absent = &metrics.per_class[2];
    assert_eq!((absent.support, absent.precision, absent.recall, absent.f1), (0, 0.0, 0.0, 0.0));
    assert_eq!((metrics.nll, metrics.brier, metrics.ece), (0.0, 0.0, 0.0));
}

#[test]
fn a_probability_on_a_boundary_belongs_to_the_bin_below() {
    let photos = [0.2, 1.0].map(|p| [p, 1.0 - p, 0.0]);
    let photos: Vec<_> = photos.iter().map(|p| Judged { image: "", answer: 0, probabilities: p }).collect();
    // 1 - 0.2 = 0.8 is the twelfth bin's upper end, 1.0 the last one's.
    let bins = reliability(&photos);
    assert_eq!(bins.iter().map(|bin| bin.n).sum::<usize>(), 2);
    assert_eq!((bins[11].n, bins[14].n), (1, 1));
    assert_eq!((bins[11].accuracy, bins[14].accuracy), (0.0, 1.0));
}
