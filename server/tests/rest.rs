//! The REST API over HTTP: tokens, rights, pages, every part once.

mod fixtures;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use fixtures::Server;
use kenami_domain::roles::Role;
use kenami_server::{config::ServeConfig, web};
use kenami_store::{actor::Actor, members, people, tokens};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

struct Api {
    server: Server,
    router: Router,
    token: String,
}

impl Api {
    /// A server with the project `pets`, and a token of a member with this role; none: of no member.
    async fn new(db: PgPool, role: Option<Role>) -> Self {
        let server = Server::new(db);
        server.with_pets().await;
        people::ensure(&Actor::System, server.db(), "script").await.unwrap();
        if let Some(role) = role {
            members::add(&Actor::System, server.db(), "pets", "script", role).await.unwrap();
        }
        let token = tokens::create_for(&Actor::System, server.db(), "script").await.unwrap();
        let config = ServeConfig { listen: ([127, 0, 0, 1], 0).into(), public_url: None, secure_cookies: false };
        let context = server.context.clone();
        let state = web::AppState::new(context.db, context.storage, context.data_dir, config, CancellationToken::new());
        Self { router: web::router(state), server, token }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Body,
        kind: &str,
    ) -> (StatusCode, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        if !status.is_success() {
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{method} {path}");
        }
        (status, to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, bytes) = self.send("GET", path, Some(&self.token), Body::empty(), "application/json").await;
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&bytes))),
        )
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, value) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        value
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let body = Body::from(body.to_string());
        let (status, bytes) = self.send("POST", path, Some(&self.token), body, "application/json").await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_says_who_acts_and_a_stranger_learns_nothing(db: PgPool) {
    let api = Api::new(db, None).await;
    for token in [None, Some("kenami_wrong"), Some("")] {
        let (status, body) = api.send("GET", "/api/v1/me", token, Body::empty(), "application/json").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["status"], 401);
    }
    assert_eq!(api.ok("/api/v1/me").await["name"], "script");
    assert_eq!(api.ok("/api/v1/projects").await["items"], json!([]));
    for path in ["pets", "pets/photos", "pets/labels", "pets/datasets", "nothing"] {
        assert_eq!(api.get(&format!("/api/v1/projects/{path}")).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let (status, problem) = api.get("/api/v1/projects/pets/photos?limit=x").await;
    assert_eq!((status, &problem["status"]), (StatusCode::BAD_REQUEST, &json!(400)));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_annotator_reads_photos_and_guidelines_but_not_labels(db: PgPool) {
    let api = Api::new(db, Some(Role::Annotator)).await;
    let project = api.ok("/api/v1/projects/pets").await;
    assert_eq!(project["attributes"][2]["key"], "ear");
    assert_eq!(api.ok("/api/v1/projects/pets/progress").await["photos"], 12);
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.ok(&format!("/api/v1/projects/pets/photos?limit=5&cursor={cursor}")).await;
        names.extend(page["items"].as_array().unwrap().iter().map(|card| card["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12);
    let pugs = api.ok("/api/v1/projects/pets/photos?attribute=breed&value=pug").await;
    assert_eq!(pugs["items"].as_array().unwrap().len(), 6);
    let id = &pugs["items"][0]["id"];
    let path = format!("/api/v1/projects/pets/photos/{id}/original");
    let (status, bytes) = api.send("GET", &path, Some(&api.token), Body::empty(), "").await;
    assert_eq!((status, &bytes[..2]), (StatusCode::OK, &[0xFF, 0xD8][..]));

    assert_eq!(api.ok("/api/v1/projects/pets/guidelines/ear").await["current"]["version"], 1);
    assert_eq!(api.ok("/api/v1/projects/pets/guidelines/ear/versions/1").await["rules"][0]["value"], "erect");
    for path in ["labels", "labels.csv", "disagreements", "datasets", "runs", "settings"] {
        assert_eq!(api.get(&format!("/api/v1/projects/pets/{path}")).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let freeze = api.post("/api/v1/projects/pets/datasets", json!({ "name": "v1" })).await;
    assert_eq!(freeze.0, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_goes_from_labels_to_a_run(db: PgPool) {
    let api = Api::new(db, Some(Role::Lead)).await;
    let pets = "/api/v1/projects/pets";

    let page = api.ok(&format!("{pets}/labels?limit=5")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 5 * 4);
    assert!(page["next_cursor"].is_string());
    let table = "image,annotator,attribute,answer\npug_3.jpg,c,ear,unsure\nnone.jpg,c,ear,drop\n";
    let (status, body) =
        api.send("POST", &format!("{pets}/labels.csv"), Some(&api.token), Body::from(table), "text/csv").await;
    let done: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (status, &done["imported"], &done["problems"][0]["line"]),
        (StatusCode::OK, &json!(1), &json!(3)),
        "{done}"
    );
    let (_, csv) = api.send("GET", &format!("{pets}/labels.csv"), Some(&api.token), Body::empty(), "").await;
    assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 1 + 48 + 1);

    let disputed = api.ok(&format!("{pets}/disagreements?attribute=ear&a=drop&b=erect")).await;
    let photo = &disputed["items"][0]["photo"];
    assert_eq!(photo["name"], "pug_1.jpg");
    let decision = json!({
        "photo_id": photo["id"], "attribute": "ear", "answer": "drop", "cause": "slip", "reason": "it hangs",
    });
    let (status, decided) = api.post(&format!("{pets}/decisions"), decision).await;
    assert_eq!((status, &decided["answer"]), (StatusCode::CREATED, &json!("drop")), "{decided}");
    assert_eq!(api.ok(&format!("{pets}/disagreements?a=drop&b=erect")).await["items"], json!([]));
    let ear = api.ok(&format!("{pets}/agreement")).await;
    assert!(ear["items"].as_array().unwrap().iter().any(|row| row["attribute"] == "ear" && row["alpha"].is_number()));

    let (status, dataset) = api.post(&format!("{pets}/datasets"), json!({ "name": "v1" })).await;
    assert_eq!((status, &dataset["row"]["photos"]), (StatusCode::CREATED, &json!(12)), "{dataset}");
    assert_eq!(api.post(&format!("{pets}/datasets"), json!({ "name": "v1" })).await.0, StatusCode::CONFLICT);
    let first = api.ok(&format!("{pets}/datasets/v1/items?limit=7")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.ok(&format!("{pets}/datasets/v1/items?limit=7&cursor={cursor}")).await;
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), &second["next_cursor"]), (7, 5, &Value::Null));
    let path = format!("{pets}/datasets/v1/download?format=folder");
    let (status, zip) = api.send("GET", &path, Some(&api.token), Body::empty(), "").await;
    assert_eq!((status, &zip[..4]), (StatusCode::OK, &b"PK\x03\x04"[..]));

    let id = &dataset["row"]["id"];
    let file = json!({ "dataset_id": id, "config": "[model]\nweights = \"/etc/passwd\"\n" });
    let (status, problem) = api.post(&format!("{pets}/runs"), file).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("config")));
    assert!(problem["detail"].as_str().unwrap().contains("cannot name a file"), "{problem}");
    let (status, run) = api.post(&format!("{pets}/runs"), json!({ "dataset_id": id })).await;
    assert_eq!((status, &run["row"]["state"]), (StatusCode::ACCEPTED, &json!("queued")), "{run}");
    let (run_id, job_id) = (&run["row"]["id"], &run["job"]["id"]);
    assert_eq!(api.post(&format!("{pets}/runs/{run_id}/cancel"), json!({})).await.0, StatusCode::ACCEPTED);
    assert_eq!(api.ok(&format!("/api/v1/jobs/{job_id}")).await["state"], "cancelled");
    assert_eq!(api.get(&format!("{pets}/runs/{run_id}/files/model.safetensors")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(count(&api.ok(&format!("{pets}/runs")).await), 1);
    drop(api.server);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_changes_settings_and_puts_the_queue_in_order(db: PgPool) {
    let api = Api::new(db, Some(Role::Lead)).await;
    let path = "/api/v1/projects/pets/settings";
    let patch = async |change: Value| {
        let body = Body::from(change.to_string());
        let (status, bytes) = api.send("PATCH", path, Some(&api.token), body, "application/json").await;
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let before = api.ok(path).await;
    let (status, changed) =
        patch(json!({ "overlap": 3, "overlap_share": 0.5, "extra_votes": 1, "queue_order": "balance" })).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["name"], before["name"]);
    assert_eq!((&changed["overlap_share"], &changed["queue_order"]), (&json!(0.5), &json!("balance")));
    assert_eq!(api.ok(path).await, changed);
    for bad in [json!({ "overlap_share": 2 }), json!({ "queue_order": "random" }), json!({ "shared": 1 })] {
        assert!(patch(bad.clone()).await.0.is_client_error(), "{bad}");
    }
    assert_eq!(api.ok(path).await, changed);
    let reordered = api.post("/api/v1/projects/pets/queue/reprioritise", json!({})).await;
    assert_eq!(reordered, (StatusCode::OK, json!({ "changed": 0 })));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_makes_gold_and_an_annotator_takes_the_quiz(db: PgPool) {
    let api = Api::new(db, Some(Role::Lead)).await;
    let pets = "/api/v1/projects/pets";
    let put = async |path: &str, body: &'static str, kind: &str| {
        let path = format!("{pets}/{path}");
        let (status, bytes) = api.send("PUT", &path, Some(&api.token), Body::from(body), kind).await;
        (status, serde_json::from_slice::<Value>(&bytes).unwrap_or(Value::Null))
    };
    let table =
        "image,attribute,answer,explanation\npug_1.jpg,ear,drop,it hangs\npug_2.jpg,ear,drop,\nnone.jpg,ear,drop,\n";
    let (status, made) = put("gold", table, "text/csv").await;
    assert_eq!((status, &made["made"], &made["problems"][0]["line"]), (StatusCode::OK, &json!(2), &json!(4)), "{made}");
    assert_eq!(put("gold", "image,answer\n", "text/csv").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let list = api.ok(&format!("{pets}/gold")).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(api.ok(&format!("{pets}/gold/summary")).await["photos"], 2);
    let photo = &list["items"][0]["photo"]["id"];
    let path = format!("{pets}/gold/{photo}/ear");
    assert_eq!(api.send("DELETE", &path, Some(&api.token), Body::empty(), "").await.0, StatusCode::NO_CONTENT);
    let decided = json!({ "photo_id": photo, "attribute": "ear" });
    assert_eq!(api.post(&format!("{pets}/gold"), decided).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.post(&format!("{pets}/gold/decided"), json!({ "photos": 5 })).await.1["photos"], 0);

    let settings = json!({ "quiz_length": 1, "quiz_pass_mark": 1.0, "quiz_repeats": false, "gold_rate": 0.1 });
    let body = Body::from(settings.to_string());
    let path = format!("{pets}/settings");
    let (status, changed) = api.send("PATCH", &path, Some(&api.token), body, "application/json").await;
    let changed: Value = serde_json::from_slice(&changed).unwrap();
    assert_eq!((status, &changed["quiz_length"]), (StatusCode::OK, &json!(1)), "{changed}");

    members::add(&Actor::System, api.server.db(), "pets", "script", Role::Annotator).await.unwrap();
    assert_eq!(api.get(&format!("{pets}/gold")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(api.ok(&format!("{pets}/quiz")).await["due"], true);
    let (status, state) = api.post(&format!("{pets}/quiz/begin"), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{state}");
    let question = &state["question"];
    let answers = json!({
        "quiz_id": question["quiz_id"], "photo_id": question["photo"]["id"],
        "answers": [{ "attribute": "ear", "answer": "erect", "duration_ms": null }],
    });
    let (_, feedback) = api.post(&format!("{pets}/quiz/answers"), answers).await;
    assert_eq!((&feedback["marks"][0]["right"], &feedback["state"]["can_begin"]), (&json!("drop"), &json!(false)));
    let mine = api.ok(&format!("{pets}/annotators/me")).await;
    let id = &mine["annotator"]["id"];

    members::add(&Actor::System, api.server.db(), "pets", "script", Role::Lead).await.unwrap();
    let grant = api.post(&format!("{pets}/annotators/{id}/quiz"), json!({ "pass": true })).await;
    assert_eq!(grant.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ok(&format!("{pets}/annotators/{id}")).await["annotator"]["quiz_excused"], true);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_pauses_an_annotator_and_doubts_their_labels(db: PgPool) {
    let api = Api::new(db, Some(Role::Lead)).await;
    let pets = "/api/v1/projects/pets";
    let list = api.ok(&format!("{pets}/annotators")).await;
    let one = &list["items"][0];
    let path = format!("{pets}/annotators/{}", one["id"]);
    for (method, paused) in [("PUT", true), ("DELETE", false)] {
        let pause = format!("{path}/pause");
        let (status, _) = api.send(method, &pause, Some(&api.token), Body::empty(), "").await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(api.ok(&path).await["annotator"]["paused_at"].is_string(), paused);
    }
    let ears = json!({ "attribute": "ear" });
    let count = api.post(&format!("{path}/doubts/count"), ears.clone()).await.1;
    let (status, doubted) = api.post(&format!("{path}/doubts"), ears).await;
    assert_eq!((status, &doubted), (StatusCode::CREATED, &count));
    let report = api.ok(&path).await;
    assert_eq!(report["annotator"]["doubted"], count["labels"]);
    let left = api.ok(&format!("{pets}/progress/report")).await["votes_left"].as_i64().unwrap();
    assert!(left >= count["photos"].as_i64().unwrap(), "{left} {count}");
    let undo = format!("{path}/doubts/{}", report["doubts"][0]["id"]);
    assert_eq!(api.send("DELETE", &undo, Some(&api.token), Body::empty(), "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ok(&path).await["annotator"]["doubted"], 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_renames_a_value_and_takes_it_back(db: PgPool) {
    let api = Api::new(db, Some(Role::Lead)).await;
    let changes = "/api/v1/projects/pets/schema-changes";
    let drop = async || {
        let attributes = api.ok("/api/v1/projects/pets/attributes").await;
        let ear = attributes["items"].as_array().unwrap().iter().find(|one| one["attribute"]["key"] == "ear").unwrap();
        let values = ear["attribute"]["values"].as_array().unwrap();
        let labels = ear["labels"]["drop"].clone();
        (values.iter().find(|value| value["key"] == "drop").unwrap()["names"].clone(), labels)
    };
    let (before, labels) = drop().await;
    let hanging = json!({ "en": "Hanging", "ja": "垂れ" });
    let change = json!({ "kind": "rename", "attribute": "ear", "values": { "drop": hanging } });
    let (status, counts) = api.post(&format!("{changes}/preview"), change.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let renamed = json!([{ "value": "drop", "from": before, "to": hanging, "labels": labels, "photos": 0 }]);
    assert_eq!((&counts["renamed"], &counts["labels_moved"]), (&renamed, &json!(0)));
    let (status, made) = api.post(changes, change.clone()).await;
    assert_eq!((status, &made["counts"], &made["by"]), (StatusCode::CREATED, &counts, &json!("script")));
    assert_eq!(drop().await, (hanging, labels.clone()));
    assert_eq!(api.post(changes, change).await.0, StatusCode::UNPROCESSABLE_ENTITY, "it is called so already");
    let undone = api.post(&format!("{changes}/{}/undo", made["id"]), json!({})).await;
    assert_eq!((undone.0, drop().await), (StatusCode::NO_CONTENT, (before, labels)));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_description_names_every_path_and_resolves(db: PgPool) {
    let api = Api::new(db, None).await;
    let (status, bytes) = api.send("GET", "/api/openapi.json", None, Body::empty(), "").await;
    assert_eq!(status, StatusCode::OK);
    let text = String::from_utf8(bytes).unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    for part in [
        "me",
        "projects",
        "photos",
        "labels",
        "disagreements",
        "decisions",
        "guidelines",
        "datasets",
        "runs",
        "jobs",
        "gold",
        "annotators",
        "quiz",
    ] {
        assert!(paths.iter().any(|path| path.starts_with("/api/v1/") && path.contains(part)), "{part}: {paths:?}");
    }
    let schemas = description["components"]["schemas"].as_object().unwrap();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is described nowhere");
    }
    assert_eq!(schemas["Answer"]["type"], "string");
    assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}
