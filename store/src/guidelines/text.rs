//! The text of one version in its tables: rules in their order, examples of each.

use std::collections::{HashMap, HashSet};

use kenami_domain::{
    schema::Texts,
    view::guidelines::{Example, ExampleEdit, GuidelineText, Rule, RuleEdit},
};
use sqlx::{PgConnection, types::Json};

use super::draft::{MAX_CAPTION, MAX_TEXT};
use crate::{
    cards::Cards,
    catalog::{Catalog, Entry},
    error::{Error, Result},
};

/// Loads the texts of some versions, as they were written.
pub(super) async fn load(
    connection: &mut PgConnection,
    catalog: &Catalog,
    version_ids: &[i64],
) -> Result<HashMap<i64, GuidelineText>> {
    let versions = sqlx::query!(
        r#"SELECT id, attribute_id, introduction AS "introduction: Json<Texts>"
           FROM guideline_versions WHERE id = ANY($1)"#,
        version_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let rules = sqlx::query!(
        r#"SELECT guideline_version_id, value_id, rule AS "rule: Json<Texts>" FROM guideline_rules
           WHERE guideline_version_id = ANY($1) ORDER BY guideline_version_id, position, value_id"#,
        version_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let examples = sqlx::query!(
        "SELECT guideline_version_id, value_id, photo_id, caption FROM guideline_examples
         WHERE guideline_version_id = ANY($1) ORDER BY guideline_version_id, value_id, position, photo_id",
        version_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let photo_ids: Vec<i64> = examples.iter().map(|example| example.photo_id).collect();
    let cards = Cards::load(&mut *connection, &photo_ids).await?;
    let mut shown: HashMap<(i64, i64), Vec<Example>> = HashMap::new();
    for example in examples {
        let card = Example { photo: cards.get(example.photo_id)?, caption: example.caption };
        shown.entry((example.guideline_version_id, example.value_id)).or_default().push(card);
    }
    let mut texts = HashMap::new();
    let mut attributes = HashMap::new();
    for version in versions {
        let text = GuidelineText { introduction: version.introduction.0, rules: Vec::new() };
        texts.insert(version.id, text);
        attributes.insert(version.id, catalog.by_id(version.attribute_id)?);
    }
    for rule in rules {
        let (Some(text), Some(entry)) =
            (texts.get_mut(&rule.guideline_version_id), attributes.get(&rule.guideline_version_id))
        else {
            continue;
        };
        let value = entry.value_key(rule.value_id).ok_or_else(|| Error::internal("a rule of another attribute"))?;
        let examples = shown.remove(&(rule.guideline_version_id, rule.value_id)).unwrap_or_default();
        text.rules.push(Rule { value: value.to_owned(), rule: rule.rule.0, examples });
    }
    Ok(texts)
}

/// What annotators and editors see: a rule for each value that is offered, none for retired ones.
pub(super) fn offered(mut text: GuidelineText, entry: &Entry) -> GuidelineText {
    text.rules.retain(|rule| entry.attribute.value(&rule.value).is_some_and(|value| !value.retired));
    for value in entry.attribute.values.iter().filter(|value| !value.retired) {
        if !text.rules.iter().any(|rule| rule.value == value.key) {
            text.rules.push(Rule { value: value.key.clone(), rule: Texts::default(), examples: Vec::new() });
        }
    }
    text
}

/// Writes the rules and examples of a version that has none. Values without a rule get an empty one, at the end.
pub(super) async fn write(
    connection: &mut PgConnection,
    project_id: i64,
    version_id: i64,
    entry: &Entry,
    rules: &[RuleEdit],
) -> Result<()> {
    let ordered = check(entry, rules)?;
    let values: Vec<i64> = ordered.iter().map(|(value, _)| *value).collect();
    let texts: Vec<serde_json::Value> =
        ordered.iter().map(|(_, texts)| serde_json::to_value(texts)).collect::<Result<_, _>>()?;
    sqlx::query!(
        "INSERT INTO guideline_rules (guideline_version_id, value_id, position, rule)
         SELECT $1, r.value_id, r.place::integer, r.rule
         FROM unnest($2::bigint[], $3::jsonb[]) WITH ORDINALITY AS r(value_id, rule, place)",
        version_id,
        &values,
        &texts,
    )
    .execute(&mut *connection)
    .await?;
    write_examples(connection, project_id, version_id, entry, rules).await
}

/// Value ids with their texts, in order.
fn check(entry: &Entry, rules: &[RuleEdit]) -> Result<Vec<(i64, Texts)>> {
    let mut ordered = Vec::new();
    let mut seen = HashSet::new();
    for rule in rules {
        let id = entry
            .value_id(&rule.value)
            .ok_or_else(|| Error::invalid("rules", format!("`{}` has no value `{}`", entry.key(), rule.value)))?;
        if !seen.insert(id) {
            return Err(Error::invalid("rules", format!("`{}` has two rules", rule.value)));
        }
        check_texts("rules", &rule.rule)?;
        ordered.push((id, rule.rule.clone()));
    }
    for value in entry.attribute.values.iter().filter(|value| !value.retired) {
        let id = entry.value_id(&value.key).ok_or(Error::NotFound("value"))?;
        if seen.insert(id) {
            ordered.push((id, Texts::default()));
        }
    }
    Ok(ordered)
}

/// Refuses texts that are too long.
pub(super) fn check_texts(field: &'static str, texts: &Texts) -> Result<()> {
    match texts.0.iter().find(|(_, text)| text.chars().count() > MAX_TEXT) {
        Some((language, _)) => {
            Err(Error::invalid(field, format!("the text in `{language}` is longer than {MAX_TEXT} characters")))
        }
        None => Ok(()),
    }
}

async fn write_examples(
    connection: &mut PgConnection,
    project_id: i64,
    version_id: i64,
    entry: &Entry,
    rules: &[RuleEdit],
) -> Result<()> {
    let (mut values, mut photos, mut captions) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for rule in rules {
        for ExampleEdit { photo_id, caption } in &rule.examples {
            let value = entry.value_id(&rule.value).ok_or(Error::NotFound("value"))?;
            if caption.chars().count() > MAX_CAPTION {
                return Err(Error::invalid("caption", format!("longer than {MAX_CAPTION} characters")));
            }
            if !seen.insert((value, *photo_id)) {
                return Err(Error::invalid("examples", format!("`{}` shows a photo twice", rule.value)));
            }
            values.push(value);
            photos.push(*photo_id);
            captions.push(caption.trim().to_owned());
        }
    }
    let stored = sqlx::query!(
        "INSERT INTO guideline_examples (guideline_version_id, value_id, photo_id, position, caption)
         SELECT $1, e.value_id, p.id, e.place::integer, e.caption
         FROM unnest($3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY AS e(value_id, photo_id, caption, place)
         JOIN photos p ON p.id = e.photo_id AND p.project_id = $2",
        version_id,
        project_id,
        &values,
        &photos,
        &captions,
    )
    .execute(connection)
    .await?
    .rows_affected();
    if stored < photos.len() as u64 { Err(Error::NotFound("photo")) } else { Ok(()) }
}
