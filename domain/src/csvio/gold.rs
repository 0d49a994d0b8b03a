//! Tables of gold answers.

use std::io::Read;

use super::{CsvError, Parsed, Table};
use crate::{answer::Answer, view::gold::GoldRow};

/// Reads gold answers: the columns image (or item), attribute, answer and, where present, explanation.
///
/// # Errors
/// A missing column, or a reader that fails; a bad row is collected instead.
pub fn read_gold(reader: impl Read) -> Result<Parsed<Vec<GoldRow>>, CsvError> {
    let table = Table::new(reader)?;
    let image = table.column(&["image", "item"])?;
    let (attribute, answer) = (table.column(&["attribute"])?, table.column(&["answer"])?);
    let explanation = table.optional(&["explanation"]);
    let mut value = Vec::new();
    let errors = table.rows(|row| {
        value.push(GoldRow {
            line: row.line,
            image: row.required(image)?.to_owned(),
            attribute: row.required(attribute)?.to_owned(),
            answer: Answer::from(row.required(answer)?),
            explanation: explanation.map(|column| row.text(column)).transpose()?.unwrap_or_default().to_owned(),
        });
        Ok(())
    })?;
    Ok(Parsed { value, errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_optional_and_bad_rows_are_told_by_line() {
        let table = "image,attribute,answer,explanation\na.jpg,ear,drop,\"it hangs, see the tip\"\n,ear,drop,\nb.jpg,coat,not_visible,\n";
        let read = read_gold(table.as_bytes()).unwrap();
        assert_eq!(read.value[0].explanation, "it hangs, see the tip");
        assert_eq!((read.value[1].line, &read.value[1].answer), (4, &Answer::NotVisible));
        assert_eq!(read.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [3]);
        let short = read_gold("item,attribute,answer\na.jpg,ear,drop\n".as_bytes()).unwrap();
        assert_eq!((short.value.len(), short.value[0].explanation.as_str()), (1, ""));
        assert!(read_gold("image,answer\n".as_bytes()).unwrap_err().to_string().contains("`attribute`"));
    }
}
