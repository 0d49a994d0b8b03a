//! An export as the body of an HTTP answer.

use std::io::{self, Write};

use bytes::Bytes;
use futures::stream::BoxStream;
use kenami_domain::view::dataset::ExportFormat;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Request, Result,
    produce::produce,
    sink::{UNDER_WAY, archive, plain},
};

/// Bytes gathered before they are sent on.
const CHUNK: usize = 64 * 1024;

/// An export on its way to a browser.
pub struct Download {
    /// What to call the file.
    pub file_name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes; an error breaks the answer off, so that half a file does not look whole.
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

/// Starts an export for a download: csv and jsonl as they are, folders as one zip.
///
/// # Errors
/// Rights, or there is no such dataset; what fails later breaks the body off.
pub async fn download(request: Request) -> Result<Download> {
    let manifest = request.manifest().await?;
    if request.format == ExportFormat::Imagefolder {
        super::classes::class_attribute(&manifest, request.by.as_deref())?;
    }
    let (file_name, content_type) = match request.format {
        ExportFormat::Csv => (format!("{}.csv", request.dataset), "text/csv; charset=utf-8"),
        ExportFormat::Jsonl => (format!("{}.jsonl", request.dataset), "application/jsonl"),
        ExportFormat::Folder => (format!("{}.zip", request.dataset), "application/zip"),
        ExportFormat::Imagefolder => (format!("{}-imagefolder.zip", request.dataset), "application/zip"),
    };
    let (parts, arriving) = channel(UNDER_WAY);
    let (chunks, body) = channel(UNDER_WAY);
    let is_archive = matches!(request.format, ExportFormat::Folder | ExportFormat::Imagefolder);
    tokio::task::spawn_blocking(move || {
        let mut target = Chunks { gathered: Vec::with_capacity(CHUNK), chunks };
        let outcome = if is_archive { archive(arriving, &mut target) } else { plain(arriving, &mut target) };
        if let Err(error) = outcome {
            let _ = target.chunks.blocking_send(Err(error));
        }
    });
    tokio::spawn(async move {
        // A reader that has gone is no error of the server.
        match produce(&request, &manifest, parts).await {
            Ok(_) | Err(super::ExportError::BrokenOff) => {}
            Err(error) => tracing::error!(%error, dataset = request.dataset, "a download was broken off"),
        }
    });
    Ok(Download { file_name, content_type, body: Box::pin(ReceiverStream::new(body)) })
}

/// Sends what is written on in chunks.
struct Chunks {
    gathered: Vec<u8>,
    chunks: Sender<io::Result<Bytes>>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.gathered, Vec::with_capacity(CHUNK));
        self.chunks.blocking_send(Ok(chunk.into())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend(bytes);
        if self.gathered.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
