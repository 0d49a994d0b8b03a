use super::*;

fn cell(variant: &str, seed: u64, head: &str, accuracy: f64, labels: usize) -> Cell {
    let figures = Figures { n: 4, accuracy, mean_per_class_accuracy: accuracy };
    let splits = [("test", figures), ("train", Figures { n: labels, ..figures })];
    let splits = splits.into_iter().map(|(split, figures)| (split.to_owned(), figures)).collect();
    Cell {
        variant: variant.to_owned(),
        seed,
        state: CellState::Finished,
        seconds: Some(1.0),
        heads: BTreeMap::from([(head.to_owned(), splits)]),
    }
}

fn results(variants: &[&str], cells: Vec<Cell>) -> Results {
    Results {
        title: None,
        dataset: "d".into(),
        dataset_hash: String::new(),
        variants: variants.iter().map(|variant| (*variant).to_owned()).collect(),
        configurations: BTreeMap::new(),
        seeds: vec![0, 1],
        level: LEVEL,
        cells,
        figures: Vec::new(),
        differences: Vec::new(),
        comparisons: Vec::new(),
        contrasts: Vec::new(),
        curves: Vec::new(),
    }
}

/// The baseline has no ear: class and instance are compared with each other there.
#[test]
fn every_pair_of_variants_is_compared_where_both_have_the_head() {
    let cells = vec![
        cell("baseline", 0, "breed", 0.5, 8),
        cell("class", 0, "ear", 0.5, 8),
        cell("class", 1, "ear", 0.5, 8),
        cell("instance", 0, "ear", 0.75, 8),
        cell("instance", 1, "ear", 0.5, 8),
    ];
    let mut results = results(&["baseline", "class", "instance"], cells);
    let mut hits = Hits::default();
    for seed in [0, 1] {
        for (photo, class, instance) in [("a", true, true), ("b", false, seed == 0), ("c", true, true)] {
            hits.insert(("class", seed), "ear", Split::Test, photo, class);
            hits.insert(("instance", seed), "ear", Split::Test, photo, instance);
            hits.insert(("instance", seed), "ear", Split::Validation, photo, false);
        }
    }
    results.summarise();
    results.compare(&hits);
    let of_ear: Vec<_> = results.differences.iter().filter(|one| one.measure == Measure::Accuracy).collect();
    let [difference] = &of_ear[..] else { panic!("{:?}", results.differences) };
    assert_eq!((difference.variant.as_str(), difference.against.as_str()), ("instance", "class"));
    assert_eq!((difference.paired.difference.n, difference.paired.difference.mean), (2, 0.125));
    assert_eq!(results.difference("ear", "instance", Split::Test, Measure::Accuracy), None, "the baseline has no ear");
    let seeds: Vec<_> = results.comparisons.iter().map(|one| (one.seed, one.photos, one.test.only_second)).collect();
    assert_eq!(seeds, [(Some(0), 3, 1), (Some(1), 3, 0), (None, 6, 1)]);
    let [contrast] = &results.contrasts[..] else { panic!("one pair") };
    assert_eq!((contrast.photos, contrast.seeds, contrast.outcome), (3, 2, Outcome::Unclear));
}

#[test]
fn curves_count_seeds_that_all_sizes_have_finished() {
    let shares = ["labels-25".to_owned(), "labels-100".to_owned()];
    let cells = vec![
        cell("labels-25", 0, "ear", 0.5, 2),
        cell("labels-100", 0, "ear", 0.5, 8),
        cell("labels-25", 1, "ear", 0.5, 4),
    ];
    let mut hits = Hits::default();
    for (variant, seed) in [("labels-25", 0), ("labels-100", 0), ("labels-25", 1)] {
        hits.insert((variant, seed), "ear", Split::Test, "a", variant == "labels-100");
        hits.insert((variant, seed), "ear", Split::Validation, "b", true);
    }
    let [curve] = &crate::learning_curve::of_cells(&cells, &shares, &[0, 1], &hits)[..] else { panic!("one head") };
    let points: Vec<_> = curve.points.iter().map(|point| (point.labels, point.accuracy)).collect();
    assert_eq!((points, curve.seeds, curve.photos), (vec![(2.0, 0.5), (8.0, 1.0)], 1, 2));
}
