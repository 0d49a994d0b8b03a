//! Import: layouts, files that cannot be taken, pictures, duplicates, stopping half-way, archives.

mod fixtures;

use std::{fs, io::Write as _};

use fixtures::{PLACE, Server, encoded, jpeg, put, with_exif};
use image::{GenericImageView as _, ImageFormat};
use kenami_domain::view::job::{ImportReport, JobKind, JobState};
use kenami_server::{
    demo,
    import::{self, ImportError, Layout, unpack},
    jobs::{Progress, worker},
    storage::Variant,
};
use kenami_store::{
    actor::Actor,
    guidelines, jobs, members,
    photos::{self, PhotoQuery},
    projects, schema,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use zip::{ZipWriter, write::SimpleFileOptions};

const SYSTEM: &Actor = &Actor::System;

fn reason<'a>(report: &'a ImportReport, name: &str) -> &'a str {
    let found = report.skipped.iter().find(|file| file.name == name);
    &found.unwrap_or_else(|| panic!("{name} is not among {:?}", report.skipped)).reason
}

#[sqlx::test(migrations = "../migrations")]
async fn oxford_pets_brings_breeds_splits_standards_and_guidelines(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("pets");
    fixtures::pets(&folder);
    let report = server.import("pets", &folder, Some(Layout::OxfordPets)).await;
    assert_eq!((report.added, report.duplicates, report.skipped.len()), (12, 0, 0), "{report:?}");
    assert_eq!(report.warnings, Vec::<String>::new());

    let attributes = schema::attributes(SYSTEM, server.db(), "pets").await.unwrap();
    let keys = |n: usize| attributes[n].values.iter().map(|value| value.key.as_str()).collect::<Vec<_>>();
    assert_eq!(attributes.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), ["breed", "species", "ear", "coat"]);
    assert_eq!((keys(0), keys(2)), (vec!["Bengal", "pug"], vec!["drop", "erect"]));
    let priors = schema::priors(SYSTEM, server.db(), "pets").await.unwrap();
    let pug = priors.iter().find(|p| p.given_value == "pug" && p.attribute == "ear").expect("pug's ears");
    assert!((pug.distribution["drop"] - 0.9).abs() < 1e-12);

    let ear = guidelines::get(SYSTEM, server.db(), "pets", "ear").await.unwrap();
    assert_eq!(ear.current.expect("published").version, 1);
    assert_eq!(ear.text.rules[0].value, "erect");
    assert!(ear.text.introduction.get("en").unwrap().starts_with("Say what the photo shows."));

    let query = PhotoQuery { cursor: None, limit: 50, given: None, name_contains: None };
    let cards = photos::list(SYSTEM, server.db(), "pets", query).await.unwrap().items;
    let bengal = cards.iter().find(|card| card.name == "Bengal_6.jpg").unwrap();
    assert_eq!((bengal.width, bengal.height), (48, 32));
    assert_eq!((bengal.given["breed"].as_str(), bengal.given["species"].as_str()), ("Bengal", "cat"));
    let splits: Vec<(String, i64)> =
        sqlx::query_as("SELECT imported_split, count(*) FROM photos GROUP BY 1 ORDER BY 1")
            .fetch_all(server.db())
            .await
            .unwrap();
    assert_eq!(splits, [("test".to_owned(), 4), ("trainval".to_owned(), 8)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn files_that_cannot_be_taken_are_named_and_the_rest_goes_on(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("cats");
    let photo = jpeg(1);
    put(&folder, "a/good.jpg", &photo);
    put(&folder, "a/good.png", encoded(2, 20, 10, ImageFormat::Png));
    put(&folder, "a/good.webp", encoded(3, 20, 10, ImageFormat::WebP));
    put(&folder, "a/named.jpg", encoded(4, 20, 10, ImageFormat::Png));
    put(&folder, "a/empty.jpg", b"");
    put(&folder, "a/cut.jpg", &photo[..photo.len() / 2]);
    put(&folder, "a/cut.png", &encoded(5, 200, 100, ImageFormat::Png)[..300]);
    put(&folder, "a/text.jpg", "not a photo");
    put(&folder, "a/film.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    put(&folder, "a/bomb.png", bomb(60_000, 60_000));
    put(&folder, "a/wide.png", bomb(30_001, 1));
    put(&folder, "a/flood.png", bomb(11_000, 10_000));
    put(&folder, "a/notes.txt", "about the photos");
    put(&folder, "a/.DS_Store", "x");
    fs::File::create(folder.join("a/heavy.jpg")).unwrap().set_len(51 << 20).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("a/dead.jpg")).unwrap();

    let report = server.import("cats", &folder, None).await;
    assert_eq!(report.added, 4, "{report:?}");
    assert_eq!(reason(&report, "a/empty.jpg"), "the file is empty");
    assert!(reason(&report, "a/cut.jpg").contains("truncated"));
    assert!(reason(&report, "a/cut.png").contains("truncated"), "{}", reason(&report, "a/cut.png"));
    assert!(reason(&report, "a/text.jpg").contains("no JPEG, PNG or WebP"));
    assert!(reason(&report, "a/film.gif").contains("GIF"));
    assert!(reason(&report, "a/bomb.png").contains("60000 x 60000"));
    assert!(reason(&report, "a/wide.png").contains("30001 x 1"));
    assert!(reason(&report, "a/flood.png").contains("100 megapixels"));
    assert!(reason(&report, "a/heavy.jpg").contains("51 MiB"));
    assert!(reason(&report, "a/dead.jpg").contains("cannot be read"));
    assert_eq!(report.skipped.len(), 10, "{report:?}");
    assert!(report.warnings.iter().any(|warning| warning.starts_with("a/named.jpg") && warning.contains("PNG")));
    assert!(report.warnings.iter().any(|warning| warning.contains("notes.txt")));
}

/// A PNG whose header promises so many pixels and whose body is nearly nothing.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = encoded(1, 4, 4, ImageFormat::Png);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    file
}

/// PNG's checksum (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[sqlx::test(migrations = "../migrations")]
async fn pictures_stand_upright_and_say_nothing_about_the_place(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("photos");
    // Orientation 6: the camera was turned, the stored left side is the top.
    let small = with_exif(&jpeg(1), 6);
    let large = with_exif(&encoded(2, 2000, 1000, ImageFormat::Jpeg), 6);
    let upright = with_exif(&jpeg(3), 1);
    put(&folder, "small.jpg", &small);
    put(&folder, "large.jpg", &large);
    put(&folder, "upright.jpg", &upright);
    server.import("photos", &folder, Some(Layout::Folders)).await;

    for (name, original, shown, web, thumbnail) in [
        ("small.jpg", &small, (32, 48), (32, 48), (32, 48)),
        ("large.jpg", &large, (1000, 2000), (800, 1600), (128, 256)),
        ("upright.jpg", &upright, (48, 32), (48, 32), (48, 32)),
    ] {
        let query = PhotoQuery { cursor: None, limit: 1, given: None, name_contains: Some(name.to_owned()) };
        let card = photos::list(SYSTEM, server.db(), "photos", query).await.unwrap().items.remove(0);
        assert_eq!((card.width, card.height), shown, "{name}");
        let file = photos::file_of(SYSTEM, server.db(), "photos", card.id).await.unwrap();
        let get = async |variant| server.context.storage.get(&file.hash, variant).await.unwrap();
        assert!(get(Variant::Original).await == original.as_slice(), "{name}: the original's bytes");
        for (variant, size) in [(Variant::Web, web), (Variant::Thumbnail, thumbnail)] {
            let bytes = get(variant).await;
            let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
            assert!(!holds(PLACE) && !holds(b"Exif"), "{name} {variant}");
            let picture = image::load_from_memory(&bytes).unwrap();
            assert_eq!(picture.dimensions(), size, "{name} {variant}");
            // Turned by 90 degrees clockwise, the red quarter goes from upper left to upper right.
            let corner = |right: bool| {
                let x = if right { size.0 - 1 - size.0 / 8 } else { size.0 / 8 };
                picture.get_pixel(x, size.1 / 8).0
            };
            let red = corner(name != "upright.jpg");
            assert!(red[0] > 180 && red[1] < 80, "{name} {variant}: {red:?}");
        }
    }
}

/// Everything that an import leaves, without ids and times.
async fn state(db: &PgPool) -> Vec<(String, Vec<u8>, Option<String>, i64)> {
    sqlx::query_as(
        "SELECT p.name, f.hash, o.name, (SELECT count(*) FROM tasks t WHERE t.photo_id = p.id)
         FROM photos p JOIN files f ON f.id = p.file_id LEFT JOIN photos o ON o.id = p.duplicate_of
         ORDER BY p.project_id, p.name",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn duplicates_are_linked_and_a_second_run_adds_nothing(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("photos");
    put(&folder, "a.jpg", jpeg(1));
    put(&folder, "b.jpg", jpeg(1));
    put(&folder, "c.jpg", jpeg(2));
    let first = server.import("photos", &folder, None).await;
    assert_eq!((first.added, first.duplicates, first.unchanged), (3, 1, 0));
    let after_first = state(server.db()).await;
    assert_eq!(after_first[1].2.as_deref(), Some("a.jpg"));
    assert_eq!(after_first.iter().map(|row| row.3).collect::<Vec<_>>(), [1, 0, 1]);

    let second = server.import("photos", &folder, None).await;
    assert_eq!((second.added, second.unchanged, second.skipped.len()), (0, 3, 0));
    assert_eq!(state(server.db()).await, after_first);

    put(&folder, "c.jpg", jpeg(3));
    let third = server.import("photos", &folder, None).await;
    assert_eq!(third.unchanged, 2);
    assert!(reason(&third, "c.jpg").contains("another photo of this name"));
    assert_eq!(state(server.db()).await, after_first);
}

#[sqlx::test(migrations = "../migrations")]
async fn stopped_half_way_and_run_again_it_ends_in_the_same_state(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("photos");
    for n in 0..600_u32 {
        // Every third photo has the bytes of one before.
        let seed = if n % 3 == 2 { n / 2 } else { n };
        put(&folder, &format!("{n:03}.jpg"), encoded((seed % 251) as u8, 8 + seed / 251, 8, ImageFormat::Jpeg));
    }
    let progress = Progress::default();
    let plan = import::plan(&folder, None).unwrap();
    let (db, storage) = (&server.context.db, &server.context.storage);
    let stop = async {
        while progress.now().0 < 300 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        progress.cancel();
    };
    let (outcome, ()) = tokio::join!(import::run(SYSTEM, db, storage, "stopped", plan, &progress), stop);
    assert!(matches!(outcome, Err(ImportError::Cancelled)), "{outcome:?}");
    let half = projects::progress(SYSTEM, db, "stopped").await.unwrap().photos;
    assert!(half > 0 && half < 600, "{half}");
    let rest = server.import("stopped", &folder, None).await;
    assert_eq!((rest.added as i64, rest.unchanged as i64), (600 - half, half));

    let undisturbed = server.import("undisturbed", &folder, None).await;
    assert_eq!(undisturbed.added, 600);
    let rows = state(db).await;
    let (stopped, undisturbed) = rows.split_at(600);
    assert_eq!(stopped, undisturbed);
    assert!(stopped.iter().any(|row| row.2.is_some()));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_names_only_files_in_its_folder(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("table");
    put(server.folder.path(), "secret.jpg", jpeg(9));
    put(&folder, "photos/1.jpg", jpeg(1));
    put(&folder, "photos/2.jpg", jpeg(2));
    std::os::unix::fs::symlink(server.folder.path().join("secret.jpg"), folder.join("photos/link.jpg")).unwrap();
    let absolute = server.folder.path().join("secret.jpg");
    let table = format!(
        "image,coat colour,split\nphotos/1.jpg,Red Tabby,train\nphotos/2.jpg,,test\n../secret.jpg,x,\n{},x,\n\
         photos/link.jpg,x,\nphotos/3.jpg,x,\nphotos/1.jpg,x,\nphotos/2.jpg,x,later\nphotos/2.jpg\n",
        absolute.display()
    );
    put(&folder, "photos.csv", table);
    let report = server.import("table", &folder, Some(Layout::Csv)).await;
    assert_eq!(report.added, 2, "{report:?}");
    for (line, word) in [
        (4, "inside the folder"),
        (5, "inside the folder"),
        (6, "leads outside"),
        (7, "no such file"),
        (8, "has a row already"),
        (9, "`later`"),
        (10, "1 cells"),
    ] {
        let reason = reason(&report, &format!("photos.csv, line {line}"));
        assert!(reason.contains(word), "line {line}: {reason}");
    }
    let attributes = schema::attributes(SYSTEM, server.db(), "table").await.unwrap();
    assert_eq!(attributes[0].key, "coat_colour");
    assert_eq!(attributes[0].names.get("en"), Some("coat colour"));
    assert_eq!(attributes[0].values[0].key, "Red_Tabby");
}

#[sqlx::test(migrations = "../migrations")]
async fn folders_are_classes_and_may_be_splits(db: PgPool) {
    let server = Server::new(db);
    let folder = server.folder.path().join("set");
    put(&folder, "around/train/pug/1.jpg", jpeg(1));
    put(&folder, "around/train/柴犬/2.jpg", jpeg(2));
    put(&folder, "around/test/pug/3.jpg", jpeg(3));
    let report = server.import("set", &folder, None).await;
    assert_eq!(report.added, 3, "{report:?}");
    let class = schema::attributes(SYSTEM, server.db(), "set").await.unwrap().remove(0);
    assert_eq!((class.key.as_str(), class.values.len()), ("class", 2));
    assert!(class.values.iter().any(|value| value.names.get("en") == Some("柴犬")));
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, imported_split FROM photos ORDER BY name").fetch_all(server.db()).await.unwrap();
    let expected = [("test/pug/3.jpg", "test"), ("train/pug/1.jpg", "train"), ("train/柴犬/2.jpg", "train")];
    assert_eq!(rows, expected.map(|(name, split)| (name.to_owned(), split.to_owned())));
}

/// An archive with what people send, and what nobody should.
fn archive() -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (path, bytes) in [("set/pug/1.jpg", jpeg(1)), ("../../escaped.jpg", jpeg(2)), ("/etc/escaped.jpg", jpeg(3))] {
        zip.start_file(path, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.add_symlink("set/pug/link.jpg", "/etc/passwd", options).unwrap();
    zip.start_file("set/pug/zeros.jpg", options).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 51 << 20), &mut zip).unwrap();
    zip.start_file("set/beagle/2.jpg", options).unwrap();
    zip.write_all(&jpeg(4)).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_stays_in_its_folder_and_within_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "upload.zip", archive());
    let into = folder.path().join("a/b/into");
    fs::create_dir_all(&into).unwrap();
    let skipped = unpack(&folder.path().join("upload.zip"), &into).unwrap();
    let reasons: Vec<&str> = skipped.iter().map(|file| file.reason.as_str()).collect();
    assert_eq!(skipped.len(), 4, "{skipped:?}");
    assert_eq!(reasons.iter().filter(|reason| reason.contains("leads outside")).count(), 2);
    assert!(reasons.iter().any(|reason| reason.contains("a link")));
    assert!(reasons.iter().any(|reason| reason.contains("more than 50 MiB")));
    assert!(into.join("set/pug/1.jpg").is_file() && into.join("set/beagle/2.jpg").is_file());
    assert!(!folder.path().join("escaped.jpg").exists() && !folder.path().join("a/escaped.jpg").exists());
    assert!(!into.join("set/pug/zeros.jpg").exists() && !into.join("set/pug/link.jpg").exists());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_takes_in_an_uploaded_archive(db: PgPool) {
    let server = Server::new(db);
    projects::ensure(SYSTEM, server.db(), "pets").await.unwrap();
    let spool = server.context.data_dir.spool().join("one");
    put(&spool, "photos.zip", archive());
    let payload = serde_json::json!({ "spool": "one", "layout": "auto" });
    let id = jobs::create(SYSTEM, server.db(), "pets", JobKind::Import, payload).await.unwrap();
    let lost = serde_json::json!({ "spool": "../outside", "layout": "auto" });
    let bad = jobs::create(SYSTEM, server.db(), "pets", JobKind::Import, lost).await.unwrap();

    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(server.context.clone(), shutdown.clone()));
    let (done, failed) = (fixtures::ended(server.db(), id).await, fixtures::ended(server.db(), bad).await);
    shutdown.cancel();
    working.await.unwrap();

    assert_eq!(done.state, JobState::Done, "{done:?}");
    let report: ImportReport = serde_json::from_value(done.result.unwrap()).unwrap();
    assert_eq!((report.added, report.skipped.len()), (2, 4), "{report:?}");
    assert!(!spool.exists(), "the upload is gone once it is in");
    assert_eq!(failed.state, JobState::Failed);
    assert!(failed.error.unwrap().contains("no valid name"));
    let class = schema::attributes(SYSTEM, server.db(), "pets").await.unwrap().remove(0);
    assert_eq!(class.values.iter().map(|value| value.key.as_str()).collect::<Vec<_>>(), ["beagle", "pug"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_demo_loads_once_and_every_page_has_something_to_show(db: PgPool) {
    let server = Server::new(db);
    let (db, storage) = (server.db(), &server.context.storage);
    demo::ensure(db, storage).await.unwrap();
    let progress = projects::progress(SYSTEM, db, demo::PROJECT).await.unwrap();
    assert_eq!(progress.photos, 185);
    assert!(progress.slots_done > 0 && progress.open_disagreements > 0, "{progress:?}");
    let breeds = progress.given.iter().filter(|count| count.attribute == "breed");
    assert!(breeds.map(|count| count.photos).eq([5; 37]), "five photos of each of 37 breeds");
    for guideline in guidelines::all(SYSTEM, db, demo::PROJECT).await.unwrap() {
        assert_eq!(guideline.history.len(), 1);
        assert!(guideline.text.rules.iter().any(|rule| !rule.examples.is_empty()), "{:?}", guideline.attribute.key);
    }
    let members = members::list(SYSTEM, db, demo::PROJECT).await.unwrap();
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, demo::ANNOTATORS);
    assert!(demo::weights().is_some_and(|weights| weights.len() > 1 << 20));

    // A lead's changes stay: a later start neither brings a member back nor a name.
    members::remove(SYSTEM, db, demo::PROJECT, members[1].user_id).await.unwrap();
    let (photos, labels) = (state(db).await, counted(db, "labels").await);
    demo::ensure(db, storage).await.unwrap();
    assert_eq!((state(db).await, counted(db, "labels").await), (photos, labels));
    assert_eq!(members::list(SYSTEM, db, demo::PROJECT).await.unwrap().len(), 1);
}

async fn counted(db: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(db).await.unwrap()
}
