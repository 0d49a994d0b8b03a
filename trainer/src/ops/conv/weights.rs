//! Weights as the inner products want them: channels that vectors run over last, in panels.

use std::ops::Range;

use super::{super::super::graph::ConvSpec, panel::Panels, scratch::Shared};

/// Windows `[n, k]` of weights, where a convolution gives n channels and sums over k.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a> {
    values: &'a [f32],
    /// Channels that come out.
    pub(super) n: usize,
    /// Channels that are summed over.
    pub(super) k: usize,
    n_stride: usize,
    k_stride: usize,
    taps: usize,
    turned: bool,
}

impl<'a> Windows<'a> {
    /// As the convolution reads them (one group).
    pub(super) fn forward(values: &'a [f32], spec: &ConvSpec) -> Self {
        let taps = spec.kernel * spec.kernel;
        let (n_stride, k_stride) = (spec.inputs * taps, taps);
        assert_eq!(values.len(), spec.outputs * n_stride, "weights");
        Self { values, n: spec.outputs, k: spec.inputs, n_stride, k_stride, taps, turned: false }
    }

    /// As the input gradient reads them: inputs and outputs exchanged, windows turned by 180 degrees.
    pub(super) fn input_gradient(values: &'a [f32], spec: &ConvSpec) -> Self {
        let Self { n, k, n_stride, k_stride, taps, .. } = Self::forward(values, spec);
        Self { values, n: k, k: n, n_stride: k_stride, k_stride: n_stride, taps, turned: true }
    }

    /// Copies windows of one panel of n to `out`, where the strides say; zeros for channels that do not exist.
    pub(super) fn copy(&self, (panels, panel): (Panels, usize), ks: Range<usize>, out: &mut [f32], at: Strides) {
        let width = panels.width;
        assert!(out.len() >= at.values(ks.len(), self.taps, width) && ks.end <= self.k);
        let mut one = |k: usize, lane: usize| {
            let n = panel * width + lane;
            let window = (n < self.n).then(|| &self.values[n * self.n_stride + k * self.k_stride..][..self.taps]);
            for tap in 0..self.taps {
                let from = if self.turned { self.taps - 1 - tap } else { tap };
                let value = window.map_or(0.0, |window| window[from]);
                // SAFETY: see the assertion: k, tap and lane are below what it is made of.
                unsafe { *out.get_unchecked_mut((k - ks.start) * at.k + tap * at.tap + lane) = value };
            }
        };
        // In the order in which the windows are in memory.
        if self.k_stride < self.n_stride {
            (0..width).for_each(|lane| ks.clone().for_each(|k| one(k, lane)));
        } else {
            ks.clone().for_each(|k| (0..width).for_each(|lane| one(k, lane)));
        }
    }
}

/// Where windows `[k, tap, width]` are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strides {
    /// From k to k.
    pub(super) k: usize,
    /// From tap to tap.
    pub(super) tap: usize,
}

impl Strides {
    /// All values of a window together.
    pub(super) fn by_window(taps: usize, width: usize) -> Self {
        Self { k: taps * width, tap: width }
    }

    /// Values from the first to the last place.
    fn values(&self, ks: usize, taps: usize, width: usize) -> usize {
        if ks == 0 { 0 } else { (ks - 1) * self.k + (taps - 1) * self.tap + width }
    }
}

/// Puts gradients of a panel of outputs to their places in `[outputs, inputs, taps]`.
///
/// # Safety
/// `weight` has these places and no other task uses them meanwhile.
pub(super) unsafe fn scatter(
    gradients: &[f32],
    at: Strides,
    (panels, panel): (Panels, usize),
    ks: Range<usize>,
    spec: &ConvSpec,
    weight: Shared,
) {
    let (taps, width) = (spec.kernel * spec.kernel, panels.width);
    let channels = width.min(spec.outputs - panel * width);
    assert!(gradients.len() >= at.values(ks.len(), taps, width) && ks.end <= spec.inputs);
    for lane in 0..channels {
        let output = panel * width + lane;
        // SAFETY: the caller's.
        let out = unsafe { weight.slice((output * spec.inputs + ks.start) * taps, ks.len() * taps) };
        for (i, out) in out.chunks_exact_mut(taps).enumerate() {
            for (tap, out) in out.iter_mut().enumerate() {
                // SAFETY: i, tap and lane are below what the assertion is made of.
                *out = unsafe { *gradients.get_unchecked(i * at.k + tap * at.tap + lane) };
            }
        }
    }
}
