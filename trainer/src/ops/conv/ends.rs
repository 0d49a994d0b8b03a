//! The two ends of a convolution: bands of a map that are read, and pixels that are finished while they are in the cache.

use std::ops::Range;

use pulp::Arch;

use super::{
    super::{
        ChannelSums, GradSink,
        access::{GradReader, PartSums, Reader, Writer},
        elementwise::Inference,
        lanes::period,
    },
    Epilogue,
    scratch::Shared,
};

/// A map as it is read.
pub(super) trait MapReader: Sync {
    /// Reads whole pixels.
    fn read_pixels(&self, pixels: Range<usize>, out: &mut [f32]);
}

impl MapReader for Reader<'_> {
    fn read_pixels(&self, pixels: Range<usize>, out: &mut [f32]) {
        self.read(pixels, out);
    }
}

impl MapReader for GradReader<'_> {
    fn read_pixels(&self, pixels: Range<usize>, out: &mut [f32]) {
        self.read(pixels, out);
    }
}

/// Size of a map, and of the band of it that is read: zeros where the band is larger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    /// Rows of the map.
    pub(super) rows: usize,
    /// Columns of the map.
    pub(super) columns: usize,
    pub(super) channels: usize,
    /// Rows of the band.
    pub(super) band_rows: usize,
    /// Columns of the band.
    pub(super) band_columns: usize,
    /// Columns of zeros before the map's.
    pub(super) left: usize,
}

impl Band {
    /// Values of the band.
    pub(super) fn len(&self) -> usize {
        self.band_rows * self.band_columns * self.channels
    }

    /// Reads the band that begins at row `top` (which may be above the map) of an image.
    pub(super) fn read(&self, reader: &impl MapReader, image: usize, top: isize, band: &mut [f32]) {
        let there = self.columns.min(self.band_columns - self.left);
        let (from, to) = (self.left * self.channels, (self.left + there) * self.channels);
        for (i, row) in band.chunks_exact_mut(self.band_columns * self.channels).take(self.band_rows).enumerate() {
            let at = top + i as isize;
            if at < 0 || at >= self.rows as isize {
                row.fill(0.0);
                continue;
            }
            let pixel = (image * self.rows + at as usize) * self.columns;
            row[..from].fill(0.0);
            reader.read_pixels(pixel..pixel + there, &mut row[from..to]);
            row[to..].fill(0.0);
        }
    }
}

/// Where a convolution's values go.
pub(super) struct Output<'a> {
    pub(super) finish: Finish<'a>,
    pub(super) map: &'a mut [f32],
    pub(super) sums: Option<&'a mut ChannelSums>,
}

impl<'a> Output<'a> {
    /// To an input gradient's sink.
    pub(super) fn gradient(arch: Arch, sink: GradSink<'a>, channels: usize) -> Self {
        let writer = Writer::with_arch(arch, sink.input, sink.accumulate, channels);
        Self { finish: Finish::Gradient(writer), map: sink.values, sums: sink.sums }
    }

    /// Sets the sums, where they are asked for, from those of the parts in their order.
    pub(super) fn reduce(self, channels: usize, parts: Vec<Option<PartSums>>) {
        if let Some(sums) = self.sums {
            *sums = ChannelSums::reduce(channels, parts.into_iter().flatten());
        }
    }
}

/// What is done to values as they are written.
pub(super) enum Finish<'a> {
    /// Nothing.
    Raw,
    /// Inference.
    Infer(Inference<'a>),
    /// An input gradient goes to its sink.
    Gradient(Writer<'a>),
}

impl<'a> Finish<'a> {
    pub(super) fn infer(epilogue: Epilogue<'a>) -> Self {
        Self::Infer(Inference::new(epilogue))
    }

    /// Whether values are computed in their final place; otherwise [`Finish::apply`] moves them.
    pub(super) fn is_in_place(&self) -> bool {
        match self {
            Self::Raw | Self::Infer(_) => true,
            Self::Gradient(writer) => writer.is_in_place(),
        }
    }

    /// Finishes whole pixels from `first` on.
    ///
    /// # Safety
    /// Where it is not in place, `map` has these pixels and no other task uses them meanwhile.
    pub(super) unsafe fn apply(
        &self,
        arch: Arch,
        first: usize,
        channels: usize,
        values: &mut [f32],
        map: Shared,
        sums: Option<&mut PartSums>,
    ) {
        match self {
            Self::Raw => {
                if let Some(sums) = sums {
                    sums.add(values);
                }
            }
            Self::Infer(inference) => inference.apply(arch, first, values),
            Self::Gradient(writer) if writer.is_in_place() => writer.finish(first, values, sums),
            Self::Gradient(writer) => {
                // SAFETY: the caller's.
                let into = unsafe { map.slice(first * channels, values.len()) };
                writer.write(first, values, into, sums);
            }
        }
    }
}

/// Room for sums of whole-map values, if they are asked for.
pub(super) fn part_sums(wanted: bool, arch: Arch, channels: usize) -> Option<PartSums> {
    debug_assert!(period(channels) >= channels);
    wanted.then(|| PartSums::with_arch(arch, channels))
}
