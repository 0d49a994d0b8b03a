//! Agreement: which answers annotators confuse and what that costs, how far they agree, in parts; from a confused pair to
//! the next version of its rule.
//!
//! What shows is in the address (`?by=breed&sort=count`).

mod amend;
mod annotators;
mod confused;
mod figures;
mod pair;
mod tile;

pub use pair::PairPage;

use kenami_domain::{
    schema::{Attribute, AttributeKind},
    view::review::AgreementBy,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::{
    annotators::{Annotators, Pairs},
    confused::ConfusedAnswers,
    figures::{Figures, Groups},
};
use crate::{
    api::{self, ApiError},
    components::{alert::EmptyState, loaded::loaded_both, page::PageHeader},
    pages::project::use_project,
    text,
};

/// The word for pairs of annotators in the address.
const PAIRS: &str = "pairs";

/// Confused answers, and agreement in parts.
#[component]
pub fn AgreementPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    let by = Memo::new(move |_| query.with(|query| query.get("by")).filter(|by| !by.is_empty()));
    let by_count = Memo::new(move |_| query.with(|query| query.get("sort")).as_deref() == Some("count"));
    let report = Resource::new(
        move || (project.key.get(), by.get().filter(|by| by != PAIRS)),
        |(key, by)| async move {
            let whole = api::review::read_agreement(key.clone(), None).await?;
            let parts = match by {
                Some(by) => Some(api::review::read_agreement(key.clone(), Some(by)).await?),
                None => None,
            };
            let pairs = api::review::disputed_pairs(key).await?;
            Ok::<_, ApiError>((whole, parts, pairs))
        },
    );
    view! {
        <PageHeader title=t!("Agreement") lead=t!("Which answers annotators confuse, what that costs, and how far they agree.")/>
        {loaded_both(project.resource, report, move |project, (whole, parts, pairs)| {
            let (annotated, given): (Vec<Attribute>, Vec<Attribute>) =
                project.attributes.into_iter().partition(|attribute| attribute.kind == AttributeKind::Annotated);
            if whole.attributes.is_empty() {
                return view! {
                    <EmptyState title=t!("No votes yet")>
                        <p>{t!("How far annotators agree shows once two of them have answered the same photos.")}</p>
                    </EmptyState>
                }
                .into_any();
            }
            let chosen = by.get_untracked();
            let figures = match (chosen.as_deref(), parts) {
                (Some(PAIRS), _) => view! { <Pairs attributes=annotated.clone() report=whole.clone()/> }.into_any(),
                (Some(_), Some(parts)) => {
                    view! { <Groups annotated=annotated.clone() given=given.clone() parts/> }.into_any()
                }
                _ => view! { <Figures attributes=annotated.clone() report=whole.clone()/> }.into_any(),
            };
            view! {
                <ConfusedAnswers attributes=annotated.clone() report=whole.clone() pairs by_count by=chosen.clone() key=project.key/>
                <Annotators report=whole.clone()/>
                <section class="stack-s">
                    <h2>{t!("Figures")}</h2>
                    <Switch by=chosen given=given by_count/>
                    {figures}
                    <p class="quiet">
                        {t!("In brackets: 95 % intervals, from drawing the photos anew (bootstrap). Alpha counts “not visible” and “unsure” as answers; “values alone” leaves them out.")}
                    </p>
                </section>
            }
            .into_any()
        })}
    }
}

/// The page's address with these choices.
fn href(by: Option<&str>, by_count: bool) -> String {
    let sort = if by_count { "&sort=count" } else { "" };
    format!("?by={}{sort}", by.unwrap_or_default())
}

/// What the figures are parted by.
#[component]
fn Switch(
    /// The choice in use.
    by: Option<String>,
    /// Attributes that come with the photo.
    given: Vec<Attribute>,
    /// The other choice of the page.
    by_count: Memo<bool>,
) -> impl IntoView {
    let language = text::language();
    let mut choices = vec![(None, t!("Attribute").to_owned())];
    choices
        .extend(given.iter().map(|attribute| (Some(attribute.key.clone()), text::attribute_name(attribute, language))));
    choices.push((Some(PAIRS.to_owned()), t!("Pair of annotators").to_owned()));
    choices.push((Some(AgreementBy::VERSION.to_owned()), t!("Guideline version").to_owned()));
    choices.push((Some(AgreementBy::WEEK.to_owned()), t!("Week").to_owned()));
    let links = choices
        .into_iter()
        .map(|(choice, name)| {
            let chosen = choice == by;
            view! {
                <a
                    class="button" class:button-chosen=chosen aria-current=chosen.then_some("true")
                    href=move || href(choice.as_deref(), by_count.get())
                >{name}</a>
            }
        })
        .collect_view();
    view! { <nav class="row" aria-label=t!("Figures by")>{links}</nav> }
}
