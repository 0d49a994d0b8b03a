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
    pub fn forward(
        &self,
        arch: Arch,
        input: &[f32],
        grid: Grid,
        output: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) -> Grid {
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
