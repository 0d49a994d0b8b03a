//! The photos of one confused pair in a grid, and the way from them to an amended rule.

use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::review::{DisagreementFilter, QueueCause},
};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;

use super::{
    amend::{AmendBar, Pair, Selection},
    tile::CampTile,
};
use crate::{
    api::{self, ApiError},
    components::{
        alert::{EmptyState, ErrorView},
        loaded::loaded_both,
        page::{PageHeader, Pager},
    },
    pages::project::use_project,
    text,
};

/// Photos on which two answers stand against each other, decided ones included.
#[component]
pub fn PairPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let pair = Memo::new(move |_| {
        params.with(|params| {
            let get = |name| params.get(name).unwrap_or_default();
            Pair { attribute: get("attribute"), a: get("a"), b: get("b") }
        })
    });
    let cursor = RwSignal::new(None::<i64>);
    let selection = Selection::default();
    let list = Resource::new(
        move || (project.key.get(), pair.get(), cursor.get()),
        |(key, pair, cursor)| {
            let filter = DisagreementFilter {
                cause: QueueCause::Differ,
                attribute: Some(pair.attribute),
                pair: Some((pair.a, pair.b)),
                decided: true,
                cursor,
            };
            api::review::disagreements(key, filter)
        },
    );
    loaded_both(project.resource, list, move |project, page| {
        let pair = pair.get_untracked();
        let Some(attribute) = project.attributes.iter().find(|attribute| attribute.key == pair.attribute).cloned()
        else {
            return Either::Left(view! { <ErrorView error=ApiError::NotFound("attribute".to_owned())/> });
        };
        let language = text::language();
        let name = |key: &str| text::answer_name(&attribute, &Answer::from(key), language);
        let title = t!(
            "{attribute}: {a} or {b}?",
            attribute = text::attribute_name(&attribute, language),
            a = name(&pair.a),
            b = name(&pair.b)
        );
        let back = format!("/p/{}/agreement", project.key);
        let all = back.clone();
        let sides = pair.sides(&attribute);
        let next = page.next_cursor;
        let more = next.is_some() || cursor.get_untracked().is_some();
        let selectable = project.role >= Role::Lead;
        let tiles = page
            .items
            .iter()
            .map(|one| {
                view! {
                    <CampTile
                        one=one.clone() attribute=attribute.clone() pair=pair.clone() sides=sides.clone() selection selectable
                        key=project.key.clone()
                    />
                }
            })
            .collect_view();
        let body = if page.items.is_empty() {
            Either::Left(
                view! { <EmptyState title=t!("No photo has votes for both")><a class="button" href=all>{t!("All confused answers")}</a></EmptyState> },
            )
        } else {
            Either::Right(view! {
                <AmendBar key=project.key.clone() pair=pair.clone() selection shown=page.items.clone() sides role=project.role/>
                <ul class="camps">{tiles}</ul>
                {more.then(|| view! { <Pager cursor next=Signal::stored(next)/> })}
            })
        };
        Either::Right(view! {
            <PageHeader title lead=t!("Photos with votes for both. The number is how many gave the answer.")>
                <a class="button" href=back>{t!("All confused answers")}</a>
            </PageHeader>
            {body}
        })
    })
}
