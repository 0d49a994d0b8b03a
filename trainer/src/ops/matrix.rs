//! Matrix products on one thread.

use gemm::Parallelism;

/// `y = a b` (`+ y` where `add`), `a` being `[m, k]` and `b` `[k, n]` with these row and column strides, `y` `[m, n]`.
pub(super) fn multiply(
    [m, n, k]: [usize; 3],
    (a, rows, columns): (&[f32], usize, usize),
    b: &[f32],
    y: &mut [f32],
    add: bool,
) {
    assert!(a.len() == m * k && b.len() == k * n && y.len() == m * n);
    // SAFETY: the lengths are those of the shapes, whose strides are a's own (either order of a dense matrix) and n, 1.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.as_ptr(),
            columns as isize,
            rows as isize,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
