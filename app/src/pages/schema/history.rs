//! What was changed, and the way back.

use kenami_domain::view::schema_change::{Bound, SchemaChange, SchemaChangeRecord};
use leptos::{either::Either, prelude::*};

use super::{change::Consequences, rename::rename_words};
use crate::{
    api::schema::UndoSchemaChange,
    components::{alert::EmptyState, button::Button, time::Ago},
    pages::project::use_project,
};

/// The changes, newest first.
#[component]
pub fn History(
    /// The changes.
    changes: Vec<SchemaChangeRecord>,
    /// Undoes one.
    undo: ServerAction<UndoSchemaChange>,
) -> impl IntoView {
    let list = if changes.is_empty() {
        Either::Left(view! {
            <EmptyState title=t!("Nothing has been changed yet")>
                <p>{t!("Changes are listed here with what they did to labels.")}</p>
            </EmptyState>
        })
    } else {
        let changes = move || changes.clone();
        Either::Right(view! {
            <ol class="schema-history">
                // By key: what a button does stays with its change when the list is loaded again.
                <For each=changes key=|record| (record.id, record.undone.is_some(), record.bound) let:record>
                    <Item record undo/>
                </For>
            </ol>
        })
    };
    view! { <section class="stack-s"><h2>{t!("Changes")}</h2>{list}</section> }
}

#[component]
fn Item(
    /// The change.
    record: SchemaChangeRecord,
    /// Undoes it.
    undo: ServerAction<UndoSchemaChange>,
) -> impl IntoView {
    let project = use_project();
    let words = sentence(&record);
    let id = record.id;
    let label = t!("Undo: {what}", what = words);
    let way_back = match (&record.undone, record.bound) {
        (Some(undone), _) => {
            view! { <span class="quiet">{t!("undone by {name}", name = undone.by)}", "<Ago at=undone.at/></span> }
                .into_any()
        }
        (None, Some(Bound::Later)) => {
            view! { <span class="quiet">{t!("Undo the later changes first")}</span> }.into_any()
        }
        (None, Some(Bound::Labelled)) => {
            view! { <span class="quiet">{t!("Somebody has labelled on top of it: it stays")}</span> }.into_any()
        }
        (None, None) => view! {
            <Button busy=undo.pending() attr:aria-label=label on:click=move |_| {
                undo.dispatch(UndoSchemaChange { key: project.key.get_untracked(), change_id: id });
            }>{t!("Undo")}</Button>
        }
        .into_any(),
    };
    view! {
        <li class="card" class:schema-undone=record.undone.is_some()>
            <div class="schema-head">
                <b>{words}</b>
                <span class="quiet">{record.by}", "<Ago at=record.at/></span>
                <div class="row">{way_back}</div>
            </div>
            <Consequences counts=record.counts/>
        </li>
    }
}

/// A change in words, by keys.
fn sentence(record: &SchemaChangeRecord) -> String {
    let list = |keys: &[String]| keys.join(t!(", "));
    let new = |values: &[kenami_domain::view::schema_change::NewValue]| {
        list(&values.iter().map(|value| value.key.clone()).collect::<Vec<_>>())
    };
    match &record.change {
        SchemaChange::Rename { attribute, .. } => rename_words(attribute, &record.counts.renamed),
        SchemaChange::AddAttribute { key, values, from: None, .. } => {
            t!("Added the attribute {key}: {values}", key = key, values = new(values))
        }
        SchemaChange::AddAttribute { key, values, from: Some(from), .. } => {
            t!(
                "Added the attribute {key} from {other}: {values}",
                key = key,
                other = from.attribute,
                values = new(values)
            )
        }
        SchemaChange::OrderAttributes { attributes } => t!("Attributes in order: {keys}", keys = list(attributes)),
        SchemaChange::RetireAttribute { attribute } => t!("Retired the attribute {key}", key = attribute),
        SchemaChange::RestoreAttribute { attribute } => t!("Restored the attribute {key}", key = attribute),
        SchemaChange::MergeAttributes { from, into } => {
            t!("Merged the attribute {key} into {other}", key = from.attribute, other = into)
        }
        SchemaChange::AddValue { attribute, value } => {
            t!("{attribute}: added {value}", attribute = attribute, value = value.key)
        }
        SchemaChange::OrderValues { attribute, values } => {
            t!("{attribute}: in order {values}", attribute = attribute, values = list(values))
        }
        SchemaChange::RetireValue { attribute, value } => {
            t!("{attribute}: retired {value}", attribute = attribute, value = value)
        }
        SchemaChange::RestoreValue { attribute, value } => {
            t!("{attribute}: restored {value}", attribute = attribute, value = value)
        }
        SchemaChange::MergeValues { attribute, values, into } => {
            t!("{attribute}: merged {values} into {into}", attribute = attribute, values = list(values), into = into)
        }
        SchemaChange::SplitValue { attribute, value, into, keep: true } => {
            t!("{attribute}: split {values} off {value}", attribute = attribute, values = new(into), value = value)
        }
        SchemaChange::SplitValue { attribute, value, into, keep: false } => {
            t!("{attribute}: split {value} into {values}", attribute = attribute, value = value, values = new(into))
        }
    }
}
