use super::*;
use crate::votes::VoteRow;

#[test]
fn votes_are_read_with_a_byte_order_mark_and_either_name_of_the_item() {
    for header in ["\u{feff}item,annotator,attribute,answer", "\u{feff}\"image\",Annotator, attribute ,answer,extra"] {
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
    assert_eq!(parsed.errors[0].to_string(), "line 2, column duration_ms: `-1` is not a whole number of milliseconds");
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

#[test]
fn other_columns_stay_with_their_votes() {
    let file = "breed,item,annotator,attribute,answer,version\npug,a,x,ear,drop,1\npug,a,y,ear,,2\n,b,x,coat,wire,2\nbeagle,b,x,ear,erect,\n";
    let more = ["version".to_owned(), "breed".to_owned()];
    let Parsed { value: (table, columns), errors } = read_votes_with(file.as_bytes(), &more).unwrap();
    assert_eq!(errors.len(), 1);
    let told = |number| (columns[0].of(number), columns[1].of(number));
    let rows: Vec<_> = table.numbered().map(|(number, row)| (row.item, row.attribute, told(number))).collect();
    // Attribute by attribute: the third vote is on the coat.
    assert_eq!(
        rows,
        [
            ("a", "ear", (Some("1"), Some("pug"))),
            ("b", "ear", (None, Some("beagle"))),
            ("b", "coat", (Some("2"), None)),
        ]
    );
    let error = read_votes_with(file.as_bytes(), &["week".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("`week` is missing"), "{error}");
}

#[test]
fn decisions_are_read() {
    let file = "image,attribute,answer,cause\na,ear,drop,slip\nb,,erect,\nc,ear,not_visible,\n";
    let parsed = read_decisions(file.as_bytes()).unwrap();
    let decided: Vec<_> = parsed.value.iter().map(|row| (row.item.as_str(), row.answer.key())).collect();
    assert_eq!(decided, [("a", "drop"), ("c", "not_visible")]);
    assert_eq!(parsed.errors[0].to_string(), "line 3, column attribute: empty");
}
