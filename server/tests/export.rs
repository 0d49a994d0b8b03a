//! Export: what each format holds, and that it is the same bytes every time.

mod fixtures;

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read as _},
    path::Path,
};

use fixtures::Server;
use futures::TryStreamExt as _;
use kenami_domain::{
    answer::Answer,
    dataset::{Item, Manifest, Policy, Split},
    view::dataset::{ExportFormat, FreezeInput},
};
use kenami_server::export::{self, ExportError, Request};
use kenami_store::{actor::Actor, datasets, error::Error};
use kenami_trainer::Dataset;
use sqlx::PgPool;

async fn frozen(db: PgPool) -> Server {
    let server = Server::new(db);
    server.with_pets().await;
    let input = FreezeInput { name: "v1".into(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    datasets::freeze(&Actor::System, server.db(), "pets", input).await.unwrap();
    server
}

fn request(server: &Server, format: ExportFormat) -> Request {
    Request {
        actor: Actor::System,
        db: server.db().clone(),
        storage: server.context.storage.clone(),
        project: "pets".into(),
        dataset: "v1".into(),
        format,
        by: None,
    }
}

/// All files below a folder.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

async fn downloaded(request: Request) -> (String, Vec<u8>) {
    let download = export::download(request).await.unwrap();
    let chunks: Vec<_> = download.body.try_collect().await.unwrap();
    (download.file_name, chunks.concat())
}

#[sqlx::test(migrations = "../migrations")]
async fn the_folder_is_what_the_trainer_reads(db: PgPool) {
    let server = frozen(db).await;
    let out = server.folder.path().join("out");
    let written = export::write_to(&request(&server, ExportFormat::Folder), &out).await.unwrap();
    assert_eq!(written.photos, 12);
    let files = tree(&out);
    assert_eq!(files.len(), 14);
    let original = fs::read(server.folder.path().join("pets/images/pug_1.jpg")).unwrap();
    assert!(files["images/pug_1.jpg"] == original, "the original's bytes");

    let manifest: Manifest = serde_json::from_slice(&files["dataset.json"]).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.project.as_str(), manifest.items), ("v1", "pets", 12));
    let items: Vec<Item> = files["items.jsonl"]
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let item = |name: &str| items.iter().find(|item| item.image == format!("images/{name}")).unwrap();
    let tie = item("pug_1.jpg");
    assert_eq!((tie.masks["ear"], tie.answers.get("ear"), tie.targets["ear"]["drop"]), (0, None, 0.5));
    let agreed = item("Bengal_6.jpg");
    assert_eq!((agreed.masks["ear"], &agreed.answers["ear"]), (1, &Answer::Value("erect".into())));
    assert_eq!((agreed.given["species"].as_str(), agreed.split), ("cat", Split::Test));
    let hidden = item("pug_2.jpg");
    assert_eq!((hidden.masks["coat"], &hidden.answers["coat"]), (0, &Answer::NotVisible));

    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.items.len(), 12);
    assert!(dataset.bytes(dataset.items.iter().find(|i| i.image == "images/pug_1.jpg").unwrap()).unwrap() == original);
}

#[sqlx::test(migrations = "../migrations")]
async fn every_format_is_the_same_twice(db: PgPool) {
    let server = frozen(db).await;
    for format in ExportFormat::ALL {
        let (one, two) = (server.folder.path().join("one"), server.folder.path().join("two"));
        for out in [&one, &two] {
            export::write_to(&request(&server, format), out).await.unwrap();
        }
        let files = |out: &Path| {
            if out.is_dir() { tree(out) } else { BTreeMap::from([(String::new(), fs::read(out).unwrap())]) }
        };
        let before = files(&one);
        assert!(before == files(&two), "{format:?}");
        // Over the earlier one.
        export::write_to(&request(&server, format), &one).await.unwrap();
        assert!(before == files(&one), "{format:?} again");
        let (name, first) = downloaded(request(&server, format)).await;
        let (_, second) = downloaded(request(&server, format)).await;
        assert!(first == second && !first.is_empty(), "{format:?} as a download");
        if name.ends_with(".zip") {
            assert!(before == unzipped(&first), "{format:?}: the archive holds the folder's files");
            let zipped = server.folder.path().join("out.zip");
            export::write_to(&request(&server, format), &zipped).await.unwrap();
            assert!(fs::read(&zipped).unwrap() == first);
        } else {
            assert!(before[""] == first);
        }
        for out in [one, two] {
            if out.is_dir() { fs::remove_dir_all(out).unwrap() } else { fs::remove_file(out).unwrap() }
        }
    }
}

fn unzipped(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        assert_eq!(file.compression(), zip::CompressionMethod::Stored);
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(file.name().to_owned(), content);
    }
    files
}

#[sqlx::test(migrations = "../migrations")]
async fn the_table_has_a_row_a_photo(db: PgPool) {
    let server = frozen(db).await;
    let (name, bytes) = downloaded(request(&server, ExportFormat::Csv)).await;
    assert_eq!(name, "v1.csv");
    let mut reader = csv::Reader::from_reader(&*bytes);
    let header = "image,split,breed,species,ear,ear.mask,ear.drop,ear.erect,coat,coat.mask,coat.short,coat.long";
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>().join(","), header);
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(rows.len(), 12);
    let row = rows.iter().find(|row| row[0] == "images/pug_1.jpg").unwrap();
    assert_eq!(row[2..8], ["pug", "dog", "", "0", "0.5", "0.5"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn class_folders_follow_an_attribute(db: PgPool) {
    let server = frozen(db).await;
    let out = server.folder.path().join("classes");
    let written = export::write_to(&request(&server, ExportFormat::Imagefolder), &out).await.unwrap();
    assert_eq!((written.photos, written.without_class), (12, 0));
    assert!(out.join("test/Bengal/Bengal_6.jpg").is_file());
    let lines: Vec<serde_json::Value> = fs::read_to_string(out.join("metadata.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 12);
    for line in &lines {
        assert!(out.join(line["file_name"].as_str().unwrap()).is_file(), "{line}");
    }
    let bengal = lines.iter().find(|line| line["file_name"] == "test/Bengal/Bengal_6.jpg").unwrap();
    assert_eq!(
        (&bengal["ear"], &bengal["species"], &bengal["split"]),
        (&"erect".into(), &"cat".into(), &"test".into())
    );
    let test = fs::read_to_string(out.join("test/metadata.jsonl")).unwrap();
    assert_eq!(test.lines().count(), 4);
    assert!(test.contains("\"file_name\":\"Bengal/Bengal_6.jpg\""));

    // By an annotated attribute: photos whose answer cannot be trusted stay out.
    let by_ear = Request { by: Some("ear".into()), ..request(&server, ExportFormat::Imagefolder) };
    let written = export::write_to(&by_ear, &server.folder.path().join("ears")).await.unwrap();
    assert_eq!((written.photos, written.without_class), (11, 1));
    let unknown = Request { by: Some("tail".into()), ..request(&server, ExportFormat::Imagefolder) };
    assert!(matches!(export::download(unknown).await, Err(ExportError::UnknownAttribute(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_folder_with_other_things_is_left_alone_and_strangers_get_nothing(db: PgPool) {
    let server = frozen(db).await;
    let out = server.folder.path().join("mine");
    fixtures::put(&out, "images/holiday.jpg", "mine");
    fixtures::put(&out, "letter.txt", "mine");
    let error = export::write_to(&request(&server, ExportFormat::Folder), &out).await.unwrap_err();
    assert!(error.to_string().contains("letter.txt"), "{error}");
    fs::remove_file(out.join("letter.txt")).unwrap();
    let error = export::write_to(&request(&server, ExportFormat::Folder), &out).await.unwrap_err();
    assert!(error.to_string().contains("no earlier export"), "{error}");
    assert_eq!(fs::read_to_string(out.join("images/holiday.jpg")).unwrap(), "mine");

    let nobody = Request { actor: Actor::Anonymous, ..request(&server, ExportFormat::Csv) };
    assert!(matches!(export::download(nobody).await, Err(ExportError::Store(Error::Unauthenticated))));
}
