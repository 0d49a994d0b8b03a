//! A contact sheet of a training batch: what the network sees, and what it is told.

use std::collections::BTreeMap;

use fast_image_resize::Resizer;
use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};
use kenami_domain::{dataset::Split, run_config::RunConfig};

use super::{Dataset, HeadData, decode, file_name, head_data};
use crate::{
    augment::{Augment, Draws, Purpose, draw_mix},
    error::{Error, Result},
};

/// Side of a letter, in pixels.
const LETTER: u32 = 8;
/// Height of a line of text, in pixels.
const LINE: u32 = 11;
/// Space between cells, in pixels.
const GAP: u32 = 8;
/// Narrowest cell, in pixels: names need room.
const NARROWEST: u32 = 208;
/// What erased parts are shown as: 0 after normalising is about a middle grey.
const ERASED: f32 = 127.0;

const PAPER: Rgb<u8> = Rgb([250; 3]);
const INK: Rgb<u8> = Rgb([20; 3]);

/// Draws `count` training photos (as many as there are) as one batch of the first epoch, augmented as `config` says, with
/// file names and targets below. Mixup and CutMix are shown with the mixed targets.
///
/// # Errors
/// The configuration or the dataset does not fit, there is no training photo, or one cannot be read.
pub fn show_batch(dataset: &Dataset, config: &RunConfig, count: usize) -> Result<RgbImage> {
    config.validate()?;
    let heads = head_data(dataset, config, &mut |_| {})?;
    let items = drawn_items(dataset, config.seed, count);
    if items.is_empty() {
        return Err(Error::Dataset("there is no training photo to show".to_owned()));
    }
    let size = config.image_size;
    let augment = Augment::new(&config.augment, config.seed, size);
    let mut images = Vec::with_capacity(items.len() * (size * size * 3) as usize);
    let mut resizer = Resizer::new();
    for item in &items {
        images.extend(shown(dataset, &augment, *item, &mut resizer)?);
    }
    let mut targets: Vec<_> = heads.iter().map(|head| rows(head, &items)).collect();
    if let Some(mix) = draw_mix(&config.augment, config.seed, 0, 0, size) {
        mix.images(&mut images, size);
        for ((targets, mask), head) in targets.iter_mut().zip(&heads) {
            mix.targets(targets, mask, head.labels.len());
        }
    }
    let texts = items.iter().enumerate().map(|(row, item)| {
        let mut lines = vec![file_name(&dataset.items[*item].image).to_owned()];
        for (head, (targets, mask)) in heads.iter().zip(&targets) {
            lines.push(told(head, &targets[row * head.labels.len()..][..head.labels.len()], mask[row]));
        }
        lines
    });
    Ok(sheet(&images, size, &texts.collect::<Vec<_>>()))
}

/// The first `count` of the training photos in an order that the seed decides.
fn drawn_items(dataset: &Dataset, seed: u64, count: usize) -> Vec<usize> {
    let mut items: Vec<usize> =
        (0..dataset.items.len()).filter(|item| dataset.items[*item].split == Split::Train).collect();
    let mut draws = Draws::new(seed, Purpose::Sheet, 0, 0);
    let count = count.min(items.len());
    for place in 0..count {
        let other = place + draws.below(items.len() - place);
        items.swap(place, other);
    }
    items.truncate(count);
    items
}

/// One augmented photo, as bytes in floating point: mixing comes after.
fn shown(dataset: &Dataset, augment: &Augment, item: usize, resizer: &mut Resizer) -> Result<Vec<f32>> {
    let entry = &dataset.items[item];
    let photo = decode(&dataset.bytes(entry)?).map_err(|reason| Error::Image { image: entry.image.clone(), reason })?;
    let augmented = augment.photo(&photo, 0, item as u64, resizer);
    let mut pixels: Vec<f32> = augmented.photo.as_raw().iter().map(|byte| f32::from(*byte)).collect();
    if let Some(erased) = augmented.erased {
        let stride = augment.size() as usize * 3;
        for row in erased.top..erased.top + erased.height {
            let start = row as usize * stride + erased.left as usize * 3;
            pixels[start..start + erased.width as usize * 3].fill(ERASED);
        }
    }
    Ok(pixels)
}

/// Targets and masks of the items.
fn rows(head: &HeadData, items: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let classes = head.labels.len();
    let targets = items.iter().flat_map(|item| head.targets[item * classes..(item + 1) * classes].iter().copied());
    (targets.collect(), items.iter().map(|item| head.mask[*item]).collect())
}

/// `breed pug .91 boxer .02`: the two largest shares, and the mask where it is not 1.
fn told(head: &HeadData, target: &[f32], mask: f32) -> String {
    if mask == 0.0 {
        return format!("{} -", head.attribute);
    }
    let mut shares: Vec<(f32, &str)> = target.iter().copied().zip(head.labels.iter().map(String::as_str)).collect();
    shares.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut text = head.attribute.clone();
    for (share, label) in shares.iter().take(2).filter(|(share, _)| *share > 0.05) {
        text += &format!(" {label} {share:.2}");
    }
    if mask < 1.0 {
        text += &format!(" x{mask:.2}");
    }
    text
}

/// Cells in rows, as square a sheet as it goes.
fn sheet(images: &[f32], size: u32, texts: &[Vec<String>]) -> RgbImage {
    let lines = texts.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let (cell_width, cell_height) = (size.max(NARROWEST), size + 4 + lines * LINE);
    let columns = (texts.len() as f64).sqrt().ceil() as u32;
    let rows = (texts.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::from_pixel(columns * (cell_width + GAP) + GAP, rows * (cell_height + GAP) + GAP, PAPER);
    let mut letters = BTreeMap::new();
    for (number, text) in texts.iter().enumerate() {
        let column = number as u32 % columns;
        let left = GAP + column * (cell_width + GAP);
        let top = GAP + number as u32 / columns * (cell_height + GAP);
        let pixels = &images[number * (size * size * 3) as usize..][..(size * size * 3) as usize];
        for (place, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (place as u32 % size, place as u32 / size);
            sheet.put_pixel(left + x, top + y, Rgb(pixel.map(|value| value.round() as u8)));
        }
        for (line, text) in text.iter().enumerate() {
            let shown = text.chars().take((cell_width / LETTER) as usize);
            for (at, letter) in shown.enumerate() {
                let dots = *letters.entry(letter).or_insert_with(|| dots(letter));
                draw(&mut sheet, dots, left + at as u32 * LETTER, top + size + 4 + line as u32 * LINE);
            }
        }
    }
    sheet
}

/// A letter's rows, lowest bit to the left; a letter that the font lacks is a question mark.
fn dots(letter: char) -> [u8; 8] {
    let font = font8x8::BASIC_FONTS;
    font.get(letter).or_else(|| font8x8::LATIN_FONTS.get(letter)).or_else(|| font.get('?')).unwrap_or_default()
}

fn draw(sheet: &mut RgbImage, dots: [u8; 8], left: u32, top: u32) {
    for (y, row) in (0..).zip(dots) {
        for x in (0..LETTER).filter(|x| row >> x & 1 == 1) {
            sheet.put_pixel(left + x, top + y, INK);
        }
    }
}
