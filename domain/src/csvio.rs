//! The CSV files that Kenami reads and writes: votes, labels and probabilities (UTF-8, a byte order mark is tolerated).
//!
//! A reader keeps going after a bad row: what is wrong with it is collected, with its line and column.

use std::{
    collections::HashMap,
    fmt,
    io::{Read, Write},
};

use csv::ByteRecord;
pub use gold::read_gold;

use crate::{answer::Answer, votes::VoteTable};

mod gold;

/// What a reader got out of a file.
#[derive(Debug, Clone, Default)]
pub struct Parsed<T> {
    /// The good rows.
    pub value: T,
    /// The bad ones, in the file's order.
    pub errors: Vec<RowError>,
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RowError {
    /// Line in the file on which the row starts, from 1.
    pub line: u64,
    /// The column's name; `None` where the whole row is wrong.
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.message),
            None => write!(f, "line {}: {}", self.line, self.message),
        }
    }
}

/// A file that cannot be read or written at all.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The header lacks a column.
    #[error("the column `{column}` is missing; the first line has: {found}")]
    MissingColumn {
        /// The column that was looked for (`item or image` where either serves).
        column: String,
        /// The columns that are there, separated by commas.
        found: String,
    },
    /// The reader or writer failed.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The writer failed at the end.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A CSV file with a header, whose rows are looked at by column.
struct Table<R> {
    reader: csv::Reader<R>,
    header: Vec<String>,
}

/// One row's cells.
struct Row<'a> {
    record: &'a ByteRecord,
    header: &'a [String],
    line: u64,
}

impl<R: Read> Table<R> {
    fn new(reader: R) -> Result<Self, CsvError> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let header = reader.byte_headers()?.iter();
        let header =
            header.map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned()).collect();
        Ok(Self { reader, header })
    }

    /// The column that has one of `names`; the first name wins.
    fn column(&self, names: &[&str]) -> Result<usize, CsvError> {
        self.optional(names).ok_or_else(|| CsvError::MissingColumn {
            column: names.join(" or "),
            found: if self.header.is_empty() { "nothing".to_owned() } else { self.header.join(",") },
        })
    }

    fn optional(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|column| column.eq_ignore_ascii_case(name)))
    }

    /// Calls `each` for every row and collects what it finds wrong.
    fn rows(mut self, mut each: impl FnMut(&Row<'_>) -> Result<(), RowError>) -> Result<Vec<RowError>, CsvError> {
        let mut errors = Vec::new();
        let mut record = ByteRecord::new();
        while self.reader.read_byte_record(&mut record)? {
            let line = record.position().map_or(0, csv::Position::line);
            let row = Row { record: &record, header: &self.header, line };
            let outcome = if record.len() == self.header.len() {
                each(&row)
            } else {
                let message = format!("{} cells where the first line has {}", record.len(), self.header.len());
                Err(RowError { line, column: None, message })
            };
            errors.extend(outcome.err());
        }
        Ok(errors)
    }
}

impl Row<'_> {
    fn error(&self, column: usize, message: impl Into<String>) -> RowError {
        RowError { line: self.line, column: Some(self.header[column].clone()), message: message.into() }
    }

    /// The cell without blanks around it.
    fn text(&self, column: usize) -> Result<&str, RowError> {
        let text = std::str::from_utf8(&self.record[column]).map_err(|_| self.error(column, "not UTF-8"))?;
        Ok(text.trim())
    }

    /// The cell, which must hold something.
    fn required(&self, column: usize) -> Result<&str, RowError> {
        match self.text(column)? {
            "" => Err(self.error(column, "empty")),
            text => Ok(text),
        }
    }
}

/// Reads votes: the columns item (or image), annotator, attribute and answer; others are ignored.
///
/// # Errors
/// A missing column, or a reader that fails; a bad row is collected instead.
pub fn read_votes(reader: impl Read) -> Result<Parsed<VoteTable>, CsvError> {
    let table = Table::new(reader)?;
    let item = table.column(&["item", "image"])?;
    let [annotator, attribute, answer] = ["annotator", "attribute", "answer"].map(|name| table.column(&[name]));
    let (annotator, attribute, answer) = (annotator?, attribute?, answer?);
    let mut value = VoteTable::new();
    let errors = table.rows(|row| {
        value.push(row.required(item)?, row.required(annotator)?, row.required(attribute)?, row.required(answer)?);
        Ok(())
    })?;
    Ok(Parsed { value, errors })
}

/// Writes votes with the columns item, annotator, attribute and answer.
///
/// # Errors
/// If the writer fails.
pub fn write_votes(writer: impl Write, table: &VoteTable) -> Result<(), CsvError> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(["item", "annotator", "attribute", "answer"])?;
    for row in table.rows() {
        writer.write_record([row.item, row.annotator, row.attribute, row.answer])?;
    }
    Ok(writer.flush()?)
}

/// One label as imported or exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// Line in the file it was read from; 0 elsewhere.
    pub line: u64,
    /// The photo's name.
    pub image: String,
    /// The annotator's name; needs no account.
    pub annotator: String,
    /// The attribute's key.
    pub attribute: String,
    /// The answer.
    pub answer: Answer,
    /// How long the annotator took, in milliseconds.
    pub duration_ms: Option<u32>,
    /// The annotator's note.
    pub note: Option<String>,
}

/// Reads labels: the columns image (or item), annotator, attribute, answer and, where present, duration_ms and note.
///
/// # Errors
/// A missing column, or a reader that fails; a bad row is collected instead.
pub fn read_labels(reader: impl Read) -> Result<Parsed<Vec<LabelRow>>, CsvError> {
    let table = Table::new(reader)?;
    let image = table.column(&["image", "item"])?;
    let [annotator, attribute, answer] = ["annotator", "attribute", "answer"].map(|name| table.column(&[name]));
    let (annotator, attribute, answer) = (annotator?, attribute?, answer?);
    let (duration, note) = (table.optional(&["duration_ms"]), table.optional(&["note"]));
    let mut value = Vec::new();
    let errors = table.rows(|row| {
        value.push(LabelRow {
            line: row.line,
            image: row.required(image)?.to_owned(),
            annotator: row.required(annotator)?.to_owned(),
            attribute: row.required(attribute)?.to_owned(),
            answer: Answer::from(row.required(answer)?),
            duration_ms: duration.map(|column| milliseconds(row, column)).transpose()?.flatten(),
            note: note.map(|column| row.text(column)).transpose()?.filter(|note| !note.is_empty()).map(str::to_owned),
        });
        Ok(())
    })?;
    Ok(Parsed { value, errors })
}

fn milliseconds(row: &Row<'_>, column: usize) -> Result<Option<u32>, RowError> {
    match row.text(column)? {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| row.error(column, format!("`{text}` is not a whole number of milliseconds"))),
    }
}

/// Writes labels with the columns image, annotator, attribute, answer, duration_ms and note.
///
/// # Errors
/// If the writer fails.
pub fn write_labels<'a>(writer: impl Write, rows: impl IntoIterator<Item = &'a LabelRow>) -> Result<(), CsvError> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(["image", "annotator", "attribute", "answer", "duration_ms", "note"])?;
    for row in rows {
        let duration = row.duration_ms.map(|ms| ms.to_string()).unwrap_or_default();
        writer.write_record([
            row.image.as_str(),
            row.annotator.as_str(),
            row.attribute.as_str(),
            row.answer.key(),
            duration.as_str(),
            row.note.as_deref().unwrap_or_default(),
        ])?;
    }
    Ok(writer.flush()?)
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::votes::VoteRow;

    #[test]
    fn votes_are_read_with_a_byte_order_mark_and_either_name_of_the_item() {
        for header in
            ["\u{feff}item,annotator,attribute,answer", "\u{feff}\"image\",Annotator, attribute ,answer,extra"]
        {
            let extra = if header.contains("extra") { ",1" } else { "" };
            let file = format!("{header}\r\na.jpg,x,ear, drop {extra}\r\n\"b,1.jpg\",y,ear,not_visible{extra}\r\n");
            let parsed = read_votes(file.as_bytes()).unwrap();
            assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
            let rows: Vec<_> = parsed.value.rows().collect();
            assert_eq!(rows[0], VoteRow { item: "a.jpg", annotator: "x", attribute: "ear", answer: "drop" });
            assert_eq!((rows[1].item, rows[1].answer), ("b,1.jpg", "not_visible"));
        }
    }

    #[test]
    fn a_bad_row_names_line_and_column_and_the_others_are_kept() {
        let mut file = b"item,annotator,attribute,answer\na.jpg,x,ear,drop\na.jpg,,ear,drop\nshort,row\n".to_vec();
        file.extend(b"b.jpg,x,ear,\xff\n\"two\nlines.jpg\",x,ear,drop\nc.jpg,x,ear,\n");
        let parsed = read_votes(file.as_slice()).unwrap();
        let errors: Vec<_> = parsed.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "line 3, column annotator: empty",
                "line 4: 2 cells where the first line has 4",
                "line 5, column answer: not UTF-8",
                "line 8, column answer: empty",
            ]
        );
        assert_eq!(parsed.value.len(), 2);
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = read_votes("image,annotator,answer\n".as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "the column `attribute` is missing; the first line has: image,annotator,answer");
        let error = read_votes("".as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "the column `item or image` is missing; the first line has: nothing");
    }

    #[test]
    fn labels_survive_writing_and_reading() {
        let row = |image: &str, answer: &str, duration_ms, note: Option<&str>, line| LabelRow {
            line,
            image: image.into(),
            annotator: "x".into(),
            attribute: "ear".into(),
            answer: answer.into(),
            duration_ms,
            note: note.map(Into::into),
        };
        let rows = [row("a.jpg", "drop", Some(5850), None, 2), row("b.jpg", "unsure", None, Some("tip, \"bent\""), 3)];
        let mut file = Vec::new();
        write_labels(&mut file, &rows).unwrap();
        let parsed = read_labels(file.as_slice()).unwrap();
        assert_eq!((parsed.value.as_slice(), parsed.errors.as_slice()), (&rows[..], &[][..]));

        let parsed =
            read_labels("image,annotator,attribute,answer,duration_ms\na,x,ear,drop,-1\na,y,ear,drop,\n".as_bytes())
                .unwrap();
        assert_eq!(
            parsed.errors[0].to_string(),
            "line 2, column duration_ms: `-1` is not a whole number of milliseconds"
        );
        assert_eq!(parsed.value.len(), 1);
    }

    #[test]
    fn probabilities_survive_writing_and_reading_and_are_checked() {
        let file = "item,attribute,answer,probability\na,ear,drop,0.25\na,ear,erect,0.75\nb,ear,drop,1.5\nb,ear,drop,nan\na,ear,drop,0.3\n";
        let parsed = read_probabilities(file.as_bytes()).unwrap();
        assert_eq!(
            parsed.errors.iter().map(|e| (e.line, e.column.as_deref().unwrap())).collect::<Vec<_>>(),
            [(4, "probability"), (5, "probability"), (6, "answer")]
        );
        assert_eq!(parsed.value.get("a", "ear", "drop"), Some(0.25));
        assert_eq!(parsed.value.get("b", "ear", "drop"), None);
        let mut written = Vec::new();
        write_probabilities(&mut written, &parsed.value).unwrap();
        assert_eq!(read_probabilities(written.as_slice()).unwrap().value, parsed.value);
    }
}
