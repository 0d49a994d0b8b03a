//! Loops over maps of any number of channels in whole vectors.
//!
//! Tables of one value per channel are repeated to a period that whole vectors fill, and a stretch of pixels is walked as
//! one flat array. So 24 or 37 channels cost no more per value than 64.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// Lanes of the widest vector.
const WIDEST: usize = 16;
/// Periods done together for each load of the tables.
const GROUP: usize = 4;

/// Values after which a table of one value per channel repeats in whole vectors.
pub(crate) fn period(channels: usize) -> usize {
    let common = 1 << channels.trailing_zeros().min(WIDEST.trailing_zeros());
    channels * (WIDEST / common)
}

/// A table of one value per channel, repeated to its [`period`].
pub(crate) fn expand(table: &[f32]) -> Vec<f32> {
    table.iter().copied().cycle().take(period(table.len())).collect()
}

/// Lanes of a vector.
#[inline(always)]
pub(crate) const fn lanes<S: Simd>() -> usize {
    size_of::<S::f32s>() / size_of::<f32>()
}

/// A vector at a place.
///
/// # Safety
/// `at + lanes` values are there.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(values: *const f32, at: usize) -> S::f32s {
    // SAFETY: the caller's.
    unsafe { values.add(at).cast::<S::f32s>().read_unaligned() }
}

/// Puts a vector at a place.
///
/// # Safety
/// `at + lanes` values are there.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(values: *mut f32, at: usize, vector: S::f32s) {
    // SAFETY: the caller's.
    unsafe { values.add(at).cast::<S::f32s>().write_unaligned(vector) }
}

/// What is done to the values of a stretch.
pub(crate) trait Body {
    /// Handles the `G` vectors at `at`, `at + stride`, ...; their table values are at `table`.
    ///
    /// # Safety
    /// The vectors are within the stretch that [`walk`] was given, and `table + lanes` within the period.
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize);
}

struct Walk<B> {
    len: usize,
    period: usize,
    body: B,
}

impl<B: Body> WithSimd for Walk<B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (period, lanes) = (self.period, lanes::<S>());
        let mut base = 0;
        while base + GROUP * period <= self.len {
            for table in (0..period).step_by(lanes) {
                // SAFETY: the loops' conditions.
                unsafe { self.body.step::<S, GROUP>(simd, table, base + table, period) };
            }
            base += GROUP * period;
        }
        while base < self.len {
            let rest = (self.len - base).min(period);
            let mut table = 0;
            while table + lanes <= rest {
                // SAFETY: table + lanes <= rest, which is within the stretch and the period.
                unsafe { self.body.step::<S, 1>(simd, table, base + table, period) };
                table += lanes;
            }
            for table in table..rest {
                // SAFETY: one lane; table < rest.
                unsafe { self.body.step::<Scalar, 1>(Scalar::new(), table, base + table, period) };
            }
            base += period;
        }
    }
}

/// Runs a body over `len` values of maps whose tables have this period.
///
/// # Safety
/// What the body's pointers point to has `len` values, its tables `period`, which is a multiple of every vector's lanes.
pub(crate) unsafe fn walk<B: Body>(arch: Arch, len: usize, period: usize, body: B) {
    debug_assert!(period.is_multiple_of(WIDEST));
    arch.dispatch(Walk { len, period, body });
}

/// The instruction sets that this machine has, for tests.
#[cfg(test)]
pub(crate) fn paths() -> Vec<Arch> {
    let mut paths = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    paths.extend(pulp::x86::V3::try_new().map(Arch::V3));
    paths
}
