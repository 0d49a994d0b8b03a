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

    /// Copies windows of one panel of n to `[k, taps, width]`; zeros for channels that do not exist.
    pub(super) fn copy(&self, panels: Panels, panel: usize, ks: Range<usize>, out: &mut [f32]) {
        let width = panels.width;
        assert!(out.len() >= ks.len() * self.taps * width && ks.end <= self.k);
        for (i, k) in ks.enumerate() {
            let out = &mut out[i * self.taps * width..][..self.taps * width];
            for lane in 0..width {
                let n = panel * width + lane;
                if n >= self.n {
                    out.iter_mut().skip(lane).step_by(width).for_each(|value| *value = 0.0);
                    continue;
                }
                let window = &self.values[n * self.n_stride + k * self.k_stride..][..self.taps];
                for (tap, value) in window.iter().enumerate() {
                    let tap = if self.turned { self.taps - 1 - tap } else { tap };
                    // SAFETY: tap < taps and lane < width, which is `out`'s length.
                    unsafe { *out.get_unchecked_mut(tap * width + lane) = *value };
                }
            }
        }
    }
}

/// Puts gradients `[k, taps, width]` of a panel of outputs to their places in `[outputs, inputs, taps]`.
///
/// # Safety
/// `weight` has these places and no other task uses them meanwhile.
pub(super) unsafe fn scatter(
    gradients: &[f32],
    (panels, panel): (Panels, usize),
    ks: Range<usize>,
    spec: &ConvSpec,
    weight: Shared,
) {
    let (taps, width) = (spec.kernel * spec.kernel, panels.width);
    let channels = width.min(spec.outputs - panel * width);
    assert!(gradients.len() >= ks.len() * taps * width && ks.end <= spec.inputs);
    for lane in 0..channels {
        let output = panel * width + lane;
        // SAFETY: the caller's.
        let out = unsafe { weight.slice((output * spec.inputs + ks.start) * taps, ks.len() * taps) };
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: i < ks.len() * taps and lane < width, see the assertion.
            *out = unsafe { *gradients.get_unchecked(i * width + lane) };
        }
    }
}
