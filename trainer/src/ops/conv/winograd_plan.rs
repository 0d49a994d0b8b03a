//! What Winograd's algorithm does to maps of one size: tiles, and the transform of their rows.

use pulp::Arch;

use super::{
    Geometry,
    ends::{Band, MapReader},
    winograd_tiles::{ForwardTiles, Into, Layout},
};

/// Values of the tiles that are in the third-level cache at a time; tests have several such blocks of small maps.
const SUPERBLOCK: usize = if cfg!(test) { 1 << 15 } else { 3 << 20 };

/// A convolution in one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Outputs of a tile a side.
    pub(super) m: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) inputs: usize,
    pub(super) out_rows: usize,
    pub(super) out_columns: usize,
    pub(super) outputs: usize,
    pub(super) pad_top: usize,
    pub(super) pad_left: usize,
    /// Tiles above each other.
    pub(super) tile_rows: usize,
    /// Tiles beside each other.
    pub(super) tile_columns: usize,
    /// Rows of tiles in the batch.
    pub(super) all_rows: usize,
}

impl Plan {
    pub(super) fn new(geometry: &Geometry, m: usize) -> Self {
        let (tile_rows, tile_columns) = (geometry.out_rows.div_ceil(m), geometry.out_columns.div_ceil(m));
        Self {
            m,
            rows: geometry.rows,
            columns: geometry.columns,
            inputs: geometry.spec.inputs,
            out_rows: geometry.out_rows,
            out_columns: geometry.out_columns,
            outputs: geometry.spec.outputs,
            pad_top: geometry.pad_top,
            pad_left: geometry.pad_left,
            tile_rows,
            tile_columns,
            all_rows: geometry.images * tile_rows,
        }
    }

    /// The convolution that gives the input's gradient.
    pub(super) fn input_gradient(geometry: &Geometry, m: usize) -> Self {
        let mut turned = *geometry;
        (turned.rows, turned.out_rows) = (geometry.out_rows, geometry.rows);
        (turned.columns, turned.out_columns) = (geometry.out_columns, geometry.columns);
        (turned.spec.inputs, turned.spec.outputs) = (geometry.spec.outputs, geometry.spec.inputs);
        (turned.pad_top, turned.pad_left) = (2 - geometry.pad_top, 2 - geometry.pad_left);
        Self::new(&turned, m)
    }

    pub(super) fn frequencies(&self) -> usize {
        (self.m + 2) * (self.m + 2)
    }

    /// Rows of tiles, each tile of so many values, that are in the third-level cache at a time.
    pub(super) fn superblock(&self, tile: usize) -> usize {
        let most = (SUPERBLOCK / (tile * self.tile_columns)).max(1);
        self.all_rows.div_ceil(self.all_rows.div_ceil(most))
    }

    /// The band of the input under a row of tiles.
    pub(super) fn input_band(&self) -> Band {
        Band {
            rows: self.rows,
            columns: self.columns,
            channels: self.inputs,
            band_rows: self.m + 2,
            band_columns: self.tile_columns * self.m + 2,
            left: self.pad_left,
        }
    }

    /// The band of the output under a row of tiles.
    pub(super) fn output_band(&self) -> Band {
        Band {
            rows: self.out_rows,
            columns: self.out_columns,
            channels: self.outputs,
            band_rows: self.m,
            band_columns: self.tile_columns * self.m,
            left: 0,
        }
    }

    /// Image and first output row of a row of tiles.
    pub(super) fn place(&self, tile_row: usize) -> (usize, usize) {
        (tile_row / self.tile_rows, tile_row % self.tile_rows * self.m)
    }

    /// First output pixel of a row of tiles, and its rows that exist.
    pub(super) fn pixels(&self, tile_row: usize) -> (usize, usize) {
        let (image, row) = self.place(tile_row);
        ((image * self.out_rows + row) * self.out_columns, (self.out_rows - row).min(self.m))
    }

    /// Reads and transforms rows of tiles.
    ///
    /// # Safety
    /// `out` has the layout's places for these tiles, which no other task uses meanwhile.
    pub(super) unsafe fn transform(
        &self,
        arch: Arch,
        reader: &impl MapReader,
        rows: std::ops::Range<usize>,
        band: &mut [f32],
        (out, layout): (*mut f32, Layout),
    ) {
        let shape = self.input_band();
        for (i, tile_row) in rows.enumerate() {
            let (image, row) = self.place(tile_row);
            shape.read(reader, image, row as isize - self.pad_top as isize, band);
            let tiles = ForwardTiles {
                transform: Into::Input,
                m: self.m,
                band: band.as_ptr(),
                columns: shape.band_columns,
                channels: self.inputs,
                tiles: self.tile_columns,
                out: out.wrapping_add(i * self.tile_columns * layout.tile),
                layout,
            };
            // SAFETY: the band has this shape and slack for a vector; the rest is the caller's.
            unsafe { tiles.run(arch) };
        }
    }
}

/// A frequency's values with a gap that keeps frequencies out of each other's cache sets.
pub(super) fn spaced(values: usize) -> usize {
    (values.div_ceil(16) | 1) * 16
}
