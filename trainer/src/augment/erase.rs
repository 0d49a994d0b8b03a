//! RandomErasing (arXiv 1708.04896), in torchvision's form: on the normalised square, value 0.

use super::{Draws, crop::Rectangle};

/// Tries before nothing is erased.
const TRIES: usize = 10;
/// Share of the area.
const AREA: [f64; 2] = [0.02, 0.33];
/// Ratio of height to width.
const RATIO: [f64; 2] = [0.3, 3.3];

/// Draws what is erased of a square of `size` pixels: with probability `probability`, an area in (0.02, 0.33) with
/// h = round(sqrt(A r)), w = round(sqrt(A / r)) and r evenly in the logarithm of (0.3, 3.3).
pub fn draw_erasing(draws: &mut Draws, size: u32, probability: f64) -> Option<Rectangle> {
    if !draws.chance(probability) {
        return None;
    }
    let side = f64::from(size);
    for _ in 0..TRIES {
        let area = side * side * draws.between(AREA[0], AREA[1]);
        let ratio = draws.log_between(RATIO[0], RATIO[1]);
        let height = (area * ratio).sqrt().round_ties_even() as u32;
        let width = (area / ratio).sqrt().round_ties_even() as u32;
        if height < size && width < size {
            let top = draws.below((size - height) as usize + 1) as u32;
            let left = draws.below((size - width) as usize + 1) as u32;
            return Some(Rectangle { left, top, width, height });
        }
    }
    None
}

/// Sets the rectangle of a normalised `[size, size, 3]` photo to 0.
pub fn erase(pixels: &mut [f32], size: u32, rectangle: Rectangle) {
    let stride = size as usize * 3;
    for row in rectangle.top..rectangle.top + rectangle.height {
        let start = row as usize * stride + rectangle.left as usize * 3;
        pixels[start..start + rectangle.width as usize * 3].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Purpose;

    #[test]
    fn erased_areas_keep_probability_and_ranges() {
        let drawn: Vec<_> =
            (0..8000).map(|index| draw_erasing(&mut Draws::new(1, Purpose::Photo, 0, index), 224, 0.3)).collect();
        let erased: Vec<_> = drawn.iter().flatten().collect();
        let share = erased.len() as f64 / drawn.len() as f64;
        assert!((share - 0.3).abs() < 0.02, "{share}");
        for rectangle in &erased {
            assert!(rectangle.left + rectangle.width <= 224 && rectangle.top + rectangle.height <= 224);
            let area = f64::from(rectangle.width * rectangle.height) / (224.0 * 224.0);
            let ratio = f64::from(rectangle.height) / f64::from(rectangle.width);
            assert!((0.018..0.335).contains(&area) && (0.28..3.5).contains(&ratio), "{rectangle:?}");
        }
        let mean =
            erased.iter().map(|r| f64::from(r.width * r.height) / (224.0 * 224.0)).sum::<f64>() / erased.len() as f64;
        assert!((0.15..0.185).contains(&mean), "{mean}");
        assert!(draw_erasing(&mut Draws::new(1, Purpose::Photo, 0, 0), 224, 0.0).is_none());
    }

    #[test]
    fn only_the_rectangle_becomes_zero() {
        let mut pixels = vec![1.0; 6 * 6 * 3];
        erase(&mut pixels, 6, Rectangle { left: 1, top: 2, width: 3, height: 2 });
        assert_eq!(pixels.iter().filter(|value| **value == 0.0).count(), 3 * 2 * 3);
        assert_eq!((pixels[(2 * 6 + 1) * 3], pixels[(3 * 6 + 3) * 3 + 2], pixels[(3 * 6 + 4) * 3]), (0.0, 0.0, 1.0));
    }
}
