//! TensorFlow's "same" padding.

/// Padding along one axis and the length that comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Zeros before the first pixel.
    pub before: usize,
    /// Zeros after the last pixel; one more than `before` where the sum is odd.
    pub after: usize,
    /// Length of the output: input / stride, rounded up.
    pub output: usize,
}

/// "Same" padding of `input` pixels for a window of `kernel` pixels moved by `stride`.
pub fn same_padding(input: usize, kernel: usize, stride: usize) -> Padding {
    let output = input.div_ceil(stride);
    let total = ((output.max(1) - 1) * stride + kernel).saturating_sub(input);
    Padding { before: total / 2, after: total - total / 2, output }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odd_pixel_goes_after() {
        assert_eq!(same_padding(224, 3, 2), Padding { before: 0, after: 1, output: 112 });
        assert_eq!(same_padding(56, 5, 2), Padding { before: 1, after: 2, output: 28 });
        assert_eq!(same_padding(7, 5, 1), Padding { before: 2, after: 2, output: 7 });
        assert_eq!(same_padding(7, 3, 2), Padding { before: 1, after: 1, output: 4 });
        assert_eq!(same_padding(1, 5, 2), Padding { before: 2, after: 2, output: 1 });
    }
}
