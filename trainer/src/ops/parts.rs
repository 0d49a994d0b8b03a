//! Splitting work into parts that depend on its size alone, so that results do not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::Buffer;

/// At most `most` ranges of `0..units`, each but the last a multiple of `block` units.
pub(crate) fn ranges(units: usize, block: usize, most: usize) -> Vec<Range<usize>> {
    let step = units.div_ceil(block).div_ceil(most).max(1) * block;
    // No more than a few parts would leave threads idle.
    let step = if units / step < 8 { units.div_ceil(8).max(block.min(16)) } else { step };
    (0..units).step_by(step).map(|from| from..(from + step).min(units)).collect()
}

/// A range in blocks of at most `block`.
pub(crate) fn blocks(range: Range<usize>, block: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(block).map(move |from| from..(from + block).min(range.end))
}

/// Consecutive pieces of these lengths.
pub(crate) fn split(mut values: &mut [f32], lens: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    lens.map(|len| values.split_off_mut(..len).expect("pieces within the values")).collect()
}

/// The sum of all parts, in their order.
pub(crate) fn sum_into(parts: &[Buffer], total: &mut [f32]) {
    const CHUNK: usize = 1 << 13;
    total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, total)| {
        let at = i * CHUNK..i * CHUNK + total.len();
        total.fill(0.0);
        for part in parts {
            total.iter_mut().zip(&part[at.clone()]).for_each(|(total, value)| *total += value);
        }
    });
}

/// Pixels of a part of an elementwise operation: about a quarter of a second-level cache.
pub(crate) fn part_pixels(channels: usize) -> usize {
    (64 * 1024 / channels).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_units_once() {
        for (units, block, most) in
            [(0, 4, 8), (1, 96, 32), (49, 96, 8), (784, 96, 8), (200_704, 1024, 32), (1000, 7, 3)]
        {
            let ranges = ranges(units, block, most);
            assert!(ranges.iter().all(|r| !r.is_empty()) && ranges.len() <= most.max(9), "{ranges:?}");
            assert!(ranges.iter().cloned().flatten().eq(0..units));
            assert!(ranges.into_iter().flat_map(|range| blocks(range, block)).flatten().eq(0..units));
        }
    }
}
