//! What is wrong with a configuration, and where.

use std::{fmt, ops::Range};

use toml::de::{DeTable, DeValue};

/// A configuration that cannot be used: which key, where in the text, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Dotted key (`optimizer.lr`), if the error belongs to one.
    pub key: Option<String>,
    /// Line from 1, if the configuration was read from text.
    pub line: Option<usize>,
    /// Column in characters from 1, if the configuration was read from text.
    pub column: Option<usize>,
    /// The reason.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "`{key}` ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// The value at `key` is wrong; where it stands is not known yet.
    pub(super) fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: Some(key.into()), line: None, column: None, message: message.into() }
    }

    /// The TOML reader's error with its position in `text` as line and column.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        let (line, column) = error.span().map(|span| position(text, span.start)).unzip();
        Self { key: None, line, column, message: error.message().to_owned() }
    }

    /// The same error with the position of its key in `text`; unchanged where the key is not written there.
    pub(super) fn located_in(mut self, text: &str) -> Self {
        if let Some(span) = self.key.as_deref().and_then(|key| key_span(text, key)) {
            let (line, column) = position(text, span.start);
            (self.line, self.column) = (Some(line), Some(column));
        }
        self
    }
}

/// Line and column (in characters), both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Where a dotted key is written.
fn key_span(text: &str, key: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for part in key.split('.') {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        found = Some(name.span());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}
