//! The parts of a dataset: stratified, duplicates together, the same for any order of the photos.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::dataset::Split;

/// The part that came with a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportedSplit {
    /// Training and validation in one, to be parted at freezing.
    Trainval,
    /// Test, kept.
    Test,
    /// Training, kept.
    Train,
    /// Validation, kept.
    #[serde(alias = "val")]
    Validation,
}

impl ImportedSplit {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Trainval, Self::Test, Self::Train, Self::Validation];

    /// The name in files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trainval => "trainval",
            Self::Test => "test",
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }
}

impl fmt::Display for ImportedSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a split: choose train, validation, trainval or test")]
pub struct UnknownSplit(pub String);

impl FromStr for ImportedSplit {
    type Err = UnknownSplit;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let full = if word == "val" { "validation" } else { word };
        Self::ALL.into_iter().find(|split| split.as_str() == full).ok_or_else(|| UnknownSplit(word.to_owned()))
    }
}

/// A photo as far as the split sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPhoto<'a> {
    /// The photo's name.
    pub name: &'a str,
    /// Hash of its file; photos with one file are exact duplicates.
    pub file_hash: &'a str,
    /// The value (breed) of which every part shall have its share.
    pub stratum: Option<&'a str>,
    /// The part that came with it.
    pub imported: Option<ImportedSplit>,
}

/// Exact duplicates that the imported split puts into different parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parted {
    /// Their file.
    pub file_hash: String,
    /// Their names, sorted.
    pub photos: Vec<String>,
}

/// Every photo's part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// In the order of the photos given.
    pub splits: Vec<Split>,
    /// Duplicates in different parts, by hash; only an imported split does that.
    pub parted: Vec<Parted>,
}

/// Shares of train, validation and test where no split came with the photos.
const SHARES: [f64; 3] = [0.70, 0.15, 0.15];
/// Shares where the test part came with them: a fifth of the rest is validation.
const TRAINVAL_SHARES: [f64; 3] = [0.8, 0.2, 0.0];
/// Shares where a validation part came with them, too: the rest trains.
const TRAIN_SHARES: [f64; 3] = [1.0, 0.0, 0.0];

/// Photos that go together.
struct Group {
    photos: Vec<usize>,
    /// Where it falls in its stratum's order: a hash of seed and file, so independent of names and of other photos.
    order: [u8; 32],
}

/// Parts the photos.
///
/// An imported test, train or validation part is kept; what came as trainval, and in a project with an imported split what
/// came without, is parted 80/20 into train and validation (all train where a validation part was imported). Without any
/// imported split: 70/15/15. Both are stratified: each part's share of a stratum is off by less than one photo, or group of
/// duplicates, except that a stratum's first photo trains. Duplicates share the part that came with any of them.
pub fn split(photos: &[SplitPhoto<'_>], seed: u64) -> Assignment {
    let shares = if photos.iter().all(|photo| photo.imported.is_none()) {
        SHARES
    } else if photos.iter().any(|photo| photo.imported == Some(ImportedSplit::Validation)) {
        TRAIN_SHARES
    } else {
        TRAINVAL_SHARES
    };
    let mut by_file: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, photo) in photos.iter().enumerate() {
        by_file.entry(photo.file_hash).or_default().push(number);
    }
    let mut assignment = Assignment { splits: vec![Split::Train; photos.len()], parted: Vec::new() };
    let mut strata: BTreeMap<Option<&str>, Vec<Group>> = BTreeMap::new();
    for (file_hash, members) in by_file {
        let open = keep_imported(photos, &members, &mut assignment.splits);
        if !open.is_empty() {
            let stratum = open.iter().map(|&photo| (photos[photo].name, photos[photo].stratum)).min().and_then(|p| p.1);
            let order = order(seed, file_hash);
            strata.entry(stratum).or_default().push(Group { photos: open, order });
        }
    }
    let mut carry = [0.0; 3];
    for groups in strata.into_values() {
        assign_stratum(groups, shares, &mut carry, &mut assignment.splits);
    }
    assignment.parted = parted(photos, &assignment.splits);
    assignment
}

/// Sets the part of those of a file's photos that an import settles; returns those still open.
///
/// Photos that came without a part, or as trainval, follow a duplicate whose part is settled, so that nothing that is tested on
/// is trained on; a trainval photo stays on its side of an official split, which then parts the duplicates.
fn keep_imported(photos: &[SplitPhoto<'_>], members: &[usize], splits: &mut [Split]) -> Vec<usize> {
    let settled = |photo: usize| match photos[photo].imported {
        Some(ImportedSplit::Test) => Some(Split::Test),
        Some(ImportedSplit::Train) => Some(Split::Train),
        Some(ImportedSplit::Validation) => Some(Split::Validation),
        Some(ImportedSplit::Trainval) | None => None,
    };
    // The largest: test before validation before train.
    let of_any = members.iter().filter_map(|&photo| settled(photo)).max();
    let of_trainval = members.iter().filter_map(|&photo| settled(photo)).filter(|&part| part != Split::Test).max();
    let is_trainval = |photo: usize| photos[photo].imported == Some(ImportedSplit::Trainval);
    let mut open = Vec::new();
    for &photo in members {
        let part = match settled(photo) {
            Some(part) => Some(part),
            None if is_trainval(photo) => of_trainval,
            None => of_any,
        };
        match part {
            Some(part) => splits[photo] = part,
            None => open.push(photo),
        }
    }
    open
}

fn order(seed: u64, file_hash: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(file_hash.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Parts one stratum's groups. `carry` holds what rounding owes each part from earlier strata, so that the whole is in
/// proportion although every stratum is rounded.
fn assign_stratum(mut groups: Vec<Group>, shares: [f64; 3], carry: &mut [f64; 3], splits: &mut [Split]) {
    let photos: usize = groups.iter().map(|group| group.photos.len()).sum();
    let mut left = quotas(photos, shares, carry);
    // Large groups first, while there is room for them; equal ones in the seed's order.
    groups.sort_by(|a, b| b.photos.len().cmp(&a.photos.len()).then_with(|| a.order.cmp(&b.order)));
    for group in groups {
        let size = group.photos.len() as i64;
        // The part with the most room; for single photos in effect train until it is full, then the others.
        let part = (0..3).max_by_key(|&part| (left[part], std::cmp::Reverse(part))).unwrap_or(0);
        left[part] -= size;
        group.photos.iter().for_each(|&photo| splits[photo] = Split::ALL[part]);
    }
    (0..3).for_each(|part| carry[part] += left[part] as f64);
}

/// How many of `photos` each part gets: the shares rounded down, the rest to those to whom most is owed.
fn quotas(photos: usize, shares: [f64; 3], carry: &mut [f64; 3]) -> [i64; 3] {
    let exact = shares.map(|share| share * photos as f64);
    // The small number keeps 0.7 * 10 at 7.
    let mut quota = exact.map(|exact| (exact + 1e-9).floor() as i64);
    (0..3).for_each(|part| carry[part] += exact[part] - quota[part] as f64);
    for _ in quota.iter().sum::<i64>()..photos as i64 {
        let train_first = quota[0] == 0 && shares[0] > 0.0;
        let fractional = (0..3).filter(|&part| exact[part] > quota[part] as f64 + 1e-9);
        let owed = fractional.max_by(|&a, &b| carry[a].total_cmp(&carry[b]).then(b.cmp(&a))).unwrap_or(0);
        let part = if train_first { 0 } else { owed };
        quota[part] += 1;
        carry[part] -= 1.0;
    }
    quota
}

fn parted(photos: &[SplitPhoto<'_>], splits: &[Split]) -> Vec<Parted> {
    let mut parts: BTreeMap<&str, (BTreeSet<Split>, BTreeSet<&str>)> = BTreeMap::new();
    for (photo, &split) in photos.iter().zip(splits) {
        let (of, names) = parts.entry(photo.file_hash).or_default();
        of.insert(split);
        names.insert(photo.name);
    }
    let parted = parts.into_iter().filter(|(_, (of, _))| of.len() > 1);
    let named = parted.map(|(file_hash, (_, names))| Parted {
        file_hash: file_hash.to_owned(),
        photos: names.into_iter().map(str::to_owned).collect(),
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (name, file, stratum, imported)
    type Row = (String, String, String, Option<ImportedSplit>);

    fn run(rows: &[Row], seed: u64) -> Assignment {
        let photos = rows.iter().map(|(name, file_hash, stratum, imported)| SplitPhoto {
            name,
            file_hash,
            stratum: Some(stratum),
            imported: *imported,
        });
        split(&photos.collect::<Vec<_>>(), seed)
    }

    fn rows(strata: &[(&str, usize)], imported: impl Fn(usize) -> Option<ImportedSplit>) -> Vec<Row> {
        let rows = strata.iter().flat_map(|&(stratum, n)| (0..n).map(move |i| (stratum, i)));
        rows.map(|(s, i)| (format!("{s}_{i}"), format!("hash of {s}_{i}"), s.to_owned(), imported(i))).collect()
    }

    fn count(assignment: &Assignment, of: Split) -> usize {
        assignment.splits.iter().filter(|&&split| split == of).count()
    }

    #[test]
    fn seventy_fifteen_fifteen_in_every_stratum_and_in_all() {
        let rows = rows(&[("a", 100), ("b", 40), ("c", 5), ("d", 5), ("e", 5), ("f", 5)], |_| None);
        let assignment = run(&rows, 0);
        assert_eq!(Split::ALL.map(|of| count(&assignment, of)), [112, 24, 24]);
        for (from, to, expected) in [(0, 100, [70, 15, 15]), (100, 140, [28, 6, 6])] {
            let part = Assignment { splits: assignment.splits[from..to].to_vec(), parted: vec![] };
            assert_eq!(Split::ALL.map(|of| count(&part, of)), expected);
        }
    }

    #[test]
    fn a_lone_photo_trains() {
        let lone: Vec<(String, usize)> = (0..20).map(|i| (format!("s{i}"), 1)).collect();
        let lone: Vec<(&str, usize)> = lone.iter().map(|(s, n)| (s.as_str(), *n)).collect();
        assert_eq!(count(&run(&rows(&lone, |_| None), 0), Split::Train), 20);
    }

    #[test]
    fn the_official_split_is_kept_with_a_fifth_of_trainval_as_validation() {
        let official = |i| Some(if i < 50 { ImportedSplit::Trainval } else { ImportedSplit::Test });
        let rows = rows(&[("a", 80), ("b", 100)], official);
        let assignment = run(&rows, 7);
        assert_eq!(Split::ALL.map(|of| count(&assignment, of)), [80, 20, 80]);
        for (row, split) in rows.iter().zip(&assignment.splits) {
            assert_eq!(row.3 == Some(ImportedSplit::Test), *split == Split::Test);
        }
        let validation_of_a = assignment.splits[..80].iter().filter(|&&split| split == Split::Validation).count();
        assert_eq!(validation_of_a, 10);
    }

    #[test]
    fn an_official_split_that_parts_duplicates_is_reported_and_kept() {
        let row = |name: &str, hash: &str, imported| (name.to_owned(), hash.to_owned(), "a".to_owned(), imported);
        let rows = [
            row("b", "one", Some(ImportedSplit::Test)),
            row("a", "one", Some(ImportedSplit::Trainval)),
            row("c", "two", Some(ImportedSplit::Test)),
            row("d", "two", None),
        ];
        let assignment = run(&rows, 0);
        assert_eq!(assignment.splits, [Split::Test, Split::Train, Split::Test, Split::Test]);
        assert_eq!(assignment.parted, [Parted { file_hash: "one".into(), photos: vec!["a".into(), "b".into()] }]);
    }

    #[test]
    fn imported_train_validation_and_test_are_all_kept() {
        let cycle = |i| Some([ImportedSplit::Train, ImportedSplit::Validation, ImportedSplit::Test][i % 3]);
        let assignment = run(&rows(&[("a", 30)], cycle), 0);
        assert_eq!(Split::ALL.map(|of| count(&assignment, of)), [10, 10, 10]);
        assert_eq!("val".parse(), Ok(ImportedSplit::Validation));
        assert!("dev".parse::<ImportedSplit>().is_err());
    }

    #[test]
    fn another_seed_is_another_split() {
        let rows = rows(&[("a", 100)], |_| None);
        assert_ne!(run(&rows, 0), run(&rows, 1));
        assert_eq!(run(&rows, 1), run(&rows, 1));
    }

    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let imported = prop_oneof![
            4 => Just(None),
            1 => Just(Some(ImportedSplit::Trainval)),
            1 => Just(Some(ImportedSplit::Test)),
        ];
        proptest::collection::vec((0u8..40, 0u8..4, imported), 1..80).prop_map(|rows| {
            let numbered = rows.into_iter().enumerate();
            numbered.map(|(n, (file, stratum, i))| (n.to_string(), file.to_string(), stratum.to_string(), i)).collect()
        })
    }

    proptest! {
        #[test]
        fn order_does_not_matter(rows in any_rows(), seed in any::<u64>()) {
            use rand::{SeedableRng, seq::SliceRandom};
            let mut shuffled = rows.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
            let by_name = |rows: &[Row]| -> BTreeMap<String, Split> {
                rows.iter().map(|row| row.0.clone()).zip(run(rows, seed).splits).collect()
            };
            prop_assert_eq!(by_name(&rows), by_name(&shuffled));
        }

        #[test]
        fn duplicates_stay_together_unless_an_official_split_parts_them(rows in any_rows(), seed in any::<u64>()) {
            let assignment = run(&rows, seed);
            for (row, split) in rows.iter().zip(&assignment.splits) {
                if row.3 == Some(ImportedSplit::Test) {
                    prop_assert_eq!(*split, Split::Test);
                }
                if row.3 == Some(ImportedSplit::Trainval) {
                    prop_assert_ne!(*split, Split::Test);
                }
            }
            for file in rows.iter().map(|row| &row.1) {
                let of = |imported| rows.iter().any(|row| row.1 == *file && row.3 == Some(imported));
                let parts: BTreeSet<_> =
                    rows.iter().zip(&assignment.splits).filter(|(row, _)| row.1 == *file).map(|(_, s)| *s).collect();
                let official = of(ImportedSplit::Test) && of(ImportedSplit::Trainval);
                prop_assert_eq!(parts.len() > 1, official);
                prop_assert_eq!(assignment.parted.iter().any(|parted| parted.file_hash == *file), official);
            }
        }

        #[test]
        fn shares_hold_within_a_photo_a_stratum(sizes in proptest::collection::vec(3usize..60, 1..12), seed in any::<u64>()) {
            let names: Vec<String> = (0..sizes.len()).map(|s| format!("s{s:02}")).collect();
            let strata: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
            let rows = rows(&strata, |_| None);
            let assignment = run(&rows, seed);
            for (stratum, n) in strata {
                for (part, share) in Split::ALL.into_iter().zip(SHARES) {
                    let got = rows.iter().zip(&assignment.splits).filter(|(row, s)| row.2 == stratum && **s == part).count();
                    prop_assert!((got as f64 - share * n as f64).abs() < 1.0 + 1e-6, "{} {} {}", n, part, got);
                }
            }
            for (part, share) in Split::ALL.into_iter().zip(SHARES) {
                prop_assert!((count(&assignment, part) as f64 - share * rows.len() as f64).abs() < 2.0);
            }
        }
    }
}
