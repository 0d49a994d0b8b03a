//! Operations that move pixels: nearest neighbour, as torchvision's `affine` and `rotate` do it.

use image::RgbImage;

/// Two rows of a matrix that takes a place in the result to a place in the photo, both counted from the centre, in pixels.
type Inverse = [f64; 6];

/// x' = x + m y with the upper left corner held: `affine(shear=[atan m, 0], center=[0, 0])`.
pub fn shear_x(photo: &RgbImage, m: f64, fill: [u8; 3]) -> RgbImage {
    let corner = -0.5 * f64::from(photo.height());
    moved(photo, [1.0, m, -m * corner, 0.0, 1.0, 0.0], fill)
}

/// y' = y + m x with the upper left corner held: `affine(shear=[0, atan m], center=[0, 0])`.
pub fn shear_y(photo: &RgbImage, m: f64, fill: [u8; 3]) -> RgbImage {
    let corner = -0.5 * f64::from(photo.width());
    moved(photo, [1.0, 0.0, 0.0, m, 1.0, -m * corner], fill)
}

/// Moved right by `x` and down by `y` whole pixels.
pub fn translate(photo: &RgbImage, x: i64, y: i64, fill: [u8; 3]) -> RgbImage {
    let (width, height) = photo.dimensions();
    let mut target = RgbImage::from_pixel(width, height, image::Rgb(fill));
    let source_x = (-x).max(0).min(i64::from(width)) as usize;
    let target_x = x.max(0).min(i64::from(width)) as usize;
    let columns = (width as usize).saturating_sub(x.unsigned_abs() as usize);
    let stride = width as usize * 3;
    for row in 0..i64::from(height) {
        let from = row - y;
        if (0..i64::from(height)).contains(&from) {
            let source = from as usize * stride + source_x * 3;
            let start = row as usize * stride + target_x * 3;
            target.as_mut()[start..start + columns * 3].copy_from_slice(&photo.as_raw()[source..source + columns * 3]);
        }
    }
    target
}

/// Turned about the centre, counter-clockwise by `degrees`.
pub fn rotate(photo: &RgbImage, degrees: f64, fill: [u8; 3]) -> RgbImage {
    let (sin, cos) = (-degrees.rem_euclid(360.0)).to_radians().sin_cos();
    moved(photo, [cos, sin, 0.0, -sin, cos, 0.0], fill)
}

/// The nearest pixel for every place of the result, `fill` for places outside. Single precision and the detour over
/// coordinates from -1 to 1 are torch's `grid_sample`: they decide where a place lies half-way between two pixels.
fn moved(photo: &RgbImage, inverse: Inverse, fill: [u8; 3]) -> RgbImage {
    let (width, height) = photo.dimensions();
    let (half_width, half_height) = (0.5 * width as f32, 0.5 * height as f32);
    let t: [f32; 6] = std::array::from_fn(|i| inverse[i] as f32 / if i < 3 { half_width } else { half_height });
    let pixels = photo.as_raw();
    let mut target = Vec::with_capacity(pixels.len());
    for row in 0..height {
        let y = row as f32 + 0.5 - half_height;
        for column in 0..width {
            let x = column as f32 + 0.5 - half_width;
            let grid_x = x * t[0] + y * t[1] + t[2];
            let grid_y = x * t[3] + y * t[4] + t[5];
            let source_x = ((grid_x + 1.0) * half_width - 0.5).round_ties_even();
            let source_y = ((grid_y + 1.0) * half_height - 0.5).round_ties_even();
            let is_inside = source_x >= 0.0 && source_x < width as f32 && source_y >= 0.0 && source_y < height as f32;
            if is_inside {
                let start = (source_y as usize * width as usize + source_x as usize) * 3;
                target.extend_from_slice(&pixels[start..start + 3]);
            } else {
                target.extend_from_slice(&fill);
            }
        }
    }
    RgbImage::from_raw(width, height, target).expect("three bytes for every pixel")
}

/// A square of side `side` about (x, y), cut at the edges, painted with `colour`: Fast AutoAugment's cutout, where both
/// end rows and columns are painted.
pub fn cutout(photo: &mut RgbImage, x: f64, y: f64, side: f64, colour: [u8; 3]) {
    let (width, height) = (f64::from(photo.width()), f64::from(photo.height()));
    let (left, top) = ((x - side / 2.0).max(0.0).floor(), (y - side / 2.0).max(0.0).floor());
    let (right, bottom) = ((left + side).min(width - 1.0), (top + side).min(height - 1.0));
    for row in top as u32..=bottom as u32 {
        for column in left as u32..=right as u32 {
            photo.put_pixel(column, row, image::Rgb(colour));
        }
    }
}
