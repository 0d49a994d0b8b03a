//! Photos, uploads, events, downloads and server functions, through the whole router.

mod site;

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use futures::StreamExt;
use kenami_domain::{
    roles::Role,
    schema::{Attribute, AttributeKind, AttributeValue},
    view::{
        dataset::FreezeInput,
        job::{Job, JobKind, JobState},
        queue::QueueOrder,
        run::{CurvePoint, TrainInput},
    },
};
use kenami_server::storage::Variant;
use kenami_store::{
    actor::Actor,
    datasets,
    jobs::{self, JobProgress, Outcome},
    members,
    photos::{self, NewFile, NewPhoto, PhotoQuery},
    projects, runs, schema, suggestions,
};
use leptos::server_fn::ServerFn;
use serde_json::{Value, json};
use site::Site;
use sqlx::PgPool;
use tower::ServiceExt;

const PROJECT: &str = "pets";
const WORKER: &str = "test";
const LEASE: Duration = Duration::from_secs(60);

/// A site with the project, and one account a role: lead, annotator, and stranger, who is no member. Returns their cookies.
async fn site_with_members(db: &PgPool) -> (Site, [String; 3]) {
    let site = Site::new(db).await;
    projects::ensure(&Actor::System, db, PROJECT).await.expect("a project");
    let mut cookies = Vec::new();
    for name in ["lead", "annotator", "stranger"] {
        cookies.push(site.cookie_of(name).await);
    }
    members::add(&Actor::System, db, PROJECT, "lead", Role::Lead).await.expect("a lead");
    members::add(&Actor::System, db, PROJECT, "annotator", Role::Annotator).await.expect("an annotator");
    (site, cookies.try_into().expect("three"))
}

/// A photo of one colour.
fn photo(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = image::RgbImage::from_pixel(8, 8, image::Rgb([shade, 10, 20]));
    pixels.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).expect("a photo");
    bytes
}

/// Adds photos with a breed to the project; returns their ids.
async fn add_photos(site: &Site, count: u8) -> Vec<i64> {
    let breed = Attribute {
        key: "breed".to_owned(),
        names: Default::default(),
        kind: AttributeKind::Given,
        values: Vec::new(),
    };
    schema::ensure_attribute(&Actor::System, &site.db, PROJECT, &breed).await.expect("an attribute");
    let mut batch = Vec::new();
    for shade in 0..count {
        let bytes = photo(shade);
        let hash = *blake3::hash(&bytes).as_bytes();
        let file = NewFile { hash, bytes: bytes.len() as i64, media_type: "image/png", width: 8, height: 8 };
        site.storage.put_original(&hash, bytes.clone().into()).await.expect("stored");
        for variant in [Variant::Thumbnail, Variant::Web] {
            site.storage.put_derivative(&hash, variant, bytes.clone().into()).await.expect("stored");
        }
        let given = BTreeMap::from([("breed".to_owned(), if shade % 2 == 0 { "pug" } else { "beagle" }.to_owned())]);
        batch.push(NewPhoto { name: format!("photo_{shade}.png"), file, split: None, given });
    }
    photos::add_batch(&Actor::System, &site.db, PROJECT, batch).await.expect("added");
    let all = PhotoQuery { limit: 200, ..PhotoQuery::default() };
    let page = photos::list(&Actor::System, &site.db, PROJECT, all).await.expect("listed");
    page.items.iter().map(|card| card.id).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn photos_are_shown_to_members_alone(db: PgPool) {
    let (site, [lead, annotator, stranger]) = site_with_members(&db).await;
    let id = add_photos(&site, 1).await[0];
    projects::ensure(&Actor::System, &db, "other").await.expect("a project");
    members::add(&Actor::System, &db, "other", "stranger", Role::Lead).await.expect("a lead");
    for variant in ["thumbnail", "web", "original"] {
        let path = format!("/media/{PROJECT}/{id}/{variant}");
        for member in [&lead, &annotator] {
            let shown = site.get(&path, Some(member)).await;
            assert_eq!((shown.status, &shown.bytes), (StatusCode::OK, &photo(0)), "{variant}");
            assert_eq!(shown.header(header::CONTENT_TYPE), "image/png");
            assert_eq!(shown.header(header::CACHE_CONTROL), "private, max-age=31536000, immutable");
            assert_eq!(shown.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
        assert_eq!(site.get(&path, None).await.status, StatusCode::UNAUTHORIZED, "nobody");
        assert_eq!(site.get(&path, Some(&stranger)).await.status, StatusCode::NOT_FOUND, "no member");
        // Nor by way of a project that one leads.
        let detour = format!("/media/other/{id}/{variant}");
        assert_eq!(site.get(&detour, Some(&stranger)).await.status, StatusCode::NOT_FOUND, "another project");
    }
    let path = format!("/media/{PROJECT}/{id}/web");
    let etag = site.get(&path, Some(&annotator)).await.header(header::ETAG).to_owned();
    let headers = [("cookie", annotator.as_str()), ("if-none-match", etag.as_str())];
    let known = site.send(Method::GET, &path, &headers, "").await;
    assert_eq!((known.status, known.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(site.get(&format!("/media/{PROJECT}/{id}/huge"), Some(&lead)).await.status, StatusCode::NOT_FOUND);

    let Actor::User(user) = site.actor("annotator").await else { panic!("an account") };
    members::remove(&Actor::System, &db, PROJECT, user.id).await.expect("removed");
    let headers = [("cookie", annotator.as_str()), ("if-none-match", etag.as_str())];
    let former = site.send(Method::GET, &path, &headers, "").await;
    assert_eq!(former.status, StatusCode::NOT_FOUND, "who was a member is none, whatever the browser still has");
}

/// A multipart body with `files` under the field "files".
fn multipart(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!(
            "--limit\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    body
}

async fn upload(site: &Site, cookie: Option<&str>, files: &[(&str, &[u8])]) -> site::Answer {
    let mut headers = vec![("sec-fetch-site", "same-origin"), ("content-type", "multipart/form-data; boundary=limit")];
    headers.extend(cookie.map(|cookie| ("cookie", cookie)));
    site.send(Method::POST, &format!("/upload/{PROJECT}?layout=folders"), &headers, multipart(files)).await
}

fn spooled(site: &Site) -> usize {
    std::fs::read_dir(site.data_dir.spool()).map(Iterator::count).unwrap_or(0)
}

#[sqlx::test(migrations = "../migrations")]
async fn an_upload_becomes_a_job(db: PgPool) {
    let (site, [lead, ..]) = site_with_members(&db).await;
    // Larger than what other requests may be.
    let large = vec![7; 3 << 20];
    let answer = upload(&site, Some(&lead), &[("pug/a.png", &photo(1)), ("pug/large.png", &large)]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let job_id = answer["job_id"].as_i64().expect("a job");
    let claimed = jobs::claim(&Actor::System, &db, WORKER, LEASE, 5).await.expect("claimed").expect("a job");
    assert_eq!((claimed.id, claimed.kind), (job_id, JobKind::Import));
    assert_eq!(claimed.payload["layout"], "folders");
    let folder = site.data_dir.spool().join(claimed.payload["spool"].as_str().expect("a folder"));
    assert_eq!(std::fs::read(folder.join("pug/a.png")).expect("a photo"), photo(1));
    assert_eq!(std::fs::read(folder.join("pug/large.png")).expect("a photo"), large);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_upload_that_does_not_fit_leaves_nothing_behind(db: PgPool) {
    let (site, [lead, annotator, stranger]) = site_with_members(&db).await;
    let file: (&str, &[u8]) = ("a.png", b"bytes");
    assert_eq!(upload(&site, None, &[file]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(upload(&site, Some(&stranger), &[file]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(upload(&site, Some(&annotator), &[file]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(upload(&site, Some(&lead), &[]).await.status, StatusCode::BAD_REQUEST);
    for name in ["../a.png", "/etc/a.png", "pug/../../a.png", ""] {
        let answer = upload(&site, Some(&lead), &[file, (name, b"bytes")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name:?}: {}", answer.body);
    }
    let twice = upload(&site, Some(&lead), &[file, file]).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(twice.body.contains("sent twice"), "{}", twice.body);
    let huge = vec![0; (50 << 20) + 1];
    assert_eq!(upload(&site, Some(&lead), &[("huge.png", &huge)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(spooled(&site), 0);
    assert!(jobs::list(&Actor::System, &db, PROJECT, 10).await.expect("jobs").is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_file_of_predictions_becomes_the_source(db: PgPool) {
    let (site, [lead, annotator, stranger]) = site_with_members(&db).await;
    add_photos(&site, 2).await;
    let value = |key: &str| AttributeValue { key: key.to_owned(), names: Default::default(), retired: false };
    let ear = Attribute {
        key: "ear".to_owned(),
        names: Default::default(),
        kind: AttributeKind::Annotated,
        values: vec![value("drop"), value("erect")],
    };
    schema::ensure_attribute(&Actor::System, &db, PROJECT, &ear).await.expect("an attribute");
    let send = async |cookie: Option<&str>, text: &str, control: &str| {
        let mut headers =
            vec![("sec-fetch-site", "same-origin"), ("content-type", "multipart/form-data; boundary=limit")];
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        let path = format!("/upload/{PROJECT}/predictions?control={control}");
        site.send(Method::POST, &path, &headers, multipart(&[("model.csv", text.as_bytes())])).await
    };
    let file = "image,attribute,answer,probability\nphoto_0.png,ear,drop,0.9\nphoto_0.png,breed,pug,0.8\n\
                photo_1.png,ear,drop,0.3\nphoto_1.png,ear,erect,0.7\n";
    assert_eq!(send(None, file, "10").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(Some(&stranger), file, "10").await.status, StatusCode::NOT_FOUND);
    assert_eq!(send(Some(&annotator), file, "10").await.status, StatusCode::FORBIDDEN);
    let bad = send(Some(&lead), &file.replace("0.7", "7"), "10").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.body.contains("model.csv") && bad.body.contains("line 5, column probability"), "{}", bad.body);
    assert_eq!(send(Some(&lead), file, "101").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(suggestions::source(&Actor::System, &db, PROJECT).await.expect("a source").is_none());
    let taken = send(Some(&lead), file, "10").await;
    assert_eq!((taken.status, taken.body.as_str()), (StatusCode::OK, r#"{"suggestions":2}"#));
    let source = suggestions::source(&Actor::System, &db, PROJECT).await.expect("a source").expect("one");
    assert_eq!((source.name.as_str(), source.control_share), ("model.csv", 0.1));
}

/// Server-sent events as they come: name and data.
struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    async fn open(site: &Site, job_id: i64, cookie: &str) -> Self {
        let request = Request::get(format!("/events/jobs/{job_id}"))
            .header(header::HOST, "kenami.test")
            .header(header::ACCEPT_ENCODING, "gzip, br")
            .header(header::COOKIE, cookie)
            .body(Body::empty())
            .expect("a request");
        let response = site.router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "compression would hold events back");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
                let event = (field("event:").to_owned(), field("data:").to_owned());
                self.text = rest.to_owned();
                if event.0.is_empty() {
                    continue; // a sign of life
                }
                return Some(event);
            }
            let chunk =
                tokio::time::timeout(Duration::from_secs(5), self.body.next()).await.expect("news within 5 s")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
        }
    }

    async fn next_job(&mut self) -> Job {
        let (name, data) = self.next().await.expect("an event");
        assert_eq!(name, "job", "{data}");
        serde_json::from_str(&data).expect("a job")
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_is_followed_to_its_end(db: PgPool) {
    let (site, [lead, annotator, stranger]) = site_with_members(&db).await;
    let actor = site.actor("lead").await;
    let id = jobs::create(&actor, &db, PROJECT, JobKind::Import, json!({})).await.expect("a job");
    for (cookie, status) in [(None, StatusCode::UNAUTHORIZED), (Some(stranger.as_str()), StatusCode::NOT_FOUND)] {
        assert_eq!(site.get(&format!("/events/jobs/{id}"), cookie).await.status, status);
    }
    let mut events = Events::open(&site, id, &lead).await;
    assert_eq!(events.next_job().await.state, JobState::Queued, "the whole state comes first");
    jobs::claim(&Actor::System, &db, WORKER, LEASE, 5).await.expect("claimed").expect("a job");
    assert_eq!(events.next_job().await.state, JobState::Running);
    let progress = JobProgress { done: 3, total: 10, message: "reading" };
    jobs::heartbeat(&Actor::System, &db, id, WORKER, LEASE, progress).await.expect("alive");
    let running = events.next_job().await;
    assert_eq!((running.progress_done, running.progress_total, running.message.as_str()), (3, 10, "reading"));
    jobs::finish(&Actor::System, &db, id, WORKER, Outcome::Done(json!({ "added": 1 }))).await.expect("finished");
    let done = events.next_job().await;
    assert_eq!((done.state, done.result), (JobState::Done, Some(json!({ "added": 1 }))));
    assert_eq!(events.next().await, None, "the stream ends with the job");

    let mut late = Events::open(&site, id, &annotator).await;
    assert_eq!(late.next_job().await.state, JobState::Done, "who comes back finds the end");
    assert_eq!(late.next().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_trainings_curves_come_before_its_end(db: PgPool) {
    let (site, [lead, annotator, _]) = site_with_members(&db).await;
    add_photos(&site, 20).await;
    let actor = site.actor("lead").await;
    let input = FreezeInput { name: "v1".to_owned(), policy: Default::default(), run: None, seed: 0 };
    let dataset = datasets::freeze(&actor, &db, PROJECT, input).await.expect("a dataset");
    let input = TrainInput { dataset_id: dataset.id, name: String::new(), config: String::new() };
    let run = runs::create(&actor, &db, PROJECT, input).await.expect("a run");
    let job_id = run.job.expect("a job").id;
    jobs::claim(&Actor::System, &db, WORKER, LEASE, 5).await.expect("claimed").expect("a job");
    let point =
        |epoch: i32, value: f64| CurvePoint { epoch, split: "train".into(), series: "breed/loss".into(), value };
    let add = async |points: &[CurvePoint]| {
        runs::add_curves(&Actor::System, &db, run.row.id, points).await.expect("points");
    };
    add(&[point(1, 2.5)]).await;
    let mut events = Events::open(&site, job_id, &lead).await;
    let (name, data) = events.next().await.expect("an event");
    assert_eq!(
        (name.as_str(), serde_json::from_str::<Vec<CurvePoint>>(&data).expect("points")),
        ("curves", vec![point(1, 2.5)])
    );
    assert_eq!(events.next_job().await.state, JobState::Running);
    add(&[point(2, 1.5)]).await;
    jobs::finish(&Actor::System, &db, job_id, WORKER, Outcome::Done(json!({}))).await.expect("finished");
    let (name, data) = events.next().await.expect("an event");
    assert_eq!(
        (name.as_str(), serde_json::from_str::<Vec<CurvePoint>>(&data).expect("points")),
        ("curves", vec![point(2, 1.5)])
    );
    assert_eq!(events.next_job().await.state, JobState::Done);

    // An annotator sees the job, not what the model measures.
    let mut theirs = Events::open(&site, job_id, &annotator).await;
    assert_eq!(theirs.next_job().await.state, JobState::Done);
    assert_eq!(theirs.next().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_stops_ends_its_streams(db: PgPool) {
    let (site, [lead, ..]) = site_with_members(&db).await;
    let actor = site.actor("lead").await;
    let id = jobs::create(&actor, &db, PROJECT, JobKind::Import, json!({})).await.expect("a job");
    let mut events = Events::open(&site, id, &lead).await;
    events.next_job().await;
    site.shutdown.cancel();
    assert_eq!(events.next().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn datasets_and_labels_are_for_leads(db: PgPool) {
    let (site, [lead, annotator, stranger]) = site_with_members(&db).await;
    add_photos(&site, 20).await;
    let input = FreezeInput { name: "v1".to_owned(), policy: Default::default(), run: None, seed: 0 };
    datasets::freeze(&site.actor("lead").await, &db, PROJECT, input).await.expect("a dataset");
    let folder = format!("/p/{PROJECT}/datasets/v1/download?format=folder");
    let labels = format!("/p/{PROJECT}/labels.csv");
    for path in [&folder, &labels] {
        assert_eq!(site.get(path, None).await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(site.get(path, Some(&stranger)).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(site.get(path, Some(&annotator)).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let first = site.get(&folder, Some(&lead)).await;
    assert_eq!((first.status, first.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/zip"));
    assert_eq!(first.header(header::CONTENT_DISPOSITION), "attachment; filename=\"v1.zip\"");
    assert_eq!(&first.bytes[..4], b"PK\x03\x04");
    assert_eq!(first.bytes, site.get(&folder, Some(&lead)).await.bytes, "the same export twice is the same file");
    let csv = site.get(&format!("/p/{PROJECT}/datasets/v1/download?format=csv"), Some(&lead)).await;
    assert!(csv.body.contains("photo_3.png"), "{}", csv.body);
    let csv = site.get(&labels, Some(&lead)).await;
    assert!(csv.body.starts_with("image,annotator,attribute,answer"), "{}", csv.body);
    let odd = site.get(&format!("/p/{PROJECT}/datasets/v1/download?format=exe"), Some(&lead)).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
}

#[sqlx::test(migrations = "../migrations")]
async fn server_functions_know_who_asks(db: PgPool) {
    let (site, [lead, ..]) = site_with_members(&db).await;
    let path = kenami_app::api::projects::Projects::PATH;
    assert!(path.starts_with("/fn/"), "{path}");
    let headers = [("sec-fetch-site", "same-origin"), ("accept", "application/json"), ("cookie", lead.as_str())];
    let mine = site.send(Method::POST, path, &headers, "").await;
    assert_eq!(mine.status, StatusCode::OK, "{}", mine.body);
    assert!(mine.body.contains("\"key\":\"pets\""), "{}", mine.body);
    let nobody = site.send(Method::POST, path, &headers[..2], "").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{}", nobody.body);
    assert!(!nobody.body.contains("pets"), "{}", nobody.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_settings_form_saves_what_it_shows(db: PgPool) {
    let (site, [lead, ..]) = site_with_members(&db).await;
    let page = site.get(&format!("/p/{PROJECT}/settings"), Some(&lead)).await.body;
    let fields = [
        ("key", PROJECT),
        ("name", "Pets"),
        ("description", ""),
        ("overlap", "3"),
        ("overlap_percent", "7"),
        ("extra_votes", "1"),
        ("queue_order", "balance"),
        ("lease_seconds", "600"),
    ];
    for (name, _) in fields {
        assert!(page.contains(&format!("name=\"{name}\"")), "{name}: {page}");
    }
    assert!(page.contains("Put in order now"), "{page}");
    site.post(kenami_app::api::projects::UpdateProject::PATH, Some(&lead), &fields).await;
    let settings = projects::settings(&Actor::System, &db, PROJECT).await.expect("settings");
    assert_eq!((settings.overlap, settings.extra_votes, settings.lease_seconds), (3, 1, 600));
    assert_eq!(settings.queue_order, QueueOrder::Balance);
    assert!((settings.overlap_share - 0.07).abs() < 1e-12, "{}", settings.overlap_share);
    let page = site.get(&format!("/p/{PROJECT}/settings"), Some(&lead)).await.body;
    assert!(page.contains("value=\"7\""), "{page}");
    let bad = fields.map(|(name, value)| (name, if name == "overlap_percent" { "101" } else { value }));
    site.post(kenami_app::api::projects::UpdateProject::PATH, Some(&lead), &bad).await;
    assert_eq!(projects::settings(&Actor::System, &db, PROJECT).await.expect("settings"), settings);
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_send_strangers_to_the_door(db: PgPool) {
    let (site, [lead, _, stranger]) = site_with_members(&db).await;
    let home = site.get("/", None).await;
    assert!(home.status.is_redirection(), "{}", home.status);
    assert!(home.location().starts_with("/sign-in"), "{}", home.location());
    let overview = site.get(&format!("/p/{PROJECT}"), Some(&lead)).await;
    assert_eq!(overview.status, StatusCode::OK);
    assert_eq!(site.get(&format!("/p/{PROJECT}"), Some(&stranger)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/nowhere", Some(&lead)).await.status, StatusCode::NOT_FOUND);
    let program = site.send(Method::GET, "/nowhere", &[("accept", "application/json")], "").await;
    assert_eq!(program.status, StatusCode::NOT_FOUND);
    assert_eq!(program.header(header::CONTENT_TYPE), "application/problem+json");
}

#[sqlx::test(migrations = "../migrations")]
async fn requests_are_small(db: PgPool) {
    let site = Site::new(&db).await;
    let large = format!("name=ada&password={}", "x".repeat(2 << 20));
    let answer = site.send(Method::POST, "/auth/sign-in", &[("sec-fetch-site", "same-origin")], large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[sqlx::test(migrations = "../migrations")]
async fn health_is_told_without_a_session(db: PgPool) {
    let site = Site::new(&db).await;
    assert_eq!(site.get("/healthz", None).await.body, "ok\n");
    assert_eq!(site.get("/readyz", None).await.body, "ready\n");
    let figures = site.get("/metrics", None).await;
    assert!(
        figures.body.contains("kenami_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"}"),
        "{}",
        figures.body
    );
    assert!(!site.get("/healthz", None).await.header(header::HeaderName::from_static("x-request-id")).is_empty());
    db.close().await;
    assert_eq!(site.get("/healthz", None).await.status, StatusCode::OK, "it lives");
    assert_eq!(site.get("/readyz", None).await.status, StatusCode::SERVICE_UNAVAILABLE, "but cannot work");
}
