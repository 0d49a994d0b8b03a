//! One photo that a head judged: the photo, where the network looked, and the ways to its review.

use kenami_domain::{
    schema::{Attribute, AttributeKind},
    view::errors::Case,
};
use leptos::prelude::*;

use super::CasePlace;
use crate::{
    components::photo::{Variant, media_url},
    pages::{
        disagreements::{ErrorPhotos, Filter},
        runs::files::file_picture,
    },
    text,
};

/// Photos of a head, as cards.
#[component]
pub fn Cases(
    /// The photos.
    cases: Vec<Case>,
    /// The head's attribute.
    head: Attribute,
    /// The project's attributes.
    attributes: Vec<Attribute>,
    /// Whose they are.
    place: CasePlace,
) -> impl IntoView {
    let together = ErrorPhotos {
        run: place.run_id,
        head: head.key.clone(),
        sample: place.sample,
        photos: cases.iter().map(|case| case.photo.id).collect(),
    };
    let cards = cases.into_iter().map(|case| card(case, &head, &attributes, &place, &together)).collect_view();
    view! { <ul class="cases">{cards}</ul> }
}

fn card(
    case: Case,
    head: &Attribute,
    attributes: &[Attribute],
    place: &CasePlace,
    together: &ErrorPhotos,
) -> impl IntoView + use<> {
    let name = |key: &str| text::value_name(head, key, text::language());
    let photo = case.photo;
    let reviews = reviews(head, attributes)
        .map(|attribute| {
            let words = text::attribute_name(attribute, text::language());
            view! { <a href=review_url(&place.key, photo.id, &attribute.key, together)>{t!("Review: {attribute}", attribute = words)}</a> }
        })
        .collect::<Vec<_>>();
    let overlay = case.overlay.map(|file| {
        let alt = t!("Where the network looked in {photo}", photo = photo.name);
        view! { <div class="case-overlay">{file_picture(&place.key, place.run_id, &file, alt)}</div> }
    });
    view! {
        <li class="card case">
            <div class="case-facts">
                <img
                    class="case-photo"
                    src=media_url(&place.key, photo.id, Variant::Thumbnail)
                    alt=photo.name.clone()
                    width=photo.width.to_string()
                    height=photo.height.to_string()
                    loading="lazy"
                    decoding="async"
                />
                <div class="case-words">
                    <span class="tile-name" title=photo.name.clone()>{photo.name.clone()}</span>
                    <span>{t!("Dataset: {value} (the model gives it {share})", value = name(&case.answer), share = text::percent(case.of_answer, 0))}</span>
                    <span>{t!("Model: {value} ({share})", value = name(&case.predicted), share = text::percent(case.probability, 0))}</span>
                    <span class="quiet">{t!("loss {loss}, {split}", loss = format!("{:.2}", case.loss), split = text::split_name(case.split))}</span>
                    <span class="case-reviews">{reviews}</span>
                </div>
            </div>
            {overlay}
        </li>
    }
}

/// Attributes that a photo can be reviewed in: the head's own, or all annotated ones where the head's came with the photo.
fn reviews<'a>(head: &'a Attribute, attributes: &'a [Attribute]) -> impl Iterator<Item = &'a Attribute> {
    let own = head.kind == AttributeKind::Annotated;
    attributes.iter().filter(move |a| a.kind == AttributeKind::Annotated && (!own || a.key == head.key))
}

/// The review of a photo, with those that stand beside it as its neighbours.
fn review_url(key: &str, photo_id: i64, attribute: &str, together: &ErrorPhotos) -> String {
    let filter = Filter { errors: Some(together.clone()), ..Filter::default() };
    format!("/p/{key}/disagreements{}", filter.href_of(photo_id, attribute))
}
