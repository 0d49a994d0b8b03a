//! Aligned scratch memory, and pointers that tasks share when each writes its own places.

use std::ops::{Deref, DerefMut};

use super::super::{Buffer, BufferPool};

/// Floats in a cache line; vectors of AVX-512 that cross one cost twice.
const LINE: usize = 16;

/// A buffer that begins at a cache line.
pub(super) struct Scratch {
    buffer: Buffer,
    start: usize,
    len: usize,
}

impl Scratch {
    /// `len` values of undefined content; two vectors more may be read (not written) beyond them.
    pub(super) fn take(pool: &BufferPool, len: usize) -> Self {
        let buffer = pool.take(len + 3 * LINE);
        let start = (buffer.as_ptr() as usize / size_of::<f32>()).wrapping_neg() % LINE;
        Self { buffer, start, len }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.start..self.start + self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}

/// Values that several tasks write, each its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared(*mut f32);

// SAFETY: a plain address; whoever writes through it answers for the parts being apart.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(values: &mut [f32]) -> Self {
        Self(values.as_mut_ptr())
    }

    /// The address of a place.
    pub(super) fn at(self, place: usize) -> *mut f32 {
        self.0.wrapping_add(place)
    }

    /// The values from a place on.
    ///
    /// # Safety
    /// They are within what this was made of, and no other task uses them meanwhile.
    pub(super) unsafe fn slice<'a>(self, from: usize, len: usize) -> &'a mut [f32] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(from), len) }
    }
}
