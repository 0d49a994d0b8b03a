//! Weights for photos of another set by how much they look like the target set.
//!
//! A simplification of the sample selection of MetaFGNet (Y. Zhang et al., Fine-Grained Visual Categorization using
//! Meta-Learning Optimization with Sample Selection of Auxiliary Data, ECCV 2018): there a discriminator trained along with
//! the network scores auxiliary photos; here a photo counts by the cosine of its pooled features to its nearest target photos.

use candle_core::{D, Device, Tensor};
use kenami_domain::{
    answer::Answer,
    dataset::{Item, Schema, Split},
};

use crate::{
    data::{Dataset, HeadData, file_name},
    error::Result,
    folds::{by_hash, content_hash},
};

/// Where another set's photos are said to lie, so that no name meets one of the dataset.
const FOLDER: &str = "auxiliary/";

/// Neighbours whose similarity is averaged, as a default.
pub const NEIGHBOURS: usize = 10;

/// Rows compared at once.
const BLOCK: usize = 512;

/// The dataset with the training photos of another one in its training part. They keep the answers, targets and given values
/// whose attribute and value the dataset knows; photos without any are left out, and so are exact duplicates of the
/// dataset's own: a photo that is tested on is not trained on.
///
/// # Errors
/// A photo cannot be read.
pub fn extended(dataset: &Dataset, other: &Dataset) -> Result<Dataset> {
    let known = by_hash(dataset)?;
    let mut items = Vec::new();
    for item in other.items.iter().filter(|item| item.split == Split::Train) {
        let hash = content_hash(other, item)?;
        let Some(translated) = translated(&dataset.manifest.schema, item) else { continue };
        if !known.contains_key(&hash) {
            let image = format!("{FOLDER}{}", file_name(&item.image));
            items.push(Item { image, image_hash: hash, ..translated });
        }
    }
    let (source, images) = (other.clone(), other.items.iter().map(|item| file_name(&item.image).to_owned()));
    let rows: std::collections::HashMap<String, usize> = images.zip(0..).collect();
    Ok(dataset.extended(items, move |item| {
        let row = item.image.strip_prefix(FOLDER).and_then(|name| rows.get(name)).copied();
        let row = row.ok_or(std::io::ErrorKind::NotFound)?;
        source.bytes(&source.items[row]).map_err(std::io::Error::other)
    }))
}

/// Whether the item came by [`extended`].
pub fn is_auxiliary(item: &Item) -> bool {
    item.image.starts_with(FOLDER)
}

/// What the schema knows of an item; `None` if that teaches nothing.
fn translated(schema: &Schema, item: &Item) -> Option<Item> {
    let mut kept = Item { given: Default::default(), answers: Default::default(), ..item.clone() };
    (kept.targets, kept.masks) = Default::default();
    for attribute in &schema.attributes {
        let key = &attribute.key;
        let knows = |value: &str| attribute.values.iter().any(|known| known.key == value);
        if let Some(value) = item.given.get(key).filter(|value| knows(value)) {
            kept.given.insert(key.clone(), value.clone());
        }
        let is_known = |answer: &&Answer| answer.value().is_none_or(knows);
        let targets = item.targets.get(key).filter(|targets| targets.keys().all(|value| knows(value)));
        if let (Some(answer), Some(targets)) = (item.answers.get(key).filter(is_known), targets) {
            kept.answers.insert(key.clone(), answer.clone());
            kept.targets.insert(key.clone(), targets.clone());
            kept.masks.insert(key.clone(), item.masks.get(key).copied().unwrap_or(0));
        } else {
            kept.masks.insert(key.clone(), 0);
        }
    }
    let teaches = !kept.given.is_empty() || kept.masks.values().any(|mask| *mask > 0);
    teaches.then_some(kept)
}

/// A weight from 0 to 1 for each auxiliary photo.
///
/// `target` and `auxiliary` are pooled features `[photos, width]`. Features are centred at the target set's mean (without it
/// all photos look alike, since pooled features are seldom negative). `s`, a photo's similarity, is the mean cosine to its
/// `neighbours` nearest target photos; `r` is the median similarity of target photos to their nearest others. The weight is
/// `s / r`, not below 0 nor above 1: a photo as close as target photos are to each other counts in full, one that points
/// elsewhere not at all.
///
/// # Errors
/// The tensor library fails. With fewer than two target photos there is nothing to compare with: all weigh 1.
pub fn weights(target: &[f32], auxiliary: &[f32], width: usize, neighbours: usize) -> Result<Vec<f32>> {
    let photos = target.len() / width;
    if photos < 2 {
        return Ok(vec![1.0; auxiliary.len() / width]);
    }
    let mean = mean(target, width);
    let (target, auxiliary) = (directions(target, &mean), directions(auxiliary, &mean));
    let table = Tensor::from_slice(&target, (photos, width), &Device::Cpu)?.t()?.contiguous()?;
    let neighbours = neighbours.clamp(1, photos - 1);
    let mut own = similarities(&target, width, &table, neighbours, true)?;
    own.sort_by(f32::total_cmp);
    let reference = own[own.len() / 2].max(f32::EPSILON);
    let similarities = similarities(&auxiliary, width, &table, neighbours, false)?;
    Ok(similarities.into_iter().map(|s| (s / reference).clamp(0.0, 1.0)).collect())
}

/// Lets the heads learn from `rows` only as much as their weights say, by their masks: a masked mean then weighs photos.
///
/// # Panics
/// There is not a weight for each row.
pub fn weigh(heads: &mut [HeadData], rows: &[usize], weights: &[f32]) {
    assert_eq!(rows.len(), weights.len(), "a weight for each row");
    for head in heads {
        rows.iter().zip(weights).for_each(|(row, weight)| head.mask[*row] *= weight);
    }
}

fn mean(values: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let photos = (values.len() / width) as f64;
    sums.into_iter().map(|sum| sum / photos).collect()
}

/// Rows less the mean, at length 1; a row at the mean itself has no direction and stays 0.
fn directions(values: &[f32], mean: &[f64]) -> Vec<f32> {
    let row = |row: &[f32]| {
        let centred: Vec<f64> = row.iter().zip(mean).map(|(x, m)| f64::from(*x) - m).collect();
        let length = centred.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        centred.into_iter().map(move |x| (x * scale) as f32)
    };
    values.chunks_exact(mean.len()).flat_map(row).collect()
}

/// Mean of the largest cosines of each row to the table's columns; `is_own`: the rows are the columns, none counts for itself.
fn similarities(rows: &[f32], width: usize, table: &Tensor, neighbours: usize, is_own: bool) -> Result<Vec<f32>> {
    let mut means = Vec::with_capacity(rows.len() / width);
    for (number, block) in rows.chunks(BLOCK * width).enumerate() {
        let cosines = Tensor::from_slice(block, (block.len() / width, width), &Device::Cpu)?.matmul(table)?;
        for (at, mut cosines) in cosines.to_vec2::<f32>()?.into_iter().enumerate() {
            if is_own {
                cosines.swap_remove(number * BLOCK + at);
            }
            cosines.select_nth_unstable_by(neighbours - 1, |a, b| b.total_cmp(a));
            // In order, so that the sum does not depend on how they were selected.
            cosines.truncate(neighbours);
            cosines.sort_by(f32::total_cmp);
            means.push(cosines.iter().sum::<f32>() / neighbours as f32);
        }
    }
    debug_assert_eq!(table.dim(D::Minus2)?, width);
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clusters of target photos around (1, 0, 0) and (0, 1, 0), 20 photos each, spread a little.
    fn target() -> Vec<f32> {
        let spread = |i: usize| (i % 5) as f32 * 0.02;
        (0..40)
            .flat_map(|i| if i < 20 { [1.0, spread(i), spread(i / 5)] } else { [spread(i), 1.0, spread(i / 5)] })
            .collect()
    }

    #[test]
    fn photos_like_the_target_weigh_one_and_those_that_point_elsewhere_zero() {
        // A member of a cluster, a point half between the clusters and far off the plane, and the opposite of both.
        let auxiliary = [1.0, 0.03, 0.02, 0.5, 0.5, 9.0, -1.0, -1.0, 0.0];
        let weights = weights(&target(), &auxiliary, 3, NEIGHBOURS).unwrap();
        assert!(weights[0] > 0.95, "{weights:?}");
        assert!(weights[1] < 0.3 && weights[1] >= 0.0, "{weights:?}");
        assert_eq!(weights[2], weights[2].clamp(0.0, 0.1), "{weights:?}");
    }

    #[test]
    fn the_typical_target_photo_weighs_one_and_the_order_of_the_set_is_the_same_to_it() {
        let target = target();
        let of_itself = weights(&target, &target, 3, 5).unwrap();
        assert!(of_itself.iter().filter(|weight| **weight > 0.999).count() >= 20, "{of_itself:?}");
        let reversed: Vec<f32> = target.chunks(3).rev().flatten().copied().collect();
        let again = weights(&reversed, &target, 3, 5).unwrap();
        of_itself.iter().zip(again).for_each(|(a, b)| assert!((a - b).abs() < 1e-5));
    }

    #[test]
    fn too_few_target_photos_weigh_nothing_down() {
        assert_eq!(weights(&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0], 2, 3).unwrap(), [1.0, 1.0]);
        assert_eq!(weights(&[1.0, 2.0, 0.0, 1.0], &[1.0, 2.0], 2, 30).unwrap().len(), 1);
    }
}
