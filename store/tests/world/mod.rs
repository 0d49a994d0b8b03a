//! A small project on a real PostgreSQL: what the tests start from.
#![allow(dead_code, reason = "each test binary uses a part")]

use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::annotate::{AnswerInput, Claimed, Submission},
};
use kenami_store::{
    actor::{Actor, UserActor},
    annotate,
};
use sqlx::PgPool;
use uuid::Uuid;

/// The key of the project.
pub const PETS: &str = "pets";

/// A project with breed (given: pug, poodle), ear (drop, semi_erect, erect) and coat (short, long), two annotators a
/// photo.
pub struct World {
    pub db: PgPool,
    pub project_id: i64,
}

impl World {
    pub async fn new(db: PgPool) -> Self {
        let project_id = project(&db, PETS).await;
        Self { db, project_id }
    }

    /// A new account with a role in the project.
    pub async fn member(&self, name: &str, role: Role) -> Actor {
        let id: i64 = sqlx::query_scalar("INSERT INTO users (name) VALUES ($1) RETURNING id")
            .bind(name)
            .fetch_one(&self.db)
            .await
            .unwrap();
        sqlx::query("INSERT INTO memberships (project_id, user_id, role) VALUES ($1, $2, $3)")
            .bind(self.project_id)
            .bind(id)
            .bind(role.as_str())
            .execute(&self.db)
            .await
            .unwrap();
        Actor::User(UserActor { id, name: name.to_owned(), administrator: false })
    }

    /// Photos with files of their own; breeds alternate.
    pub async fn photos(&self, names: &[&str]) -> Vec<i64> {
        photos(&self.db, self.project_id, names).await
    }

    /// A photo with the same file as `original`.
    pub async fn duplicate(&self, name: &str, original: i64) -> i64 {
        sqlx::query_scalar(
            "INSERT INTO photos (project_id, name, file_id, duplicate_of)
             SELECT project_id, $1, file_id, id FROM photos WHERE id = $2 RETURNING id",
        )
        .bind(name)
        .bind(original)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// Claims, and answers every photo in hand as `answer` says by photo name.
    pub async fn annotate(&self, actor: &Actor, answer: impl Fn(&str) -> (&'static str, &'static str)) {
        loop {
            let claimed = annotate::claim(actor, &self.db, PETS, 20, &[]).await.unwrap();
            if claimed.photos.is_empty() {
                return;
            }
            for photo in &claimed.photos {
                let (ear, coat) = answer(&photo.photo.name);
                annotate::submit(actor, &self.db, PETS, submission(photo.claim_id, ear, coat)).await.unwrap();
            }
        }
    }

    /// A number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.db).await.unwrap()
    }

    pub async fn run(&self, sql: &str) {
        sqlx::raw_sql(sql).execute(&self.db).await.unwrap();
    }
}

/// Another project with the same attributes.
pub async fn project(db: &PgPool, key: &str) -> i64 {
    let project: i64 = sqlx::query_scalar("INSERT INTO projects (key, name) VALUES ($1, $1) RETURNING id")
        .bind(key)
        .fetch_one(db)
        .await
        .unwrap();
    let schema: [(&str, &str, &[&str]); 3] = [
        ("breed", "given", &["pug", "poodle"]),
        ("ear", "annotated", &["drop", "semi_erect", "erect"]),
        ("coat", "annotated", &["short", "long"]),
    ];
    for (position, (key, kind, values)) in schema.into_iter().enumerate() {
        sqlx::query(
            "WITH a AS (INSERT INTO attributes (project_id, key, kind, position) VALUES ($1, $2, $3, $4) RETURNING id)
             INSERT INTO attribute_values (attribute_id, key, position)
             SELECT a.id, v.key, v.place FROM a, unnest($5::text[]) WITH ORDINALITY v(key, place)",
        )
        .bind(project)
        .bind(key)
        .bind(kind)
        .bind(i32::try_from(position).unwrap())
        .bind(values.iter().map(ToString::to_string).collect::<Vec<_>>())
        .execute(db)
        .await
        .unwrap();
    }
    project
}

pub async fn photos(db: &PgPool, project_id: i64, names: &[&str]) -> Vec<i64> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let ids: Vec<i64> = sqlx::query_scalar(
        "WITH n AS (SELECT * FROM unnest($2::text[]) WITH ORDINALITY n(name, place)),
              f AS (INSERT INTO files (hash, bytes, media_type, width, height)
                    SELECT sha256(convert_to($1 || name, 'UTF8')), 1000, 'image/jpeg', 640, 480 FROM n ORDER BY place
                    RETURNING id, hash)
         INSERT INTO photos (project_id, name, file_id)
         SELECT $1::bigint, n.name, f.id FROM n JOIN f ON f.hash = sha256(convert_to($1 || n.name, 'UTF8'))
         ORDER BY n.place RETURNING id",
    )
    .bind(project_id)
    .bind(&names)
    .fetch_all(db)
    .await
    .unwrap();
    sqlx::query(
        "WITH breed AS (
             SELECT a.id AS attribute, array_agg(v.id ORDER BY v.position) AS ids
             FROM attributes a JOIN attribute_values v ON v.attribute_id = a.id
             WHERE a.project_id = $1 AND a.key = 'breed' GROUP BY a.id)
         INSERT INTO photo_values (photo_id, attribute_id, value_id)
         SELECT p.id, breed.attribute, breed.ids[1 + (p.place - 1) % 2]
         FROM unnest($2::bigint[]) WITH ORDINALITY p(id, place), breed",
    )
    .bind(project_id)
    .bind(&ids)
    .execute(db)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO tasks (photo_id, project_id, needed)
         SELECT n.id, p.id, photo_overlap(n.id, p.overlap, p.overlap_share)
         FROM unnest($2::bigint[]) n(id), projects p WHERE p.id = $1",
    )
    .bind(project_id)
    .bind(&ids)
    .execute(db)
    .await
    .unwrap();
    ids
}

/// One answer by keys.
pub fn answer(attribute: &str, answer: &str) -> AnswerInput {
    AnswerInput {
        attribute: attribute.to_owned(),
        answer: Answer::from(answer),
        note: String::new(),
        duration_ms: Some(1200),
        guideline_version: None,
        suggestion: None,
    }
}

/// Answers to both annotated attributes, under a fresh key.
pub fn submission(claim_id: i64, ear: &str, coat: &str) -> Submission {
    Submission { claim_id, answers: vec![answer("ear", ear), answer("coat", coat)], idempotency_key: Uuid::new_v4() }
}

pub fn photo_ids(claimed: &Claimed) -> Vec<i64> {
    claimed.photos.iter().map(|photo| photo.photo.id).collect()
}
