//! Files of tensors: safetensors, and what PyTorch's `torch.save` writes.

use std::{io::Write, path::Path};

use candle_core::{DType, pickle::PthTensors};
use safetensors::{Dtype, SafeTensors};

use super::weights::Stored;
use crate::error::{Error, Result};

/// First bytes of a zip archive: PyTorch's format since 1.6.
const ZIP: &[u8] = b"PK\x03\x04";
/// Where training scripts put a network's tensors, if not at the top.
const NESTED: [&str; 4] = ["state_dict", "model", "model_state_dict", "teacher"];

/// An opened file.
pub(super) enum TensorFile<'a> {
    Safetensors(SafeTensors<'a>),
    Pickle(PthTensors),
    /// The same from memory: the file stays until the tensors are read.
    Temporary(PthTensors, #[expect(dead_code, reason = "deleted when dropped")] tempfile::NamedTempFile),
}

impl<'a> TensorFile<'a> {
    /// Told by the content, whatever the file is called. Nothing in a pickle is run.
    ///
    /// # Errors
    /// The file is of another kind, damaged, or has no tensors.
    pub(super) fn open(bytes: &'a [u8], path: Option<&Path>) -> Result<Self> {
        if bytes.starts_with(ZIP) {
            return match path {
                Some(path) => Ok(Self::Pickle(pickle(path)?)),
                None => {
                    let mut file = tempfile::NamedTempFile::new().map_err(Error::io("a temporary file"))?;
                    file.write_all(bytes).map_err(Error::io(file.path()))?;
                    Ok(Self::Temporary(pickle(file.path())?, file))
                }
            };
        }
        SafeTensors::deserialize(bytes).map(Self::Safetensors).map_err(|error| {
            Error::Weights(if bytes.first() == Some(&0x80) {
                "this file is in PyTorch's format of before version 1.6; load it and save it again with torch.save"
                    .into()
            } else {
                format!("this is not a safetensors file, nor one of torch.save ({error})")
            })
        })
    }

    /// Names of all tensors, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Safetensors(file) => file.names().into_iter().map(str::to_owned).collect(),
            Self::Pickle(file) | Self::Temporary(file, _) => file.tensor_infos().keys().cloned().collect(),
        };
        names.sort();
        names
    }

    /// A tensor; `None` where there is none of this name.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn get(&self, name: &str) -> Result<Option<Stored>> {
        match self {
            Self::Safetensors(file) => Ok(file.tensor(name).ok().map(|view| Stored {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            })),
            Self::Pickle(file) | Self::Temporary(file, _) => {
                let tensor = file
                    .get(name)
                    .map_err(|error| Error::Weights(format!("tensor {name} cannot be read ({error})")))?;
                tensor.map(|tensor| stored(name, &tensor)).transpose()
            }
        }
    }
}

/// Opens what `torch.save` wrote: a dictionary of tensors, or one that holds it.
fn pickle(path: &Path) -> Result<PthTensors> {
    let open = |key| {
        PthTensors::new(path, key)
            .map_err(|error| Error::Weights(format!("{} is not a file of torch.save ({error})", path.display())))
    };
    let top = open(None)?;
    if !top.tensor_infos().is_empty() {
        return Ok(top);
    }
    let nested = NESTED.into_iter().filter_map(|key| open(Some(key)).ok());
    nested.into_iter().find(|file| !file.tensor_infos().is_empty()).ok_or_else(|| {
        let places = NESTED.join(", ");
        Error::Weights(format!("{} has no tensors, neither at its top nor under {places}", path.display()))
    })
}

/// candle's tensor with its type and bytes.
fn stored(name: &str, tensor: &candle_core::Tensor) -> Result<Stored> {
    let flat = tensor.flatten_all()?;
    let (dtype, bytes) = match tensor.dtype() {
        DType::F32 => (Dtype::F32, flat.to_vec1::<f32>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
        DType::F64 => (Dtype::F32, flat.to_vec1::<f64>()?.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect()),
        DType::F16 => (Dtype::F16, flat.to_vec1::<half::f16>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
        DType::BF16 => (Dtype::BF16, flat.to_vec1::<half::bf16>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
        other => return Err(Error::Weights(format!("{name} is stored as {other:?}, which is no weight"))),
    };
    Ok(Stored { dtype, shape: tensor.dims().to_vec(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by fixtures/make_parity.py: `a` [2, 3] in single precision (0 to 5), `b` [2] in half, `c` a transposed [2, 3].
    const NESTED_FILE: &[u8] = include_bytes!("../../tests/fixtures/parity_nested.pth");

    fn values(stored: &Stored) -> Vec<f32> {
        stored.values("x").unwrap()
    }

    #[test]
    fn what_torch_saves_is_read_from_disk_and_from_memory() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parity_nested.pth");
        for path in [Some(Path::new(path)), None] {
            let file = TensorFile::open(NESTED_FILE, path).unwrap();
            assert_eq!(file.names(), ["a", "b", "c", "steps"]);
            let a = file.get("a").unwrap().unwrap();
            assert_eq!((a.shape.as_slice(), values(&a)), (&[2, 3][..], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
            let b = file.get("b").unwrap().unwrap();
            assert_eq!((b.dtype, values(&b)), (Dtype::F16, vec![0.5, -2.0]));
            let c = file.get("c").unwrap().unwrap();
            assert_eq!((c.shape.as_slice(), values(&c)), (&[3, 2][..], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
            assert!(file.get("d").unwrap().is_none());
            assert!(file.get("steps").is_err());
        }
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let message = |bytes: &[u8]| TensorFile::open(bytes, None).err().unwrap().to_string();
        assert!(message(b"hello").contains("not a safetensors file"));
        assert!(message(b"\x80\x02\x8a\x0a").contains("before version 1.6"));
        assert!(message(b"PK\x03\x04 and no more").contains("torch.save"));
    }
}
