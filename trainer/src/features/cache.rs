//! The feature cache: a folder per key (weights and preprocessing) with files of many photos each. Files are written once
//! under a temporary name and renamed, so that a reader never sees half a file and two runs may share a folder.
//!
//! A file: `KENAMIF1`, number of rows and values a row (u32 each), hashes of the photos (32 bytes each), values (f32),
//! blake3 of all before; numbers in little-endian order.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"KENAMIF1";
const EXTENSION: &str = "features";
const HASH: usize = blake3::OUT_LEN;
const HEADER: usize = MAGIC.len() + 8;

/// Features on disk under one key.
#[derive(Debug)]
pub struct FeatureCache {
    dir: PathBuf,
    width: usize,
    rows: HashMap<blake3::Hash, Vec<f32>>,
}

impl FeatureCache {
    /// Opens (and makes) the folder of `key` in `dir`. A file that is not whole is ignored: its photos are computed again.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn open(dir: &Path, key: blake3::Hash, width: usize) -> Result<Self> {
        let dir = dir.join(&key.to_hex()[..32]);
        fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        let mut rows = HashMap::new();
        for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
            let path = entry.map_err(Error::io(&dir))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Ok(bytes) = fs::read(&path)
                && decode(&bytes, width, &mut rows).is_none()
            {
                tracing::warn!(path = %path.display(), "ignoring a damaged file of cached features");
            }
        }
        Ok(Self { dir, width, rows })
    }

    /// Copies a photo's features; false where they are not there.
    ///
    /// # Errors
    /// None today; a cache that reads lazily may fail.
    pub fn read(&self, photo: &blake3::Hash, features: &mut [f32]) -> Result<bool> {
        let Some(row) = self.rows.get(photo) else { return Ok(false) };
        features.copy_from_slice(row);
        Ok(true)
    }

    /// Writes rows as one more file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&self, rows: &[(blake3::Hash, Vec<f32>)]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let bytes = encode(rows, self.width);
        let name = blake3::hash(&bytes).to_hex();
        crate::files::write_atomically(&self.dir.join(format!("{}.{EXTENSION}", &name[..32])), |file| {
            file.write_all(&bytes)
        })
    }
}

fn encode(rows: &[(blake3::Hash, Vec<f32>)], width: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.extend((width as u32).to_le_bytes());
    rows.iter().for_each(|(hash, _)| bytes.extend(hash.as_bytes()));
    rows.iter().for_each(|(_, row)| row.iter().for_each(|value| bytes.extend(value.to_le_bytes())));
    let sum = blake3::hash(&bytes);
    bytes.extend(sum.as_bytes());
    bytes
}

/// Adds a file's rows; `None` where the file is not whole.
fn decode(bytes: &[u8], width: usize, rows: &mut HashMap<blake3::Hash, Vec<f32>>) -> Option<()> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if content.len() < HEADER || !content.starts_with(MAGIC) || blake3::hash(content).as_bytes() != sum {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(content.get(at..at + 4)?.try_into().ok()?) as usize);
    let (count, stored_width) = (number(MAGIC.len())?, number(MAGIC.len() + 4)?);
    let (hashes, values) = content[HEADER..].split_at_checked(count.checked_mul(HASH)?)?;
    if stored_width != width || values.len() != count * width * size_of::<f32>() {
        return None;
    }
    for (hash, row) in hashes.chunks_exact(HASH).zip(values.chunks_exact(width * size_of::<f32>())) {
        let hash = blake3::Hash::from_bytes(hash.try_into().ok()?);
        let row = row.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        rows.insert(hash, row);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u8) -> (blake3::Hash, Vec<f32>) {
        (blake3::hash(&[n]), vec![f32::from(n), -0.5, f32::MIN_POSITIVE])
    }

    #[test]
    fn rows_come_back_bit_for_bit_and_keys_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let key = blake3::hash(b"a");
        let cache = FeatureCache::open(dir.path(), key, 3).unwrap();
        cache.append(&[row(1), row(2)]).unwrap();
        cache.append(&[row(3)]).unwrap();
        let again = FeatureCache::open(dir.path(), key, 3).unwrap();
        let mut features = [0.0; 3];
        for n in 1..=3 {
            assert!(again.read(&row(n).0, &mut features).unwrap());
            assert_eq!(features.as_slice(), row(n).1);
        }
        assert!(!again.read(&row(4).0, &mut features).unwrap());
        let other = FeatureCache::open(dir.path(), blake3::hash(b"b"), 3).unwrap();
        assert!(!other.read(&row(1).0, &mut features).unwrap());
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let whole = encode(&[row(1), row(2)], 3);
        let mut rows = HashMap::new();
        for cut in 0..whole.len() {
            assert!(decode(&whole[..cut], 3, &mut rows).is_none(), "{cut}");
        }
        let mut flipped = whole.clone();
        flipped[HEADER + 2 * HASH] ^= 1;
        assert!(decode(&flipped, 3, &mut rows).is_none());
        assert!(decode(&whole, 4, &mut rows).is_none());
        assert!(rows.is_empty());
        assert!(decode(&whole, 3, &mut rows).is_some());
        assert_eq!(rows.len(), 2);
    }
}
