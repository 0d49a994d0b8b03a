//! A file of predictions from the page becomes the source of suggestions.

use std::fmt::Write as _;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path, Query, State},
    routing::post,
};
use kenami_domain::{
    csvio::{self, Parsed, Probabilities},
    view::suggestions::PredictionRow,
};
use kenami_store::{
    db::Db,
    rights::{self, Operation},
    suggestions,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::limit::RequestBodyLimitLayer;

use super::{
    AppState,
    error::{AppError, AppResult},
    session::CurrentActor,
    upload,
};

/// Bytes of a file at most: some 10^6 rows.
const FILE: usize = 64 << 20;
/// Bad lines that an answer names.
const NAMED: usize = 5;

/// POST /upload/{project_key}/predictions?control=PERCENT with the file in the form's field `files`.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/upload/{project}/predictions", post(take))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(FILE))
}

#[derive(Deserialize)]
struct Options {
    /// Share of pairs of a photo and an annotator that never see a suggestion, in percent.
    control: f32,
}

async fn take(
    State(db): State<Db>,
    CurrentActor(actor): CurrentActor,
    Path(project): Path<String>,
    Query(options): Query<Options>,
    form: Multipart,
) -> AppResult<Json<Value>> {
    // Before the first byte is taken; storing checks again.
    rights::require(&actor, &db, Operation::ManageSuggestions, project.as_str()).await?;
    let (name, bytes) = upload::one_file(form).await?;
    let rows = tokio::task::spawn_blocking(move || read(&name, &bytes).map(|rows| (name, rows)))
        .await
        .map_err(AppError::internal)?;
    let (name, rows) = rows.map_err(AppError::bad_request)?;
    let stored = suggestions::import(&actor, &db, &project, &name, options.control / 100.0, &rows).await?;
    Ok(Json(json!({ "suggestions": stored })))
}

/// The file's rows, or what is wrong with it.
fn read(name: &str, bytes: &Bytes) -> Result<Vec<PredictionRow>, String> {
    let Parsed { value, errors } =
        csvio::read_probabilities(bytes.as_ref()).map_err(|error| format!("{name}: {error}"))?;
    if errors.is_empty() {
        return Ok(rows(&value));
    }
    let mut message = format!("Nothing was taken from {name}.");
    for error in errors.iter().take(NAMED) {
        let _ = write!(message, " {error}.");
    }
    if errors.len() > NAMED {
        let _ = write!(message, " And {} more.", errors.len() - NAMED);
    }
    Err(message)
}

fn rows(probabilities: &Probabilities) -> Vec<PredictionRow> {
    let row = |(image, attribute, answer, probability): (&str, &str, &str, f64)| PredictionRow {
        image: image.to_owned(),
        attribute: attribute.to_owned(),
        answer: answer.to_owned(),
        probability: probability as f32,
    };
    probabilities.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named_and_nothing_is_taken() {
        let file = Bytes::from("image,attribute,answer,probability\na.jpg,ear,drop,0.9\na.jpg,ear,erect,two\n");
        let error = read("p.csv", &file).unwrap_err();
        assert!(error.contains("p.csv") && error.contains("line 3, column probability: `two`"), "{error}");
        let many = format!("image,attribute,answer,probability\n{}", "a.jpg,ear,drop,2\n".repeat(NAMED + 2));
        assert!(read("p.csv", &Bytes::from(many)).unwrap_err().ends_with("And 2 more."));
        let missing = read("p.csv", &Bytes::from("image,answer\n")).unwrap_err();
        assert!(missing.contains("`attribute` is missing"), "{missing}");
    }

    #[test]
    fn rows_are_read() {
        let file = Bytes::from("item,attribute,answer,probability,rank\na.jpg,ear,drop,0.75,1\n");
        let row = PredictionRow {
            image: "a.jpg".to_owned(),
            attribute: "ear".to_owned(),
            answer: "drop".to_owned(),
            probability: 0.75,
        };
        assert_eq!(read("p.csv", &file), Ok(vec![row]));
    }
}
