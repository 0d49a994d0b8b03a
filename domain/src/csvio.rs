//! The CSV files that Kenami reads and writes: votes, decisions, labels and probabilities (UTF-8, a byte order mark is
//! tolerated).
//!
//! A reader keeps going after a bad row: what is wrong with it is collected, with its line and column.

mod probabilities;

use std::{
    fmt,
    io::{Read, Write},
};

use csv::ByteRecord;
pub use gold::read_gold;

pub use probabilities::{Probabilities, read_probabilities, write_probabilities};

use crate::{
    answer::Answer,
    votes::{Interner, VoteTable},
};

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
    let Parsed { value: (table, _), errors } = read_votes_with(reader, &[])?;
    Ok(Parsed { value: table, errors })
}

/// What a column says of each vote.
#[derive(Debug, Clone, Default)]
pub struct VoteColumn {
    texts: Interner,
    /// By the vote's number.
    of_vote: Vec<Option<u32>>,
}

impl VoteColumn {
    /// What the column says of a vote, by the vote's number in its table; `None` where the cell is empty.
    pub fn of(&self, vote: usize) -> Option<&str> {
        self.of_vote.get(vote).copied().flatten().map(|text| self.texts.name(text))
    }

    fn push(&mut self, text: &str) {
        let text = (!text.is_empty()).then(|| self.texts.intern(text));
        self.of_vote.push(text);
    }
}

/// Reads votes as [`read_votes`], and what the columns named by `more` say of each of them, in the order of `more`.
///
/// # Errors
/// As [`read_votes`]; a column of `more` that is missing.
pub fn read_votes_with(reader: impl Read, more: &[String]) -> Result<Parsed<(VoteTable, Vec<VoteColumn>)>, CsvError> {
    let table = Table::new(reader)?;
    let item = table.column(&["item", "image"])?;
    let [annotator, attribute, answer] = ["annotator", "attribute", "answer"].map(|name| table.column(&[name]));
    let (annotator, attribute, answer) = (annotator?, attribute?, answer?);
    let more = more.iter().map(|name| table.column(&[name])).collect::<Result<Vec<_>, _>>()?;
    let mut value = VoteTable::new();
    let mut columns = vec![VoteColumn::default(); more.len()];
    let errors = table.rows(|row| {
        let vote = [row.required(item)?, row.required(annotator)?, row.required(attribute)?, row.required(answer)?];
        // All cells before the first is kept: columns and votes must stay in step.
        let cells = more.iter().map(|&column| row.text(column)).collect::<Result<Vec<_>, _>>()?;
        value.push(vote[0], vote[1], vote[2], vote[3]);
        columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
        Ok(())
    })?;
    Ok(Parsed { value: (value, columns), errors })
}

/// A reviewer's decision about one attribute of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// The item.
    pub item: String,
    /// The attribute's key.
    pub attribute: String,
    /// The decided answer.
    pub answer: Answer,
}

/// Reads decisions: the columns item (or image), attribute and answer; others are ignored. Where an item is decided again,
/// the later decision stands.
///
/// # Errors
/// A missing column, or a reader that fails; a bad row is collected instead.
pub fn read_decisions(reader: impl Read) -> Result<Parsed<Vec<DecisionRow>>, CsvError> {
    let table = Table::new(reader)?;
    let item = table.column(&["item", "image"])?;
    let (attribute, answer) = (table.column(&["attribute"])?, table.column(&["answer"])?);
    let mut value = Vec::new();
    let errors = table.rows(|row| {
        value.push(DecisionRow {
            item: row.required(item)?.to_owned(),
            attribute: row.required(attribute)?.to_owned(),
            answer: Answer::from(row.required(answer)?),
        });
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

#[cfg(test)]
mod tests;
