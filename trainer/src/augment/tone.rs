//! Operations that look at one byte at a time or at a channel's histogram, as torchvision does them on u8.

use image::RgbImage;

/// The photo's negative.
pub fn invert(photo: &mut RgbImage) {
    map(photo, |byte| !byte);
}

/// The negative of the bytes at or above `threshold`.
pub fn solarize(photo: &mut RgbImage, threshold: f32) {
    map(photo, |byte| if f32::from(byte) >= threshold { !byte } else { byte });
}

/// Keeps the highest `bits` of every byte.
pub fn posterize(photo: &mut RgbImage, bits: u32) {
    let mask = if bits >= 8 { 0xff } else { !(0xff >> bits) };
    map(photo, |byte| byte & mask);
}

/// Multiplies by `factor`.
pub fn brightness(photo: &mut RgbImage, factor: f64) {
    let factor = factor as f32;
    map(photo, |byte| (f32::from(byte) * factor).clamp(0.0, 255.0) as u8);
}

/// Stretches every channel to 0 to 255; a channel of one value stays.
pub fn autocontrast(photo: &mut RgbImage) {
    let histograms = histograms(photo);
    let tables = histograms.map(|histogram| {
        let low = histogram.iter().position(|count| *count > 0).unwrap_or(0) as f32;
        let high = histogram.iter().rposition(|count| *count > 0).unwrap_or(0) as f32;
        if low == high {
            return std::array::from_fn(|byte| byte as u8);
        }
        let scale = (high - low) * (1.0 / 255.0);
        std::array::from_fn(|byte| ((byte as f32 - low) / scale).clamp(0.0, 255.0) as u8)
    });
    look_up(photo, &tables);
}

/// Makes every channel's histogram as even as it goes (Pillow's rule): a byte becomes the count of smaller bytes, in steps
/// of a 255th of the pixels that do not have the highest value.
pub fn equalize(photo: &mut RgbImage) {
    let pixels = photo.width() * photo.height();
    let tables = histograms(photo).map(|histogram| {
        let highest = histogram.iter().rposition(|count| *count > 0).unwrap_or(0);
        let step = (pixels - histogram[highest]) / 255;
        if step == 0 {
            return std::array::from_fn(|byte| byte as u8);
        }
        let mut smaller = 0;
        std::array::from_fn(|byte| {
            let value = ((smaller + step / 2) / step).min(255) as u8;
            smaller += histogram[byte];
            value
        })
    });
    look_up(photo, &tables);
}

fn map(photo: &mut RgbImage, value: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|byte| value(byte as u8));
    for byte in photo.iter_mut() {
        *byte = table[usize::from(*byte)];
    }
}

fn look_up(photo: &mut RgbImage, tables: &[[u8; 256]; 3]) {
    for pixel in photo.as_chunks_mut::<3>().0 {
        for (byte, table) in pixel.iter_mut().zip(tables) {
            *byte = table[usize::from(*byte)];
        }
    }
}

fn histograms(photo: &RgbImage) -> [[u32; 256]; 3] {
    let mut histograms = [[0; 256]; 3];
    for pixel in photo.as_raw().as_chunks::<3>().0 {
        for (byte, histogram) in pixel.iter().zip(&mut histograms) {
            histogram[usize::from(*byte)] += 1;
        }
    }
    histograms
}
