//! One row a photo: `image,split`, given attributes, and for each annotated attribute its answer, its mask and its target
//! per value (`ear,ear.mask,ear.drop,...`).

use kenami_domain::{
    dataset::{Item, Manifest},
    schema::{Attribute, AttributeKind},
};

/// The columns of a dataset's table.
pub(super) struct Table<'a> {
    given: Vec<&'a Attribute>,
    annotated: Vec<&'a Attribute>,
}

impl<'a> Table<'a> {
    pub(super) fn new(manifest: &'a Manifest) -> Self {
        let of = |kind| manifest.schema.attributes.iter().filter(|attribute| attribute.kind == kind).collect();
        Self { given: of(AttributeKind::Given), annotated: of(AttributeKind::Annotated) }
    }

    /// The first line.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut cells = vec!["image".to_owned(), "split".to_owned()];
        cells.extend(self.given.iter().map(|attribute| attribute.key.clone()));
        for attribute in &self.annotated {
            cells.push(attribute.key.clone());
            cells.push(format!("{}.mask", attribute.key));
            cells.extend(attribute.values.iter().map(|value| format!("{}.{}", attribute.key, value.key)));
        }
        line(&cells)
    }

    /// One photo's line. A share is written with as many digits as give the same number back.
    pub(super) fn row(&self, item: &Item) -> Vec<u8> {
        let mut cells = vec![item.image.clone(), item.split.as_str().to_owned()];
        cells.extend(self.given.iter().map(|a| item.given.get(&a.key).cloned().unwrap_or_default()));
        for attribute in &self.annotated {
            let answer = item.answers.get(&attribute.key);
            cells.push(answer.map_or_else(String::new, |answer| answer.key().to_owned()));
            cells.push(item.masks.get(&attribute.key).copied().unwrap_or_default().to_string());
            let targets = item.targets.get(&attribute.key);
            let share = |key: &str| targets.and_then(|t| t.get(key)).map_or_else(String::new, f64::to_string);
            cells.extend(attribute.values.iter().map(|value| share(&value.key)));
        }
        line(&cells)
    }
}

/// The cells as a line of CSV (RFC 4180, but with a bare line feed at the end, as all other tables here).
fn line(cells: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).expect("memory takes everything");
    writer.into_inner().expect("memory takes everything")
}
