//! A folder a class, as image classification sets usually come: `CLASS/.../photo.jpg`, or `SPLIT/CLASS/.../photo.jpg`
//! where all top folders are splits. The given attribute is `class`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use kenami_domain::{
    schema::{Attribute, AttributeKind, AttributeValue, Texts},
    view::photo::ImportedSplit,
};

use super::{Candidate, LayoutError, Plan, names, tree};

const CLASS: &str = "class";

pub(super) fn plan(folder: &Path) -> Result<Plan, LayoutError> {
    if !folder.is_dir() {
        return Err(LayoutError::Missing(format!("{}: there is no such folder", folder.display())));
    }
    let (folder, listing) = top_of(folder)?;
    if listing.pictures.is_empty() {
        return Err(LayoutError::Missing(format!("{}: there are no photos in it", folder.display())));
    }
    let tops: BTreeSet<&str> =
        listing.pictures.iter().map(|(name, _)| name.split_once('/').map_or("", |(top, _)| top)).collect();
    let by_split = tops.iter().all(|top| split_of(top).is_some());
    let mut classes = BTreeMap::new();
    let mut photos = Vec::with_capacity(listing.pictures.len());
    for (name, path) in &listing.pictures {
        let (split, rest) = match name.split_once('/') {
            Some((top, rest)) if by_split => (split_of(top), rest),
            _ => (None, name.as_str()),
        };
        let class = rest.split_once('/').map(|(class, _)| (names::key_of(class), class.to_owned()));
        let given = class.iter().map(|(key, _)| (CLASS.to_owned(), key.clone())).collect();
        classes.extend(class);
        photos.push(Candidate { name: name.clone(), path: path.clone(), given, split });
    }
    let attributes = if classes.is_empty() { Vec::new() } else { vec![class_attribute(classes)] };
    Ok(Plan { attributes, photos, warnings: listing.note().into_iter().collect(), ..Plan::default() })
}

/// An archive often holds one folder around everything: it is stepped into while folders are in it.
fn top_of(folder: &Path) -> Result<(PathBuf, tree::Listing), LayoutError> {
    let listing = tree::list(folder)?;
    let mut tops = listing.pictures.iter().map(|(name, _)| name.split('/').collect::<Vec<_>>());
    let first = tops.next();
    let around = first.filter(|first| first.len() > 2 && tops.all(|parts| parts.len() > 2 && parts[0] == first[0]));
    match around.map(|parts| parts[0].to_owned()) {
        Some(top) => top_of(&folder.join(top)),
        None => Ok((folder.to_owned(), listing)),
    }
}

fn split_of(folder: &str) -> Option<ImportedSplit> {
    match folder.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(ImportedSplit::Train),
        "val" | "valid" | "validation" => Some(ImportedSplit::Validation),
        "trainval" => Some(ImportedSplit::Trainval),
        "test" => Some(ImportedSplit::Test),
        _ => None,
    }
}

fn class_attribute(classes: BTreeMap<String, String>) -> Attribute {
    let values = classes.into_iter().map(|(key, folder)| {
        let name = if key == folder { names::human(&key) } else { folder };
        AttributeValue { key, names: Texts::en(name), retired: false }
    });
    Attribute {
        key: CLASS.to_owned(),
        names: Texts::en(names::human(CLASS)),
        kind: AttributeKind::Given,
        values: values.collect(),
    }
}
