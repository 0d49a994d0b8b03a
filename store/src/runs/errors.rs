//! What a run gets wrong on photos that its model has not seen.

use std::collections::HashMap;

use futures::TryStreamExt;
use kenami_domain::{
    dataset::{Manifest, Split},
    error_analysis::{Errors, Judgement, UnseenPhoto},
    metrics::{Metrics, Overlays},
    schema::{Attribute, AttributeKind},
    view::errors::{Calibration, Case, ConfusedPhotos, HeadErrors, RunErrors, Sample, ScoreGroup},
};
use sqlx::{PgConnection, types::Json};

use crate::{
    actor::Actor,
    cards::Cards,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Pairs of values that are shown of a head.
const PAIRS: usize = 6;
/// Photos that are shown of a pair.
const OF_A_PAIR: usize = 8;
/// Photos with the largest losses that are shown of a head.
const LOSSES: usize = 12;
/// Confused values that one attribute tells apart, at most.
const APART: usize = 5;

/// A run's errors on the photos of `sample`.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run, [`Error::Conflict`] for one that has not finished; rights; the database.
pub async fn errors(actor: &Actor, db: &Db, project: &str, run_id: i64, sample: Sample) -> Result<RunErrors> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let mut connection = db.acquire().await?;
    let run = sqlx::query!(
        r#"SELECT r.name, r.dataset_id, r.metrics, d.manifest AS "manifest: Json<Manifest>"
           FROM runs r JOIN datasets d ON d.id = r.dataset_id WHERE r.id = $1 AND r.project_id = $2"#,
        run_id,
        access.project_id,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(Error::NotFound("run"))?;
    let metrics = run.metrics.ok_or_else(|| Error::Conflict("the run has not finished".to_owned()))?;
    let metrics: Metrics = serde_json::from_value(metrics)
        .map_err(|error| Error::Conflict(format!("the run's results cannot be read: {error}")))?;
    let attributes = run.manifest.schema.attributes.clone();
    let judged = judged(&mut connection, run_id, sample, &attributes).await?;
    let priors = run.manifest.0.priors;
    // Counting a great run's photos takes a while: not on the runtime's threads.
    let found = tokio::task::spawn_blocking(move || {
        let errors = Errors { attributes: &attributes, photos: &judged.photos };
        let explanations = errors.explanations(&priors, APART);
        let heads: Vec<Found> = heads(errors).map(|head| Found::of(errors, head)).collect();
        (attributes, judged.sources, heads, explanations)
    });
    let (attributes, sources, heads, explanations) = found.await.map_err(Error::internal)?;
    let shown: Vec<i64> = heads.iter().flat_map(Found::photos).collect();
    let shown = Shown {
        cards: Cards::load(&mut *connection, &shown).await?,
        items: items(&mut connection, run.dataset_id, &shown).await?,
        overlays: Overlays::of(&metrics.files),
        attributes: &attributes,
    };
    let heads = heads.into_iter().map(|head| head.shown(&shown, &metrics)).collect::<Result<_>>()?;
    Ok(RunErrors {
        run_id,
        run: run.name,
        sample,
        test: sources.test,
        validation: sources.validation,
        folds: sources.folds,
        heads,
        explanations,
    })
}

/// Numbers of the attributes that have a head with answers; annotated ones first.
fn heads(errors: Errors<'_>) -> impl Iterator<Item = usize> {
    let of_kind = move |kind| {
        let attributes = errors.attributes.iter().enumerate();
        attributes.filter(move |(_, attribute)| attribute.kind == kind).map(|(number, _)| number)
    };
    let all = of_kind(AttributeKind::Annotated).chain(of_kind(AttributeKind::Given));
    all.filter(move |head| errors.of_head(*head).next().is_some())
}

/// How many photos were judged by which model.
#[derive(Default)]
struct Sources {
    test: i64,
    validation: i64,
    folds: i64,
}

struct Judged {
    photos: Vec<UnseenPhoto>,
    sources: Sources,
}

/// The photos of a sample with what the run says of them.
async fn judged(
    connection: &mut PgConnection,
    run_id: i64,
    sample: Sample,
    attributes: &[Attribute],
) -> Result<Judged> {
    let number: HashMap<&str, usize> = attributes.iter().enumerate().map(|(n, a)| (a.key.as_str(), n)).collect();
    let values: Vec<HashMap<&str, u32>> = attributes
        .iter()
        .map(|a| a.values.iter().enumerate().map(|(n, value)| (value.key.as_str(), n as u32)).collect())
        .collect();
    // As in unseen.rs: what a model says of photos that it was trained on shows nothing.
    let mut rows = sqlx::query!(
        r#"SELECT r.photo_id, a.key AS attribute, i.item ->> 'split' AS "split!", r.held_out IS NOT NULL AS "held_out!",
                  i.item -> 'given' AS "given?: Json<HashMap<String, String>>", t.answer AS "answer!",
                  best.key AS "predicted!", best.probability AS "probability!",
                  coalesce((s.distribution ->> t.answer)::double precision, 0) AS "of_answer!"
           FROM run_predictions r
           JOIN runs n ON n.id = r.run_id
           JOIN attributes a ON a.id = r.attribute_id
           JOIN dataset_items i ON i.dataset_id = n.dataset_id AND i.photo_id = r.photo_id
           CROSS JOIN LATERAL (SELECT coalesce(r.held_out, r.distribution) AS distribution) s
           CROSS JOIN LATERAL (
               SELECT coalesce(i.item -> 'given' ->> a.key,
                               CASE WHEN i.item -> 'masks' ->> a.key = '1' THEN i.item -> 'answers' ->> a.key END) AS answer
           ) t
           CROSS JOIN LATERAL (
               SELECT d.key, d.value::double precision AS probability FROM jsonb_each_text(s.distribution) d
               ORDER BY d.value::double precision DESC, d.key LIMIT 1
           ) best
           WHERE r.run_id = $1 AND t.answer IS NOT NULL
             AND CASE WHEN $2 THEN i.item ->> 'split' = 'test'
                      ELSE r.held_out IS NOT NULL OR i.item ->> 'split' <> 'train' END
           ORDER BY r.photo_id, r.attribute_id"#,
        run_id,
        sample == Sample::Test,
    )
    .fetch(connection);
    let (mut photos, mut sources): (Vec<UnseenPhoto>, _) = (Vec::new(), Sources::default());
    while let Some(row) = rows.try_next().await? {
        let Some(&head) = number.get(row.attribute.as_str()) else { continue };
        let (Some(&answer), Some(&predicted)) =
            (values[head].get(row.answer.as_str()), values[head].get(row.predicted.as_str()))
        else {
            continue;
        };
        if photos.last().is_none_or(|photo| photo.id != row.photo_id) {
            *match (row.held_out, row.split.as_str()) {
                (true, _) => &mut sources.folds,
                (false, "test") => &mut sources.test,
                (false, _) => &mut sources.validation,
            } += 1;
            let given = row.given.map(|given| given.0).unwrap_or_default();
            let value = |(n, a): (usize, &Attribute)| values[n].get(given.get(&a.key)?.as_str()).copied();
            let given = attributes.iter().enumerate().map(value).collect();
            photos.push(UnseenPhoto { id: row.photo_id, given, judged: vec![None; attributes.len()] });
        }
        if let Some(photo) = photos.last_mut() {
            let (probability, of_answer) = (row.probability as f32, row.of_answer as f32);
            photo.judged[head] = Some(Judgement { answer, predicted, probability, of_answer });
        }
    }
    Ok(Judged { photos, sources })
}

/// A head's errors, with photos by id.
struct Found {
    head: usize,
    of: HeadErrors,
    pairs: Vec<Vec<(i64, Judgement)>>,
    losses: Vec<(i64, Judgement)>,
}

impl Found {
    fn of(errors: Errors<'_>, head: usize) -> Self {
        let attribute = &errors.attributes[head];
        let is_given = |(_, attribute): &(usize, &Attribute)| attribute.kind == AttributeKind::Given;
        let given = errors.attributes.iter().enumerate().filter(is_given).map(|(number, _)| number);
        let groups = std::iter::once(head)
            .chain(given.filter(|by| *by != head))
            .map(|by| ScoreGroup { by: errors.attributes[by].key.clone(), scores: errors.scores(head, by) });
        let mut confused = errors.confused(head);
        confused.truncate(PAIRS);
        let is = |key: &str, value: u32| attribute.values[value as usize].key == key;
        let by_id = |photos: Vec<(&UnseenPhoto, Judgement)>| {
            photos.into_iter().map(|(photo, judged)| (photo.id, judged)).collect::<Vec<_>>()
        };
        let pairs = confused.iter().map(|pair| {
            let fits = |j: &Judgement| is(&pair.answer, j.answer) && is(&pair.predicted, j.predicted);
            by_id(errors.worst(head, OF_A_PAIR, fits))
        });
        let pairs = pairs.collect();
        let losses: Vec<f64> = errors.of_head(head).map(|(_, judged)| judged.loss()).collect();
        let of = HeadErrors {
            attribute: attribute.key.clone(),
            given: attribute.kind == AttributeKind::Given,
            score: errors.score(head),
            loss: losses.iter().sum::<f64>() / losses.len() as f64,
            groups: groups.filter(|group| !group.scores.is_empty()).collect(),
            confused: confused.into_iter().map(|pair| ConfusedPhotos { pair, cases: Vec::new() }).collect(),
            losses: Vec::new(),
            calibration: None,
        };
        Self { head, of, pairs, losses: by_id(errors.worst(head, LOSSES, Judgement::is_wrong)) }
    }

    fn photos(&self) -> impl Iterator<Item = i64> {
        self.pairs.iter().flatten().chain(&self.losses).map(|(photo, _)| *photo)
    }

    /// With everything that a page shows of the photos.
    fn shown(self, shown: &Shown<'_>, metrics: &Metrics) -> Result<HeadErrors> {
        let cases = |photos: &[(i64, Judgement)]| {
            photos.iter().map(|(photo, judged)| shown.case(self.head, *photo, judged)).collect::<Result<Vec<_>>>()
        };
        let mut of = self.of;
        for (pair, photos) in of.confused.iter_mut().zip(&self.pairs) {
            pair.cases = cases(photos)?;
        }
        of.losses = cases(&self.losses)?;
        of.calibration = calibration(metrics, &of.attribute);
        Ok(of)
    }
}

/// The calibration on the split that the report draws: test where it has answers, else validation.
fn calibration(metrics: &Metrics, head: &str) -> Option<Calibration> {
    let splits = metrics.heads.get(head)?;
    let (split, figures) =
        [Split::Test, Split::Validation].into_iter().find_map(|split| Some((split, splits.get(split.as_str())?)))?;
    let picture = format!("reliability_{head}.png");
    Some(Calibration {
        split,
        photos: figures.n as i64,
        before: figures.ece,
        after: figures.calibrated.map(|after| after.ece),
        picture: metrics.files.contains(&picture).then_some(picture),
    })
}

/// What is shown of photos.
struct Shown<'a> {
    cards: Cards,
    items: HashMap<i64, (String, Split)>,
    overlays: Overlays,
    attributes: &'a [Attribute],
}

impl Shown<'_> {
    fn case(&self, head: usize, photo_id: i64, judged: &Judgement) -> Result<Case> {
        let attribute = &self.attributes[head];
        let key = |value: u32| attribute.values[value as usize].key.clone();
        let (image, split) = self.items.get(&photo_id).ok_or_else(|| Error::internal("an item has gone"))?;
        Ok(Case {
            photo: self.cards.get(photo_id)?,
            split: *split,
            answer: key(judged.answer),
            predicted: key(judged.predicted),
            probability: f64::from(judged.probability),
            of_answer: f64::from(judged.of_answer),
            loss: judged.loss(),
            overlay: self.overlays.find(&attribute.key, image).map(str::to_owned),
        })
    }
}

/// Image and split of some photos of a dataset.
async fn items(
    connection: &mut PgConnection,
    dataset_id: i64,
    photos: &[i64],
) -> Result<HashMap<i64, (String, Split)>> {
    let rows = sqlx::query!(
        r#"SELECT photo_id, item ->> 'image' AS "image!", item ->> 'split' AS "split!" FROM dataset_items
           WHERE dataset_id = $1 AND photo_id = ANY($2)"#,
        dataset_id,
        photos,
    )
    .fetch_all(connection)
    .await?;
    let item = |(photo, image, split): (i64, String, String)| {
        let split = Split::ALL.into_iter().find(|one| one.as_str() == split);
        Ok((photo, (image, split.ok_or_else(|| Error::internal("an item without a split"))?)))
    };
    rows.into_iter().map(|row| item((row.photo_id, row.image, row.split))).collect()
}
