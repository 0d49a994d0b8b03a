//! Narrow groups: a vector holds the outputs of several groups, and the inputs are spread so that each lane finds the input
//! of its own group.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use super::super::lanes::{lanes, load, store};

/// Which channels a vector of outputs needs: lane l needs `first + lane[c][l]` as its group's input c.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    /// Lanes of a vector.
    pub(super) width: usize,
    first: usize,
    /// `[inputs of a group][width]`.
    lane: Vec<u32>,
    /// All that is needed is within one vector from `first` on.
    narrow: bool,
}

impl Spread {
    /// For outputs `from..from + width` of `outputs`, in groups of `ins` inputs and `outs` outputs.
    pub(super) fn new(width: usize, from: usize, outputs: usize, ins: usize, outs: usize) -> Self {
        let first = from / outs * ins;
        let group = |lane: usize| (from + lane).min(outputs - 1) / outs;
        let lane = (0..ins).flat_map(|c| (0..width).map(move |lane| (group(lane) * ins + c - first) as u32));
        let lane: Vec<u32> = lane.collect();
        let narrow = lane.iter().all(|lane| (*lane as usize) < width);
        Self { width, first, lane, narrow }
    }

    /// Spreads pixels `[pixels, channels]` to `[pixels, inputs of a group, width]`.
    ///
    /// # Panics
    /// Where `out` is too short.
    pub(super) fn apply(&self, arch: Arch, band: &[f32], channels: usize, out: &mut [f32]) {
        let pixels = band.len() / channels;
        assert!(out.len() >= pixels * self.lane.len());
        arch.dispatch(Apply { spread: self, arch, band, channels, out });
    }
}

struct Apply<'a> {
    spread: &'a Spread,
    arch: Arch,
    band: &'a [f32],
    channels: usize,
    out: &'a mut [f32],
}

/// One permutation of a vector, of the instruction set that the code around it is compiled for.
trait Permute<const L: usize>: Copy {
    fn permute(self, x: [f32; L], lane: [u32; L]) -> [f32; L];
}

#[cfg(target_arch = "x86_64")]
impl Permute<16> for pulp::x86::V4 {
    #[inline(always)]
    fn permute(self, x: [f32; 16], lane: [u32; 16]) -> [f32; 16] {
        pulp::cast(self.avx512f._mm512_permutexvar_ps(pulp::cast(lane), pulp::cast(x)))
    }
}

#[cfg(target_arch = "x86_64")]
impl Permute<8> for pulp::x86::V3 {
    #[inline(always)]
    fn permute(self, x: [f32; 8], lane: [u32; 8]) -> [f32; 8] {
        pulp::cast(self.avx2._mm256_permutevar8x32_ps(pulp::cast(x), pulp::cast(lane)))
    }
}

impl NullaryFnOnce for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match self.arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(v4) if self.spread.narrow && self.spread.width == 16 => self.permute::<16>(v4),
            #[cfg(target_arch = "x86_64")]
            Arch::V3(v3) if self.spread.narrow && self.spread.width == 8 => self.permute::<8>(v3),
            _ => self.gather(),
        }
    }
}

impl Apply<'_> {
    /// By one permutation per vector; eight of them are kept.
    #[inline(always)]
    fn permute<const L: usize>(self, by: impl Permute<L>) {
        let Self { spread, band, channels, out, .. } = self;
        let inputs = spread.lane.len() / L;
        for from in (0..inputs).step_by(8) {
            let mut tables = [[0; L]; 8];
            let count = (inputs - from).min(8);
            for (table, lane) in tables.iter_mut().zip(spread.lane[from * L..].chunks_exact(L)) {
                table.copy_from_slice(lane);
            }
            for (pixel, out) in band.chunks_exact(channels).zip(out.chunks_exact_mut(spread.lane.len())) {
                let x = &pixel[spread.first..];
                let mut vector = [0.0; L];
                if x.len() >= L {
                    vector.copy_from_slice(&x[..L]);
                } else {
                    vector[..x.len()].copy_from_slice(x);
                }
                let out = &mut out[from * L..];
                for (out, table) in out.chunks_exact_mut(L).zip(&tables[..count]) {
                    out.copy_from_slice(&by.permute(vector, *table));
                }
            }
        }
    }

    fn gather(self) {
        let Self { spread, band, channels, out, .. } = self;
        for (pixel, out) in band.chunks_exact(channels).zip(out.chunks_exact_mut(spread.lane.len())) {
            let x = &pixel[spread.first..];
            for (out, lane) in out.iter_mut().zip(&spread.lane) {
                *out = x[*lane as usize];
            }
        }
    }
}

/// Pixels of a block.
const ROWS: usize = 12;

/// `c[targets[row]] = sum over runs and k of a[offsets[row] + run + k] b[run, k]`, all of them vectors.
pub(super) struct LaneGather<'a> {
    pub(super) a: *const f32,
    /// Where each row begins.
    pub(super) offsets: &'a [usize],
    /// Where each run begins, from the row on.
    pub(super) runs: &'a [usize],
    /// Vectors of a run.
    pub(super) len: usize,
    /// `[runs, len]`.
    pub(super) b: *const f32,
    pub(super) c: *mut f32,
    /// Where each row of it goes.
    pub(super) targets: &'a [usize],
}

impl LaneGather<'_> {
    /// # Safety
    /// All places named are there; nothing else writes to `c`.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const R: usize>(&self, simd: S, from: usize) {
        let width = lanes::<S>();
        let mut sums = [simd.splat_f32s(0.0); R];
        let mut b = self.b;
        // SAFETY: `run`'s caller's.
        unsafe {
            for run in self.runs {
                let a: [*const f32; R] = std::array::from_fn(|row| self.a.add(self.offsets[from + row] + run));
                for k in 0..self.len {
                    let right = load::<S>(b, 0);
                    for (sum, a) in sums.iter_mut().zip(&a) {
                        *sum = simd.mul_add_e_f32s(load::<S>(*a, k * width), right, *sum);
                    }
                    b = b.add(width);
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                store::<S>(self.c, self.targets[from + row], *sum);
            }
        }
    }
}

impl WithSimd for LaneGather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut from = 0;
        while from < self.offsets.len() {
            // SAFETY: `run`'s caller's.
            unsafe {
                match self.offsets.len() - from {
                    ROWS.. => {
                        self.block::<S, ROWS>(simd, from);
                        from += ROWS;
                    }
                    4.. => {
                        self.block::<S, 4>(simd, from);
                        from += 4;
                    }
                    _ => {
                        self.block::<S, 1>(simd, from);
                        from += 1;
                    }
                }
            }
        }
    }
}

/// `c[i] += sum over rows and p of a[row a_row + p a_step + i] b[row, p]`, all of them vectors.
pub(super) struct LaneOuter {
    pub(super) a: *const f32,
    /// From row to row of the left side.
    pub(super) a_row: usize,
    /// From pixel to pixel of the left side.
    pub(super) a_step: usize,
    /// `[rows, count]`.
    pub(super) b: *const f32,
    pub(super) rows: usize,
    pub(super) count: usize,
    /// Vectors of the left side at each pixel.
    pub(super) vectors: usize,
    /// `[vectors]`.
    pub(super) c: *mut f32,
}

impl LaneOuter {
    /// # Safety
    /// All places named are there; nothing else writes to `c`.
    pub(super) unsafe fn run(self, arch: Arch) {
        arch.dispatch(self);
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const R: usize>(&self, simd: S, from: usize) {
        let width = lanes::<S>();
        // SAFETY: `run`'s caller's.
        unsafe {
            let c = self.c.add(from * width);
            let mut sums: [S::f32s; R] = std::array::from_fn(|i| load::<S>(c, i * width));
            let mut b = self.b;
            for row in 0..self.rows {
                let mut a = self.a.wrapping_add(row * self.a_row + from * width);
                for _ in 0..self.count {
                    let right = load::<S>(b, 0);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = simd.mul_add_e_f32s(load::<S>(a, i * width), right, *sum);
                    }
                    a = a.wrapping_add(self.a_step);
                    b = b.wrapping_add(width);
                }
            }
            for (i, sum) in sums.iter().enumerate() {
                store::<S>(c, i * width, *sum);
            }
        }
    }
}

impl WithSimd for LaneOuter {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut from = 0;
        while from < self.vectors {
            // SAFETY: `run`'s caller's.
            unsafe {
                match self.vectors - from {
                    ROWS.. => {
                        self.block::<S, ROWS>(simd, from);
                        from += ROWS;
                    }
                    4.. => {
                        self.block::<S, 4>(simd, from);
                        from += 4;
                    }
                    _ => {
                        self.block::<S, 1>(simd, from);
                        from += 1;
                    }
                }
            }
        }
    }
}
