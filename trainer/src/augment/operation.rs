//! The operations that policies choose from.

use image::RgbImage;

use super::{colour, geometry, tone};

/// What lies outside the photo after a shift, shear or turn: torchvision's default.
const OUTSIDE: [u8; 3] = [0; 3];

/// One operation; what its magnitude means is torchvision's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Nothing.
    Identity,
    /// Horizontal shear; the magnitude is the tangent.
    ShearX,
    /// Vertical shear; the magnitude is the tangent.
    ShearY,
    /// To the right, by whole pixels.
    TranslateX,
    /// Down, by whole pixels.
    TranslateY,
    /// Counter-clockwise about the centre, in degrees.
    Rotate,
    /// Factor 1 + magnitude of every byte.
    Brightness,
    /// Factor 1 + magnitude of the distance from grey.
    Color,
    /// Factor 1 + magnitude of the distance from the mean grey.
    Contrast,
    /// Factor 1 + magnitude of the distance from a softened photo.
    Sharpness,
    /// Highest bits kept.
    Posterize,
    /// Bytes from 255 x magnitude on are inverted.
    Solarize,
    /// Every channel stretched to the full range.
    AutoContrast,
    /// Every channel's histogram levelled.
    Equalize,
    /// The negative.
    Invert,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 15] = [
        Self::Identity,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
        Self::Brightness,
        Self::Color,
        Self::Contrast,
        Self::Sharpness,
        Self::Posterize,
        Self::Solarize,
        Self::AutoContrast,
        Self::Equalize,
        Self::Invert,
    ];

    /// The name that torchvision's tables use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::ShearX => "ShearX",
            Self::ShearY => "ShearY",
            Self::TranslateX => "TranslateX",
            Self::TranslateY => "TranslateY",
            Self::Rotate => "Rotate",
            Self::Brightness => "Brightness",
            Self::Color => "Color",
            Self::Contrast => "Contrast",
            Self::Sharpness => "Sharpness",
            Self::Posterize => "Posterize",
            Self::Solarize => "Solarize",
            Self::AutoContrast => "AutoContrast",
            Self::Equalize => "Equalize",
            Self::Invert => "Invert",
        }
    }

    /// The photo after the operation. Operations without a magnitude ignore it.
    pub fn apply(self, mut photo: RgbImage, magnitude: f64) -> RgbImage {
        match self {
            Self::Identity => {}
            Self::ShearX => return geometry::shear_x(&photo, magnitude, OUTSIDE),
            Self::ShearY => return geometry::shear_y(&photo, magnitude, OUTSIDE),
            Self::TranslateX => return geometry::translate(&photo, magnitude as i64, 0, OUTSIDE),
            Self::TranslateY => return geometry::translate(&photo, 0, magnitude as i64, OUTSIDE),
            Self::Rotate => return geometry::rotate(&photo, magnitude, OUTSIDE),
            Self::Sharpness => return colour::sharpness(&photo, 1.0 + magnitude),
            Self::Brightness => tone::brightness(&mut photo, 1.0 + magnitude),
            Self::Color => colour::saturation(&mut photo, 1.0 + magnitude),
            Self::Contrast => colour::contrast(&mut photo, 1.0 + magnitude),
            Self::Posterize => tone::posterize(&mut photo, magnitude as u32),
            Self::Solarize => tone::solarize(&mut photo, (255.0 * magnitude) as f32),
            Self::AutoContrast => tone::autocontrast(&mut photo),
            Self::Equalize => tone::equalize(&mut photo),
            Self::Invert => tone::invert(&mut photo),
        }
        photo
    }
}
