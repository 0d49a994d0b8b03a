//! A database with many photos and some people.

use std::str::FromStr;

use anyhow::{Result, ensure};
use kenami_store::{
    actor::{Actor, UserActor},
    db::{self, Db},
};
use sqlx::{ConnectOptions, Postgres, migrate::MigrateDatabase, postgres::PgConnectOptions};

/// The project's key.
pub const PROJECT: &str = "bench";

/// The attributes to answer, with the first of their values.
pub const QUESTIONS: [(&str, &str); 3] = [("ear", "drop"), ("coat", "short"), ("body", "slim")];

/// A scratch database: a project with `photos` photos of 37 breeds, two annotators a photo, and those who annotate.
pub struct Ground {
    pub db: Db,
    pub photos: i64,
    pub clients: Vec<Actor>,
    /// Has not annotated yet.
    pub veteran: Actor,
    pub project_id: i64,
    url: String,
}

impl Ground {
    pub async fn new(server: &str, photos: i64, clients: usize, connections: u32) -> Result<Self> {
        let name = format!("kenami_bench_claims_{}_{photos}", std::process::id());
        let url = PgConnectOptions::from_str(server)?.database(&name).to_url_lossy().to_string();
        Postgres::create_database(&url).await?;
        let db = db::connect(&url, connections).await?;
        db::migrate(&db).await?;
        sqlx::raw_sql(&fill(photos)).execute(&db).await?;
        let project_id =
            sqlx::query_scalar("SELECT id FROM projects WHERE key = $1").bind(PROJECT).fetch_one(&db).await?;
        let mut actors = Vec::new();
        for number in 0..=clients {
            actors.push(member(&db, project_id, &format!("client-{number}")).await?);
        }
        let veteran = actors.pop().unwrap_or(Actor::Anonymous);
        sqlx::raw_sql("VACUUM ANALYZE").execute(&db).await?;
        Ok(Self { db, photos, clients: actors, veteran, project_id, url })
    }

    pub async fn drop(self) -> Result<()> {
        self.db.close().await;
        Ok(Postgres::force_drop_database(&self.url).await?)
    }

    /// No slot is counted wrongly, none was given twice.
    pub async fn check(&self) -> Result<()> {
        let wrong = "SELECT count(*) FROM tasks t
                     WHERE taken <> (SELECT count(*) FROM claims c WHERE c.photo_id = t.photo_id AND released_at IS NULL)";
        let wrong: i64 = sqlx::query_scalar(wrong).fetch_one(&self.db).await?;
        ensure!(wrong == 0, "{wrong} photos count other slots than are taken");
        let twice = "SELECT count(*) - count(DISTINCT (photo_id, slot)) FROM claims WHERE released_at IS NULL";
        let twice: i64 = sqlx::query_scalar(twice).fetch_one(&self.db).await?;
        ensure!(twice == 0, "{twice} slots were given twice");
        Ok(())
    }
}

async fn member(db: &Db, project_id: i64, name: &str) -> Result<Actor> {
    let id: i64 =
        sqlx::query_scalar("INSERT INTO users (name) VALUES ($1) RETURNING id").bind(name).fetch_one(db).await?;
    let insert = "INSERT INTO memberships (project_id, user_id, role) VALUES ($1, $2, 'annotator')";
    sqlx::query(insert).bind(project_id).bind(id).execute(db).await?;
    Ok(Actor::User(UserActor { id, name: name.to_owned(), administrator: false }))
}

/// The SQL that makes the project and its photos.
fn fill(photos: i64) -> String {
    let questions = QUESTIONS.map(|(key, value)| format!("('{key}', '{value}')")).join(", ");
    format!(
        "INSERT INTO projects (key, name, overlap) VALUES ('{PROJECT}', 'Bench', 2);
         INSERT INTO attributes (project_id, key, kind, position) SELECT id, 'breed', 'given', 0 FROM projects;
         INSERT INTO attribute_values (attribute_id, key, position)
             SELECT a.id, 'breed_' || n, n FROM attributes a, generate_series(0, 36) n;
         INSERT INTO attributes (project_id, key, kind, position)
             SELECT p.id, q.key, 'annotated', row_number() OVER () FROM projects p, (VALUES {questions}) q (key, value);
         INSERT INTO attribute_values (attribute_id, key, position)
             SELECT a.id, q.value || suffix, 0 FROM attributes a JOIN (VALUES {questions}) q (key, value) USING (key),
                  (VALUES (''), ('_not'), ('_nearly')) s (suffix);
         INSERT INTO files (hash, bytes, media_type, width, height)
             SELECT sha256(int8send(n)), 100000, 'image/jpeg', 500, 400 FROM generate_series(1, {photos}::bigint) n;
         INSERT INTO photos (project_id, name, file_id)
             SELECT p.id, lpad(f.id::text, 8, '0') || '.jpg', f.id FROM projects p, files f ORDER BY f.id;
         INSERT INTO photo_values (photo_id, attribute_id, value_id)
             SELECT p.id, v.attribute_id, v.id FROM photos p
             JOIN attribute_values v ON v.key = 'breed_' || p.id * 37 / ({photos} + 1);
         INSERT INTO tasks (photo_id, project_id, needed) SELECT id, project_id, 2 FROM photos ORDER BY id;"
    )
}
