//! Elementwise operations on whole maps: reading a map for good, sums of maps, and what follows a convolution in inference.

use pulp::{Arch, Simd};
use rayon::prelude::*;

use super::{
    ChannelSums, GradSink, Source,
    access::{PartSums, Reader},
    conv::Epilogue,
    lanes::{Body, expand, load, period, store, walk},
    parts::part_pixels,
    vector_math::{Act, WithAct},
};

/// The map as it is read: `out = act(scale x + shift)`.
///
/// # Panics
/// Where `out` has another length than the map.
pub fn materialise(x: Source<'_>, channels: usize, out: &mut [f32]) {
    assert_eq!(x.values.len(), out.len());
    let (reader, part) = (Reader::new(x, channels), part_pixels(channels));
    out.par_chunks_mut(part * channels).enumerate().for_each(|(i, out)| {
        reader.read(i * part..i * part + out.len() / channels, out);
    });
}

/// `out = a + b`, each as it is read: the join of a residual branch.
///
/// # Panics
/// Where the maps differ in length.
pub fn add(a: Source<'_>, b: Source<'_>, channels: usize, out: &mut [f32]) {
    assert!(a.values.len() == out.len() && b.values.len() == out.len());
    let part = part_pixels(channels);
    let readers = [Reader::new(a, channels), Reader::new(b, channels)];
    // A few pixels at a time stay in the first-level cache.
    let step = (2048 / channels).max(1);
    out.par_chunks_mut(part * channels).enumerate().for_each(|(i, out)| {
        let mut scratch = vec![0.0; step * channels];
        for (j, out) in out.chunks_mut(step * channels).enumerate() {
            let first = i * part + j * step;
            let pixels = first..first + out.len() / channels;
            readers[0].read(pixels.clone(), out);
            add_to(readers[1].view(pixels, &mut scratch), out);
        }
    });
}

/// `into += x`.
fn add_to(x: &[f32], into: &mut [f32]) {
    assert_eq!(x.len(), into.len());
    let body = AddBody { x: x.as_ptr(), into: into.as_mut_ptr() };
    // SAFETY: both have the same length; there are no tables.
    unsafe { walk(Arch::new(), into.len(), period(1), body) };
}

struct AddBody {
    x: *const f32,
    into: *mut f32,
}

impl Body for AddBody {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, _table: usize, at: usize, stride: usize) {
        for at in (0..G).map(|g| at + g * stride) {
            // SAFETY: the caller's.
            unsafe {
                let sum = simd.add_f32s(load::<S>(self.into, at), load::<S>(self.x, at));
                store::<S>(self.into, at, sum);
            }
        }
    }
}

/// Writes a gradient that is there already (one that another operation hands on) through a sink.
///
/// # Panics
/// Where the lengths disagree.
pub fn store_gradient(gradient: &[f32], channels: usize, sink: GradSink<'_>) {
    assert_eq!(gradient.len(), sink.values.len());
    let part = part_pixels(channels);
    write_parts(sink, channels, part, |pixels, out| {
        out.copy_from_slice(&gradient[pixels.start * channels..pixels.end * channels]);
    });
}

/// Writes a gradient that is computed a few pixels at a time through a sink; parts of `part` pixels.
pub(crate) fn write_parts(
    sink: GradSink<'_>,
    channels: usize,
    part: usize,
    compute: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) {
    let step = (4096 / channels).max(1);
    let (writer, values, sums) = sink.split(channels);
    let done: Vec<_> = values
        .par_chunks_mut(part * channels)
        .enumerate()
        .map(|(i, values)| {
            let mut part_sums = sums.is_some().then(|| PartSums::new(channels));
            let mut scratch = vec![0.0; step * channels];
            for (j, values) in values.chunks_mut(step * channels).enumerate() {
                let first = i * part + j * step;
                let scratch = &mut scratch[..values.len()];
                compute(first..first + values.len() / channels, scratch);
                writer.write(first, scratch, values, part_sums.as_mut());
            }
            part_sums
        })
        .collect();
    if let Some(sums) = sums {
        *sums = ChannelSums::reduce(channels, done.into_iter().flatten());
    }
}

/// Sums of `x` and of `x y` per channel.
///
/// # Panics
/// Where the maps differ in length.
pub fn product_sums(x: &[f32], y: &[f32], channels: usize) -> ChannelSums {
    let part = part_pixels(channels) * channels;
    let parts: Vec<_> = x
        .par_chunks(part)
        .zip_eq(y.par_chunks(part))
        .map(|(x, y)| {
            let mut sums = PartSums::new(channels);
            sums.add_products(x, y);
            sums
        })
        .collect();
    ChannelSums::reduce(channels, parts)
}

/// An [`Epilogue`] with its tables.
pub(crate) struct Inference<'a> {
    epilogue: Epilogue<'a>,
    bias: Vec<f32>,
}

impl<'a> Inference<'a> {
    pub(crate) fn new(epilogue: Epilogue<'a>) -> Self {
        Self { epilogue, bias: expand(epilogue.bias) }
    }

    /// Applies it to the pixels from `first` on.
    pub(crate) fn apply(&self, arch: Arch, first: usize, values: &mut [f32]) {
        let from = first * self.epilogue.bias.len();
        let residual = self.epilogue.residual.map(|map| &map[from..from + values.len()]);
        self.epilogue.activation.dispatch(Pending { arch, bias: &self.bias, residual, values });
    }
}

struct Pending<'a> {
    arch: Arch,
    bias: &'a [f32],
    residual: Option<&'a [f32]>,
    values: &'a mut [f32],
}

impl WithAct for Pending<'_> {
    type Output = ();

    fn with_act<A: Act>(self, act: A) {
        let (len, period) = (self.values.len(), self.bias.len());
        let (values, bias) = (self.values.as_mut_ptr(), self.bias.as_ptr());
        // SAFETY: values and residual have the same length, the bias the period's.
        unsafe {
            match self.residual {
                None => walk(self.arch, len, period, Finish::<_, false> { act, bias, residual: values, values }),
                Some(map) => {
                    walk(self.arch, len, period, Finish::<_, true> { act, bias, residual: map.as_ptr(), values });
                }
            }
        }
    }
}

struct Finish<A, const RESIDUAL: bool> {
    act: A,
    bias: *const f32,
    residual: *const f32,
    values: *mut f32,
}

impl<A: Act, const RESIDUAL: bool> Body for Finish<A, RESIDUAL> {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let bias = load::<S>(self.bias, table);
            for at in (0..G).map(|g| at + g * stride) {
                let mut value = simd.add_f32s(load::<S>(self.values, at), bias);
                if RESIDUAL {
                    value = simd.add_f32s(value, load::<S>(self.residual, at));
                }
                store::<S>(self.values, at, self.act.value(simd, value));
            }
        }
    }
}
