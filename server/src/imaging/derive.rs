//! The two smaller pictures of a photo: upright, flat, without metadata.

use bytes::Bytes;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image, images::ImageRef};
use image::{
    DynamicImage, GrayImage, ImageEncoder, RgbImage, RgbaImage, codecs::jpeg::JpegEncoder, metadata::Orientation,
};

use super::{
    decode::{Format, Header, PhotoError, decode},
    jpeg,
};

/// The web picture's longest side, in pixels.
pub const WEB_SIDE: u32 = 1600;
/// The thumbnail's longest side, in pixels.
pub const THUMBNAIL_SIDE: u32 = 256;
const WEB_QUALITY: u8 = 88;
const THUMBNAIL_QUALITY: u8 = 82;

/// A smaller picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derivative {
    /// The original itself will do: it is small enough, upright and has nothing to hide.
    Original,
    /// The web picture will do.
    Web,
    /// New bytes.
    Bytes(Bytes),
}

/// Both pictures of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// At most [`WEB_SIDE`] on the long side.
    pub web: Derivative,
    /// At most [`THUMBNAIL_SIDE`] on the long side.
    pub thumbnail: Derivative,
}

/// Decodes the whole photo (which shows whether it is sound) and makes its smaller pictures.
///
/// # Errors
/// The file is truncated or damaged.
pub fn derive(header: &Header, bytes: &[u8]) -> Result<Derived, PhotoError> {
    let upright = header.orientation == Orientation::NoTransforms;
    let long_side = header.width.max(header.height);
    let photo = decode(header.format, bytes)?;
    let as_it_is = (upright && long_side <= WEB_SIDE).then(|| as_it_is(header.format, bytes)).flatten();
    if let Some(web) = as_it_is {
        let thumbnail = if long_side <= THUMBNAIL_SIDE {
            Derivative::Web
        } else {
            let small = fit(flatten(photo), THUMBNAIL_SIDE);
            Derivative::Bytes(encode(&small, THUMBNAIL_QUALITY, header)?)
        };
        return Ok(Derived { web, thumbnail });
    }
    let web = turn(fit(flatten(photo), WEB_SIDE), header.orientation);
    let web_bytes = encode(&web, WEB_QUALITY, header)?;
    let thumbnail = if long_side <= THUMBNAIL_SIDE {
        Derivative::Web
    } else {
        Derivative::Bytes(encode(&fit(web.into(), THUMBNAIL_SIDE), THUMBNAIL_QUALITY, header)?)
    };
    Ok(Derived { web: Derivative::Bytes(web_bytes), thumbnail })
}

/// The photo's own pixels without its metadata, where its format lets them be had without encoding again.
fn as_it_is(format: Format, bytes: &[u8]) -> Option<Derivative> {
    match format {
        Format::Jpeg => Some(match jpeg::without_metadata(bytes)? {
            std::borrow::Cow::Borrowed(_) => Derivative::Original,
            std::borrow::Cow::Owned(bytes) => Derivative::Bytes(bytes.into()),
        }),
        // The simple file format: one chunk that fills the file, no room for metadata.
        Format::Webp => {
            let chunk = bytes.get(12..16)?;
            let length = u32::from_le_bytes(bytes.get(16..20)?.try_into().ok()?) as usize;
            let alone = 20 + length + length % 2 == bytes.len();
            ((chunk == b"VP8 " || chunk == b"VP8L") && alone).then_some(Derivative::Original)
        }
        Format::Png => None,
    }
}

/// Eight bits a channel, without transparency: what shines through is white. Grey, RGB and RGBA stay what they are, in
/// place: a large photo has no room for a second copy.
fn flatten(photo: DynamicImage) -> DynamicImage {
    match photo {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => photo,
        opaque if !opaque.color().has_alpha() => opaque.into_rgb8().into(),
        transparent => {
            let mut picture = transparent.into_rgba8();
            for pixel in picture.pixels_mut() {
                let alpha = u32::from(pixel.0[3]);
                for channel in &mut pixel.0[..3] {
                    *channel = ((u32::from(*channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
                }
                pixel.0[3] = 255;
            }
            picture.into()
        }
    }
}

/// The flat picture with its long side at most `side`, in proportion; a smaller one keeps its size.
fn fit(picture: DynamicImage, side: u32) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let long = width.max(height);
    if long <= side {
        return picture.into_rgb8();
    }
    let scaled =
        |length: u32| ((u64::from(length) * u64::from(side) + u64::from(long) / 2) / u64::from(long)).max(1) as u32;
    let (to_width, to_height) = (scaled(width), scaled(height));
    let kind = match picture {
        DynamicImage::ImageLuma8(_) => PixelType::U8,
        DynamicImage::ImageRgba8(_) => PixelType::U8x4,
        _ => PixelType::U8x3,
    };
    let source = ImageRef::new(width, height, picture.as_bytes(), kind).expect("a flat picture");
    let mut target = Image::new(to_width, to_height, kind);
    // Nothing shines through any more, so alpha needs no care.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).expect("both pictures have the same pixels");
    let bytes = target.into_vec();
    let small = match kind {
        PixelType::U8 => GrayImage::from_raw(to_width, to_height, bytes).map(DynamicImage::from),
        PixelType::U8x4 => RgbaImage::from_raw(to_width, to_height, bytes).map(DynamicImage::from),
        _ => RgbImage::from_raw(to_width, to_height, bytes).map(DynamicImage::from),
    };
    small.expect("as many bytes as pixels need").into_rgb8()
}

fn turn(picture: RgbImage, orientation: Orientation) -> RgbImage {
    let mut picture = DynamicImage::from(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

fn encode(picture: &RgbImage, quality: u8, header: &Header) -> Result<Bytes, PhotoError> {
    let damaged = |error: image::ImageError| PhotoError::Damaged(error.to_string());
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(profile) = &header.profile {
        // Colours stay what they were: the numbers mean them in this profile.
        encoder.set_icc_profile(profile.clone()).map_err(|error| PhotoError::Damaged(error.to_string()))?;
    }
    let (width, height) = picture.dimensions();
    encoder.write_image(picture.as_raw(), width, height, image::ExtendedColorType::Rgb8).map_err(damaged)?;
    Ok(bytes.into())
}
