//! A model's probabilities.

use std::{
    collections::HashMap,
    io::{Read, Write},
};

use super::{CsvError, Parsed, Table};

/// A model's probability per item, attribute and answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probabilities {
    attributes: Vec<(String, AttributeProbabilities)>,
}

/// One attribute's probabilities.
#[derive(Debug, Clone, Default, PartialEq)]
struct AttributeProbabilities {
    answers: Vec<String>,
    items: HashMap<String, usize>,
    /// Item names by number.
    names: Vec<String>,
    /// By item number, then answer number; NaN or too short where nothing was given.
    rows: Vec<Vec<f64>>,
}

impl Probabilities {
    /// No probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one probability; `false` where it was set before (the first one stays).
    pub fn push(&mut self, item: &str, attribute: &str, answer: &str, probability: f64) -> bool {
        let place = self.attributes.iter().position(|(key, _)| key == attribute).unwrap_or_else(|| {
            self.attributes.push((attribute.to_owned(), AttributeProbabilities::default()));
            self.attributes.len() - 1
        });
        let of = &mut self.attributes[place].1;
        let answer = of.answers.iter().position(|key| key == answer).unwrap_or_else(|| {
            of.answers.push(answer.to_owned());
            of.answers.len() - 1
        });
        let number = of.items.get(item).copied().unwrap_or_else(|| {
            of.items.insert(item.to_owned(), of.rows.len());
            of.names.push(item.to_owned());
            of.rows.push(Vec::new());
            of.rows.len() - 1
        });
        let row = &mut of.rows[number];
        if row.len() <= answer {
            row.resize(of.answers.len(), f64::NAN);
        }
        let is_new = row[answer].is_nan();
        if is_new {
            row[answer] = probability;
        }
        is_new
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    fn attribute(&self, attribute: &str) -> Option<&AttributeProbabilities> {
        self.attributes.iter().find(|(key, _)| key == attribute).map(|(_, of)| of)
    }

    /// One probability.
    pub fn get(&self, item: &str, attribute: &str, answer: &str) -> Option<f64> {
        let answer = self.answers(attribute).iter().position(|key| key == answer)?;
        self.row(item, attribute)?.get(answer).copied().filter(|p| !p.is_nan())
    }

    /// The answers that the model knows of an attribute, in order of arrival; none where the attribute is unknown.
    pub fn answers(&self, attribute: &str) -> &[String] {
        self.attribute(attribute).map_or(&[], |of| &of.answers)
    }

    /// An item's probabilities in the order of [`Self::answers`], NaN or cut short where there are none.
    pub fn row(&self, item: &str, attribute: &str) -> Option<&[f64]> {
        let of = self.attribute(attribute)?;
        of.items.get(item).map(|&number| of.rows[number].as_slice())
    }

    /// All (item, attribute, answer, probability), in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str, f64)> {
        self.attributes.iter().flat_map(|(attribute, of)| {
            of.names.iter().zip(&of.rows).flat_map(move |(item, row)| {
                let cells = of.answers.iter().zip(row).filter(|(_, p)| !p.is_nan());
                cells.map(move |(answer, &p)| (item.as_str(), attribute.as_str(), answer.as_str(), p))
            })
        })
    }
}

/// Reads probabilities: the columns item (or image), attribute, answer and probability; others are ignored.
///
/// # Errors
/// A missing column, or a reader that fails; a bad row is collected instead.
pub fn read_probabilities(reader: impl Read) -> Result<Parsed<Probabilities>, CsvError> {
    let table = Table::new(reader)?;
    let item = table.column(&["item", "image"])?;
    let [attribute, answer, probability] = ["attribute", "answer", "probability"].map(|name| table.column(&[name]));
    let (attribute, answer, probability) = (attribute?, answer?, probability?);
    let mut value = Probabilities::new();
    let errors = table.rows(|row| {
        let (item, attribute) = (row.required(item)?, row.required(attribute)?);
        let text = row.required(probability)?;
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        if !(0.0..=1.0).contains(&number) {
            return Err(row.error(probability, format!("`{text}` is not a number from 0 to 1")));
        }
        if value.push(item, attribute, row.required(answer)?, number) {
            Ok(())
        } else {
            Err(row.error(answer, "this item, attribute and answer already has a probability"))
        }
    })?;
    Ok(Parsed { value, errors })
}

/// Writes probabilities with the columns item, attribute, answer and probability.
///
/// # Errors
/// If the writer fails.
pub fn write_probabilities(writer: impl Write, probabilities: &Probabilities) -> Result<(), CsvError> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(["item", "attribute", "answer", "probability"])?;
    for (item, attribute, answer, probability) in probabilities.iter() {
        writer.write_record([item, attribute, answer, &probability.to_string()])?;
    }
    Ok(writer.flush()?)
}
