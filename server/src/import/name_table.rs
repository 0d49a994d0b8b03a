//! `names.csv`: names of attributes and values in further languages; the columns after `attribute` and `value` are language
//! codes. A row without a value names the attribute itself.

use std::path::Path;

use kenami_domain::schema::Attribute;

use super::LayoutError;

/// Adds the file's names to `attributes`; rows that name nothing of them come back as a warning. A list of breeds may know
/// more breeds than a folder.
pub(super) fn add(path: &Path, attributes: &mut [Attribute]) -> Result<Option<String>, LayoutError> {
    let failed = |error: csv::Error| LayoutError::read(path, error);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(failed)?;
    let header = reader.headers().map_err(failed)?.clone();
    let columns: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let ["attribute", "value", languages @ ..] = columns.as_slice() else {
        return Err(LayoutError::read(path, "the first columns should be `attribute` and `value`"));
    };
    let mut unknown = Vec::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let (key, value) = (record.get(0).unwrap_or_default(), record.get(1).unwrap_or_default());
        let Some(attribute) = attributes.iter_mut().find(|attribute| attribute.key == key) else {
            unknown.push(key.to_owned());
            continue;
        };
        let names = if value.is_empty() {
            &mut attribute.names
        } else {
            match attribute.values.iter_mut().find(|known| known.key == value) {
                Some(value) => &mut value.names,
                None => continue,
            }
        };
        for (language, name) in languages.iter().zip(record.iter().skip(2)) {
            if !name.is_empty() {
                names.0.insert((*language).to_owned(), name.to_owned());
            }
        }
    }
    unknown.dedup();
    Ok((!unknown.is_empty()).then(|| format!("names.csv: no attributes of the project: {}", unknown.join(", "))))
}

#[cfg(test)]
mod tests {
    use kenami_domain::schema::AttributeKind;

    use super::*;
    use crate::import::names;

    #[test]
    fn names_are_added_beside_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.csv");
        std::fs::write(&path, "attribute,value,ja,de\near,,耳,\near,drop,垂れ耳,Hängeohr\near,other,他,\ntail,,尾,\n")
            .unwrap();
        let mut attributes = [names::attribute("ear", AttributeKind::Annotated, &["drop".to_owned()])];
        let warning = add(&path, &mut attributes).unwrap();
        assert_eq!(warning.as_deref(), Some("names.csv: no attributes of the project: tail"));
        let [ear] = attributes;
        assert_eq!((ear.names.own("ja"), ear.names.own("en"), ear.names.own("de")), (Some("耳"), Some("Ear"), None));
        let drop = &ear.values[0].names;
        assert_eq!((drop.own("ja"), drop.own("de"), drop.own("en")), (Some("垂れ耳"), Some("Hängeohr"), Some("Drop")));
        std::fs::write(&path, "key,ja\near,耳\n").unwrap();
        assert!(add(&path, &mut []).is_err());
    }
}
