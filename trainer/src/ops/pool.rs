//! Memory for maps and scratch, used again from step to step: fresh pages cost as much as the arithmetic on them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
};

/// Buffers that wait for their next use. Cheap to clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub struct BufferPool {
    free: Arc<Mutex<Vec<Vec<f32>>>>,
}

/// A buffer that goes back to its pool when dropped.
#[derive(Debug)]
pub struct Buffer {
    values: Vec<f32>,
    free: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl BufferPool {
    /// `len` values; what they are is not defined.
    pub fn take(&self, len: usize) -> Buffer {
        let mut free = self.free.lock().expect("no panic while buffers are held");
        // The smallest that is large enough and not wastefully so.
        let fits = |buffer: &Vec<f32>| buffer.capacity() >= len && buffer.capacity() / 2 <= len.max(1024);
        let best = free.iter().enumerate().filter(|(_, buffer)| fits(buffer)).min_by_key(|(_, b)| b.capacity());
        let found = best.map(|(at, _)| at);
        let mut values = found.map(|at| free.swap_remove(at)).unwrap_or_default();
        drop(free);
        if values.len() < len {
            values.resize(len, 0.0);
        } else {
            values.truncate(len);
        }
        Buffer { values, free: Arc::clone(&self.free) }
    }

    /// Gives all waiting buffers back to the system.
    pub fn clear(&self) {
        self.free.lock().expect("no panic while buffers are held").clear();
    }
}

impl Buffer {
    /// The values for good: they do not go back.
    pub fn into_vec(mut self) -> Vec<f32> {
        std::mem::take(&mut self.values)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.values.capacity() > 0
            && let Ok(mut free) = self.free.lock()
        {
            free.push(std::mem::take(&mut self.values));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_is_used_again() {
        let pool = BufferPool::default();
        let first = pool.take(5000);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(pool.take(4000).as_ptr(), address);
        assert_ne!(pool.take(50_000).as_ptr(), address);
        assert_eq!(pool.take(3).len(), 3);
    }
}
