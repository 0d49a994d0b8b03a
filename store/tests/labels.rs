//! Labels in and out of files.

mod world;

use kenami_domain::{answer::Answer, csvio::LabelRow, roles::Role};
use kenami_store::{actor::Actor, annotate, labels};
use sqlx::PgPool;
use world::{PETS, World, photo_ids};

/// Rows of image, annotator, attribute, answer; lines count from 2, below the header.
fn rows(rows: &[(&str, &str, &str, &str)]) -> Vec<LabelRow> {
    let row = |(line, (image, annotator, attribute, answer)): (u64, &(&str, &str, &str, &str))| LabelRow {
        line,
        image: (*image).to_owned(),
        annotator: (*annotator).to_owned(),
        attribute: (*attribute).to_owned(),
        answer: Answer::from(*answer),
        duration_ms: None,
        note: None,
    };
    (2..).zip(rows).map(row).collect()
}

fn short(rows: &[LabelRow]) -> Vec<(&str, &str, &str, &str)> {
    rows.iter().map(|row| (&*row.image, &*row.annotator, &*row.attribute, row.answer.key())).collect()
}

const ROWS: [(&str, &str, &str, &str); 5] = [
    ("a.jpg", "ann", "ear", "drop"),
    ("a.jpg", "ann", "coat", "short"),
    ("a.jpg", "study", "ear", "not_visible"),
    ("a.jpg", "study", "coat", "unsure"),
    ("b.jpg", "study", "ear", "erect"),
];

#[sqlx::test(migrations = "../migrations")]
async fn good_rows_come_in_once_and_bad_ones_are_reported(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg"]).await;
    let ann = world.member("Ann", Role::Annotator).await;
    let mut file = rows(&ROWS);
    file[3].note = Some("only the tip bends".to_owned());
    file[0].duration_ms = Some(900);
    file.extend(rows(&[
        ("c.jpg", "ann", "ear", "drop"),
        ("a.jpg", "ann", "breed", "pug"),
        ("a.jpg", "ann", "ear", "floppy"),
        ("a.jpg", "", "ear", "drop"),
        ("a.jpg", "ann", "coat", "short"),
    ]));
    for (line, row) in (2..).zip(&mut file) {
        row.line = line;
    }
    file[8].note = Some("x".to_owned());
    file.push(LabelRow { line: 12, duration_ms: Some(u32::MAX), image: "b.jpg".to_owned(), ..file[0].clone() });
    file.push(LabelRow { line: 13, note: Some("x".repeat(1001)), image: "b.jpg".to_owned(), ..file[1].clone() });
    let report = labels::import(&Actor::System, &world.db, PETS, &file).await.unwrap();
    assert_eq!((report.imported, report.unchanged), (5, 1));
    let told: Vec<(u64, &str)> = report.problems.iter().map(|(line, reason)| (*line, reason.as_str())).collect();
    let expected = [
        (7, "no photo `c.jpg`"),
        (8, "no annotated attribute `breed`"),
        (9, "no value `floppy`"),
        (10, "name must have"),
        (12, "duration"),
        (13, "note is longer"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((line, reason), (expected_line, part)) in told.into_iter().zip(expected) {
        assert_eq!(line, expected_line);
        assert!(reason.contains(part), "{reason}");
    }
    // The member's name, in any case, is the member's annotator; another needs no account.
    let linked = "SELECT count(*) FROM annotators a JOIN users u ON u.id = a.user_id WHERE u.name = 'Ann'";
    assert_eq!(world.number(linked).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM annotators WHERE user_id IS NULL").await, 1);
    // Who has answered everything about a photo is done with it; b.jpg lacks a coat.
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE done_at IS NOT NULL").await, 2);
    assert_eq!(photo_ids(&annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap()), [photos[1]]);
    assert_eq!(annotate::my_progress(&ann, &world.db, PETS).await.unwrap().done, 1);

    let again = labels::import(&Actor::System, &world.db, PETS, &file).await.unwrap();
    assert_eq!((again.imported, again.unchanged, again.problems.len()), (0, 6, 6));
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 5);
    assert_eq!(world.number("SELECT count(*) FROM annotators").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_answer_supersedes_and_of_repeated_rows_the_last_counts(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg"]).await;
    world.duplicate("copy of a.jpg", photos[0]).await;
    let import = |rows: Vec<LabelRow>| {
        let db = world.db.clone();
        async move { labels::import(&Actor::System, &db, PETS, &rows).await.unwrap() }
    };
    import(rows(&ROWS)).await;
    let report = import(rows(&[
        ("b.jpg", "study", "ear", "drop"),
        ("a.jpg", "study", "ear", "drop"),
        ("copy of a.jpg", "study", "ear", "erect"),
        ("copy of a.jpg", "study", "coat", "unsure"),
    ]))
    .await;
    assert_eq!((report.imported, report.unchanged), (2, 1));
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].0, 3);
    assert!(report.problems[0].1.contains("line 4"), "{:?}", report.problems);
    let chain =
        "SELECT count(*) FROM labels new JOIN labels old ON new.supersedes = old.id AND old.superseded_at IS NOT NULL";
    assert_eq!(world.number(chain).await, 2);
    let exported = labels::export(&Actor::System, &world.db, PETS).await.unwrap();
    assert_eq!(
        short(&exported),
        [
            ("a.jpg", "ann", "ear", "drop"),
            ("a.jpg", "ann", "coat", "short"),
            ("a.jpg", "study", "ear", "erect"),
            ("a.jpg", "study", "coat", "unsure"),
            ("b.jpg", "study", "ear", "drop"),
        ]
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_of_an_export_are_the_export(db: PgPool) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..7).map(|n| format!("{n}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    world.annotate(&ann, |photo| (if photo < "3" { "drop" } else { "erect" }, "short")).await;
    world.annotate(&ben, |_| ("unsure", "long")).await;
    let lead = world.member("lea", Role::Lead).await;
    let all = labels::export(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(all.len(), 28);
    assert_eq!(all[0].duration_ms, Some(1200));
    let (mut paged, mut after, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let (rows, next) = labels::export_page(&lead, &world.db, PETS, after.as_deref(), 3).await.unwrap();
        paged.extend(rows);
        pages += 1;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((paged, pages), (all.clone(), 3));
    // What went out comes in again as nothing new.
    let report = labels::import(&lead, &world.db, PETS, &all).await.unwrap();
    assert_eq!((report.imported, report.unchanged, report.problems.len()), (0, 28, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn imported_labels_fill_slots_beyond_the_needed_ones(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    world.photos(&["a.jpg"]).await;
    let file = rows(&[
        ("a.jpg", "one", "ear", "drop"),
        ("a.jpg", "one", "coat", "short"),
        ("a.jpg", "two", "ear", "drop"),
        ("a.jpg", "two", "coat", "long"),
        ("a.jpg", "three", "ear", "erect"),
        ("a.jpg", "three", "coat", "long"),
    ]);
    labels::import(&Actor::System, &world.db, PETS, &file).await.unwrap();
    assert_eq!(world.number("SELECT taken::bigint FROM tasks").await, 3);
    assert_eq!(world.number("SELECT count(DISTINCT slot) FROM claims WHERE slot BETWEEN 1 AND 3").await, 3);
}
