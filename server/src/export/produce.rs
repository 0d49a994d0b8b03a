//! Reading a dataset page by page and sending it as parts.

use bytes::Bytes;
use futures::{StreamExt, stream};
use kenami_domain::{
    dataset::{Manifest, Split},
    schema::Attribute,
    view::dataset::ExportFormat,
};
use kenami_store::datasets::{self, DatasetItem};
use tokio::sync::mpsc::Sender;

use super::{ExportError, Part, Request, Result, Written, classes, table::Table};
use crate::storage::Variant;

/// Rows a page.
const PAGE: i64 = 2_000;
/// Photos read ahead.
const AHEAD: usize = 4;

/// Sends the whole export to `parts`; [`Part::End`] last, so that a reader can tell an end from a failure.
pub(super) async fn produce(request: &Request, manifest: &Manifest, parts: Sender<Part>) -> Result<Written> {
    let producer = Producer { request, manifest, parts };
    let written = match request.format {
        ExportFormat::Csv => producer.table().await?,
        ExportFormat::Jsonl => producer.lines().await?,
        ExportFormat::Folder => producer.folder().await?,
        ExportFormat::Imagefolder => producer.image_folder().await?,
    };
    producer.send(Part::End).await?;
    Ok(written)
}

struct Producer<'a> {
    request: &'a Request,
    manifest: &'a Manifest,
    parts: Sender<Part>,
}

impl Producer<'_> {
    async fn send(&self, part: Part) -> Result<()> {
        self.parts.send(part).await.map_err(|_| ExportError::BrokenOff)
    }

    async fn file(&self, path: impl Into<String>) -> Result<()> {
        self.send(Part::File(path.into())).await
    }

    async fn bytes(&self, bytes: impl Into<Bytes>) -> Result<()> {
        self.send(Part::Bytes(bytes.into())).await
    }

    /// The page of items after position `after`.
    async fn page(&self, after: Option<i32>) -> Result<Vec<DatasetItem>> {
        let Request { actor, db, project, dataset, .. } = self.request;
        Ok(datasets::items_page(actor, db, project, dataset, after, PAGE).await?)
    }

    /// Sends what `line` makes of each item, page by page; returns the number of items.
    async fn each_item(&self, line: impl Fn(&DatasetItem) -> Vec<u8>) -> Result<usize> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.page(after).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.position);
            count += page.len();
            self.bytes(page.iter().flat_map(&line).collect::<Vec<u8>>()).await?;
        }
    }

    /// Sends each item's photo as the file that `path` names, in the items' order; returns the number of photos.
    async fn each_photo(&self, path: impl Fn(&DatasetItem) -> Option<String>) -> Result<usize> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.page(after).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.position);
            let named: Vec<_> = page.into_iter().filter_map(|item| path(&item).map(|path| (path, item))).collect();
            let mut photos = stream::iter(named).map(|(path, item)| self.photo(path, item)).buffered(AHEAD);
            while let Some(photo) = photos.next().await {
                let (path, bytes) = photo?;
                self.file(path).await?;
                self.bytes(bytes).await?;
                count += 1;
            }
        }
    }

    async fn photo(&self, path: String, item: DatasetItem) -> Result<(String, Bytes)> {
        match self.request.storage.get(&item.file_hash, Variant::Original).await {
            Ok(bytes) => Ok((path, bytes)),
            Err(reason) => Err(ExportError::Photo { image: item.item.image, reason }),
        }
    }

    async fn table(&self) -> Result<Written> {
        let table = Table::new(self.manifest);
        self.file("dataset.csv").await?;
        self.bytes(table.header()).await?;
        Ok(Written { photos: self.each_item(|item| table.row(&item.item)).await?, without_class: 0 })
    }

    async fn lines(&self) -> Result<Written> {
        self.file("items.jsonl").await?;
        Ok(Written { photos: self.each_item(json_line).await?, without_class: 0 })
    }

    async fn manifest_file(&self) -> Result<()> {
        self.file("dataset.json").await?;
        let mut json = serde_json::to_vec_pretty(self.manifest).expect("a manifest is plain data");
        json.push(b'\n');
        self.bytes(json).await
    }

    async fn folder(&self) -> Result<Written> {
        self.manifest_file().await?;
        self.lines().await?;
        Ok(Written { photos: self.each_photo(|item| Some(item.item.image.clone())).await?, without_class: 0 })
    }

    async fn image_folder(&self) -> Result<Written> {
        let attribute = classes::class_attribute(self.manifest, self.request.by.as_deref())?;
        self.manifest_file().await?;
        self.file("metadata.jsonl").await?;
        let all = self.each_item(|item| metadata(item, attribute, None)).await?;
        // Once more in each split's folder: readers that take a folder a split look for it there.
        for split in Split::ALL {
            self.file(format!("{split}/metadata.jsonl")).await?;
            self.each_item(|item| metadata(item, attribute, Some(split))).await?;
        }
        let path = |item: &DatasetItem| {
            classes::path_in_split(&item.item, attribute).map(|path| format!("{}/{path}", item.item.split))
        };
        let photos = self.each_photo(path).await?;
        Ok(Written { photos, without_class: all - photos })
    }
}

fn json_line(item: &DatasetItem) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(&item.item).expect("an item is plain data");
    bytes.push(b'\n');
    bytes
}

/// The metadata line of an item, for the file at the top or that of `split`; nothing where the item is not in it.
fn metadata(item: &DatasetItem, attribute: &Attribute, split: Option<Split>) -> Vec<u8> {
    let item = &item.item;
    match (classes::path_in_split(item, attribute), split) {
        (Some(path), None) => classes::metadata_line(item, format!("{}/{path}", item.split)),
        (Some(path), Some(split)) if item.split == split => classes::metadata_line(item, path),
        _ => Vec::new(),
    }
}
