//! The feature cache: a folder per key (weights and preprocessing) with files of many photos each. Files are written once
//! under a temporary name and renamed, so that a reader never sees half a file and two runs may share a folder. Only an
//! index is held in memory.
//!
//! A file: `KENAMIF1` (values are f32) or `KENAMIH1` (f16), number of rows and values a row (u32 each), hashes of the photos
//! (32 bytes each), values, blake3 of all before; numbers in little-endian order.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use half::{f16, slice::HalfFloatSliceExt};

use crate::error::{Error, Result};

const EXTENSION: &str = "features";
const MAGIC: usize = 8;
const HASH: usize = blake3::OUT_LEN;
const HEADER: usize = MAGIC + 8;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As they are.
    Single,
    /// Rounded to half precision, at most 65504: whole feature maps, of which there are many.
    Half,
}

impl Precision {
    fn magic(self) -> &'static [u8; MAGIC] {
        match self {
            Self::Single => b"KENAMIF1",
            Self::Half => b"KENAMIH1",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Single => size_of::<f32>(),
            Self::Half => size_of::<f16>(),
        }
    }

    fn encode(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::Single => values.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
            Self::Half => values.iter().for_each(|value| {
                bytes.extend(f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())).to_le_bytes())
            }),
        }
    }

    fn decode(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Self::Single => {
                for (value, b) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(*b);
                }
            }
            Self::Half => {
                let halves: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
                halves.convert_to_f32_slice(values);
            }
        }
    }
}

/// A file whose check sum was right when it was opened.
#[derive(Debug)]
struct Sheet {
    path: PathBuf,
    file: File,
}

/// Features on disk under one key.
#[derive(Debug)]
pub struct FeatureCache {
    dir: PathBuf,
    width: usize,
    precision: Precision,
    sheets: Vec<Sheet>,
    /// Per photo: its file and where its values begin there.
    rows: HashMap<blake3::Hash, (usize, u64)>,
}

impl FeatureCache {
    /// Opens (and makes) the folder of `key` in `dir`. A file that is not whole is ignored: its photos are computed again.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn open(dir: &Path, key: blake3::Hash, width: usize, precision: Precision) -> Result<Self> {
        let dir = dir.join(&key.to_hex()[..32]);
        fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        let mut cache = Self { dir, width, precision, sheets: Vec::new(), rows: HashMap::new() };
        for entry in fs::read_dir(&cache.dir).map_err(Error::io(&cache.dir))? {
            let path = entry.map_err(Error::io(&cache.dir))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) && cache.take(&path).is_err() {
                tracing::warn!(path = %path.display(), "ignoring a damaged file of cached features");
            }
        }
        Ok(cache)
    }

    /// Adds a file's rows to the index, if it is whole.
    fn take(&mut self, path: &Path) -> io::Result<()> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let length = fs::metadata(path)?.len();
        let content = length.checked_sub(HASH as u64).ok_or_else(damaged)?;
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut hasher = blake3::Hasher::new();
        let mut header = [0; HEADER];
        reader.read_exact(&mut header)?;
        hasher.update(&header);
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (count, width) = (number(MAGIC) as usize, number(MAGIC + 4) as usize);
        let values = HEADER + count * HASH;
        let expected = values + count * width * self.precision.bytes();
        if !header.starts_with(self.precision.magic()) || width != self.width || content != expected as u64 {
            return Err(damaged());
        }
        let mut hashes = vec![0; count * HASH];
        reader.read_exact(&mut hashes)?;
        hasher.update(&hashes);
        hasher.update_reader(reader.by_ref().take((count * width * self.precision.bytes()) as u64))?;
        let mut sum = [0; HASH];
        reader.read_exact(&mut sum)?;
        if *hasher.finalize().as_bytes() != sum {
            return Err(damaged());
        }
        let sheet = self.sheets.len();
        self.sheets.push(Sheet { path: path.to_owned(), file: File::open(path)? });
        for (row, hash) in hashes.as_chunks::<HASH>().0.iter().enumerate() {
            let at = values + row * width * self.precision.bytes();
            self.rows.insert(blake3::Hash::from_bytes(*hash), (sheet, at as u64));
        }
        Ok(())
    }

    /// Whether a photo's features are there.
    pub fn contains(&self, photo: &blake3::Hash) -> bool {
        self.rows.contains_key(photo)
    }

    /// Copies a photo's features; false where they are not there.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn read(&self, photo: &blake3::Hash, features: &mut [f32]) -> Result<bool> {
        let Some((sheet, at)) = self.rows.get(photo) else { return Ok(false) };
        let Sheet { path, file } = &self.sheets[*sheet];
        let mut bytes = vec![0; self.width * self.precision.bytes()];
        read_at(file, &mut bytes, *at).map_err(Error::io(path))?;
        self.precision.decode(&bytes, features);
        Ok(true)
    }

    /// Writes rows as one more file; they are found when the cache is opened again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&self, rows: &[(blake3::Hash, Vec<f32>)]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let bytes = encode(rows, self.width, self.precision);
        let name = blake3::hash(&bytes).to_hex();
        crate::files::write_atomically(&self.dir.join(format!("{}.{EXTENSION}", &name[..32])), |file| {
            file.write_all(&bytes)
        })
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    // One thread at a time: seeking moves everybody's place in the file.
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock();
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

fn encode(rows: &[(blake3::Hash, Vec<f32>)], width: usize, precision: Precision) -> Vec<u8> {
    let mut bytes = precision.magic().to_vec();
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.extend((width as u32).to_le_bytes());
    rows.iter().for_each(|(hash, _)| bytes.extend(hash.as_bytes()));
    rows.iter().for_each(|(_, row)| precision.encode(row, &mut bytes));
    let sum = blake3::hash(&bytes);
    bytes.extend(sum.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u8) -> (blake3::Hash, Vec<f32>) {
        (blake3::hash(&[n]), vec![f32::from(n), -0.5, f32::MIN_POSITIVE])
    }

    fn open(dir: &Path, key: &[u8]) -> FeatureCache {
        FeatureCache::open(dir, blake3::hash(key), 3, Precision::Single).unwrap()
    }

    #[test]
    fn rows_come_back_bit_for_bit_and_keys_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), b"a");
        cache.append(&[row(1), row(2)]).unwrap();
        cache.append(&[row(3)]).unwrap();
        let again = open(dir.path(), b"a");
        let mut features = [0.0; 3];
        for n in 1..=3 {
            assert!(again.read(&row(n).0, &mut features).unwrap());
            assert_eq!(features.as_slice(), row(n).1);
        }
        assert!(!again.read(&row(4).0, &mut features).unwrap());
        assert!(!open(dir.path(), b"b").contains(&row(1).0));
    }

    #[test]
    fn half_precision_rounds_and_is_not_taken_for_single() {
        let dir = tempfile::tempdir().unwrap();
        let key = blake3::hash(b"h");
        let cache = FeatureCache::open(dir.path(), key, 3, Precision::Half).unwrap();
        cache.append(&[(row(1).0, vec![1.0, -0.333_333_34, 70_000.0])]).unwrap();
        let again = FeatureCache::open(dir.path(), key, 3, Precision::Half).unwrap();
        let mut values = [0.0; 3];
        assert!(again.read(&row(1).0, &mut values).unwrap());
        assert_eq!(values[0], 1.0);
        assert!((values[1] + 1.0 / 3.0).abs() < 2e-4 && values[2] == f16::MAX.to_f32());
        assert!(!FeatureCache::open(dir.path(), key, 3, Precision::Single).unwrap().contains(&row(1).0));
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one");
        let mut cache = open(dir.path(), b"a");
        let whole = encode(&[row(1), row(2)], 3, Precision::Single);
        let mut is_taken = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            cache.take(&path).is_ok()
        };
        for cut in 0..whole.len() {
            assert!(!is_taken(&whole[..cut]), "{cut}");
        }
        let mut flipped = whole.clone();
        flipped[HEADER + 2 * HASH] ^= 1;
        assert!(!is_taken(&flipped));
        assert!(is_taken(&whole));
        assert_eq!(cache.rows.len(), 2);
        cache.width = 4;
        assert!(cache.take(&path).is_err());
    }
}
