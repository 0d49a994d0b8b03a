//! The inverted residual block: expand, depthwise, project, computed in strips of rows so that the expanded map, the
//! largest by far, never leaves the processor's cache.

use pulp::Arch;

use super::{Depthwise, Pointwise, depthwise_row, padding::same_padding, pointwise::relu6};

/// Bytes of expanded rows kept at a time: well inside a second-level cache of 512 KiB.
const STRIP_BYTES: usize = 256 * 1024;

/// Shape of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Height.
    pub rows: usize,
    /// Width.
    pub columns: usize,
    /// Values a pixel.
    pub channels: usize,
}

impl Grid {
    /// Number of values.
    pub fn len(self) -> usize {
        self.rows * self.columns * self.channels
    }

    /// Whether there is no value.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Memory that a block works in, kept from block to block and image to image.
#[derive(Debug, Default)]
pub struct Scratch {
    expanded: Vec<f32>,
    ring: Vec<f32>,
    zeros: Vec<f32>,
    filtered: Vec<f32>,
}

/// Expand (1x1, ReLU6), depthwise (ReLU6), project (1x1), plus the input where shapes agree.
#[derive(Debug, Clone)]
pub struct InvertedResidual {
    /// Absent where the expansion ratio is 1.
    pub expand: Option<Pointwise>,
    /// The spatial part.
    pub depthwise: Depthwise,
    /// Back to few channels, without activation.
    pub project: Pointwise,
    /// Whether the input is added.
    pub residual: bool,
}

/// How one image runs through one block.
#[derive(Clone, Copy)]
struct Plan {
    input: Grid,
    output: Grid,
    /// Zero rows above and zero columns left of the image.
    before: (usize, usize),
    /// Values in a padded row of the expanded map.
    row_len: usize,
    /// Output rows a strip.
    strip: usize,
    /// Expanded rows held in the ring.
    held: usize,
}

impl InvertedResidual {
    /// One image through the block: `input` of shape `grid`; writes `output` and says its shape.
    ///
    /// # Panics
    /// Where `input` has another length than `grid` says or `grid` other channels than the block takes.
    pub fn forward(&self, arch: Arch, input: &[f32], grid: Grid, output: &mut Vec<f32>, scratch: &mut Scratch) -> Grid {
        assert_eq!(input.len(), grid.len());
        assert_eq!(grid.channels, self.expand.as_ref().map_or(self.depthwise.channels(), Pointwise::inputs));
        let plan = self.plan(grid);
        output.resize(plan.output.len(), 0.0);
        scratch.ring.clear();
        scratch.ring.resize(plan.held * plan.row_len, 0.0);
        scratch.zeros.resize(scratch.zeros.len().max(plan.row_len), 0.0);
        let out_row = plan.output.columns * plan.output.channels;
        let mut filled = 0;
        for (strip, output) in output.chunks_mut(plan.strip * out_row).enumerate() {
            let first = strip * plan.strip;
            let rows = output.len() / out_row;
            let until = ((first + rows - 1) * self.depthwise.stride() + self.depthwise.kernel())
                .saturating_sub(plan.before.0)
                .min(grid.rows);
            self.fill_ring(&plan, input, filled..until, scratch);
            filled = filled.max(until);
            self.filter_rows(arch, &plan, first..first + rows, scratch);
            self.project_rows(&plan, input, first..first + rows, scratch, output);
        }
        plan.output
    }

    fn plan(&self, input: Grid) -> Plan {
        let (kernel, stride) = (self.depthwise.kernel(), self.depthwise.stride());
        let (vertical, horizontal) =
            (same_padding(input.rows, kernel, stride), same_padding(input.columns, kernel, stride));
        let output = Grid { rows: vertical.output, columns: horizontal.output, channels: self.project.outputs() };
        let row_len = (horizontal.before + input.columns + horizontal.after) * self.depthwise.channels();
        let affordable = STRIP_BYTES / (row_len * size_of::<f32>());
        let strip = (affordable.saturating_sub(kernel) / stride + 1).min(output.rows);
        Plan {
            input,
            output,
            before: (vertical.before, horizontal.before),
            row_len,
            strip,
            held: (strip - 1) * stride + kernel,
        }
    }

    /// Expands input rows into their places in the ring.
    fn fill_ring(&self, plan: &Plan, input: &[f32], rows: std::ops::Range<usize>, scratch: &mut Scratch) {
        if rows.is_empty() {
            return;
        }
        let in_row = plan.input.columns * plan.input.channels;
        let channels = self.depthwise.channels();
        let wide_row = plan.input.columns * channels;
        let source = &input[rows.start * in_row..rows.end * in_row];
        let left = plan.before.1 * channels;
        if let Some(expand) = &self.expand {
            scratch.expanded.resize(scratch.expanded.len().max(rows.len() * wide_row), 0.0);
            let expanded = &mut scratch.expanded[..rows.len() * wide_row];
            expand.multiply(source, expanded, false);
            for (row, expanded) in rows.zip(expanded.chunks_exact(wide_row)) {
                let at = (row % plan.held) * plan.row_len + left;
                let place = &mut scratch.ring[at..at + wide_row];
                for (pixel, expanded) in place.chunks_exact_mut(channels).zip(expanded.chunks_exact(channels)) {
                    for ((x, e), b) in pixel.iter_mut().zip(expanded).zip(&expand.bias) {
                        *x = relu6(e + b);
                    }
                }
            }
        } else {
            for (row, source) in rows.zip(source.chunks_exact(wide_row)) {
                let at = (row % plan.held) * plan.row_len + left;
                scratch.ring[at..at + wide_row].copy_from_slice(source);
            }
        }
    }

    /// Depthwise convolution of output rows from the ring.
    fn filter_rows(&self, arch: Arch, plan: &Plan, rows: std::ops::Range<usize>, scratch: &mut Scratch) {
        let out_row = plan.output.columns * self.depthwise.channels();
        scratch.filtered.resize(scratch.filtered.len().max(rows.len() * out_row), 0.0);
        let Scratch { ring, zeros, filtered, .. } = scratch;
        for (row, filtered) in rows.zip(filtered.chunks_exact_mut(out_row)) {
            let mut window = [&zeros[..plan.row_len]; 5];
            let window = &mut window[..self.depthwise.kernel()];
            for (y, source) in window.iter_mut().enumerate() {
                let inside = (row * self.depthwise.stride() + y).checked_sub(plan.before.0);
                if let Some(at) = inside.filter(|at| *at < plan.input.rows) {
                    *source = &ring[(at % plan.held) * plan.row_len..][..plan.row_len];
                }
            }
            depthwise_row(arch, &self.depthwise, window, filtered);
        }
    }

    /// Projects filtered rows onto the output, bias (and input) first.
    fn project_rows(
        &self,
        plan: &Plan,
        input: &[f32],
        rows: std::ops::Range<usize>,
        scratch: &Scratch,
        output: &mut [f32],
    ) {
        let bias = &self.project.bias;
        let out_row = plan.output.columns * plan.output.channels;
        if self.residual {
            let input = &input[rows.start * out_row..rows.end * out_row];
            for (pixel, input) in output.chunks_exact_mut(bias.len()).zip(input.chunks_exact(bias.len())) {
                for ((x, b), i) in pixel.iter_mut().zip(bias).zip(input) {
                    *x = b + i;
                }
            }
        } else {
            output.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        let filtered = &scratch.filtered[..rows.len() * plan.output.columns * self.depthwise.channels()];
        self.project.multiply(filtered, output, true);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn wave(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    struct Case {
        kernel: usize,
        stride: usize,
        expand: usize,
        grid: Grid,
        outputs: usize,
    }

    /// The block layer by layer, from the definition. Weights are PyTorch's order.
    fn reference(case: &Case, weights: [&[f32]; 3], input: &[f32]) -> Vec<f32> {
        let Case { kernel, stride, expand, grid, outputs } = *case;
        let wide = grid.channels * expand;
        let [expand_w, depthwise_w, project_w] = weights;
        let expanded: Vec<f32> = if expand == 1 {
            input.to_vec()
        } else {
            let pixel = |p: &[f32]| -> Vec<f32> {
                let sum = |o: usize| (0..grid.channels).map(|i| expand_w[o * grid.channels + i] * p[i]).sum::<f32>();
                (0..wide).map(|o| relu6(sum(o) + 0.1)).collect()
            };
            input.chunks(grid.channels).flat_map(pixel).collect()
        };
        let (down, right) = (same_padding(grid.rows, kernel, stride), same_padding(grid.columns, kernel, stride));
        let mut output = Vec::new();
        for (row, column) in (0..down.output).flat_map(|r| (0..right.output).map(move |c| (r, c))) {
            let mut filtered = vec![0.2f32; wide];
            for (y, x) in (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x))) {
                let (Some(r), Some(c)) =
                    ((row * stride + y).checked_sub(down.before), (column * stride + x).checked_sub(right.before))
                else {
                    continue;
                };
                if r < grid.rows && c < grid.columns {
                    for (k, sum) in filtered.iter_mut().enumerate() {
                        let pixel = expanded[(r * grid.columns + c) * wide + k];
                        *sum += depthwise_w[k * kernel * kernel + y * kernel + x] * pixel;
                    }
                }
            }
            for o in 0..outputs {
                let sum: f32 = (0..wide).map(|k| project_w[o * wide + k] * relu6(filtered[k])).sum();
                let skip = stride == 1 && outputs == grid.channels;
                output.push(sum - 0.3 + if skip { input[(row * grid.columns + column) * outputs + o] } else { 0.0 });
            }
        }
        output
    }

    fn check(case: &Case) {
        let Case { kernel, stride, expand, grid, outputs } = *case;
        let wide = grid.channels * expand;
        let expand_w = wave(wide * grid.channels, 0.37);
        let depthwise_w = wave(wide * kernel * kernel, 0.53);
        let project_w = wave(outputs * wide, 0.29);
        let input = wave(grid.len(), 0.17);
        let block = InvertedResidual {
            expand: (expand != 1).then(|| Pointwise::new(&expand_w, vec![0.1; wide], grid.channels)),
            depthwise: Depthwise::new(&depthwise_w, vec![0.2; wide], kernel, stride),
            project: Pointwise::new(&project_w, vec![-0.3; outputs], wide),
            residual: stride == 1 && outputs == grid.channels,
        };
        let expected = reference(case, [&expand_w, &depthwise_w, &project_w], &input);
        for arch in [Arch::Scalar, Arch::new()] {
            // A workspace that held something else before.
            let mut scratch = Scratch { ring: vec![9.0; 5000], filtered: vec![9.0; 10], ..Scratch::default() };
            let mut output = vec![9.0; 3];
            let shape = block.forward(arch, &input, grid, &mut output, &mut scratch);
            assert_eq!(shape.len(), output.len());
            assert_eq!(output.len(), expected.len());
            for (a, b) in output.iter().zip(&expected) {
                assert_abs_diff_eq!(*a, *b, epsilon = 1e-3);
            }
        }
    }

    #[test]
    fn strips_give_what_whole_maps_give() {
        let grid = |rows, columns, channels| Grid { rows, columns, channels };
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            // Small, odd, one pixel, one column, and wide enough to need several strips.
            for grid in [grid(6, 6, 3), grid(7, 5, 4), grid(1, 1, 2), grid(9, 1, 2), grid(21, 110, 8)] {
                for (expand, outputs) in [(1, grid.channels), (6, grid.channels), (6, 5)] {
                    check(&Case { kernel, stride, expand, grid, outputs });
                }
            }
        }
        let wide = InvertedResidual {
            expand: None,
            depthwise: Depthwise::new(&vec![0.0; 48 * 25], vec![0.0; 48], 5, 1),
            project: Pointwise::new(&[0.0; 48], vec![0.0], 48),
            residual: false,
        };
        let plan = wide.plan(grid(21, 110, 48));
        assert!(plan.strip < 21, "the last grid must need several strips: {}", plan.strip);
    }
}
