//! Random resized crop and flip.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{CroppedImage, Image, ImageRef},
};
use image::RgbImage;

use super::Draws;

/// Tries before the centre is taken.
const TRIES: usize = 10;

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Draws torchvision's `RandomResizedCrop`: an area in `scale` (shares of the photo's) and a ratio of width to height
/// evenly in the logarithm of `ratio`, at an even place; after ten crops that do not fit, the largest allowed one in the
/// centre.
pub fn draw_crop(draws: &mut Draws, width: u32, height: u32, scale: [f64; 2], ratio: [f64; 2]) -> Rectangle {
    let (w, h) = (f64::from(width), f64::from(height));
    for _ in 0..TRIES {
        let area = w * h * draws.between(scale[0], scale[1]);
        let aspect = draws.log_between(ratio[0], ratio[1]);
        let crop_width = (area * aspect).sqrt().round_ties_even() as u32;
        let crop_height = (area / aspect).sqrt().round_ties_even() as u32;
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            let top = draws.below((height - crop_height) as usize + 1) as u32;
            let left = draws.below((width - crop_width) as usize + 1) as u32;
            return Rectangle { left, top, width: crop_width, height: crop_height };
        }
    }
    let (crop_width, crop_height) = if w / h < ratio[0] {
        (width, ((w / ratio[0]).round_ties_even() as u32).clamp(1, height))
    } else if w / h > ratio[1] {
        (((h * ratio[1]).round_ties_even() as u32).clamp(1, width), height)
    } else {
        (width, height)
    };
    Rectangle {
        left: (width - crop_width) / 2,
        top: (height - crop_height) / 2,
        width: crop_width,
        height: crop_height,
    }
}

/// The rectangle alone, resized to a square of `size` pixels: bilinear, antialiased, straight from the photo.
pub fn resized_crop(photo: &RgbImage, crop: Rectangle, size: u32, resizer: &mut Resizer) -> RgbImage {
    let (width, height) = photo.dimensions();
    let source = ImageRef::new(width, height, photo.as_raw(), PixelType::U8x3).expect("three bytes for every pixel");
    // A view of the rectangle, so that no pixel beside it is mixed in.
    let view = CroppedImage::new(&source, crop.left, crop.top, crop.width, crop.height)
        .expect("the rectangle lies in the photo");
    let mut target = Image::new(size, size, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize(&view, &mut target, &options).expect("both are three bytes a pixel");
    RgbImage::from_raw(size, size, target.into_vec()).expect("three bytes for every pixel")
}

/// Left and right swapped.
pub fn flip(photo: &mut RgbImage) {
    let stride = photo.width() as usize * 3;
    if stride == 0 {
        return;
    }
    for row in photo.chunks_exact_mut(stride) {
        row.as_chunks_mut::<3>().0.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Purpose;

    #[test]
    fn crops_keep_their_ranges_and_reach_them() {
        let (scale, ratio) = ([0.35, 1.0], [0.75, 4.0 / 3.0]);
        let (mut areas, mut aspects, mut corners) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..4000 {
            let crop = draw_crop(&mut Draws::new(3, Purpose::Photo, 0, index), 320, 240, scale, ratio);
            assert!(crop.left + crop.width <= 320 && crop.top + crop.height <= 240, "{crop:?}");
            areas.push(f64::from(crop.width * crop.height) / (320.0 * 240.0));
            aspects.push(f64::from(crop.width) / f64::from(crop.height));
            corners.push((crop.left, crop.top));
        }
        let range = |values: &[f64]| {
            values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
        };
        let ((low, high), (narrow, broad)) = (range(&areas), range(&aspects));
        assert!((0.34..0.37).contains(&low) && (0.95..1.01).contains(&high), "{low} {high}");
        assert!((0.74..0.76).contains(&narrow) && (1.32..1.35).contains(&broad), "{narrow} {broad}");
        assert!(corners.contains(&(0, 0)) || corners.iter().any(|corner| corner.0 > 60));
    }

    #[test]
    fn a_photo_that_no_crop_fits_gives_its_centre() {
        let draw = |width, height| {
            draw_crop(&mut Draws::new(0, Purpose::Photo, 0, 0), width, height, [1.0, 1.0], [0.75, 4.0 / 3.0])
        };
        assert_eq!(draw(1000, 30), Rectangle { left: 480, top: 0, width: 40, height: 30 });
        assert_eq!(draw(30, 1000), Rectangle { left: 0, top: 480, width: 30, height: 40 });
        assert_eq!(draw(1, 1), Rectangle { left: 0, top: 0, width: 1, height: 1 });
    }

    #[test]
    fn a_crop_does_not_mix_in_its_surroundings() {
        let photo = RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb(if (16..48).contains(&x) && (16..48).contains(&y) { [200; 3] } else { [0; 3] })
        });
        let crop = Rectangle { left: 16, top: 16, width: 32, height: 32 };
        for size in [8, 32, 61] {
            let square = resized_crop(&photo, crop, size, &mut Resizer::new());
            assert!(square.iter().all(|byte| *byte == 200));
        }
    }

    #[test]
    fn two_flips_are_none() {
        let photo = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let mut flipped = photo.clone();
        flip(&mut flipped);
        assert_eq!(flipped.get_pixel(0, 1), photo.get_pixel(4, 1));
        flip(&mut flipped);
        assert_eq!(flipped, photo);
    }
}
