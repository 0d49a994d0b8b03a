//! Reading a file: the header first, so that nothing is decoded whose size has not been looked at.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat,
    codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};

use super::jpeg;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 50 * 1024 * 1024;
/// The most pixels.
pub const MAX_PIXELS: u64 = 100_000_000;
/// The longest side, in pixels.
pub const MAX_SIDE: u32 = 30_000;
/// The most memory that decoding one photo may take, in bytes.
const MAX_DECODE_BYTES: u64 = 340 * 1024 * 1024;

/// Why a file is not taken in, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It has too many bytes.
    #[error("the file has {} MiB; at most {} are taken", .0 / 1024 / 1024, MAX_FILE_BYTES / 1024 / 1024)]
    TooManyBytes(u64),
    /// Its content is no photo at all.
    #[error("the content is no JPEG, PNG or WebP photo")]
    NotAPhoto,
    /// Its content is a picture in a format that is not read.
    #[error("the content is a {0} picture; JPEG, PNG and WebP are taken")]
    OtherFormat(&'static str),
    /// It has too many pixels.
    #[error(
        "{width} x {height} pixels: at most {MAX_SIDE} a side and {} megapixels are taken", MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Its pixels would take too much memory.
    #[error("{width} x {height} pixels in this encoding take too much memory to decode; save it as 8-bit baseline")]
    TooMuchMemory {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// It ends before the picture does.
    #[error("the file is truncated: it ends before the picture does")]
    Truncated,
    /// It is damaged.
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

impl Format {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// The format's name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
        }
    }

    /// The format that a file name's extension promises.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "jpe" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::Webp),
            _ => None,
        }
    }

    fn of(bytes: &[u8]) -> Result<Self, PhotoError> {
        match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Png) => Ok(Self::Png),
            Ok(ImageFormat::WebP) => Ok(Self::Webp),
            Ok(ImageFormat::Gif) => Err(PhotoError::OtherFormat("GIF")),
            Ok(ImageFormat::Tiff) => Err(PhotoError::OtherFormat("TIFF")),
            Ok(ImageFormat::Bmp) => Err(PhotoError::OtherFormat("BMP")),
            Ok(ImageFormat::Avif) => Err(PhotoError::OtherFormat("AVIF")),
            _ if is_heif(bytes) => Err(PhotoError::OtherFormat("HEIC")),
            _ => Err(PhotoError::NotAPhoto),
        }
    }
}

fn is_heif(bytes: &[u8]) -> bool {
    let brand = bytes.get(8..12);
    bytes.get(4..8) == Some(b"ftyp") && [b"heic", b"heix", b"mif1", b"heif"].iter().any(|b| brand == Some(&b[..]))
}

/// The media type that the first bytes of a file say it has, if it is one that is served.
pub fn media_type(first_bytes: &[u8]) -> Option<&'static str> {
    Format::of(first_bytes).ok().map(Format::media_type)
}

/// What a file's header says.
#[derive(Debug, Clone)]
pub struct Header {
    /// By content, whatever the name says.
    pub format: Format,
    /// Pixels across as stored, before the orientation.
    pub width: u32,
    /// Pixels down as stored, before the orientation.
    pub height: u32,
    /// How the picture is to be turned to stand upright.
    pub orientation: Orientation,
    /// The most memory that decoding and flattening it takes, in bytes.
    pub decode_bytes: u64,
    /// An RGB colour profile to keep.
    pub(super) profile: Option<Vec<u8>>,
}

impl Header {
    /// Width and height as shown.
    pub fn shown_size(&self) -> (u32, u32) {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (self.height, self.width),
            _ => (self.width, self.height),
        }
    }
}

/// Reads the header of a file and checks every limit, without decoding a pixel.
///
/// # Errors
/// The reason why the file cannot be taken.
pub fn inspect(bytes: &[u8]) -> Result<Header, PhotoError> {
    if bytes.is_empty() {
        return Err(PhotoError::Empty);
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(PhotoError::TooManyBytes(bytes.len() as u64));
    }
    let format = Format::of(bytes)?;
    // The JPEG decoder fills what is missing with grey and says nothing, so the end is looked for first.
    if format == Format::Jpeg && !jpeg::is_complete(bytes) {
        return Err(PhotoError::Truncated);
    }
    let mut decoder = decoder(format, bytes)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PhotoError::TooManyPixels { width, height });
    }
    let decode_bytes = decode_bytes(format, bytes, &*decoder);
    if decode_bytes > MAX_DECODE_BYTES {
        return Err(PhotoError::TooMuchMemory { width, height });
    }
    // A damaged EXIF block or profile is no reason to refuse a photo that decodes.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().filter(|profile| is_rgb_profile(profile));
    Ok(Header { format, width, height, orientation, decode_bytes, profile })
}

/// Decodes a file that [`inspect`] has let through.
///
/// # Errors
/// The file is truncated or damaged.
pub(super) fn decode(format: Format, bytes: &[u8]) -> Result<DynamicImage, PhotoError> {
    DynamicImage::from_decoder(decoder(format, bytes)?).map_err(photo_error)
}

fn decoder<'a>(format: Format, bytes: &'a [u8]) -> Result<Box<dyn ImageDecoder + 'a>, PhotoError> {
    let reader = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder + 'a> = match format {
        Format::Jpeg => Box::new(JpegDecoder::new(reader).map_err(photo_error)?),
        Format::Png => Box::new(PngDecoder::new(reader).map_err(photo_error)?),
        Format::Webp => Box::new(WebPDecoder::new(reader).map_err(photo_error)?),
    };
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    decoder.set_limits(limits).map_err(photo_error)?;
    Ok(decoder)
}

/// Decoded pixels, the copy that flattening to 8-bit RGB takes, and what the format's decoder keeps beside them.
fn decode_bytes(format: Format, bytes: &[u8], decoder: &dyn ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let as_it_is =
        matches!(decoder.color_type(), image::ColorType::Rgb8 | image::ColorType::L8 | image::ColorType::Rgba8);
    let flattening = if as_it_is { 0 } else { 4 * pixels };
    let beside = match format {
        // A progressive picture's coefficients are all kept, two bytes each, until the last scan.
        Format::Jpeg if jpeg::is_progressive(bytes) => 2 * 3 * pixels,
        Format::Jpeg => bytes.len() as u64,
        Format::Png => 0,
        Format::Webp => 2 * pixels,
    };
    decoder.total_bytes() + flattening + beside
}

/// Whether an ICC profile describes RGB (its header's bytes 16 to 19) and is small enough to repeat in each derivative.
fn is_rgb_profile(profile: &[u8]) -> bool {
    profile.len() <= 64 * 1024 && profile.get(16..20) == Some(b"RGB ")
}

fn photo_error(error: ImageError) -> PhotoError {
    let text = error.to_string();
    let ends_early = matches!(&error, ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof)
        || ["unexpected end", "eof", "exhausted"].iter().any(|sign| text.to_ascii_lowercase().contains(sign));
    if ends_early { PhotoError::Truncated } else { PhotoError::Damaged(text) }
}
