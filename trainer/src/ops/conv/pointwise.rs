//! 1x1 convolutions: matrix products over pixels, a block that fits the second-level cache at a time.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::{
    super::{
        Buffer, BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, PartSums, Reader, Writer},
        elementwise::Inference,
        matrix::multiply,
        parts,
    },
    ConvKernel, Epilogue, Geometry,
};

/// Floats of a block's input and output: together well below a second-level cache.
const BLOCK_VALUES: usize = 96 * 1024;

/// A 1x1 convolution of any stride.
///
/// Units of work are output pixels; with a stride, rows of output pixels, which own all the input rows up to the next one's.
#[derive(Debug, Clone, Copy)]
pub struct Pointwise {
    geometry: Geometry,
}

impl Pointwise {
    /// For maps of this size.
    ///
    /// # Panics
    /// Where the window is larger than 1, there are groups, or padding.
    pub fn new(geometry: Geometry) -> Self {
        let spec = geometry.spec;
        assert!(spec.kernel == 1 && spec.groups == 1, "a 1x1 convolution without groups, not {spec:?}");
        assert!(geometry.pad_top == 0 && geometry.pad_left == 0, "no padding, not {spec:?}");
        Self { geometry }
    }

    fn is_strided(&self) -> bool {
        self.geometry.spec.stride > 1
    }

    fn units(&self) -> usize {
        self.geometry.out_pixels() / self.unit()
    }

    /// Output pixels of a unit.
    fn unit(&self) -> usize {
        if self.is_strided() { self.geometry.out_columns } else { 1 }
    }

    /// Units of a block.
    fn block(&self) -> usize {
        let spec = self.geometry.spec;
        let pixels = BLOCK_VALUES / (spec.inputs + spec.outputs);
        // Many output rows a product, where weights are large: each product reads them all once.
        (pixels.clamp(96, 1024) / self.unit()).max(1)
    }

    /// The output pixels of units.
    fn outputs(&self, units: &Range<usize>) -> Range<usize> {
        units.start * self.unit()..units.end * self.unit()
    }

    /// The input pixels that units own.
    fn inputs(&self, units: &Range<usize>) -> Range<usize> {
        self.first_input(units.start)..self.first_input(units.end)
    }

    fn first_input(&self, unit: usize) -> usize {
        if !self.is_strided() {
            return unit;
        }
        let Geometry { spec, rows, columns, out_rows, .. } = self.geometry;
        let (image, row) = (unit / out_rows, unit % out_rows);
        (image * rows + (row * spec.stride).min(rows)) * columns
    }

    /// The pixels that units read.
    fn read<'b, 'a: 'b>(&self, reader: &Reader<'a>, units: &Range<usize>, scratch: &'b mut [f32]) -> &'b [f32] {
        if !self.is_strided() {
            return reader.view(units.clone(), scratch);
        }
        let Geometry { spec, out_columns, .. } = self.geometry;
        let out = &mut scratch[..units.len() * out_columns * spec.inputs];
        for (row, unit) in out.chunks_exact_mut(out_columns * spec.inputs).zip(units.clone()) {
            let first = self.first_input(unit);
            for (column, pixel) in row.chunks_exact_mut(spec.inputs).enumerate() {
                let at = first + column * spec.stride;
                reader.read(at..at + 1, pixel);
            }
        }
        out
    }

    /// Computes all outputs in parts; `finish` gets the first pixel and the values of each block.
    fn run<T: Send>(
        &self,
        x: Source<'_>,
        weight: &[f32],
        y: &mut [f32],
        pool: &BufferPool,
        start: impl Fn() -> T + Sync,
        finish: impl Fn(&mut T, usize, &mut [f32]) + Sync,
    ) -> Vec<T> {
        let (spec, block) = (self.geometry.spec, self.block());
        assert_eq!(y.len(), self.geometry.out_pixels() * spec.outputs);
        assert_eq!(weight.len(), spec.inputs * spec.outputs);
        let reader = Reader::new(x, spec.inputs);
        let mut transposed = pool.take(weight.len());
        for (o, row) in weight.chunks_exact(spec.inputs).enumerate() {
            row.iter().enumerate().for_each(|(i, value)| transposed[i * spec.outputs + o] = *value);
        }
        let ranges = parts::ranges(self.units(), block, 32);
        let lens = ranges.iter().map(|units| self.outputs(units).len() * spec.outputs);
        let pieces = parts::split(y, lens);
        ranges
            .into_par_iter()
            .zip(pieces)
            .map(|(units, mut piece)| {
                let mut state = start();
                let mut scratch = self.scratch(pool, x.is_plain(), block, spec.inputs);
                for units in parts::blocks(units, block) {
                    let pixels = self.outputs(&units);
                    let (values, rest) = piece.split_at_mut(pixels.len() * spec.outputs);
                    let input = self.read(&reader, &units, &mut scratch);
                    let shape = [pixels.len(), spec.outputs, spec.inputs];
                    multiply(shape, (input, spec.inputs, 1), &transposed, values, false);
                    finish(&mut state, pixels.start, values);
                    piece = rest;
                }
                state
            })
            .collect()
    }

    /// Room for the pixels of a block, where they are not read in place.
    fn scratch(&self, pool: &BufferPool, in_place: bool, block: usize, channels: usize) -> Buffer {
        let needed = if in_place && !self.is_strided() { 0 } else { block * self.unit() * channels };
        pool.take(needed)
    }
}

impl ConvKernel for Pointwise {
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool) {
        let outputs = self.geometry.spec.outputs;
        let start = || sums.is_some().then(|| PartSums::new(outputs));
        let done = self.run(x, weight, y, pool, start, |sums, _, values| {
            if let Some(sums) = sums {
                sums.add(values);
            }
        });
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(outputs, done.into_iter().flatten());
        }
    }

    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool) {
        let inference = Inference::new(epilogue);
        self.run(x, weight, y, pool, || (), |(), first, values| inference.apply(Arch::new(), first, values));
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
        let spec = self.geometry.spec;
        let count = spec.inputs * spec.outputs;
        assert_eq!(weight.len(), count);
        // Each part has its own sum of weight gradients.
        let most = if count <= 1 << 16 { 32 } else { 8 };
        let ranges = parts::ranges(self.units(), self.block(), most);
        let (writer, values, sums) = match dx.map(|sink| sink.split(spec.inputs)) {
            Some((writer, values, sums)) => (Some(writer), values, sums),
            None => (None, &mut [][..], None),
        };
        let pass = Backward {
            op: self,
            weight,
            x: Reader::new(x, spec.inputs),
            dy: GradReader::new(dy, spec.outputs),
            dx: writer,
            with_sums: sums.is_some(),
            with_weights: dw.is_some(),
            pool,
            plain: (x.is_plain(), dy.norm.is_none()),
        };
        let owned = |units: &Range<usize>| if pass.dx.is_some() { self.inputs(units).len() * spec.inputs } else { 0 };
        let pieces = parts::split(values, ranges.iter().map(owned));
        let (weights, done): (Vec<_>, Vec<_>) =
            ranges.into_par_iter().zip(pieces).map(|(units, into)| pass.part(units, into)).unzip();
        if let Some(dw) = dw {
            assert_eq!(dw.len(), count);
            parts::sum_into(&weights.into_iter().flatten().collect::<Vec<_>>(), dw);
        }
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(spec.inputs, done.into_iter().flatten());
        }
    }
}

/// Both gradients in one sweep.
struct Backward<'a> {
    op: &'a Pointwise,
    weight: &'a [f32],
    x: Reader<'a>,
    dy: GradReader<'a>,
    dx: Option<Writer<'a>>,
    with_sums: bool,
    with_weights: bool,
    pool: &'a BufferPool,
    /// Whether x and dy are read in place.
    plain: (bool, bool),
}

impl Backward<'_> {
    fn part(&self, units: Range<usize>, mut into: &mut [f32]) -> (Option<Buffer>, Option<PartSums>) {
        let (op, spec, block) = (self.op, self.op.geometry.spec, self.op.block());
        let (inputs, outputs) = (spec.inputs, spec.outputs);
        let mut sums = self.with_sums.then(|| PartSums::new(inputs));
        let mut weights = self.with_weights.then(|| self.pool.take(inputs * outputs));
        let mut read = op.scratch(self.pool, self.plain.0, block, inputs);
        let mut gradient = self.pool.take(if self.plain.1 { 0 } else { block * op.unit() * outputs });
        let direct = self.dx.as_ref().is_some_and(|dx| dx.is_in_place()) && !op.is_strided();
        let room = if self.dx.is_none() || direct { 0 } else { block * op.unit() * inputs };
        let mut product = self.pool.take(room);
        let mut spread = self.pool.take(if op.is_strided() { room * spec.stride * spec.stride } else { 0 });
        let mut first = true;
        for units in parts::blocks(units, block) {
            let pixels = op.outputs(&units);
            let count = pixels.len();
            let dy = self.dy.view(pixels, &mut gradient);
            if let Some(weights) = &mut weights {
                let x = op.read(&self.x, &units, &mut read);
                multiply([outputs, inputs, count], (dy, 1, outputs), x, weights, !first);
            }
            first = false;
            let Some(dx) = &self.dx else { continue };
            let owned = op.inputs(&units);
            let (values, rest) = into.split_at_mut(owned.len() * inputs);
            into = rest;
            let shape = [count, inputs, outputs];
            if direct {
                multiply(shape, (dy, outputs, 1), self.weight, values, false);
                dx.finish(owned.start, values, sums.as_mut());
                continue;
            }
            let product = &mut product[..count * inputs];
            multiply(shape, (dy, outputs, 1), self.weight, product, false);
            if op.is_strided() {
                let spread = &mut spread[..owned.len() * inputs];
                spread_out(op, &units, product, spread);
                dx.write(owned.start, spread, values, sums.as_mut());
            } else {
                dx.write(owned.start, product, values, sums.as_mut());
            }
        }
        (weights, sums)
    }
}

/// Puts the gradients of the pixels that were read among zeros for those that were not.
fn spread_out(op: &Pointwise, units: &Range<usize>, product: &[f32], spread: &mut [f32]) {
    let Geometry { spec, out_columns, .. } = op.geometry;
    spread.fill(0.0);
    let start = op.first_input(units.start);
    for (row, unit) in product.chunks_exact(out_columns * spec.inputs).zip(units.clone()) {
        let first = op.first_input(unit) - start;
        for (column, pixel) in row.chunks_exact(spec.inputs).enumerate() {
            let at = (first + column * spec.stride) * spec.inputs;
            spread[at..at + spec.inputs].copy_from_slice(pixel);
        }
    }
}
