//! Operations that mix a photo with a greyer, softer or turned one, as torchvision does them on u8: single precision, fused
//! multiply-add, cut off rather than rounded.

use image::RgbImage;
use pulp::Arch;

/// Towards grey below 1, away from it above.
pub fn saturation(photo: &mut RgbImage, factor: f64) {
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32);
    Arch::new().dispatch(|| {
        for pixel in photo.as_chunks_mut::<3>().0 {
            let grey = grey(*pixel);
            *pixel = pixel.map(|byte| blend(byte, grey, factor, rest));
        }
    });
}

/// Towards the mean grey below 1, away from it above.
pub fn contrast(photo: &mut RgbImage, factor: f64) {
    let pixels = photo.as_raw().len() / 3;
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32);
    let sum = Arch::new().dispatch(|| {
        let greys = photo.as_raw().as_chunks::<3>().0.iter().map(|pixel| grey(*pixel) as u64);
        greys.sum::<u64>()
    });
    let mean = sum as f32 / pixels as f32;
    let table: [u8; 256] = std::array::from_fn(|byte| blend(byte as u8, mean, factor, rest));
    for byte in photo.iter_mut() {
        *byte = table[usize::from(*byte)];
    }
}

/// Towards a soft photo (3 x 3, centre 5/13, the others 1/13) below 1, away from it above. The outermost pixels stay, and so
/// does a photo with a side of 2 or less.
pub fn sharpness(photo: &RgbImage, factor: f64) -> RgbImage {
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let mut target = photo.clone();
    if width <= 2 || height <= 2 {
        return target;
    }
    let rest = (1.0 - factor) as f32;
    let stride = width * 3;
    let source = photo.as_raw();
    Arch::new().dispatch(|| {
        for row in 1..height - 1 {
            let [above, here, below] = [row - 1, row, row + 1].map(|row| &source[row * stride..(row + 1) * stride]);
            let line = &mut target.as_mut()[row * stride..(row + 1) * stride];
            for at in 3..stride - 3 {
                let of = |line: &[u8]| u32::from(line[at - 3]) + u32::from(line[at]) + u32::from(line[at + 3]);
                let sum = of(above) + of(here) + of(below) + 4 * u32::from(here[at]);
                // Thirteenths never lie half-way: rounding in whole numbers is rounding in torch's single precision.
                let soft = ((2 * sum + 13) / 26) as f32;
                let value = f32::from(here[at]);
                line[at] = (soft - value).mul_add(rest, value).clamp(0.0, 255.0) as u8;
            }
        }
    });
    target
}

/// Turns the hue by `turn` of the full circle, from -0.5 to 0.5, in hue, saturation and value.
pub fn hue(photo: &mut RgbImage, turn: f32) {
    for pixel in photo.as_chunks_mut::<3>().0 {
        let [h, s, v] = to_hsv(pixel.map(|byte| f32::from(byte) * (1.0 / 255.0)));
        let h = h + turn;
        let rgb = from_hsv([h - h.floor(), s, v]);
        *pixel = rgb.map(|value| (value * (256.0 - 1e-3)) as u8);
    }
}

/// Luminance by torchvision's weights, rounded down.
#[inline(always)]
fn grey([r, g, b]: [u8; 3]) -> f32 {
    f32::from(b).mul_add(0.114, f32::from(g).mul_add(0.587, f32::from(r) * 0.2989)).floor()
}

/// `byte factor + other (1 - factor)`, cut to a byte.
#[inline(always)]
fn blend(byte: u8, other: f32, factor: f32, rest: f32) -> u8 {
    other.mul_add(rest, f32::from(byte) * factor).clamp(0.0, 255.0) as u8
}

fn to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (low, high) = (r.min(g).min(b), r.max(g).max(b));
    if low == high {
        return [0.0, 0.0, high];
    }
    let range = high - low;
    let [red, green, blue] = [r, g, b].map(|value| (high - value) / range);
    let sixths = if high == r {
        blue - green
    } else if high == g {
        red + 2.0 - blue
    } else {
        green + 4.0 - red
    };
    [(sixths * (1.0 / 6.0) + 1.0) % 1.0, range / high, high]
}

fn from_hsv([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sixths = h * 6.0;
    let sector = sixths.floor();
    let f = sixths - sector;
    let unit = |value: f32| value.clamp(0.0, 1.0);
    let (p, q, t) = (unit((1.0 - s) * v), unit((1.0 - s * f) * v), unit((s * f + (1.0 - s)) * v));
    match (sector as i32).rem_euclid(6) {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
