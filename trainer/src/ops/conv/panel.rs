//! The two inner products that all convolutions here come down to, on blocks that stay in registers.
//!
//! Channels that vectors run over are cut into panels of one to four vectors: a panel's values of one row are adjacent, so
//! that a block of six rows by one panel is held in registers (24 vectors of AVX-512's 32, 12 of AVX2's 16), and every value
//! that is loaded is used six times, or four.

use pulp::{Arch, Simd, WithSimd};

use super::super::lanes::{lanes, load, store};

/// Rows of a block.
const ROWS: usize = 6;
/// Rows of a block of one or two vectors, where there are registers for them.
const MANY: usize = 2 * ROWS;

/// Whether a block of so many vectors may have [`MANY`] rows.
#[inline(always)]
fn has_room<S: Simd>(vectors: usize) -> bool {
    vectors * MANY + vectors < S::REGISTER_COUNT
}

/// How channels are cut into panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panels {
    /// Vectors in a panel.
    pub(super) vectors: usize,
    /// Values in a panel.
    pub(super) width: usize,
    /// Panels; the last one may hold channels that do not exist.
    pub(super) count: usize,
}

struct VectorShape;

impl WithSimd for VectorShape {
    type Output = (usize, usize);

    fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
        (lanes::<S>(), if S::REGISTER_COUNT >= 32 { 4 } else { 2 })
    }
}

/// Lanes of a vector.
pub(super) fn vector_lanes(arch: Arch) -> usize {
    arch.dispatch(VectorShape).0
}

impl Panels {
    /// For so many channels: little padding, wide panels.
    pub(super) fn new(arch: Arch, channels: usize) -> Self {
        let (lanes, most) = arch.dispatch(VectorShape);
        // A panel costs its vectors, and half a vector more for the values that it is multiplied with.
        let cost = |vectors: &usize| channels.div_ceil(vectors * lanes) * (2 * vectors + 1);
        let vectors = (1..=most).rev().min_by_key(cost).unwrap_or(1);
        Self { vectors, width: vectors * lanes, count: channels.div_ceil(vectors * lanes) }
    }

    /// Channels with the padding.
    pub(super) fn padded(&self) -> usize {
        self.width * self.count
    }
}

/// `c[targets[row]] (+)= sum over runs and k of a[offsets[row] + run + k] b[run, k]`: a product whose left side is gathered.
pub(super) struct Gather<'a> {
    /// Left side.
    pub(super) a: *const f32,
    /// Where each row begins.
    pub(super) offsets: &'a [usize],
    /// Where each run begins, from the row on.
    pub(super) runs: &'a [usize],
    /// Values of a run.
    pub(super) len: usize,
    /// Right side: one panel `[runs, len, width]`.
    pub(super) b: *const f32,
    /// Result.
    pub(super) c: *mut f32,
    /// Where each row of it goes.
    pub(super) targets: &'a [usize],
    /// Vectors of the panel.
    pub(super) vectors: usize,
    /// Add to what is there.
    pub(super) add: bool,
}

impl Gather<'_> {
    /// # Safety
    /// All places named are there; nothing else writes to `c`.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    fn rows<S: Simd, const V: usize>(&self, simd: S) {
        let (mut rest, mut targets) = (self.offsets, self.targets);
        while !rest.is_empty() {
            let rows = if has_room::<S>(V) && rest.len() >= MANY { MANY } else { rest.len().min(ROWS) };
            let offsets;
            (offsets, rest) = rest.split_at(rows);
            let c;
            (c, targets) = targets.split_at(rows);
            // SAFETY: `run`'s caller's.
            unsafe {
                match rows {
                    MANY if has_room::<S>(V) => self.block::<S, MANY, V>(simd, offsets, c),
                    1 => self.block::<S, 1, V>(simd, offsets, c),
                    2 => self.block::<S, 2, V>(simd, offsets, c),
                    3 => self.block::<S, 3, V>(simd, offsets, c),
                    4 => self.block::<S, 4, V>(simd, offsets, c),
                    5 => self.block::<S, 5, V>(simd, offsets, c),
                    _ => self.block::<S, ROWS, V>(simd, offsets, c),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const R: usize, const V: usize>(&self, simd: S, offsets: &[usize], targets: &[usize]) {
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let mut b = self.b;
        // SAFETY: `run`'s caller's.
        unsafe {
            for run in self.runs {
                let a: [*const f32; R] = std::array::from_fn(|row| self.a.add(offsets[row] + run));
                for k in 0..self.len {
                    let right: [S::f32s; V] = std::array::from_fn(|v| load::<S>(b, v * lanes::<S>()));
                    for (sums, a) in sums.iter_mut().zip(&a) {
                        let left = simd.splat_f32s(*a.add(k));
                        for (sum, right) in sums.iter_mut().zip(&right) {
                            *sum = simd.mul_add_e_f32s(left, *right, *sum);
                        }
                    }
                    b = b.add(V * lanes::<S>());
                }
            }
            // As many as sums, so that these are never in memory.
            let targets: [usize; R] = std::array::from_fn(|row| targets[row]);
            for (row, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    put::<S>(simd, self.c, targets[row] + v * lanes::<S>(), *sum, self.add);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn put<S: Simd>(simd: S, c: *mut f32, at: usize, value: S::f32s, add: bool) {
    // SAFETY: the caller's.
    unsafe {
        let value = if add { simd.add_f32s(value, load::<S>(c, at)) } else { value };
        store::<S>(c, at, value);
    }
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.vectors {
            1 => self.rows::<S, 1>(simd),
            2 => self.rows::<S, 2>(simd),
            3 => self.rows::<S, 3>(simd),
            _ => self.rows::<S, 4>(simd),
        }
    }
}

/// `c[i] (+)= sum over rows and p of a[row a_row + p a_step + i] b[row, p]`: a product summed over pixels.
pub(super) struct Outer {
    /// Left side.
    pub(super) a: *const f32,
    /// From row to row of the left side.
    pub(super) a_row: usize,
    /// From pixel to pixel of the left side.
    pub(super) a_step: usize,
    /// Right side, one panel `[rows, count, width]`.
    pub(super) b: *const f32,
    /// Rows of pixels.
    pub(super) rows: usize,
    /// Pixels of a row.
    pub(super) count: usize,
    /// Values of the left side at each pixel.
    pub(super) values: usize,
    /// Result `[values, width]`.
    pub(super) c: *mut f32,
    /// Vectors of the panel.
    pub(super) vectors: usize,
    /// Add to what is there.
    pub(super) add: bool,
}

impl Outer {
    /// # Safety
    /// All places named are there; nothing else writes to `c`.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    fn blocks<S: Simd, const V: usize>(&self, simd: S) {
        let mut from = 0;
        while from < self.values {
            let rest = self.values - from;
            let rows = if has_room::<S>(V) && rest >= MANY { MANY } else { rest.min(ROWS) };
            // SAFETY: `run`'s caller's.
            unsafe {
                match rows {
                    MANY if has_room::<S>(V) => self.block::<S, MANY, V>(simd, from),
                    1 => self.block::<S, 1, V>(simd, from),
                    2 => self.block::<S, 2, V>(simd, from),
                    3 => self.block::<S, 3, V>(simd, from),
                    4 => self.block::<S, 4, V>(simd, from),
                    5 => self.block::<S, 5, V>(simd, from),
                    _ => self.block::<S, ROWS, V>(simd, from),
                }
            }
            from += rows;
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const R: usize, const V: usize>(&self, simd: S, from: usize) {
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let mut b = self.b;
        // SAFETY: `run`'s caller's.
        unsafe {
            for row in 0..self.rows {
                let mut a = self.a.add(row * self.a_row + from);
                for _ in 0..self.count {
                    let right: [S::f32s; V] = std::array::from_fn(|v| load::<S>(b, v * lanes::<S>()));
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let left = simd.splat_f32s(*a.add(i));
                        for (sum, right) in sums.iter_mut().zip(&right) {
                            *sum = simd.mul_add_e_f32s(left, *right, *sum);
                        }
                    }
                    a = a.wrapping_add(self.a_step);
                    b = b.add(V * lanes::<S>());
                }
            }
            let c = self.c.add(from * V * lanes::<S>());
            for (i, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    put::<S>(simd, c, (i * V + v) * lanes::<S>(), *sum, self.add);
                }
            }
        }
    }
}

impl WithSimd for Outer {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.vectors {
            1 => self.blocks::<S, 1>(simd),
            2 => self.blocks::<S, 2>(simd),
            3 => self.blocks::<S, 3>(simd),
            _ => self.blocks::<S, 4>(simd),
        }
    }
}
