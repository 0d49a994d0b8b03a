use proptest::prelude::*;

use super::*;

fn photos(rows: &[(String, String)]) -> Vec<FoldPhoto<'_>> {
    rows.iter().map(|(file_hash, stratum)| FoldPhoto { file_hash, stratum: Some(stratum) }).collect()
}

fn rows() -> impl Strategy<Value = Vec<(String, String)>> {
    let row = (0u32..60, 0u8..4).prop_map(|(file, stratum)| (format!("file {file}"), format!("stratum {stratum}")));
    proptest::collection::vec(row, 1..120)
}

proptest! {
    #[test]
    fn duplicates_stay_together_and_order_does_not_matter(rows in rows(), count in 1usize..7, seed in any::<u64>()) {
        let folds = assign(&photos(&rows), count, seed);
        let mut of_file = BTreeMap::new();
        for (row, fold) in rows.iter().zip(&folds) {
            prop_assert!(*fold < count);
            prop_assert_eq!(*of_file.entry(&row.0).or_insert(*fold), *fold);
        }
        let reversed: Vec<_> = rows.iter().rev().cloned().collect();
        let again = assign(&photos(&reversed), count, seed);
        prop_assert_eq!(folds, again.into_iter().rev().collect::<Vec<_>>());
    }

    #[test]
    fn every_fold_has_its_share_of_every_stratum(sizes in proptest::collection::vec(1usize..40, 1..8), seed in any::<u64>()) {
        let strata = sizes.iter().enumerate();
        let rows: Vec<_> =
            strata.flat_map(|(s, n)| (0..*n).map(move |i| (format!("{s} {i}"), s.to_string()))).collect();
        let folds = assign(&photos(&rows), 5, seed);
        let spread = |rows: &mut dyn Iterator<Item = usize>| {
            let mut counts = [0usize; 5];
            rows.for_each(|fold| counts[fold] += 1);
            counts.iter().max().unwrap() - counts.iter().min().unwrap()
        };
        for stratum in 0..sizes.len() {
            let of_stratum = rows.iter().zip(&folds).filter(|(row, _)| row.1 == stratum.to_string());
            prop_assert!(spread(&mut of_stratum.map(|(_, fold)| *fold)) <= 1);
        }
        prop_assert!(spread(&mut folds.iter().copied()) <= 1);
    }
}

#[test]
fn another_seed_is_another_partition() {
    let rows: Vec<_> = (0..50).map(|i| (i.to_string(), "a".to_owned())).collect();
    assert_ne!(assign(&photos(&rows), 5, 0), assign(&photos(&rows), 5, 1));
}

#[test]
fn each_item_is_answered_by_the_round_that_did_not_see_it() {
    let folds = [Some(0), None, Some(1), Some(0), Some(2)];
    let answers = out_of_sample(&folds, |fold| {
        assert!(fold.train.iter().all(|row| !fold.held_out.contains(row) && *row != 1));
        assert_eq!(fold.train.len() + fold.held_out.len(), 4);
        Ok(fold.held_out.iter().map(|row| (fold.number, *row)).collect())
    });
    assert_eq!(answers.unwrap(), [Some((0, 0)), None, Some((1, 2)), Some((0, 3)), Some((2, 4))]);
    assert!(out_of_sample(&folds, |_| Ok(vec![0, 0, 0])).is_err());
}
