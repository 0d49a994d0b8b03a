//! Files in the object store: a local folder, or S3 and what speaks like it.
//!
//! Originals and derivatives are content-addressed by the original's blake3 hash: `originals/ab/ab12...`,
//! `web/ab/ab12...`, `thumbnails/ab/ab12...`. Run files lie under `runs/ID/NAME`.

use std::{fmt, fs, path::Path, str::FromStr, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, PutPayload, aws::AmazonS3Builder, buffered::BufWriter, local::LocalFileSystem, path::Path as Key,
    prefix::PrefixStore,
};
use tokio::io::AsyncWriteExt;

/// A failure of the object store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such file.
    #[error("there is no such file in the object store")]
    NotFound,
    /// The object store's location cannot be used.
    #[error("the object store `{location}` cannot be used: {reason}")]
    Location {
        /// As it was given.
        location: String,
        /// Why.
        reason: String,
    },
    /// The store did not do what it was asked.
    #[error("the object store failed: {0}")]
    Store(#[source] object_store::Error),
    /// A local file could not be read.
    #[error("a file could not be read: {0}")]
    Io(#[from] std::io::Error),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

/// The result of an operation on the store.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// What is kept of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// 256 pixels on the long side.
    Thumbnail,
    /// At most 1,600 pixels on the long side, without metadata.
    Web,
    /// The bytes as they came.
    Original,
}

impl Variant {
    /// The variant's name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::Web => "web",
            Self::Original => "original",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnails",
            Self::Web => "web",
            Self::Original => "originals",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a variant: choose thumbnail, web or original")]
pub struct UnknownVariant(pub String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Thumbnail, Self::Web, Self::Original]
            .into_iter()
            .find(|variant| variant.as_str() == word)
            .ok_or_else(|| UnknownVariant(word.to_owned()))
    }
}

/// A stream of a file's bytes.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// The object store.
#[derive(Debug, Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
}

impl Storage {
    /// Opens the store at `location`: `s3://bucket/prefix` (region, endpoint and credentials from the usual `AWS_*`
    /// variables) or a folder, which is made if there is none.
    ///
    /// # Errors
    /// The folder cannot be made, or the address is not understood.
    pub fn open(location: &str) -> Result<Self> {
        let refused = |reason: String| StorageError::Location { location: location.to_owned(), reason };
        if let Some(rest) = location.strip_prefix("s3://") {
            let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
            let store =
                AmazonS3Builder::from_env().with_url(location).build().map_err(|error| refused(error.to_string()))?;
            return Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)) });
        }
        if let Some((scheme, _)) = location.split_once("://").filter(|(scheme, _)| *scheme != "file") {
            return Err(refused(format!("`{scheme}` is not supported; give a folder or s3://bucket/prefix")));
        }
        Self::folder(Path::new(location.strip_prefix("file://").unwrap_or(location)))
    }

    /// Opens the store in a local folder, which is made if there is none.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn folder(folder: &Path) -> Result<Self> {
        let refused = |reason: String| StorageError::Location { location: folder.display().to_string(), reason };
        fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| refused(error.to_string()))?;
        Ok(Self { store: Arc::new(store) })
    }

    fn key(hash: &[u8; 32], variant: Variant) -> Key {
        let hex = blake3::Hash::from_bytes(*hash).to_hex();
        Key::from_iter([variant.folder(), &hex[..2], hex.as_str()])
    }

    /// Keeps an original under its hash. What is there already stays: the hash says that it is the same.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_original(&self, hash: &[u8; 32], bytes: Bytes) -> Result<()> {
        let key = Self::key(hash, Variant::Original);
        match self.store.head(&key).await {
            Ok(found) if found.size == bytes.len() as u64 => return Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.store.put(&key, PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Keeps a derivative of the original with this hash.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_derivative(&self, hash: &[u8; 32], variant: Variant, bytes: Bytes) -> Result<()> {
        self.store.put(&Self::key(hash, variant), PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Lets `to` be the same bytes as `from`, without sending them again (a hard link in a folder). What is there already
    /// stays: derivatives of one original are always the same.
    ///
    /// # Errors
    /// The store fails, or `from` is not there.
    pub async fn copy(&self, hash: &[u8; 32], from: Variant, to: Variant) -> Result<()> {
        let (from, to) = (Self::key(hash, from), Self::key(hash, to));
        // Never over what is there: where both are links to one file, the rename that ends such a copy does nothing and
        // leaves its temporary link behind.
        match self.store.copy_if_not_exists(&from, &to).await {
            Ok(()) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            // S3 without further settings; copying again costs a request.
            Err(object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented) => {
                Ok(self.store.copy(&from, &to).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All bytes of a variant.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], or the store fails.
    pub async fn get(&self, hash: &[u8; 32], variant: Variant) -> Result<Bytes> {
        Ok(self.store.get(&Self::key(hash, variant)).await?.bytes().await?)
    }

    /// A variant's length in bytes and its bytes as they come.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], or the store fails.
    pub async fn stream(&self, hash: &[u8; 32], variant: Variant) -> Result<(u64, ByteStream)> {
        self.stream_key(&Self::key(hash, variant)).await
    }

    async fn stream_key(&self, key: &Key) -> Result<(u64, ByteStream)> {
        let found = self.store.get(key).await?;
        Ok((found.meta.size, found.into_stream().map_err(StorageError::from).boxed()))
    }

    /// Keeps the local file `path` as the artifact `key` (`runs/7/model.safetensors`).
    ///
    /// # Errors
    /// The file cannot be read, or the store fails.
    pub async fn put_artifact(&self, key: &str, path: &Path) -> Result<()> {
        let mut source = tokio::fs::File::open(path).await?;
        let mut target = BufWriter::new(self.store.clone(), Key::from(key));
        tokio::io::copy(&mut source, &mut target).await?;
        target.shutdown().await?;
        Ok(())
    }

    /// An artifact's length in bytes and its bytes as they come.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], or the store fails.
    pub async fn get_artifact(&self, key: &str) -> Result<(u64, ByteStream)> {
        self.stream_key(&Key::from(key)).await
    }

    /// All bytes of an artifact.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], or the store fails.
    pub async fn get_artifact_bytes(&self, key: &str) -> Result<Bytes> {
        Ok(self.store.get(&Key::from(key)).await?.bytes().await?)
    }
}
