//! Overlays of the photos that the model gets most wrong.

use std::{fs, path::Path};

use candle_core::Tensor;
use image::RgbImage;
use kenami_domain::metrics::Metrics;

use super::{
    CAMS, ReportInput, ScoredHead,
    canvas::{Canvas, INK, shortened},
    headline, stems, with_judged, write_png,
};
use crate::{
    data::file_name,
    error::{Error, Result},
    evaluate::{most_likely, top_losses},
    explain::{Method, cam, overlay},
};

/// Opens the network for a look inside.
pub trait Explainer {
    /// The photo as the network sees it, and its last feature map `[1, rows, columns, channels]`.
    ///
    /// # Errors
    /// The photo cannot be read, or the network fails.
    fn map(&self, item: usize) -> Result<(RgbImage, Tensor)>;

    /// The logit `[1]` of value `class` of head number `head`, from the map by operations that can be differentiated.
    ///
    /// # Errors
    /// The shapes disagree.
    fn logit(&self, head: usize, class: usize, map: &Tensor) -> Result<Tensor>;

    /// The attention masks of one photo's map, each `rows * columns` values, row by row; none without attention.
    ///
    /// # Errors
    /// The map is not the network's.
    fn masks(&self, _map: &Tensor) -> Result<Vec<Vec<f32>>> {
        Ok(Vec::new())
    }
}

/// Share of the map's colours in an overlay.
const OPACITY: f32 = 0.5;
const GAP: i32 = 8;
const CAPTION: i32 = 20;
/// Attention masks in a row below the photo, at least.
const MASKS_IN_A_ROW: usize = 4;

/// `cam/HEAD/RANK_IMAGE.png`: the photo, what speaks for the prediction, and what speaks for the answer; below them the
/// attention masks, where there are some.
pub(super) fn write_all(out_dir: &Path, input: &ReportInput<'_>, metrics: &Metrics) -> Result<()> {
    let count = input.config.evaluate.explain as usize;
    let Some(explainer) = input.explainer.filter(|_| count > 0) else { return Ok(()) };
    for (number, (head, stem)) in input.heads.iter().zip(stems(input.heads)).enumerate() {
        let Some((split, _)) = headline(metrics, &head.attribute) else { continue };
        let dir = out_dir.join(CAMS).join(stem);
        fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        let items: Vec<(usize, usize)> = head.answered(&input.dataset.items, split).collect();
        let top = with_judged(input.dataset, head, split, true, |photos| top_losses(photos, count));
        for (rank, at) in top.into_iter().enumerate() {
            let (item, answer) = items[at];
            let sheet = sheet(explainer, (number, head), item, answer)?;
            let image = file_name(&input.dataset.items[item].image);
            let image = image.rsplit_once('.').map_or(image, |(stem, _)| stem);
            let image: String = image.chars().map(|c| if c == '/' || c == '\\' { '_' } else { c }).collect();
            write_png(&dir, &format!("{:03}_{image}.png", rank + 1), &sheet)?;
        }
    }
    Ok(())
}

fn sheet(
    explainer: &dyn Explainer,
    (number, head): (usize, &ScoredHead),
    item: usize,
    answer: usize,
) -> Result<Canvas> {
    let (photo, map) = explainer.map(item)?;
    let (_, rows, columns, _) = map.dims4()?;
    let probabilities = head.probabilities(item);
    let predicted = most_likely(&probabilities);
    let mut panels = vec![("photo".to_owned(), photo.clone())];
    let classes = if predicted == answer { vec![answer] } else { vec![predicted, answer] };
    for class in classes {
        let values = cam(&map, |map| explainer.logit(number, class, map), Method::GradCam)?;
        let role = if class == answer { "answer" } else { "predicted" };
        let text = format!("{role} {} {:.2}", head.labels[class], probabilities[class]);
        panels.push((text, overlay(&photo, &values[0], (rows, columns), OPACITY)));
    }
    let mut lines = vec![panels];
    let masks = explainer.masks(&map)?;
    let masks = masks.iter().enumerate().map(|(number, mask)| {
        (format!("attention mask {}", number + 1), overlay(&photo, mask, (rows, columns), OPACITY))
    });
    lines.extend(masks.collect::<Vec<_>>().chunks(lines[0].len().max(MASKS_IN_A_ROW)).map(<[Panel]>::to_vec));
    Ok(drawn(&lines, &photo))
}

/// A picture and its caption.
type Panel = (String, RgbImage);

/// Panels of one size, line by line.
fn drawn(lines: &[Vec<Panel>], photo: &RgbImage) -> Canvas {
    let (width, height) = (photo.width() as i32, photo.height() as i32);
    let (across, down) = (width.max(160) + GAP, height + CAPTION + GAP);
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let mut canvas = Canvas::new(across * columns as i32 + GAP, down * lines.len() as i32 + GAP);
    for (row, panels) in lines.iter().enumerate() {
        for (column, (text, panel)) in panels.iter().enumerate() {
            let (left, top) = (GAP + column as i32 * across, GAP + row as i32 * down);
            canvas.picture((left, top), panel);
            canvas.text((left, top + height + GAP), &shortened(text, (across / 8 - 1) as usize), 1, INK);
        }
    }
    canvas
}
