//! The disagreements that the filter leaves.

use std::collections::BTreeSet;

use kenami_domain::{
    schema::Attribute,
    view::{
        Page,
        review::{Disagreement, QueueCause},
    },
};
use leptos::{either::Either, prelude::*};

use super::{filter::Filter, together::Together, votes::tally};
use crate::{
    api::ApiError,
    components::{
        alert::EmptyState,
        loaded::loaded,
        page::Pager,
        photo::{Variant, media_url},
    },
    text,
};

/// Photos with their answers; each leads to its review.
#[component]
pub fn Listing(
    /// The page of disagreements.
    list: Resource<Result<Page<Disagreement>, ApiError>>,
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The filter in use.
    filter: Memo<Filter>,
    /// The page's cursor.
    cursor: RwSignal<Option<i64>>,
    /// The project's key.
    key: Memo<String>,
    /// Photos that are chosen to be decided at once.
    chosen: RwSignal<BTreeSet<i64>>,
    /// Called when several have been decided.
    decided: Callback<()>,
) -> impl IntoView {
    loaded(list, move |page| {
        if page.items.is_empty() {
            let narrowed = filter.with_untracked(|filter| {
                filter.cause != QueueCause::Differ || filter.attribute.is_some() || filter.pair.is_some()
            });
            return Either::Left(if narrowed {
                Either::Left(view! {
                    <EmptyState title=t!("Nothing open here")>
                        <a class="button" href=Filter::default().href()>{t!("Show all disagreements")}</a>
                    </EmptyState>
                })
            } else {
                Either::Right(view! {
                    <EmptyState title=t!("No open disagreements")>
                        <p>{t!("Photos show up here when two annotators answer differently.")}</p>
                    </EmptyState>
                })
            });
        }
        let next = page.next_cursor;
        let (key, filter) = (key.get_untracked(), filter.get_untracked());
        let more = next.is_some() || cursor.get_untracked().is_some();
        let one_attribute =
            filter.attribute.as_ref().and_then(|key| attributes.iter().find(|one| one.key == *key)).cloned();
        let choosing = one_attribute.is_some().then_some(chosen);
        let all: Vec<i64> = page.items.iter().map(|one| one.photo.id).collect();
        let tiles = page
            .items
            .into_iter()
            .map(|one| view! { <Tile href=filter.href_of(one.photo.id, &one.attribute) attributes=attributes.clone() one key=key.clone() choosing/> })
            .collect_view();
        let together = match one_attribute {
            Some(attribute) => Either::Left(view! { <Together attribute all chosen key=key.clone() decided/> }),
            None => Either::Right(
                view! { <p class="quiet">{t!("Choose an attribute to decide several photos at once.")}</p> },
            ),
        };
        Either::Right(view! {
            {together}
            <ul class="disputes">{tiles}</ul>
            {more.then(|| view! { <Pager cursor next=Signal::stored(next)/> })}
        })
    })
}

#[component]
fn Tile(
    /// The disagreement.
    one: Disagreement,
    /// Its review's address.
    href: String,
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The project's key.
    key: String,
    /// Photos that are chosen, where they can be.
    choosing: Option<RwSignal<BTreeSet<i64>>>,
) -> impl IntoView {
    let language = text::language();
    let photo_id = one.photo.id;
    let choice = choosing.map(|chosen| {
        let label = t!("Choose {photo}", photo = one.photo.name);
        view! {
            <input
                type="checkbox" class="dispute-choice" aria-label=label
                prop:checked=move || chosen.with(|chosen| chosen.contains(&photo_id))
                on:change:target=move |event| chosen.update(|chosen| {
                    if event.target().checked() { chosen.insert(photo_id); } else { chosen.remove(&photo_id); }
                })
            />
        }
    });
    let attribute = attributes.into_iter().find(|attribute| attribute.key == one.attribute);
    let name = |answer: &kenami_domain::answer::Answer| match &attribute {
        Some(attribute) => text::answer_name(attribute, answer, language),
        None => answer.key().to_owned(),
    };
    let answers = tally(&one.votes)
        .into_iter()
        .map(|(answer, count)| {
            view! { <li>{name(&answer)} {(count > 1).then(|| view! { <b class="numeric">{format!(" ×{count}")}</b> })}</li> }
        })
        .collect_view();
    let decided =
        one.decision.as_ref().map(|decision| view! { <span class="badge badge-good">{name(&decision.answer)}</span> });
    let attribute_name =
        attribute.as_ref().map_or_else(|| one.attribute.clone(), |attribute| text::attribute_name(attribute, language));
    view! {
        <li class="dispute-tile">
            {choice}
            <a class="card card-link dispute" href=href>
                <img
                    class="tile-photo"
                    src=media_url(&key, one.photo.id, Variant::Thumbnail)
                    alt=one.photo.name.clone()
                    width=one.photo.width.to_string()
                    height=one.photo.height.to_string()
                    loading="lazy"
                    decoding="async"
                />
                <span class="row row-apart"><b>{attribute_name}</b> {decided}</span>
                <ul class="dispute-answers">{answers}</ul>
            </a>
        </li>
    }
}
