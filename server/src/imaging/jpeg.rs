//! The frame of a JPEG file (ITU-T T.81, annex B): enough to tell its end and to leave its metadata out without
//! touching a pixel.

use std::borrow::Cow;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

/// One part of the file.
enum Part<'a> {
    /// A marker segment with its marker's second byte, whole (marker and length included).
    Segment(u8, &'a [u8]),
    /// Compressed data between an SOS segment and the next marker.
    Scan(&'a [u8]),
    /// The end marker; what follows it is no part of the picture.
    End,
}

/// Walks over the parts; ends early where the file does.
struct Parts<'a> {
    bytes: &'a [u8],
    at: usize,
    in_scan: bool,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(&[0xFF, SOI]).then_some(Self { bytes, at: 2, in_scan: false })
    }

    fn scan(&mut self) -> Option<Part<'a>> {
        self.in_scan = false;
        let start = self.at;
        let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF | 0xD0..=0xD7);
        let length = self.bytes[start..].windows(2).position(is_marker)?;
        self.at += length;
        Some(Part::Scan(&self.bytes[start..self.at]))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.in_scan {
            return self.scan();
        }
        // Any number of 0xFF may fill the gap before a marker.
        while self.bytes.get(self.at) == Some(&0xFF) && self.bytes.get(self.at + 1) == Some(&0xFF) {
            self.at += 1;
        }
        let start = self.at;
        let head = self.bytes.get(start..start + 2)?;
        if head[0] != 0xFF {
            return None;
        }
        if head[1] == EOI {
            self.at = self.bytes.len();
            return Some(Part::End);
        }
        let length = self.bytes.get(start + 2..start + 4)?;
        let end = start + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        let segment = self.bytes.get(start..end)?;
        self.at = end;
        self.in_scan = head[1] == SOS;
        Some(Part::Segment(head[1], segment))
    }
}

/// Whether the file goes on to its end marker.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    Parts::new(bytes).is_some_and(|mut parts| parts.any(|part| matches!(part, Part::End)))
}

/// Whether the picture comes in several scans over the same pixels.
pub(super) fn is_progressive(bytes: &[u8]) -> bool {
    let mut parts = Parts::new(bytes).into_iter().flatten();
    parts.any(|part| matches!(part, Part::Segment(0xC2 | 0xC6 | 0xCA | 0xCE, _)))
}

/// The same picture, bit for bit, without EXIF, XMP, IPTC, comments and anything behind its end; what decides its
/// colours (JFIF, Adobe, ICC) stays. `None` if the file's frame is broken.
pub(super) fn without_metadata(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend([0xFF, SOI]);
    for part in Parts::new(bytes)? {
        match part {
            Part::Segment(marker, segment) if is_kept(marker, segment) => kept.extend(segment),
            Part::Segment(..) => {}
            Part::Scan(data) => kept.extend(data),
            Part::End => {
                kept.extend([0xFF, EOI]);
                return Some(if kept == bytes { Cow::Borrowed(bytes) } else { Cow::Owned(kept) });
            }
        }
    }
    None
}

fn is_kept(marker: u8, segment: &[u8]) -> bool {
    let content = &segment[4..];
    match marker {
        // JFIF, but not its extension with a thumbnail, which may show what was cropped away.
        0xE0 => content.starts_with(b"JFIF\0") && content.len() <= 14,
        0xE2 => content.starts_with(b"ICC_PROFILE\0"),
        0xEE => content.starts_with(b"Adobe"),
        0xE1..=0xEF | 0xFE => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::*;

    fn photo() -> Vec<u8> {
        let image = RgbImage::from_fn(40, 24, |x, y| image::Rgb([x as u8 * 6, y as u8 * 10, 90]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_cut_of_a_photo_is_incomplete() {
        let photo = photo();
        assert!(is_complete(&photo));
        for cut in [2, 20, photo.len() / 2, photo.len() - 1] {
            assert!(!is_complete(&photo[..cut]), "{cut}");
        }
    }

    #[test]
    fn metadata_goes_and_the_picture_stays_bit_for_bit() {
        let photo = photo();
        assert!(matches!(without_metadata(&photo), Some(Cow::Borrowed(_))));
        let mut marked = photo[..2].to_vec();
        marked.extend(b"\xFF\xE1\x00\x10Exif\0\0GPS-here");
        marked.extend(b"\xFF\xFE\x00\x08secret");
        marked.extend(&photo[2..]);
        marked.extend(b"trailing film");
        assert!(is_complete(&marked));
        assert_eq!(without_metadata(&marked).unwrap(), photo);
    }
}
