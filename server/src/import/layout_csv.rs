//! A table beside the photos: the column `image` (a path below the table's folder), optionally `split` (train,
//! validation, trainval or test), and a given attribute in every other column.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use kenami_domain::{
    schema::{Attribute, AttributeKind, AttributeValue, Texts},
    view::{job::SkippedFile, photo::ImportedSplit},
};

use super::{Candidate, LayoutError, Plan, names, tree};

/// One given attribute's column, with the values seen so far: key to name.
struct Column {
    at: usize,
    key: String,
    name: String,
    values: BTreeMap<String, String>,
}

/// The table of `folder`: itself if it is a file, the only `.csv` in it, or the one named photos, images or metadata.
pub(super) fn table_of(folder: &Path) -> Result<PathBuf, LayoutError> {
    if folder.is_file() {
        return Ok(folder.to_owned());
    }
    let entries = fs::read_dir(folder).map_err(|error| LayoutError::read(folder, error))?;
    let mut tables: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) && path.is_file())
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    tables.sort();
    let usual = ["photos.csv", "images.csv", "metadata.csv"];
    let by_name = tables.iter().find(|path| usual.iter().any(|name| path.file_name().is_some_and(|f| f == *name)));
    match (by_name, tables.as_slice()) {
        (Some(table), _) => Ok(table.clone()),
        (None, [table]) => Ok(table.clone()),
        (None, []) => Err(LayoutError::Missing(format!("{}: there is no .csv file in it", folder.display()))),
        (None, _) => Err(LayoutError::Missing(format!(
            "{}: there are several .csv files in it; name the one about photos photos.csv",
            folder.display()
        ))),
    }
}

pub(super) fn plan(folder: &Path) -> Result<Plan, LayoutError> {
    let table = table_of(folder)?;
    let failed = |error: csv::Error| LayoutError::read(&table, error);
    let root = table.parent().unwrap_or(Path::new("."));
    let root = root.canonicalize().map_err(|error| LayoutError::read(root, error))?;
    let table_name = table.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(&table).map_err(failed)?;
    let header: Vec<String> = reader
        .headers()
        .map_err(failed)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let image = header.iter().position(|name| name == "image").ok_or_else(|| {
        LayoutError::read(&table, format!("the column `image` is missing; the first line has: {}", header.join(",")))
    })?;
    let split_column = header.iter().position(|name| name == "split");
    let mut columns: Vec<Column> = header
        .iter()
        .enumerate()
        .filter(|(at, name)| *at != image && Some(*at) != split_column && !name.is_empty())
        .map(|(at, name)| Column { at, key: names::key_of(name), name: name.clone(), values: BTreeMap::new() })
        .collect();
    let mut plan = Plan::default();
    let mut seen = HashSet::new();
    for record in reader.records() {
        let (line, row) = match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                (line, row(&record, header.len(), image, split_column, &mut columns, &root))
            }
            Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.to_string())),
        };
        match row {
            Ok(photo) if seen.insert(photo.name.clone()) => plan.photos.push(photo),
            Ok(photo) => {
                let name = format!("{table_name}, line {line}");
                plan.skipped.push(SkippedFile { name, reason: format!("{} has a row already", photo.name) });
            }
            Err(reason) => plan.skipped.push(SkippedFile { name: format!("{table_name}, line {line}"), reason }),
        }
    }
    plan.attributes = columns.into_iter().filter(|column| !column.values.is_empty()).map(attribute_of).collect();
    Ok(plan)
}

fn row(
    record: &csv::StringRecord,
    cells: usize,
    image: usize,
    split_column: Option<usize>,
    columns: &mut [Column],
    root: &Path,
) -> Result<Candidate, String> {
    if record.len() != cells {
        return Err(format!("{} cells where the first line has {cells}", record.len()));
    }
    let image = &record[image];
    let relative =
        tree::safe_relative(image).ok_or_else(|| format!("`{image}` does not name a file inside the folder"))?;
    let split = match split_column.map(|at| &record[at]).unwrap_or_default() {
        "" => None,
        "val" => Some(ImportedSplit::Validation),
        word => Some(
            word.parse::<ImportedSplit>()
                .map_err(|_| format!("the split of {image} is `{word}`: choose train, validation, trainval or test"))?,
        ),
    };
    let path = root.join(&relative);
    // A link inside the folder may still lead out of it.
    let real = path.canonicalize().map_err(|_| format!("{image}: there is no such file in the folder"))?;
    if !real.starts_with(root) {
        return Err(format!("{image} leads outside the folder"));
    }
    let mut given = BTreeMap::new();
    for column in columns {
        let cell = &record[column.at];
        if !cell.is_empty() {
            let key = names::key_of(cell);
            column.values.entry(key.clone()).or_insert_with(|| cell.to_owned());
            given.insert(column.key.clone(), key);
        }
    }
    Ok(Candidate { name: relative.to_string_lossy().into_owned(), path, given, split })
}

fn attribute_of(column: Column) -> Attribute {
    let name = |key: &str, text: String| Texts::en(if key == text { names::human(key) } else { text });
    let values =
        column.values.into_iter().map(|(key, text)| AttributeValue { names: name(&key, text), key, retired: false });
    let values = values.collect();
    Attribute { names: name(&column.key, column.name), key: column.key, kind: AttributeKind::Given, values }
}
