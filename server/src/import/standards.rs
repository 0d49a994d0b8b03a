//! `breed_standards.csv`: a row a breed; the columns `ATTRIBUTE.VALUE` hold what is expected of it.

use std::{collections::BTreeMap, path::Path};

use kenami_domain::schema::{Attribute, AttributeKind, Prior, is_valid_key};

use super::{LayoutError, names};

/// What a file of breed standards says.
#[derive(Debug, Default)]
pub(super) struct Standards {
    /// The annotated attributes with their values, in the order of the columns.
    pub annotated: Vec<Attribute>,
    /// The breeds, in the order of the rows.
    pub breeds: Vec<String>,
    /// Each breed's species, where there is such a column.
    pub species: BTreeMap<String, String>,
    /// A distribution per breed and attribute.
    pub priors: Vec<Prior>,
    /// Rows and cells that do not fit.
    pub warnings: Vec<String>,
}

/// Reads the file, whose first column names the values of the given attribute `breed`.
pub(super) fn read(path: &Path) -> Result<Standards, LayoutError> {
    let failed = |error: csv::Error| LayoutError::read(path, error);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(failed)?;
    let header = reader.headers().map_err(failed)?.clone();
    let breed_column = header.get(0).unwrap_or_default().trim_start_matches('\u{feff}');
    if breed_column != "breed" {
        return Err(LayoutError::read(path, format!("the first column is `{breed_column}`, should be `breed`")));
    }
    let columns: Vec<Option<(&str, &str)>> = header.iter().map(|name| name.split_once('.')).collect();
    let mut standards = Standards { annotated: attributes_of(&columns), ..Standards::default() };
    let species = header.iter().position(|name| name == "species");
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                standards.warnings.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let breed = record.get(0).unwrap_or_default().to_owned();
        if !is_valid_key(&breed) {
            standards.warnings.push(format!("breed_standards.csv: `{breed}` cannot be a key"));
            continue;
        }
        if let Some(species) = species.and_then(|at| record.get(at)).filter(|key| is_valid_key(key)) {
            standards.species.insert(breed.clone(), species.to_owned());
        }
        let mut shares: BTreeMap<&str, BTreeMap<String, f64>> = BTreeMap::new();
        for (column, cell) in columns.iter().zip(&record) {
            if let Some((attribute, value)) = *column {
                let share = cell.parse::<f64>().ok().filter(|share| share.is_finite() && *share >= 0.0);
                shares.entry(attribute).or_default().insert(value.to_owned(), share.unwrap_or(f64::NAN));
            }
        }
        for (attribute, distribution) in shares {
            match normalised(distribution) {
                Some(distribution) => standards.priors.push(Prior {
                    given_attribute: "breed".to_owned(),
                    given_value: breed.clone(),
                    attribute: attribute.to_owned(),
                    distribution,
                }),
                None => standards.warnings.push(format!(
                    "breed_standards.csv: the shares of {attribute} for {breed} are no distribution and were left out"
                )),
            }
        }
        standards.breeds.push(breed);
    }
    Ok(standards)
}

fn attributes_of(columns: &[Option<(&str, &str)>]) -> Vec<Attribute> {
    let mut attributes: Vec<(String, Vec<String>)> = Vec::new();
    for (attribute, value) in columns.iter().flatten().filter(|(a, v)| is_valid_key(a) && is_valid_key(v)) {
        match attributes.iter_mut().find(|(key, _)| key == attribute) {
            Some((_, values)) => values.push((*value).to_owned()),
            None => attributes.push(((*attribute).to_owned(), vec![(*value).to_owned()])),
        }
    }
    attributes.iter().map(|(key, values)| names::attribute(key, AttributeKind::Annotated, values)).collect()
}

/// Shares that sum to 1; rounding in the file (within a hundredth) is evened out.
fn normalised(mut shares: BTreeMap<String, f64>) -> Option<BTreeMap<String, f64>> {
    let sum: f64 = shares.values().sum();
    if !(sum.is_finite() && (sum - 1.0).abs() <= 0.01) {
        return None;
    }
    shares.values_mut().for_each(|share| *share /= sum);
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_attributes_and_rows_priors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breed_standards.csv");
        std::fs::write(&path, "breed,species,ear.drop,ear.semi_erect,coat.short\npug,dog,.4,.6,1\nodd,dog,.4,.1,1\n")
            .unwrap();
        let standards = read(&path).unwrap();
        let keys = |attribute: &Attribute| attribute.values.iter().map(|v| v.key.clone()).collect::<Vec<_>>();
        assert_eq!(
            standards.annotated.iter().map(keys).collect::<Vec<_>>(),
            [vec!["drop", "semi_erect"], vec!["short"]]
        );
        assert_eq!(standards.breeds, ["pug", "odd"]);
        assert_eq!(standards.species["pug"], "dog");
        let pug = standards.priors.iter().find(|p| p.given_value == "pug" && p.attribute == "ear").unwrap();
        assert!((pug.distribution["drop"] - 0.4).abs() < 1e-12);
        assert_eq!(standards.priors.len(), 3);
        assert_eq!(standards.warnings.len(), 1);
    }
}
