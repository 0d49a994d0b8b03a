//! Depthwise convolutions: one filter a channel.
//!
//! A task walks down a band of an image and keeps the few rows that the window covers, as they are read (normalised and
//! activated), in a ring that stays in the second-level cache.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::{
    super::{
        Buffer, BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, PartSums, Reader, Writer},
        elementwise::Inference,
        parts,
    },
    ConvKernel, Epilogue, Geometry,
    depthwise_rows::{Forward, InputGradient, WeightGradient},
};

/// A depthwise convolution: window 3, 5 or 7, stride 1 or 2.
#[derive(Debug, Clone, Copy)]
pub struct Depthwise {
    geometry: Geometry,
    arch: Arch,
}

/// Calls `$method::<K, S, T>(...)` for the window and the stride; T S input columns are computed together.
macro_rules! by_window {
    ($self:ident . $method:ident ($($argument:expr),*)) => {
        match ($self.geometry.spec.kernel, $self.geometry.spec.stride) {
            (3, 1) => $self.$method::<3, 1, 4>($($argument),*),
            (3, 2) => $self.$method::<3, 2, 2>($($argument),*),
            (5, 1) => $self.$method::<5, 1, 4>($($argument),*),
            (5, 2) => $self.$method::<5, 2, 2>($($argument),*),
            (7, 1) => $self.$method::<7, 1, 4>($($argument),*),
            (7, 2) => $self.$method::<7, 2, 2>($($argument),*),
            _ => unreachable!("checked when the operation was made"),
        }
    };
}

/// The last rows of a map that were loaded: row `r` is in slot `r % slots`.
struct Ring {
    values: Buffer,
    slots: usize,
    width: usize,
    next: usize,
}

impl Ring {
    /// Zeros, so that what is never loaded (the padding of each row) stays zero.
    fn new(pool: &BufferPool, slots: usize, width: usize, first: usize) -> Self {
        let mut values = pool.take(slots * width);
        values.fill(0.0);
        Self { values, slots, width, next: first }
    }

    /// Loads the rows before `end` that are not there yet.
    fn load(&mut self, end: usize, mut row: impl FnMut(usize, &mut [f32])) {
        while self.next < end {
            let at = self.next % self.slots * self.width;
            row(self.next, &mut self.values[at..at + self.width]);
            self.next += 1;
        }
    }

    fn row(&self, row: usize) -> &[f32] {
        debug_assert!(row < self.next && row + self.slots >= self.next);
        let at = row % self.slots * self.width;
        &self.values[at..at + self.width]
    }
}

/// Output rows of one image.
#[derive(Debug, Clone)]
struct Band {
    image: usize,
    rows: Range<usize>,
}

impl Depthwise {
    /// For maps of this size.
    ///
    /// # Panics
    /// Where it is not depthwise, or window and stride are not one of 3, 5, 7 and 1, 2.
    pub fn new(geometry: Geometry) -> Self {
        Self::with_arch(Arch::new(), geometry)
    }

    /// With a chosen instruction set.
    ///
    /// # Panics
    /// As [`Depthwise::new`].
    pub fn with_arch(arch: Arch, geometry: Geometry) -> Self {
        let spec = geometry.spec;
        assert!(spec.groups == spec.inputs && spec.outputs == spec.inputs, "depthwise, not {spec:?}");
        assert!(matches!((spec.kernel, spec.stride), (3 | 5 | 7, 1 | 2)), "a window of 3, 5 or 7, not {spec:?}");
        assert!(geometry.pad_top < spec.kernel && geometry.pad_left < spec.kernel);
        Self { geometry, arch }
    }

    fn channels(&self) -> usize {
        self.geometry.spec.inputs
    }

    /// `[taps, channels]` from PyTorch's `[channels, 1, rows, columns]`.
    fn transpose(&self, weight: &[f32], pool: &BufferPool) -> Buffer {
        let (channels, taps) = (self.channels(), self.geometry.spec.kernel.pow(2));
        assert_eq!(weight.len(), channels * taps);
        let mut transposed = pool.take(weight.len());
        for (c, filter) in weight.chunks_exact(taps).enumerate() {
            filter.iter().enumerate().for_each(|(tap, value)| transposed[tap * channels + c] = *value);
        }
        transposed
    }

    /// Whole images where there are enough of them.
    fn bands(&self) -> Vec<Band> {
        let Geometry { images, out_rows, .. } = self.geometry;
        let step = out_rows.div_ceil(8usize.div_ceil(images.max(1))).max(1);
        let bands = |image| (0..out_rows).step_by(step).map(move |from| (image, from));
        let band = |(image, from)| Band { image, rows: from..(from + step).min(out_rows) };
        (0..images).flat_map(bands).map(band).collect()
    }

    /// Rows of the input that the window of an output row covers; above the map there are none.
    fn window(&self, row: usize) -> Range<usize> {
        let Geometry { spec, rows, pad_top, .. } = self.geometry;
        let from = row * spec.stride;
        from.saturating_sub(pad_top)..(from + spec.kernel).saturating_sub(pad_top).min(rows)
    }

    /// The window of an output row, `None` where it lies outside the map.
    fn rows<'b, const K: usize>(&self, ring: &'b Ring, row: usize) -> [Option<&'b [f32]>; K] {
        std::array::from_fn(|y| {
            let at = (row * self.geometry.spec.stride + y).checked_sub(self.geometry.pad_top)?;
            (at < self.geometry.rows).then(|| ring.row(at))
        })
    }

    /// The ring of input rows for a band.
    fn input_ring(&self, band: &Band, pool: &BufferPool) -> Ring {
        let Geometry { spec, out_columns, .. } = self.geometry;
        let width = ((out_columns - 1) * spec.stride + spec.kernel) * spec.inputs;
        Ring::new(pool, spec.kernel.max(spec.stride), width, self.window(band.rows.start).start)
    }

    /// Reads input rows up to those that an output row's window covers.
    fn load_input(&self, ring: &mut Ring, reader: &Reader<'_>, image: usize, row: usize) {
        let Geometry { spec, rows, columns, pad_left, .. } = self.geometry;
        let window = self.window(row);
        ring.next = ring.next.max(window.start);
        let there = columns.min(ring.width / spec.inputs - pad_left);
        ring.load(window.end, |row, values| {
            let pixel = (image * rows + row) * columns;
            let into = pad_left * spec.inputs..(pad_left + there) * spec.inputs;
            reader.read(pixel..pixel + there, &mut values[into]);
        });
    }

    /// Computes all output rows; `finish` gets the first pixel and the values of each.
    fn run<const K: usize, const S: usize, const T: usize, R: Send>(
        &self,
        x: Source<'_>,
        weight: &[f32],
        y: &mut [f32],
        pool: &BufferPool,
        (start, finish): (impl Fn() -> R + Sync, impl Fn(&mut R, usize, &mut [f32]) + Sync),
    ) -> Vec<R> {
        let (channels, bands) = (self.channels(), self.bands());
        let Geometry { out_rows, out_columns, .. } = self.geometry;
        assert_eq!(y.len(), self.geometry.out_pixels() * channels);
        let (weight, reader) = (self.transpose(weight, pool), Reader::with_arch(self.arch, x, channels));
        let pieces = parts::split(y, bands.iter().map(|band| band.rows.len() * out_columns * channels));
        bands
            .into_par_iter()
            .zip(pieces)
            .map(|(band, piece)| {
                let mut state = start();
                let mut ring = self.input_ring(&band, pool);
                for (row, output) in band.rows.clone().zip(piece.chunks_exact_mut(out_columns * channels)) {
                    self.load_input(&mut ring, &reader, band.image, row);
                    let rows = self.rows(&ring, row);
                    Forward::<K, S> { weight: &weight, rows, output: &mut *output, channels }.run(self.arch);
                    finish(&mut state, (band.image * out_rows + row) * out_columns, output);
                }
                state
            })
            .collect()
    }

    fn run_forward<const K: usize, const S: usize, const T: usize>(
        &self,
        x: Source<'_>,
        weight: &[f32],
        y: &mut [f32],
        sums: Option<&mut ChannelSums>,
        pool: &BufferPool,
    ) {
        let (arch, channels) = (self.arch, self.channels());
        let start = || sums.is_some().then(|| PartSums::with_arch(arch, channels));
        let finish = |sums: &mut Option<PartSums>, _: usize, values: &mut [f32]| {
            if let Some(sums) = sums {
                sums.add(values);
            }
        };
        let done = self.run::<K, S, T, _>(x, weight, y, pool, (start, finish));
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(channels, done.into_iter().flatten());
        }
    }

    fn run_infer<const K: usize, const S: usize, const T: usize>(
        &self,
        x: Source<'_>,
        weight: &[f32],
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        pool: &BufferPool,
    ) {
        let inference = Inference::new(epilogue);
        let finish = |(): &mut (), first: usize, values: &mut [f32]| inference.apply(self.arch, first, values);
        self.run::<K, S, T, _>(x, weight, y, pool, (|| (), finish));
    }

    fn run_backward<const K: usize, const S: usize, const T: usize>(
        &self,
        x: Source<'_>,
        weight: &[f32],
        dy: GradSource<'_>,
        dx: Option<GradSink<'_>>,
        dw: Option<&mut [f32]>,
        pool: &BufferPool,
    ) {
        let (channels, bands) = (self.channels(), self.bands());
        let (input, with_sums, values, sums) = match dx {
            Some(GradSink { values, accumulate, input, sums }) => {
                (Some(Writer::with_arch(self.arch, input, accumulate, channels)), sums.is_some(), values, sums)
            }
            None => (None, false, &mut [][..], None),
        };
        let pass = Backward {
            op: self,
            weight: self.transpose(weight, pool),
            x: Reader::with_arch(self.arch, x, channels),
            dy: GradReader::with_arch(self.arch, dy, channels),
            dx: input,
            with_sums,
            with_weights: dw.is_some(),
            pool,
        };
        let width = if pass.dx.is_some() { self.geometry.columns * channels } else { 0 };
        let pieces = parts::split(values, bands.iter().map(|band| self.owned(band).len() * width));
        let (weights, done): (Vec<_>, Vec<_>) =
            bands.into_par_iter().zip(pieces).map(|(band, into)| pass.band::<K, S, T>(&band, into)).unzip();
        if let Some(dw) = dw {
            let taps = K * K;
            let mut total = pool.take(taps * channels);
            parts::sum_into(&weights.into_iter().flatten().collect::<Vec<_>>(), &mut total);
            assert_eq!(dw.len(), total.len());
            for (c, filter) in dw.chunks_exact_mut(taps).enumerate() {
                filter.iter_mut().enumerate().for_each(|(tap, value)| *value = total[tap * channels + c]);
            }
        }
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(channels, done.into_iter().flatten());
        }
    }

    /// The input rows whose gradients a band writes.
    fn owned(&self, band: &Band) -> Range<usize> {
        let Geometry { spec, rows, out_rows, .. } = self.geometry;
        let end = if band.rows.end == out_rows { rows } else { (band.rows.end * spec.stride).min(rows) };
        (band.rows.start * spec.stride).min(rows)..end
    }
}

impl ConvKernel for Depthwise {
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool) {
        by_window!(self.run_forward(x, weight, y, sums, pool));
    }

    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool) {
        by_window!(self.run_infer(x, weight, epilogue, y, pool));
    }

    fn backward(
        &self,
        x: Source<'_>,
        weight: &[f32],
        dy: GradSource<'_>,
        dx: Option<GradSink<'_>>,
        dw: Option<&mut [f32]>,
        pool: &BufferPool,
    ) {
        by_window!(self.run_backward(x, weight, dy, dx, dw, pool));
    }
}

/// Both gradients in one sweep down a band.
struct Backward<'a> {
    op: &'a Depthwise,
    weight: Buffer,
    x: Reader<'a>,
    dy: GradReader<'a>,
    dx: Option<Writer<'a>>,
    with_sums: bool,
    with_weights: bool,
    pool: &'a BufferPool,
}

impl Backward<'_> {
    fn band<const K: usize, const S: usize, const T: usize>(
        &self,
        band: &Band,
        into: &mut [f32],
    ) -> (Option<Buffer>, Option<PartSums>) {
        let (op, channels) = (self.op, self.op.channels());
        let Geometry { rows, columns, out_rows, out_columns, pad_top, pad_left, .. } = op.geometry;
        let mut sums = self.with_sums.then(|| PartSums::with_arch(op.arch, channels));
        let mut weights = self.with_weights.then(|| self.pool.take(K * K * channels));
        weights.iter_mut().for_each(|weights| weights.fill(0.0));
        let mut input = op.input_ring(band, self.pool);
        // The first output row that reads the band's first input row; the rows of the band themselves come after it.
        let first = (band.rows.start * S + pad_top).saturating_sub(K - 1).div_ceil(S).min(band.rows.start);
        let width = InputGradient::<K, S, T>::row_columns(columns, pad_left) * channels;
        let mut gradient = Ring::new(self.pool, K + 2, width, first);
        let mut product = self.pool.take(columns * channels);
        let mut owned = op.owned(band).zip(into.chunks_exact_mut(columns * channels)).peekable();
        for row in band.rows.clone() {
            let last = row + 1 == band.rows.end;
            // Input rows that end with this output row's step; the last one takes what is left.
            let end = if last { rows } else { (row + 1) * S };
            let ahead = ((row * S + S - 1 + pad_top) / S).max(row);
            gradient.load((ahead + 1).min(out_rows), |row, values| {
                let pixel = (band.image * out_rows + row) * out_columns;
                let at = (K - 1) * channels..(K - 1 + out_columns) * channels;
                self.dy.read(pixel..pixel + out_columns, &mut values[at]);
            });
            if let Some(sums) = &mut weights {
                op.load_input(&mut input, &self.x, band.image, row);
                let gradient = &gradient.row(row)[(K - 1) * channels..(K - 1 + out_columns) * channels];
                let rows = op.rows(&input, row);
                WeightGradient::<K, S> { gradient, rows, sums, channels }.run(op.arch);
            }
            let Some(dx) = &self.dx else { continue };
            while let Some((row, values)) = owned.next_if(|(row, _)| *row < end) {
                let rows = std::array::from_fn(|y| {
                    let at = (row + pad_top).checked_sub(y).filter(|at| at.is_multiple_of(S))? / S;
                    (at < out_rows).then(|| gradient.row(at))
                });
                let pixel = (band.image * op.geometry.rows + row) * columns;
                let in_place = dx.is_in_place();
                let output = if in_place { &mut *values } else { &mut product[..] };
                InputGradient::<K, S, T> { weight: &self.weight, rows, output, channels, pad: pad_left }.run(op.arch);
                if in_place {
                    dx.finish(pixel, values, sums.as_mut());
                } else {
                    dx.write(pixel, &product, values, sums.as_mut());
                }
            }
        }
        (weights, sums)
    }
}
