//! A sheet to draw charts on: rectangles, lines and letters of a font that is part of the program.

use std::io::Cursor;

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{ImageFormat, Rgb, RgbImage};

/// A colour.
pub(super) type Colour = [u8; 3];

pub(super) const WHITE: Colour = [255, 255, 255];
pub(super) const INK: Colour = [34, 34, 40];
pub(super) const PALE: Colour = [214, 216, 222];
pub(super) const BLUE: Colour = [31, 90, 165];
pub(super) const ORANGE: Colour = [214, 110, 18];

/// Side of a letter's cell, in pixels, at scale 1.
pub(super) const LETTER: i32 = 8;

/// A white picture to draw on; what lies outside is cut off.
pub(super) struct Canvas {
    image: RgbImage,
}

impl Canvas {
    pub(super) fn new(width: i32, height: i32) -> Self {
        Self { image: RgbImage::from_pixel(width.max(1) as u32, height.max(1) as u32, Rgb(WHITE)) }
    }

    fn dot(&mut self, x: i32, y: i32, colour: Colour) {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && let Some(pixel) = self.image.get_pixel_mut_checked(x, y)
        {
            *pixel = Rgb(colour);
        }
    }

    /// A full rectangle.
    pub(super) fn fill(&mut self, (x, y): (i32, i32), (width, height): (i32, i32), colour: Colour) {
        for row in y..y + height {
            (x..x + width).for_each(|column| self.dot(column, row, colour));
        }
    }

    /// The outline of a rectangle, one pixel wide, inside.
    pub(super) fn frame(&mut self, (x, y): (i32, i32), (width, height): (i32, i32), colour: Colour) {
        self.fill((x, y), (width, 1), colour);
        self.fill((x, y + height - 1), (width, 1), colour);
        self.fill((x, y), (1, height), colour);
        self.fill((x + width - 1, y), (1, height), colour);
    }

    /// A straight line of two pixels' width.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).ceil().max(1.0) as i32;
        for step in 0..=steps {
            let share = f64::from(step) / f64::from(steps);
            let (x, y) = ((from.0 + dx * share).round() as i32, (from.1 + dy * share).round() as i32);
            self.fill((x, y), (2, 2), colour);
        }
    }

    /// A text whose upper left corner is `(x, y)`.
    pub(super) fn text(&mut self, (x, y): (i32, i32), text: &str, scale: i32, colour: Colour) {
        let mut put = |column: i32, row: i32| {
            let corner = (x + column * scale, y + row * scale);
            self.fill(corner, (scale, scale), colour);
        };
        each_dot(text, &mut put);
    }

    /// A text that is read upwards and whose lower left corner (its first letter's) is `(x, y)`.
    pub(super) fn text_upwards(&mut self, (x, y): (i32, i32), text: &str, colour: Colour) {
        each_dot(text, &mut |column, row| self.dot(x + row, y - column, colour));
    }

    /// A picture whose upper left corner is `(x, y)`.
    pub(super) fn picture(&mut self, (x, y): (i32, i32), picture: &RgbImage) {
        for (column, row, pixel) in picture.enumerate_pixels() {
            self.dot(x + column as i32, y + row as i32, pixel.0);
        }
    }

    /// The sheet as a PNG file.
    pub(super) fn png(&self) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        self.image.write_to(&mut bytes, ImageFormat::Png).expect("a PNG can be written to memory");
        bytes.into_inner()
    }

    #[cfg(test)]
    pub(super) fn image(&self) -> &RgbImage {
        &self.image
    }
}

/// Width of a text at scale 1.
pub(super) fn width_of(text: &str) -> i32 {
    text.chars().count() as i32 * LETTER
}

/// At most `letters` letters; a longer text ends in two dots.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(2)).chain("..".chars()).collect()
}

/// Calls `put` with column and row of every dot of the text's letters; letters that the font lacks become a question mark.
fn each_dot(text: &str, put: &mut dyn FnMut(i32, i32)) {
    for (at, letter) in text.chars().enumerate() {
        let known = BASIC_FONTS.get(letter).or_else(|| LATIN_FONTS.get(letter)).or_else(|| BASIC_FONTS.get('?'));
        for (row, bits) in known.unwrap_or_default().into_iter().enumerate() {
            for column in (0..LETTER).filter(|column| bits >> column & 1 == 1) {
                put(at as i32 * LETTER + column, row as i32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark(canvas: &Canvas) -> Vec<(u32, u32)> {
        let pixels = canvas.image().enumerate_pixels();
        pixels.filter(|(_, _, pixel)| pixel.0 != WHITE).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_letter_looks_like_itself_and_stands_upright_when_turned() {
        let (mut level, mut upright) = (Canvas::new(8, 8), Canvas::new(8, 8));
        level.text((0, 0), "L", 1, INK);
        upright.text_upwards((0, 7), "L", INK);
        // L: a stem on the left, a foot at the bottom right; turned: a stem at the bottom, a foot at the right.
        let rows = |canvas: &Canvas, y: u32| dark(canvas).into_iter().filter(|at| at.1 == y).count();
        assert!(rows(&level, 6) > rows(&level, 2), "{:?}", dark(&level));
        let turned: Vec<_> = dark(&level).into_iter().map(|(x, y)| (y, 7 - x)).collect();
        let (mut turned, mut found) = (turned, dark(&upright));
        turned.sort_unstable();
        found.sort_unstable();
        assert_eq!(turned, found);
        let mut unknown = Canvas::new(8, 8);
        unknown.text((0, 0), "毛", 1, INK);
        let mut mark = Canvas::new(8, 8);
        mark.text((0, 0), "?", 1, INK);
        assert_eq!(dark(&unknown), dark(&mark));
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(4, 4);
        canvas.fill((-3, -3), (5, 5), BLUE);
        canvas.line((2.0, 2.0), (90.0, 90.0), INK);
        canvas.text((-100, 2), "far", 3, INK);
        assert!(dark(&canvas).contains(&(1, 1)) && dark(&canvas).contains(&(3, 3)));
        assert_eq!(image::load_from_memory(&canvas.png()).unwrap().into_rgb8(), *canvas.image());
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(shortened("beagle", 6), "beagle");
        assert_eq!(shortened("american_bulldog", 8), "americ..");
    }
}
