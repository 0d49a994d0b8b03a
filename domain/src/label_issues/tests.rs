use approx::assert_abs_diff_eq;
use rand::{Rng, SeedableRng};

use super::*;

/// Items `00`, `01`, ... with a digit each as label, and rows of probabilities.
fn planted(rows: impl Iterator<Item = Vec<f64>>) -> Probabilities {
    let mut probabilities = Probabilities::new();
    for (item, row) in rows.enumerate() {
        for (class, p) in row.into_iter().enumerate() {
            probabilities.push(&format!("{item:02}"), "ear", &class.to_string(), p);
        }
    }
    probabilities
}

fn find(given: &str, probabilities: &Probabilities, rank: RankBy) -> LabelIssues {
    let labels: Vec<(String, String)> =
        given.chars().enumerate().map(|(item, label)| (format!("{item:02}"), label.to_string())).collect();
    let labels = labels.iter().map(|(item, label)| (item.as_str(), label.as_str()));
    label_issues(labels, "ear", probabilities, rank)
}

fn items(found: &LabelIssues) -> Vec<&str> {
    found.issues.iter().map(|issue| issue.item.as_str()).collect()
}

#[test]
fn planted_errors_are_found() {
    // cleanlab 2.9.0: get_confident_thresholds, compute_confident_joint(calibrate=False) and
    // find_label_issues(filter_by="confident_learning") on 30 items, 10 a class, p .8 on the true class and .1 elsewhere;
    // labels flipped at 3 -> 1, 14 -> 2, 25 -> 0: thresholds .73, issues 3, 14, 25.
    let truth = |item: usize| item / 10;
    let probabilities = planted((0..30).map(|item| (0..3).map(|c| if c == truth(item) { 0.8 } else { 0.1 }).collect()));
    let given = "000100000011112111112222202222";
    let found = find(given, &probabilities, RankBy::SelfConfidence);
    for threshold in &found.thresholds {
        assert_abs_diff_eq!(threshold.unwrap(), 0.73, epsilon = 1e-9);
    }
    assert_eq!(found.confident_joint, [[9, 0, 1], [1, 9, 0], [0, 1, 9]]);
    assert_eq!(items(&found), ["03", "14", "25"]);
    let first = &found.issues[0];
    assert_eq!((first.given.as_str(), first.suggested.as_str()), ("1", "0"));
    assert_abs_diff_eq!(first.self_confidence, 0.1, epsilon = 1e-12);
    assert_abs_diff_eq!(first.normalised_margin, 0.15, epsilon = 1e-12);
    assert_abs_diff_eq!(found.noise(), 0.1, epsilon = 1e-12);
    assert_eq!((found.items, found.left_out), (30, 0));
}

#[test]
fn issues_are_cleanlabs_on_random_labels() {
    // cleanlab 2.9.0 on 60 items drawn at random, 4 classes, none labelled 3: the same calls, and estimate_joint.
    let given = "221112201101121021211211212222210202101102120000101101022120";
    let rows = "0.03 0.02 0.94 0.01|0.16 0.01 0.59 0.24|0.22 0.26 0.51 0.01|0.03 0.72 0.08 0.17|0.17 0.19 0.52 0.12|\
        0.01 0.44 0.47 0.08|0.09 0.09 0.52 0.3|0.52 0.17 0.14 0.17|0.01 0.6 0.37 0.02|0.02 0.86 0.09 0.03|\
        0.48 0.18 0.22 0.12|0.12 0.54 0.23 0.11|0.27 0.46 0.17 0.1|0.29 0.09 0.55 0.07|0.44 0.46 0.08 0.02|\
        0.67 0.17 0.02 0.14|0.15 0.09 0.61 0.15|0.16 0.01 0.48 0.35|0.47 0.26 0.18 0.09|0.39 0.47 0.09 0.05|\
        0.03 0.58 0.26 0.13|0.21 0 0.6 0.19|0.75 0.09 0.07 0.09|0.17 0.55 0.22 0.06|0.11 0.27 0.48 0.14|\
        0.1 0.53 0.02 0.35|0.46 0.1 0.05 0.39|0.02 0.03 0.65 0.3|0.08 0.12 0.71 0.09|0.05 0.26 0.49 0.2|\
        0.04 0.16 0.71 0.09|0.1 0.61 0.03 0.26|0.25 0.08 0.53 0.14|0.27 0.12 0.53 0.08|0.06 0.64 0.28 0.02|\
        0.31 0 0.6 0.09|0.01 0.84 0.07 0.08|0.68 0.07 0.22 0.03|0.34 0.63 0.01 0.02|0.21 0.57 0.08 0.14|\
        0.48 0.03 0.13 0.36|0.2 0.19 0.53 0.08|0.05 0.65 0.1 0.2|0.28 0.01 0.59 0.12|0.69 0.17 0.12 0.02|\
        0.2 0.47 0.18 0.15|0.6 0.04 0.14 0.22|0.51 0.06 0.14 0.29|0.39 0.45 0.05 0.11|0.1 0.45 0.32 0.13|\
        0.08 0.5 0.33 0.09|0.01 0.55 0.41 0.03|0.04 0.38 0.46 0.12|0.35 0.45 0.12 0.08|0.18 0.78 0 0.04|\
        0.1 0.1 0.69 0.11|0.15 0.28 0.53 0.04|0.18 0.5 0.19 0.13|0.64 0.11 0.23 0.02|0.63 0.06 0.11 0.2";
    let row = |row: &str| row.split_whitespace().map(|p| p.parse().unwrap()).collect::<Vec<f64>>();
    let probabilities = planted(rows.split('|').map(row));
    let found = find(given, &probabilities, RankBy::SelfConfidence);
    let expected = [Some(0.4059999999999999), Some(0.5029166666666667), Some(0.5357142857142856), None];
    for (threshold, expected) in found.thresholds.iter().zip(expected) {
        assert_eq!(threshold.is_some(), expected.is_some());
        assert_abs_diff_eq!(threshold.unwrap_or(0.0), expected.unwrap_or(0.0), epsilon = 1e-9);
    }
    assert_eq!(found.confident_joint, [[9, 2, 0, 0], [2, 13, 0, 0], [3, 0, 11, 0], [0, 0, 0, 0]]);
    // cleanlab rounds its estimate to whole items.
    let whole = [[12.0, 3.0, 0.0, 0.0], [3.0, 21.0, 0.0, 0.0], [4.0, 0.0, 17.0, 0.0], [0.0; 4]];
    for (row, whole) in found.joint.iter().zip(whole) {
        assert_abs_diff_eq!(row.iter().sum::<f64>() * 60.0, whole.iter().sum::<f64>(), epsilon = 1e-9);
        row.iter().zip(whole).for_each(|(share, whole)| assert_abs_diff_eq!(share * 60.0, whole, epsilon = 0.5 + 1e-9));
    }
    assert_eq!(items(&found), ["26", "34", "22", "18", "54", "58"]);
    let margins = find(given, &probabilities, RankBy::NormalisedMargin);
    assert_eq!(items(&margins), ["22", "54", "34", "26", "58", "18"]);
    for (issue, margin) in margins.issues.iter().zip([0.17, 0.2, 0.21, 0.295, 0.295, 0.355]) {
        assert_abs_diff_eq!(issue.normalised_margin, margin, epsilon = 1e-9);
    }
}

#[test]
fn what_the_model_cannot_judge_is_left_out() {
    let mut probabilities = Probabilities::new();
    for (item, drop) in [("a", 0.9), ("b", 0.8), ("c", 0.1), ("d", 0.2), ("e", 0.9)] {
        probabilities.push(item, "ear", "drop", drop);
        probabilities.push(item, "ear", "erect", 1.0 - drop);
    }
    let labels = [("a", "drop"), ("b", "drop"), ("c", "erect"), ("d", "erect"), ("e", "erect")];
    let unseen = [("a", "not_visible"), ("b", "unsure"), ("c", "cropped"), ("none", "drop")];
    let found = label_issues(labels.into_iter().chain(unseen), "ear", &probabilities, RankBy::default());
    assert_eq!((found.items, found.left_out), (5, 4));
    assert_eq!(found.issues.len(), 1);
    assert_eq!((found.issues[0].item.as_str(), found.issues[0].suggested.as_str()), ("e", "drop"));
    let nothing = label_issues(labels, "coat", &probabilities, RankBy::default());
    assert_eq!((nothing.items, nothing.left_out, nothing.noise()), (0, 5, 0.0));
}

#[test]
fn a_tenth_of_wrong_labels_is_estimated_and_mostly_found() {
    // Seeded: 2,000 items of 4 classes, a model right on 85 % of them, a tenth of the labels wrong.
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut probabilities = Probabilities::new();
    let (mut labels, mut wrong) = (Vec::new(), Vec::new());
    for item in 0..2000 {
        let (name, truth) = (format!("{item:04}"), rng.random_range(0..4usize));
        let seen = if rng.random_bool(0.85) { truth } else { rng.random_range(0..4) };
        let sure: f64 = rng.random_range(0.5..0.95);
        for class in 0..4 {
            let p = if class == seen { sure } else { (1.0 - sure) / 3.0 };
            probabilities.push(&name, "ear", &class.to_string(), p);
        }
        let is_wrong = rng.random_bool(0.1);
        let given = if is_wrong { (truth + rng.random_range(1..4)) % 4 } else { truth };
        labels.push((name, given.to_string()));
        wrong.push(is_wrong);
    }
    let pairs = labels.iter().map(|(item, label)| (item.as_str(), label.as_str()));
    let found = label_issues(pairs, "ear", &probabilities, RankBy::SelfConfidence);
    let is_wrong = |issue: &LabelIssue| wrong[issue.item.parse::<usize>().unwrap()];
    let planted = wrong.iter().filter(|&&wrong| wrong).count();
    let hits = found.issues.iter().filter(|issue| is_wrong(issue)).count();
    assert!(hits * 10 > planted * 5, "recall {hits} of {planted}");
    // Random picks would be right in a tenth; the model itself is wrong in one of nine.
    assert!(hits * 10 > found.issues.len() * 4, "precision {hits} of {}", found.issues.len());
    assert!((0.1..0.3).contains(&found.noise()), "noise {}", found.noise());
}
