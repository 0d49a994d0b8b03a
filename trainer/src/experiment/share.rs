//! A dataset with a share of its labels.

use std::collections::BTreeMap;

use kenami_domain::{answer::Answer, dataset::Split, schema::AttributeKind};

use crate::{data::Dataset, error::Result, folds::content_hash};

/// The dataset with `share` (0 to 1) of the training part's labels of each annotated attribute; the others are not to be
/// trained on. Each value keeps its share, rounded up. A larger share holds a smaller one of the same seed; which labels are
/// in it does not depend on names or on the order of the photos.
///
/// # Errors
/// A photo whose hash is not recorded cannot be read.
pub fn with_share(dataset: &Dataset, share: f64, seed: u64) -> Result<Dataset> {
    let mut part = dataset.clone();
    let attributes = dataset.manifest.schema.attributes.iter();
    for attribute in attributes.filter(|attribute| attribute.kind == AttributeKind::Annotated) {
        let mut by_value: BTreeMap<&str, Vec<([u8; 32], usize)>> = BTreeMap::new();
        for (row, item) in dataset.items.iter().enumerate() {
            let trained = item.split == Split::Train && item.masks.get(&attribute.key).is_none_or(|mask| *mask != 0);
            if let (true, Some(value)) = (trained, item.answers.get(&attribute.key).and_then(Answer::value)) {
                let place = place(seed, &attribute.key, &content_hash(dataset, item)?);
                by_value.entry(value).or_default().push((place, row));
            }
        }
        for mut rows in by_value.into_values() {
            rows.sort_unstable();
            let kept = (rows.len() as f64 * share).ceil() as usize;
            for (_, row) in rows.into_iter().skip(kept) {
                let item = &mut part.items[row];
                item.masks.insert(attribute.key.clone(), 0);
                // As if nobody had answered, also for pseudo-labels.
                item.answers.remove(&attribute.key);
                item.targets.remove(&attribute.key);
                item.votes.remove(&attribute.key);
            }
        }
    }
    Ok(part)
}

/// Where a label falls among others of its value.
fn place(seed: u64, attribute: &str, file_hash: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"share").update(&seed.to_le_bytes()).update(attribute.as_bytes()).update(b"\0");
    *hasher.update(file_hash.as_bytes()).finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io};

    use kenami_domain::{
        dataset::{Item, Manifest, Schema},
        schema::{Attribute, AttributeValue, Texts},
    };

    use super::*;

    /// Twenty training photos, every fourth long, and ten test photos.
    fn dataset() -> Dataset {
        let value = |key: &str| AttributeValue { key: key.to_owned(), names: Texts::default(), retired: false };
        let values = vec![value("short"), value("long")];
        let coat =
            Attribute { key: "coat".to_owned(), names: Texts::default(), kind: AttributeKind::Annotated, values };
        let item = |n: usize| {
            let mut item = Item::new(format!("images/{n}.jpg"), if n < 20 { Split::Train } else { Split::Test });
            let answer = if n.is_multiple_of(4) { "long" } else { "short" };
            item.answers.insert("coat".to_owned(), Answer::from(answer));
            item.masks.insert("coat".to_owned(), 1);
            item.image_hash = format!("{n:064x}");
            item
        };
        let manifest = Manifest::new("d", Schema { attributes: vec![coat] });
        Dataset::new(manifest, (0..30).map(item).collect(), |_| Err(io::Error::other("no photos")))
    }

    fn kept(share: f64, seed: u64) -> BTreeSet<String> {
        let part = with_share(&dataset(), share, seed).unwrap();
        let trained = part.items.into_iter().filter(|item| item.split == Split::Train && item.masks["coat"] == 1);
        trained.map(|item| item.image).collect()
    }

    #[test]
    fn each_value_keeps_its_share_and_larger_shares_hold_smaller_ones() {
        let (quarter, half) = (kept(0.25, 7), kept(0.5, 7));
        // 4 of 15 short and 2 of 5 long ones; 8 and 3.
        assert_eq!((quarter.len(), half.len(), kept(1.0, 7).len()), (6, 11, 20));
        assert!(quarter.is_subset(&half));
        assert_ne!(quarter, kept(0.25, 8));
        let part = with_share(&dataset(), 0.25, 7).unwrap();
        assert!(part.items[20..].iter().all(|item| item.masks["coat"] == 1), "what is evaluated stays");
    }
}
