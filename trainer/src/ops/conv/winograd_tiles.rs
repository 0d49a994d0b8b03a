//! Winograd's transforms of tiles and weights, vectorised over channels.
//!
//! `F(m, 3)` with `m` = 2 or 4: a tile of `n = m + 2` pixels a side gives `m` outputs a side by `n^2` products where the
//! window takes `9 m^2`. With the Toom-Cook points 0, +-a, +-b and infinity (Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", 2016), `F(4, 3)` is
//!
//! ```text
//!       | a2b2  0   -(a2+b2)   0    1  0 |        | 1      0     0   |          | 1  1  1  1  1  0 |
//!       |  0   -ab2   -b2      a    1  0 |        | p     pa    pa2  |          | 0  a -a  b -b  0 |
//! B^T = |  0    ab2   -b2     -a    1  0 |    G = | p    -pa    pa2  |    A^T = | 0 a2 a2 b2 b2  0 |
//!       |  0   -a2b   -a2      b    1  0 |        | q     qb    qb2  |          | 0 a3-a3 b3-b3  1 |
//!       |  0    a2b   -a2     -b    1  0 |        | q    -qb    qb2  |
//!       |  0   a2b2    0   -(a2+b2) 0  1 |        | 0      0     1   |
//! ```
//!
//! with `p = 1 / (2 a2 (a2 - b2))`, `q = 1 / (2 b2 (b2 - a2))` and the first row of G divided by `a2 b2`. The points
//! a = 5/8 and b = 3/2 are exact in binary and lose fewer bits than the usual 1 and 2.
//!
//! The forward product is `A^T [(G g G^T) * (B^T d B)] A`; the gradient of the weights is its adjoint,
//! `G^T [(B^T d B) * (A dy A^T)] G`.

use pulp::{Arch, Simd, WithSimd};

use super::super::lanes::{lanes, load, store};

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
const P: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const Q: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

// What is called in these must be inlined into code that is compiled for the instruction set: so no closures.

/// `factor x + y`.
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y)
}

/// `factor x`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), x)
}

/// `B^T d`.
#[inline(always)]
fn input<S: Simd, const N: usize>(simd: S, d: [S::f32s; N]) -> [S::f32s; N] {
    let mut out = d;
    if N == 4 {
        out[0] = simd.sub_f32s(d[0], d[2]);
        out[1] = simd.add_f32s(d[1], d[2]);
        out[2] = simd.sub_f32s(d[2], d[1]);
        out[3] = simd.sub_f32s(d[3], d[1]);
    } else {
        let (even, odd) = (times(simd, -B2, d[2], d[4]), times(simd, -B2, d[1], d[3]));
        out[1] = times(simd, A, odd, even);
        out[2] = times(simd, -A, odd, even);
        let (even, odd) = (times(simd, -A2, d[2], d[4]), times(simd, -A2, d[1], d[3]));
        out[3] = times(simd, B, odd, even);
        out[4] = times(simd, -B, odd, even);
        out[0] = times(simd, A2 * B2, d[0], times(simd, -(A2 + B2), d[2], d[4]));
        out[5] = times(simd, A2 * B2, d[1], times(simd, -(A2 + B2), d[3], d[5]));
    }
    out
}

/// `A^T m`: the first `n - 2` values.
#[inline(always)]
fn output<S: Simd, const N: usize>(simd: S, m: [S::f32s; N]) -> [S::f32s; N] {
    let mut out = m;
    let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    if N == 4 {
        out[0] = simd.add_f32s(m[0], sum);
        out[1] = simd.add_f32s(difference, m[3]);
    } else {
        let (sum_b, difference_b) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
        out[0] = simd.add_f32s(m[0], simd.add_f32s(sum, sum_b));
        out[1] = times(simd, A, difference, scaled(simd, B, difference_b));
        out[2] = times(simd, A2, sum, scaled(simd, B2, sum_b));
        out[3] = times(simd, A2 * A, difference, times(simd, B2 * B, difference_b, m[5]));
    }
    out
}

/// `A y` of the first `n - 2` values: the adjoint of [`output`].
#[inline(always)]
fn output_adjoint<S: Simd, const N: usize>(simd: S, y: [S::f32s; N]) -> [S::f32s; N] {
    let mut out = y;
    if N == 4 {
        out[1] = simd.add_f32s(y[0], y[1]);
        out[2] = simd.sub_f32s(y[0], y[1]);
        out[3] = y[1];
    } else {
        let (even, odd) = (times(simd, A2, y[2], y[0]), times(simd, A2, y[3], y[1]));
        out[1] = times(simd, A, odd, even);
        out[2] = times(simd, -A, odd, even);
        let (even, odd) = (times(simd, B2, y[2], y[0]), times(simd, B2, y[3], y[1]));
        out[3] = times(simd, B, odd, even);
        out[4] = times(simd, -B, odd, even);
        out[5] = y[3];
    }
    out
}

/// `G g`.
#[inline(always)]
fn weight<S: Simd, const N: usize>(simd: S, g: [S::f32s; 3]) -> [S::f32s; N] {
    let mut out = [g[0]; N];
    out[N - 1] = g[2];
    if N == 4 {
        let (even, odd) = (scaled(simd, 0.5, simd.add_f32s(g[0], g[2])), scaled(simd, 0.5, g[1]));
        out[1] = simd.add_f32s(even, odd);
        out[2] = simd.sub_f32s(even, odd);
    } else {
        out[0] = scaled(simd, 1.0 / (A2 * B2), g[0]);
        let even = scaled(simd, P, times(simd, A2, g[2], g[0]));
        out[1] = times(simd, P * A, g[1], even);
        out[2] = times(simd, -P * A, g[1], even);
        let even = scaled(simd, Q, times(simd, B2, g[2], g[0]));
        out[3] = times(simd, Q * B, g[1], even);
        out[4] = times(simd, -Q * B, g[1], even);
    }
    out
}

/// `G^T u`: the adjoint of [`weight`].
#[inline(always)]
fn weight_adjoint<S: Simd, const N: usize>(simd: S, u: [S::f32s; N]) -> [S::f32s; 3] {
    let (sum, difference) = (simd.add_f32s(u[1], u[2]), simd.sub_f32s(u[1], u[2]));
    if N == 4 {
        let half = scaled(simd, 0.5, sum);
        [simd.add_f32s(u[0], half), scaled(simd, 0.5, difference), simd.add_f32s(half, u[3])]
    } else {
        let (sum_b, difference_b) = (simd.add_f32s(u[3], u[4]), simd.sub_f32s(u[3], u[4]));
        [
            times(simd, 1.0 / (A2 * B2), u[0], times(simd, P, sum, scaled(simd, Q, sum_b))),
            times(simd, P * A, difference, scaled(simd, Q * B, difference_b)),
            times(simd, P * A2, sum, times(simd, Q * B2, sum_b, u[5])),
        ]
    }
}

/// Where transformed values are: `[frequencies, panels, tiles, vectors]` with any strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// From frequency to frequency.
    pub(super) frequency: usize,
    /// From panel to panel of channels.
    pub(super) panel: usize,
    /// From tile to tile.
    pub(super) tile: usize,
    /// Values of a panel, in whole vectors.
    pub(super) width: usize,
}

/// Which transform leads from a band of a map to frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    /// `B^T d B` of tiles of `n` pixels a side.
    Input,
    /// `A dy A^T` of tiles of `n - 2` pixels a side.
    OutputGradient,
}

/// Transforms a row of tiles.
pub(super) struct ForwardTiles {
    pub(super) transform: Into,
    /// Outputs of a tile a side.
    pub(super) m: usize,
    /// `[rows, columns, channels]`; a vector more may be read beyond its end.
    pub(super) band: *const f32,
    /// Columns of the band.
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) tiles: usize,
    /// Place of the first tile's first vector.
    pub(super) out: *mut f32,
    pub(super) layout: Layout,
}

impl ForwardTiles {
    /// # Safety
    /// The band holds the tiles, and the layout's places are there.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn all<S: Simd, const N: usize>(&self, simd: S) {
        let row = self.columns * self.channels;
        for tile in 0..self.tiles {
            let from = self.band.wrapping_add(tile * self.m * self.channels);
            for channel in (0..self.channels).step_by(lanes::<S>()) {
                let (panel, within) = (channel / self.layout.width, channel % self.layout.width);
                let to = self.out.wrapping_add(panel * self.layout.panel + tile * self.layout.tile + within);
                let from = from.wrapping_add(channel);
                // SAFETY: `run`'s caller's.
                unsafe {
                    match self.transform {
                        Into::Input => self.one::<S, N, true>(simd, from, row, to),
                        Into::OutputGradient => self.one::<S, N, false>(simd, from, row, to),
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn one<S: Simd, const N: usize, const INPUT: bool>(
        &self,
        simd: S,
        from: *const f32,
        row: usize,
        to: *mut f32,
    ) {
        let zero = simd.splat_f32s(0.0);
        let side = if INPUT { N } else { N - 2 };
        let mut half = [[zero; N]; N];
        for j in 0..side {
            let mut column = [zero; N];
            for (i, value) in column.iter_mut().enumerate().take(side) {
                // SAFETY: the caller's.
                *value = unsafe { load::<S>(from, i * row + j * self.channels) };
            }
            let column = if INPUT { input::<S, N>(simd, column) } else { output_adjoint::<S, N>(simd, column) };
            for (half, value) in half.iter_mut().zip(column) {
                half[j] = value;
            }
        }
        for (i, half) in half.into_iter().enumerate() {
            let values = if INPUT { input::<S, N>(simd, half) } else { output_adjoint::<S, N>(simd, half) };
            for (j, value) in values.into_iter().enumerate() {
                // SAFETY: the caller's.
                unsafe { store::<S>(to, (i * N + j) * self.layout.frequency, value) };
            }
        }
    }
}

impl WithSimd for ForwardTiles {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `run`'s caller's.
        unsafe { if self.m == 2 { self.all::<S, 4>(simd) } else { self.all::<S, 6>(simd) } }
    }
}

/// Transforms a row of tiles of products back to pixels of a map: `A^T m A`.
pub(super) struct OutputTiles {
    /// Outputs of a tile a side.
    pub(super) m: usize,
    /// The first tile's products of one panel.
    pub(super) products: *const f32,
    pub(super) layout: Layout,
    pub(super) tiles: usize,
    /// The first tile's first pixel, first channel of the panel.
    pub(super) out: *mut f32,
    /// Channels of the map.
    pub(super) stride: usize,
    /// Channels of the panel that exist.
    pub(super) channels: usize,
    /// Rows of the map that are there from the first pixel on (at most `m` are written).
    pub(super) rows: usize,
    /// Columns of the map.
    pub(super) columns: usize,
}

impl OutputTiles {
    /// # Safety
    /// The places named are there, and nothing else uses the written ones.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn all<S: Simd, const N: usize>(&self, simd: S) {
        for tile in 0..self.tiles {
            let rows = self.rows.min(N - 2);
            let columns = (self.columns - tile * (N - 2)).min(N - 2);
            let to = self.out.wrapping_add(tile * (N - 2) * self.stride);
            for channel in (0..self.channels).step_by(lanes::<S>()) {
                let from = self.products.wrapping_add(tile * self.layout.tile + channel);
                // SAFETY: `run`'s caller's.
                unsafe { self.one::<S, N>(simd, from, to.add(channel), rows, columns, self.channels - channel) };
            }
        }
    }

    #[inline(always)]
    unsafe fn one<S: Simd, const N: usize>(
        &self,
        simd: S,
        from: *const f32,
        to: *mut f32,
        rows: usize,
        columns: usize,
        channels: usize,
    ) {
        let mut half = [[simd.splat_f32s(0.0); N]; N];
        for j in 0..N {
            // SAFETY: the caller's.
            let column = std::array::from_fn(|i| unsafe { load::<S>(from, (i * N + j) * self.layout.frequency) });
            let values = output::<S, N>(simd, column);
            for (half, value) in half.iter_mut().zip(values).take(N - 2) {
                half[j] = value;
            }
        }
        for (i, half) in half.into_iter().enumerate().take(N - 2) {
            let values = output::<S, N>(simd, half);
            for (j, value) in values.into_iter().enumerate().take(N - 2) {
                if i < rows && j < columns {
                    // SAFETY: the caller's.
                    let to = unsafe { to.add((i * self.columns + j) * self.stride) };
                    // SAFETY: the caller's.
                    unsafe { store_some::<S>(simd, to, value, channels) };
                }
            }
        }
    }
}

impl WithSimd for OutputTiles {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `run`'s caller's.
        unsafe { if self.m == 2 { self.all::<S, 4>(simd) } else { self.all::<S, 6>(simd) } }
    }
}

/// Stores the lanes that exist.
#[inline(always)]
unsafe fn store_some<S: Simd>(simd: S, to: *mut f32, value: S::f32s, count: usize) {
    // SAFETY: the caller's: `count` values are there.
    unsafe {
        if count >= lanes::<S>() {
            store::<S>(to, 0, value);
        } else {
            simd.partial_store_f32s(std::slice::from_raw_parts_mut(to, count), value);
        }
    }
}

/// Transforms windows `[k, 9, width]` to frequencies `[n^2][k, width]`: `G g G^T`.
pub(super) struct WeightTiles {
    pub(super) m: usize,
    pub(super) windows: *const f32,
    pub(super) count: usize,
    pub(super) width: usize,
    pub(super) out: *mut f32,
    /// From frequency to frequency.
    pub(super) frequency: usize,
}

impl WeightTiles {
    /// # Safety
    /// The places named are there.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn all<S: Simd, const N: usize>(&self, simd: S) {
        for k in 0..self.count {
            for v in (0..self.width).step_by(lanes::<S>()) {
                let mut half = [[simd.splat_f32s(0.0); 3]; N];
                for j in 0..3 {
                    // SAFETY: `run`'s caller's.
                    let column = std::array::from_fn(|i| unsafe {
                        load::<S>(self.windows, (k * 9 + i * 3 + j) * self.width + v)
                    });
                    for (half, value) in half.iter_mut().zip(weight::<S, N>(simd, column)) {
                        half[j] = value;
                    }
                }
                for (i, half) in half.into_iter().enumerate() {
                    for (j, value) in weight::<S, N>(simd, half).into_iter().enumerate() {
                        // SAFETY: `run`'s caller's.
                        unsafe { store::<S>(self.out, (i * N + j) * self.frequency + k * self.width + v, value) };
                    }
                }
            }
        }
    }
}

impl WithSimd for WeightTiles {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `run`'s caller's.
        unsafe { if self.m == 2 { self.all::<S, 4>(simd) } else { self.all::<S, 6>(simd) } }
    }
}

/// Transforms gradients of frequencies `[n^2][k, width]` to gradients of windows `[k, 9, width]`: `G^T u G`.
pub(super) struct WeightGradientTiles {
    pub(super) m: usize,
    pub(super) gradients: *const f32,
    /// From frequency to frequency.
    pub(super) frequency: usize,
    pub(super) count: usize,
    pub(super) width: usize,
    pub(super) windows: *mut f32,
}

impl WeightGradientTiles {
    /// # Safety
    /// The places named are there.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn all<S: Simd, const N: usize>(&self, simd: S) {
        for k in 0..self.count {
            for v in (0..self.width).step_by(lanes::<S>()) {
                let mut half = [[simd.splat_f32s(0.0); N]; 3];
                for j in 0..N {
                    // SAFETY: `run`'s caller's.
                    let column = std::array::from_fn(|i| unsafe {
                        load::<S>(self.gradients, (i * N + j) * self.frequency + k * self.width + v)
                    });
                    for (half, value) in half.iter_mut().zip(weight_adjoint::<S, N>(simd, column)) {
                        half[j] = value;
                    }
                }
                for (i, half) in half.into_iter().enumerate() {
                    for (j, value) in weight_adjoint::<S, N>(simd, half).into_iter().enumerate() {
                        // SAFETY: `run`'s caller's.
                        unsafe { store::<S>(self.windows, (k * 9 + i * 3 + j) * self.width + v, value) };
                    }
                }
            }
        }
    }
}

impl WithSimd for WeightGradientTiles {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `run`'s caller's.
        unsafe { if self.m == 2 { self.all::<S, 4>(simd) } else { self.all::<S, 6>(simd) } }
    }
}
