//! Grad-CAM and Grad-CAM++: where in the photo a network saw what it says.
//!
//! Both weigh the channels of the last feature map by the gradient of one logit and sum them. Grad-CAM: R. Selvaraju et al.,
//! ICCV 2017; Grad-CAM++: A. Chattopadhyay et al., WACV 2018. The numbers are those of pytorch-grad-cam.

use candle_core::{DType, Tensor, Var};
use image::{Rgb, RgbImage};

use crate::{error::Result, heads::LinearHead};

/// How channels are weighed. `g` is the gradient of the logit, `A` the map, sums and means are over positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `w_k = mean g_k`.
    #[default]
    GradCam,
    /// `w_k = sum max(g_k, 0) a_k` with `a_k = g_k^2 / (2 g_k^2 + (sum A_k) g_k^3 + 1e-6)`.
    GradCamPlusPlus,
}

/// Keeps a photo on which nothing speaks for the value from a division by 0.
const MIN_SPAN: f32 = 1e-7;

/// The class activation map of each photo: `rows * columns` values from 0 to 1, row by row.
///
/// `map` is the last feature map `[photos, rows, columns, channels]`; `logit` leads from it to one logit a photo, `[photos]`,
/// by operations that candle can differentiate. Of `sum_k w_k A_k` the positive part is kept, then the least value
/// subtracted and the result divided by the greatest: `cam` says where, not how much.
///
/// # Errors
/// The shapes disagree, or `logit` fails.
pub fn cam(map: &Tensor, logit: impl Fn(&Tensor) -> Result<Tensor>, method: Method) -> Result<Vec<Vec<f32>>> {
    let map = map.detach().to_dtype(DType::F32)?;
    let (photos, rows, columns, channels) = map.dims4()?;
    let var = Var::from_tensor(&map)?;
    let gradients = logit(var.as_tensor())?.sum_all()?.backward()?;
    let gradient = match gradients.get(var.as_tensor()) {
        Some(gradient) => gradient.clone(),
        // The logit does not depend on the map.
        None => map.zeros_like()?,
    };
    let flat = (photos, rows * columns, channels);
    let (map, gradient) = (map.reshape(flat)?.to_vec3::<f32>()?, gradient.reshape(flat)?.to_vec3::<f32>()?);
    let one = |(map, gradient): (&Vec<Vec<f32>>, &Vec<Vec<f32>>)| {
        let weights = match method {
            Method::GradCam => mean_gradient(gradient, channels),
            Method::GradCamPlusPlus => plus_plus(map, gradient, channels),
        };
        let sum = |pixel: &Vec<f32>| pixel.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>().max(0.0);
        let mut cam: Vec<f32> = map.iter().map(sum).collect();
        stretch(&mut cam);
        cam
    };
    Ok(map.iter().zip(&gradient).map(one).collect())
}

/// The logit `[photos]` of one value of a linear head on the pooled map, for [`cam`].
///
/// # Errors
/// The shapes disagree.
pub fn pooled_logit(head: &LinearHead, class: usize, map: &Tensor) -> Result<Tensor> {
    Ok(head.forward(&map.mean((1, 2))?)?.narrow(1, class, 1)?.squeeze(1)?)
}

fn mean_gradient(gradient: &[Vec<f32>], channels: usize) -> Vec<f32> {
    let mean = |k: usize| gradient.iter().map(|pixel| f64::from(pixel[k])).sum::<f64>() / gradient.len() as f64;
    (0..channels).map(|k| mean(k) as f32).collect()
}

fn plus_plus(map: &[Vec<f32>], gradient: &[Vec<f32>], channels: usize) -> Vec<f32> {
    let one = |k: usize| {
        let total: f64 = map.iter().map(|pixel| f64::from(pixel[k])).sum();
        let share = |g: f64| if g == 0.0 { 0.0 } else { g * g / (2.0 * g * g + total * g * g * g + 1e-6) };
        let weights = gradient.iter().map(|pixel| f64::from(pixel[k])).map(|g| g.max(0.0) * share(g));
        weights.sum::<f64>() as f32
    };
    (0..channels).map(one).collect()
}

/// Minus the least, divided by the greatest of what remains.
fn stretch(values: &mut [f32]) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    values.iter_mut().for_each(|x| *x -= least);
    let greatest = values.iter().copied().fold(0.0, f32::max);
    values.iter_mut().for_each(|x| *x /= MIN_SPAN + greatest);
}

/// A map of `rows * columns` values at the size of the photo: bilinear between the centres of its cells, constant beyond
/// the outer ones, stretched to 0..1 again.
///
/// # Panics
/// `cam` has not `rows * columns` values.
pub fn upsample(cam: &[f32], (rows, columns): (usize, usize), width: u32, height: u32) -> Vec<f32> {
    assert_eq!(cam.len(), rows * columns, "a value for each cell");
    let xs: Vec<_> = (0..width).map(|x| between(x, width, columns)).collect();
    let mut values = Vec::with_capacity(width as usize * height as usize);
    for y in 0..height {
        let (top, bottom, down) = between(y, height, rows);
        for (left, right, across) in &xs {
            let mix = |row: usize| cam[row * columns + left] * (1.0 - across) + cam[row * columns + right] * across;
            values.push(mix(top) * (1.0 - down) + mix(bottom) * down);
        }
    }
    stretch(&mut values);
    values
}

/// The two cells between whose centres pixel `at` of `side` lies, and how far it is from the first to the second.
fn between(at: u32, side: u32, cells: usize) -> (usize, usize, f32) {
    let position = (f64::from(at) + 0.5) * cells as f64 / f64::from(side) - 0.5;
    let position = position.clamp(0.0, (cells - 1) as f64);
    let first = position.floor() as usize;
    (first, (first + 1).min(cells - 1), (position - first as f64) as f32)
}

/// The photo with its class activation map: warm where the network looked. `cam` has `cells` rows and columns and covers
/// the whole photo; `opacity` is the share of the colours.
///
/// # Panics
/// `cam` has not as many values as cells.
pub fn overlay(photo: &RgbImage, cam: &[f32], cells: (usize, usize), opacity: f32) -> RgbImage {
    let values = upsample(cam, cells, photo.width(), photo.height());
    let mut blended = photo.clone();
    for (pixel, value) in blended.pixels_mut().zip(values) {
        let Rgb(colour) = heat(value);
        let mix = |of_photo: u8, of_map: u8| f32::from(of_photo) * (1.0 - opacity) + f32::from(of_map) * opacity;
        *pixel = Rgb(std::array::from_fn(|i| mix(pixel[i], colour[i]).round() as u8));
    }
    blended
}

/// Black, violet, red, orange, pale yellow: grows in brightness, so that it is read without colours, too.
const HEAT: [[f32; 3]; 5] =
    [[0.0, 0.0, 4.0], [87.0, 16.0, 110.0], [188.0, 55.0, 84.0], [249.0, 142.0, 9.0], [252.0, 255.0, 164.0]];

/// The colour of a value from 0 to 1.
fn heat(value: f32) -> Rgb<u8> {
    let position = value.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let first = (position as usize).min(HEAT.len() - 2);
    let share = position - first as f32;
    Rgb(std::array::from_fn(|i| (HEAT[first][i] * (1.0 - share) + HEAT[first + 1][i] * share).round() as u8))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_map_shows_the_place_of_the_only_channel_that_counts() {
        // Two channels; the first is high at the third of four places, the second everywhere, but speaks against.
        let values = vec![0.0f32, 1.0, 0.0, 1.0, 5.0, 1.0, 0.0, 1.0];
        let map = Tensor::from_vec(values, (1, 2, 2, 2), &Device::Cpu).unwrap();
        let weight = Tensor::new(&[[1f32], [-0.5]], &Device::Cpu).unwrap();
        let logit = |map: &Tensor| Ok(map.mean((1, 2))?.matmul(&weight)?.squeeze(1)?);
        for method in [Method::GradCam, Method::GradCamPlusPlus] {
            let cam = cam(&map, logit, method).unwrap();
            assert!(cam[0][2] > 0.999 && cam[0][0] < 1e-6 && cam[0][1] < 1e-6 && cam[0][3] < 1e-6, "{cam:?}");
        }
    }

    #[test]
    fn a_logit_that_ignores_the_map_gives_an_empty_one() {
        let map = Tensor::ones((2, 3, 3, 4), DType::F32, &Device::Cpu).unwrap();
        let constant = |_: &Tensor| Ok(Tensor::ones(2, DType::F32, &Device::Cpu)?);
        assert_eq!(cam(&map, constant, Method::GradCam).unwrap(), vec![vec![0.0; 9]; 2]);
    }

    #[test]
    fn an_overlay_is_brightest_where_the_map_is() {
        let photo = RgbImage::from_pixel(40, 20, Rgb([100, 100, 100]));
        let mut cam = vec![0.0; 8];
        cam[3] = 1.0;
        let drawn = overlay(&photo, &cam, (2, 4), 0.5);
        assert_eq!(drawn.dimensions(), photo.dimensions());
        assert_eq!(drawn.get_pixel(0, 19), &Rgb([50, 50, 52]));
        assert_eq!(drawn.get_pixel(39, 0), &Rgb([176, 178, 132]));
        assert_eq!(overlay(&photo, &cam, (2, 4), 0.0), photo);
    }
}
