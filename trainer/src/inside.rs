//! A trained network opened for a look inside: the map that it makes of a photo, and what leads from there to a head.

use candle_core::Tensor;
use image::RgbImage;

use crate::{
    data::{Dataset, Preprocessing, prepare},
    error::{Error, Result},
    explain::{Method, cam, overlay},
    heads::LinearHead,
    models::GraphTrunk,
    report::Explainer,
};

/// Where in a photo a network saw what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The photo as the network sees it: its central square.
    pub photo: RgbImage,
    /// Rows and columns of the maps.
    pub cells: (usize, usize),
    /// The class activation map: `rows * columns` values from 0 to 1, row by row.
    pub cam: Vec<f32>,
    /// The attention masks, each as many values that sum to 1; none without attention.
    pub masks: Vec<Vec<f32>>,
}

impl Explanation {
    /// The photo with its class activation map; `opacity` is the share of the colours.
    pub fn overlay(&self, opacity: f32) -> RgbImage {
        overlay(&self.photo, &self.cam, self.cells, opacity)
    }

    /// The photo with each attention mask.
    pub fn mask_overlays(&self, opacity: f32) -> Vec<RgbImage> {
        self.masks.iter().map(|mask| overlay(&self.photo, mask, self.cells, opacity)).collect()
    }
}

/// The photo as the network sees it, with its feature map `[1, rows, columns, channels]`; `image` is its name.
pub(crate) fn seen(
    network: &GraphTrunk,
    preprocessing: &Preprocessing,
    (image, bytes): (&str, &[u8]),
) -> Result<(RgbImage, Tensor)> {
    let side = preprocessing.size;
    let pixels = prepare(bytes, preprocessing).map_err(|reason| Error::Image { image: image.to_owned(), reason })?;
    let map = network.map(&pixels, side as usize)?;
    Ok((RgbImage::from_raw(side, side, pixels).expect("a photo is prepared to this size"), map))
}

/// The logit `[photos]` of value `class` of a head, from maps by operations that have gradients.
pub(crate) fn logit(network: &GraphTrunk, head: &LinearHead, class: usize, map: &Tensor) -> Result<Tensor> {
    Ok(head.forward(&network.pool(map)?)?.narrow(1, class, 1)?.squeeze(1)?)
}

/// The masks of one photo's map, each its values row by row; none without attention.
pub(crate) fn masks(network: &GraphTrunk, map: &Tensor) -> Result<Vec<Vec<f32>>> {
    let Some(masks) = network.masks(map)? else { return Ok(Vec::new()) };
    Ok(masks.get(0)?.flatten_from(1)?.to_vec2()?)
}

/// What speaks for value `class` of a head.
pub(crate) fn explain(
    network: &GraphTrunk,
    head: &LinearHead,
    class: usize,
    (photo, map): (RgbImage, Tensor),
    method: Method,
) -> Result<Explanation> {
    let (_, rows, columns, _) = map.dims4()?;
    let cam = cam(&map, |map| logit(network, head, class, map), method)?.swap_remove(0);
    Ok(Explanation { photo, cells: (rows, columns), cam, masks: masks(network, &map)? })
}

/// The network of a run that is just over, for its report.
pub(crate) struct RunExplainer<'a> {
    pub dataset: &'a Dataset,
    pub preprocessing: Preprocessing,
    pub network: &'a GraphTrunk,
    pub heads: &'a [LinearHead],
}

impl Explainer for RunExplainer<'_> {
    fn map(&self, item: usize) -> Result<(RgbImage, Tensor)> {
        let item = &self.dataset.items[item];
        seen(self.network, &self.preprocessing, (&item.image, &self.dataset.bytes(item)?))
    }

    fn logit(&self, head: usize, class: usize, map: &Tensor) -> Result<Tensor> {
        logit(self.network, &self.heads[head], class, map)
    }

    fn masks(&self, map: &Tensor) -> Result<Vec<Vec<f32>>> {
        masks(self.network, map)
    }
}
