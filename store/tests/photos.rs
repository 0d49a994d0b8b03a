//! Importing and listing photos.

mod world;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use kenami_domain::{roles::Role, view::photo::ImportedSplit};
use kenami_store::{
    actor::Actor,
    error::Error,
    photos::{self, Added, NewFile, NewPhoto, PhotoQuery},
};
use sqlx::PgPool;
use world::{PETS, World};

const SYSTEM: Actor = Actor::System;

fn file(contents: &str) -> NewFile {
    let hash = *blake3::hash(contents.as_bytes()).as_bytes();
    NewFile { hash, bytes: 1000, media_type: "image/jpeg", width: 640, height: 480 }
}

fn photo(name: &str, contents: &str, breed: &str) -> NewPhoto {
    let given = BTreeMap::from([("breed".to_owned(), breed.to_owned())]);
    NewPhoto { name: name.to_owned(), file: file(contents), split: Some(ImportedSplit::Trainval), given }
}

async fn add(db: &PgPool, photos: &[NewPhoto]) -> Added {
    photos::add_batch(&SYSTEM, db, PETS, photos.to_vec()).await.unwrap()
}

fn counts(added: &Added) -> (u64, u64, u64, usize) {
    (added.added, added.duplicates, added.unchanged, added.conflicts.len())
}

/// Everything that an import writes, to compare states.
async fn state(db: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', p.name, encode(f.hash, 'hex'), o.name, p.imported_split, v.key, t.needed)
         FROM photos p JOIN files f ON f.id = p.file_id LEFT JOIN photos o ON o.id = p.duplicate_of
         LEFT JOIN photo_values pv ON pv.photo_id = p.id LEFT JOIN attribute_values v ON v.id = pv.value_id
         LEFT JOIN tasks t ON t.photo_id = p.id ORDER BY p.name",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn an_import_again_adds_nothing(db: PgPool) {
    let world = World::new(db.clone()).await;
    let batch = [photo("a.jpg", "a", "pug"), photo("b.jpg", "b", "shiba_inu"), photo("c.jpg", "c", "poodle")];
    assert_eq!(counts(&add(&db, &batch).await), (3, 0, 0, 0));
    let before = state(&db).await;
    assert_eq!(counts(&add(&db, &batch).await), (0, 0, 3, 0));
    assert_eq!(state(&db).await, before);
    assert_eq!(world.number("SELECT count(*) FROM audit").await, 1, "an import that adds nothing is not worth a line");
    let names = ["a.jpg", "x.jpg"].map(str::to_owned);
    let known = photos::known_names(&SYSTEM, &db, PETS, &names).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [("a.jpg".to_owned(), file("a").hash)]);
    // The new value stands behind those that were there.
    let values: Vec<String> = sqlx::query_scalar(
        "SELECT v.key FROM attribute_values v JOIN attributes a ON a.id = v.attribute_id WHERE a.key = 'breed' ORDER BY v.position",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    assert_eq!(values, ["pug", "poodle", "shiba_inu"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn cut_into_batches_or_not_the_end_is_the_same(db: PgPool) {
    World::new(db.clone()).await;
    let contents = ["a", "b", "a", "c", "b", "a", "d"];
    let all: Vec<NewPhoto> =
        contents.iter().enumerate().map(|(n, contents)| photo(&format!("{n}.jpg"), contents, "pug")).collect();
    // An import that was killed after two photos and three, and begun again.
    assert_eq!(counts(&add(&db, &all[..2]).await), (2, 0, 0, 0));
    assert_eq!(counts(&add(&db, &all[..5]).await), (3, 2, 2, 0));
    assert_eq!(counts(&add(&db, &all).await), (2, 1, 5, 0));
    let in_parts = state(&db).await;
    world::project(&db, "other").await;
    photos::add_batch(&SYSTEM, &db, "other", all).await.unwrap();
    sqlx::query("DELETE FROM tasks WHERE project_id = (SELECT id FROM projects WHERE key = 'pets')")
        .execute(&db)
        .await
        .unwrap();
    sqlx::query(
        "DELETE FROM photo_values pv USING photos p WHERE p.id = pv.photo_id
                 AND p.project_id = (SELECT id FROM projects WHERE key = 'pets')",
    )
    .execute(&db)
    .await
    .unwrap();
    sqlx::query("DELETE FROM photos WHERE project_id = (SELECT id FROM projects WHERE key = 'pets')")
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(state(&db).await, in_parts);
}

#[sqlx::test(migrations = "../migrations")]
async fn duplicates_point_to_the_first_and_have_no_task(db: PgPool) {
    let world = World::new(db.clone()).await;
    let batch = [photo("a.jpg", "same", "pug"), photo("b.jpg", "other", "pug"), photo("c.jpg", "same", "poodle")];
    assert_eq!(counts(&add(&db, &batch).await), (3, 1, 0, 0));
    assert_eq!(counts(&add(&db, &[photo("d.jpg", "same", "pug")]).await), (1, 1, 0, 0));
    assert_eq!(world.number("SELECT count(*) FROM files").await, 2);
    let original = "SELECT count(*) FROM photos p JOIN photos o ON o.id = p.duplicate_of WHERE o.name = 'a.jpg'";
    assert_eq!(world.number(original).await, 2);
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE needed = 2").await, 2);
    assert_eq!(
        world
            .number("SELECT count(*) FROM tasks t JOIN photos p ON p.id = t.photo_id WHERE duplicate_of IS NOT NULL")
            .await,
        0
    );
    // Another project has an original of its own, and the file once.
    world::project(&db, "other").await;
    let other = photos::add_batch(&SYSTEM, &db, "other", vec![photo("z.jpg", "same", "pug")]).await.unwrap();
    assert_eq!(counts(&other), (1, 0, 0, 0));
    assert_eq!(world.number("SELECT count(*) FROM files").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_contradicts_is_reported_by_name_and_the_rest_comes_in(db: PgPool) {
    World::new(db.clone()).await;
    add(&db, &[photo("a.jpg", "a", "pug"), photo("b.jpg", "b", "pug")]).await;
    let added = add(
        &db,
        &[
            photo("a.jpg", "other bytes", "pug"),
            photo("b.jpg", "b", "poodle"),
            photo("bad\n.jpg", "x", "pug"),
            photo("", "y", "pug"),
            photo("v.jpg", "v", "../up"),
            photo("w.jpg", "w", "unsure"),
            photo("twice.jpg", "one", "pug"),
            photo("twice.jpg", "two", "pug"),
            photo("good.jpg", "good", "pug"),
        ],
    )
    .await;
    assert_eq!(counts(&added), (2, 0, 0, 7));
    let mut names: Vec<&str> = added.conflicts.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["", "a.jpg", "b.jpg", "bad\n.jpg", "twice.jpg", "v.jpg", "w.jpg"]);
    assert!(added.conflicts.iter().any(|(name, why)| name == "b.jpg" && why.contains("pug") && why.contains("poodle")));
    let state = state(&db).await;
    assert!(state.iter().any(|row| row.starts_with(&format!("a.jpg {}", blake3::hash(b"a").to_hex()))), "{state:?}");
    let mut tail = photo("t.jpg", "t", "pug");
    tail.given = BTreeMap::from([("tail".to_owned(), "long".to_owned())]);
    let unknown = photos::add_batch(&SYSTEM, &db, PETS, vec![tail.clone()]).await;
    assert!(matches!(unknown, Err(Error::Invalid { field: "given", .. })), "{unknown:?}");
    tail.given = BTreeMap::from([("ear".to_owned(), "drop".to_owned())]);
    let annotated = photos::add_batch(&SYSTEM, &db, PETS, vec![tail]).await;
    assert!(matches!(annotated, Err(Error::Invalid { field: "given", .. })), "{annotated:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_later_import_fills_in_what_was_missing(db: PgPool) {
    let world = World::new(db.clone()).await;
    let mut bare = photo("a.jpg", "a", "pug");
    (bare.split, bare.given) = (None, BTreeMap::new());
    add(&db, &[bare.clone()]).await;
    assert_eq!(counts(&add(&db, &[photo("a.jpg", "a", "pug")]).await), (0, 0, 1, 0));
    assert_eq!(world.number("SELECT count(*) FROM photos WHERE imported_split = 'trainval'").await, 1);
    assert_eq!(counts(&add(&db, &[bare]).await), (0, 0, 1, 0));
    let listed = photos::list(&SYSTEM, &db, PETS, PhotoQuery::default()).await.unwrap();
    assert_eq!(listed.items[0].given["breed"], "pug");
}

#[sqlx::test(migrations = "../migrations")]
async fn imports_at_the_same_moment_agree_on_the_originals(db: PgPool) {
    let world = World::new(db.clone()).await;
    let batch = |prefix: &str| -> Vec<NewPhoto> {
        (0..40).map(|n| photo(&format!("{prefix}{n}.jpg"), &format!("{}", (n * 7) % 20), "pug")).collect()
    };
    let (one, two) = tokio::join!(
        photos::add_batch(&SYSTEM, &db, PETS, batch("a")),
        photos::add_batch(&SYSTEM, &db, PETS, batch("b"))
    );
    assert_eq!(one.unwrap().added + two.unwrap().added, 80);
    assert_eq!(world.number("SELECT count(*) FROM photos WHERE duplicate_of IS NULL").await, 20);
    assert_eq!(world.number("SELECT count(*) FROM tasks").await, 20);
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_follow_each_other_without_gap_or_repetition(db: PgPool) {
    let world = World::new(db.clone()).await;
    let batch: Vec<NewPhoto> = (0..25)
        .map(|n| photo(&format!("Photo_{n:02}%.jpg"), &n.to_string(), if n % 5 == 0 { "poodle" } else { "pug" }))
        .collect();
    add(&db, &batch).await;
    let ann = world.member("ann", Role::Annotator).await;
    let (mut cursor, mut names) = (None, Vec::new());
    loop {
        let query = PhotoQuery { cursor, limit: 10, ..PhotoQuery::default() };
        let page = photos::list(&ann, &db, PETS, query).await.unwrap();
        names.extend(page.items.into_iter().map(|card| card.name));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, batch.iter().map(|photo| photo.name.clone()).collect::<Vec<_>>());
    let list = async |query: PhotoQuery| photos::list(&ann, &db, PETS, query).await.unwrap();
    let given = Some(("breed".to_owned(), "poodle".to_owned()));
    let poodles = list(PhotoQuery { given: given.clone(), ..PhotoQuery::default() }).await;
    assert_eq!(poodles.items.len(), 5);
    assert!(poodles.items.iter().all(|card| card.given["breed"] == "poodle" && card.width == 640));
    let none =
        list(PhotoQuery { given: Some(("breed".to_owned(), "akita".to_owned())), ..PhotoQuery::default() }).await;
    assert!(none.items.is_empty());
    let named = list(PhotoQuery { name_contains: Some("photo_1".to_owned()), given, ..PhotoQuery::default() }).await;
    assert_eq!(named.items.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Photo_10%.jpg", "Photo_15%.jpg"]);
    // `_` and `%` stand for themselves.
    let wild = list(PhotoQuery { name_contains: Some("o%1".to_owned()), ..PhotoQuery::default() }).await;
    assert!(wild.items.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_picture_is_served_by_project_and_photo_alone(db: PgPool) {
    let world = World::new(db.clone()).await;
    add(&db, &[photo("a.jpg", "a", "pug")]).await;
    let id = world.number("SELECT id FROM photos").await;
    let ann = world.member("ann", Role::Annotator).await;
    let media = photos::file_of(&ann, &db, PETS, id).await.unwrap();
    assert_eq!((media.hash, media.media_type.as_str(), media.bytes), (file("a").hash, "image/jpeg", 1000));
    assert_eq!(photos::get(&ann, &db, PETS, id).await.unwrap().name, "a.jpg");
    let other = world::project(&db, "other").await;
    sqlx::query("INSERT INTO memberships SELECT $1, user_id, role FROM memberships")
        .bind(other)
        .execute(&db)
        .await
        .unwrap();
    assert!(matches!(photos::file_of(&ann, &db, "other", id).await, Err(Error::NotFound("photo"))));
    assert!(matches!(photos::get(&ann, &db, "other", id).await, Err(Error::NotFound("photo"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn thousands_of_photos_come_in_within_seconds(db: PgPool) {
    let world = World::new(db.clone()).await;
    let batch: Vec<NewPhoto> = (0..5517)
        .map(|n| {
            photo(
                &format!("breed_{}_{n}.jpg", n % 37),
                &(n - n % 100 % 99 / 98).to_string(),
                &format!("breed_{}", n % 37),
            )
        })
        .collect();
    let files: HashSet<[u8; 32]> = batch.iter().map(|photo| photo.file.hash).collect();
    let started = Instant::now();
    let added = add(&db, &batch).await;
    let took = started.elapsed();
    assert_eq!((added.added, added.conflicts.len()), (5517, 0));
    assert_eq!(world.number("SELECT count(*) FROM tasks").await, i64::try_from(files.len()).unwrap());
    eprintln!("5,517 photos in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}
