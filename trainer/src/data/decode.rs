//! From a file's bytes to the square that the network sees.

use std::io::Cursor;

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use crate::models::Normalisation;

/// Longest side that is decoded, in pixels.
const MAX_SIDE: u32 = 20_000;
/// Memory that a decoder may take, in bytes.
const MAX_ALLOCATION: u64 = 512 * 1024 * 1024;
/// The evaluation crop's share of the resized photo: 224 of 256.
const CROP: (u32, u32) = (224, 256);

/// How a photo becomes the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Side of the square, in pixels.
    pub size: u32,
    /// How a byte becomes a number.
    pub normalisation: Normalisation,
}

impl Preprocessing {
    /// Says everything that decides the pixels; part of the feature cache's key.
    pub(crate) fn describe(&self) -> String {
        let Normalisation { mean, deviation } = self.normalisation;
        format!("v1 centre {} of {} bilinear antialiased ({mean:?} {deviation:?})", self.size, resized(self.size))
    }
}

/// Decodes JPEG, PNG or WebP upright, resizes the shorter edge to size * 256 / 224 (bilinear, antialiased; a photo that
/// has that size already is not touched) and crops the centre: `size * size * 3` RGB bytes. Transparency is dropped.
///
/// # Errors
/// Why the bytes are no photo that can be used.
pub fn prepare(bytes: &[u8], preprocessing: &Preprocessing) -> Result<Vec<u8>, String> {
    Ok(centre_square(bytes, preprocessing.size)?.into_raw())
}

/// [`prepare`]'s square as a photo.
pub(crate) fn centre_square(bytes: &[u8], size: u32) -> Result<RgbImage, String> {
    let photo = decode(bytes)?;
    let edge = resized(size);
    let (width, height) = photo.dimensions();
    let scale = |side: u32| (f64::from(side) * f64::from(edge) / f64::from(width.min(height))).round().max(1.0) as u32;
    let photo = resize(photo, scale(width), scale(height))?;
    Ok(crop_centre(&photo, size))
}

/// Length of the photo's shorter edge before the centre is cropped.
fn resized(size: u32) -> u32 {
    (f64::from(size) * f64::from(CROP.1) / f64::from(CROP.0)).round() as u32
}

/// Decodes within limits and applies the EXIF orientation.
///
/// # Errors
/// Why the bytes are no photo that can be used.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let mut reader = reader;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut photo = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    photo.apply_orientation(orientation);
    if photo.width() == 0 || photo.height() == 0 {
        return Err("the photo has no pixels".to_owned());
    }
    Ok(photo.into_rgb8())
}

/// A photo whose shorter edge is longer than `edge` is reduced to it (bilinear, antialiased), keeping its proportions.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn reduced(photo: RgbImage, edge: u32) -> Result<RgbImage, String> {
    let (width, height) = photo.dimensions();
    let shorter = width.min(height);
    if shorter <= edge {
        return Ok(photo);
    }
    let scale = |side: u32| (f64::from(side) * f64::from(edge) / f64::from(shorter)).round().max(1.0) as u32;
    resize(photo, scale(width), scale(height))
}

fn resize(photo: RgbImage, width: u32, height: u32) -> Result<RgbImage, String> {
    if photo.dimensions() == (width, height) {
        return Ok(photo);
    }
    let (from_width, from_height) = photo.dimensions();
    let source = Image::from_vec_u8(from_width, from_height, photo.into_raw(), PixelType::U8x3)
        .map_err(|error| error.to_string())?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| error.to_string())?;
    Ok(RgbImage::from_raw(width, height, target.into_vec()).expect("a buffer of the size that was asked for"))
}

fn crop_centre(photo: &RgbImage, size: u32) -> RgbImage {
    let offset = |side: u32| ((f64::from(side) - f64::from(size)) / 2.0).round().max(0.0) as u32;
    image::imageops::crop_imm(photo, offset(photo.width()), offset(photo.height()), size, size).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(photo: &RgbImage, format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        photo.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    const PLAIN: Preprocessing = Preprocessing { size: 224, normalisation: Normalisation::LITE_PYTORCH };

    #[test]
    fn a_photo_of_256_pixels_is_only_cropped() {
        let photo = RgbImage::from_fn(256, 256, |x, y| image::Rgb([x as u8, y as u8, 7]));
        for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
            let pixels = prepare(&encode(&photo, format), &PLAIN).unwrap();
            assert_eq!(pixels.len(), 224 * 224 * 3);
            assert_eq!(&pixels[..3], &[16, 16, 7]);
            assert_eq!(&pixels[pixels.len() - 3..], &[239, 239, 7]);
        }
    }

    #[test]
    fn a_photo_of_another_shape_keeps_its_proportions() {
        // The left half is black, the right half white: the centre of the crop is where they meet.
        let photo = RgbImage::from_fn(600, 300, |x, _| image::Rgb([if x < 300 { 0 } else { 255 }; 3]));
        let pixels = prepare(&encode(&photo, image::ImageFormat::Png), &PLAIN).unwrap();
        let at = |x: usize| pixels[(112 * 224 + x) * 3];
        assert_eq!((at(0), at(109), at(114), at(223)), (0, 0, 255, 255));
    }

    #[test]
    fn tiny_and_odd_sizes_give_a_full_square() {
        for (width, height) in [(1, 1), (3, 500), (500, 7)] {
            let photo = RgbImage::from_pixel(width, height, image::Rgb([9, 9, 9]));
            let small = Preprocessing { size: 33, ..PLAIN };
            let pixels = prepare(&encode(&photo, image::ImageFormat::Png), &small).unwrap();
            assert_eq!(pixels.len(), 33 * 33 * 3);
            assert!(pixels.iter().all(|byte| *byte == 9));
        }
    }

    #[test]
    fn exif_orientation_is_applied() {
        // Orientation 6: the stored picture is shown turned by 90 degrees to the right.
        let stored = RgbImage::from_fn(64, 64, |_, y| image::Rgb([if y < 32 { 250 } else { 5 }; 3]));
        let mut jpeg = encode(&stored, image::ImageFormat::Jpeg);
        let exif: Vec<u8> = [
            &[0xff, 0xe1, 0x00, 0x22][..],
            b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
        ]
        .concat();
        jpeg.splice(2..2, exif);
        let pixels = prepare(&jpeg, &Preprocessing { size: 56, ..PLAIN }).unwrap();
        let at = |x: usize| pixels[(28 * 56 + x) * 3];
        assert!(at(2) < 20 && at(53) > 230, "{} {}", at(2), at(53));
    }

    #[test]
    fn what_is_no_photo_is_said() {
        assert!(prepare(b"", &PLAIN).is_err());
        assert!(prepare(b"hello", &PLAIN).is_err());
        let photo = RgbImage::from_pixel(20, 20, image::Rgb([9, 9, 9]));
        let png = encode(&photo, image::ImageFormat::Png);
        assert!(prepare(&png[..png.len() / 2], &PLAIN).is_err());
    }
}
