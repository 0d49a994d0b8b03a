//! Gold photos: which of an annotator's photos are gold, and what right answers to them tell.
//!
//! An annotator's photos are counted from 0 and fall into blocks of 1 / rate photos; in each block one photo, chosen by a
//! hash of annotator and block, is a gold one. So the share is right at any time and the place cannot be guessed.

use crate::answer::Answer;

/// Whether the photo at `position` of the annotator's photos is to be a gold one; `rate` is the share of gold, 0 to 1.
pub fn is_due(annotator: i64, position: u64, rate: f64) -> bool {
    rate > 0.0 && chosen(annotator, block_of(position, rate), rate) == position
}

/// How many gold photos come before the annotator has had `real` others, from `position` on.
pub fn mixed_in(annotator: i64, position: u64, real: u64, rate: f64) -> u64 {
    let mut gold = 0;
    loop {
        let more = due_between(annotator, position, position + real + gold, rate);
        if more == gold {
            return gold;
        }
        gold = more;
    }
}

/// Gold photos from position `from` up to `to`, which is left out.
fn due_between(annotator: i64, from: u64, to: u64, rate: f64) -> u64 {
    if rate <= 0.0 || to <= from {
        return 0;
    }
    let (first, last) = (block_of(from, rate), block_of(to, rate));
    let before = u64::from(chosen(annotator, first, rate) < from);
    let within = u64::from(chosen(annotator, last, rate) < to);
    last - first + within - before
}

/// The block's first position.
fn start(block: u64, rate: f64) -> u64 {
    (block as f64 / rate).ceil() as u64
}

fn block_of(position: u64, rate: f64) -> u64 {
    let mut block = (position as f64 * rate) as u64;
    // What rounding may have missed.
    while start(block + 1, rate) <= position {
        block += 1;
    }
    while block > 0 && start(block, rate) > position {
        block -= 1;
    }
    block
}

fn chosen(annotator: i64, block: u64, rate: f64) -> u64 {
    let (first, next) = (start(block, rate), start(block + 1, rate));
    first + mix((annotator as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ block) % (next - first).max(1)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Whether an answer may be the right one of a gold photo: a value or "not visible".
pub fn can_be_right(answer: &Answer) -> bool {
    *answer != Answer::Unsure
}

/// The 95 % interval of a share of which `right` of `all` were seen (Wilson 1927, Journal of the American Statistical
/// Association 22:209); none of none.
pub fn wilson(right: i64, all: i64) -> Option<[f64; 2]> {
    const Z: f64 = 1.959_963_984_540_054;
    if all <= 0 {
        return None;
    }
    let (n, share) = (all as f64, right as f64 / all as f64);
    let middle = share + Z * Z / (2.0 * n);
    let width = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some([((middle - width) / scale).max(0.0), ((middle + width) / scale).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_one_gold_photo() {
        for rate in [0.05, 0.07, 0.1, 1.0 / 3.0, 0.3, 0.5] {
            for annotator in [1, 2, 77] {
                for photos in [100, 1_000, 10_000] {
                    let gold = (0..photos).filter(|&position| is_due(annotator, position, rate)).count() as f64;
                    assert!((gold - photos as f64 * rate).abs() <= 1.0, "{rate} {annotator} {photos}: {gold}");
                }
            }
        }
        assert!((0..1_000).all(|position| !is_due(1, position, 0.0)));
    }

    #[test]
    fn the_place_differs_by_annotator_and_block() {
        let places =
            |annotator| (0..400).filter(move |&position| is_due(annotator, position, 0.05)).collect::<Vec<u64>>();
        let gaps: std::collections::BTreeSet<u64> = places(1).windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.len() > 5, "{gaps:?}");
        assert_ne!(places(1), places(2));
    }

    #[test]
    fn what_is_left_shrinks_by_one_with_every_photo() {
        for rate in [0.05, 0.3, 0.5] {
            let (mut real, mut left) = (200, 200 + mixed_in(9, 3, 200, rate));
            for position in 3.. {
                if left == 0 {
                    break;
                }
                if !is_due(9, position, rate) {
                    real -= 1;
                }
                let now = real + mixed_in(9, position + 1, real, rate);
                assert_eq!(now, left - 1, "{rate} at {position}");
                left = now;
            }
            assert_eq!(real, 0);
        }
    }

    #[test]
    fn intervals_are_wilsons() {
        // From the formula by hand, and scipy.stats.binomtest(8, 10).proportion_ci(method="wilson").
        let [low, high] = wilson(8, 10).unwrap();
        assert!((low - 0.490_162).abs() < 1e-6 && (high - 0.943_318).abs() < 1e-6, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        let [low, high] = wilson(5, 5).unwrap();
        assert!((low - 0.565_518).abs() < 1e-6 && (high - 1.0).abs() < 1e-12, "{low} {high}");
    }
}
