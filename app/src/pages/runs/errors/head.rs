//! One head's errors: how many, which pairs, which photos, for which values, and how well its probabilities fit.

use kenami_domain::{
    schema::Attribute,
    view::errors::{Calibration, ConfusedPhotos, HeadErrors, Score, ScoreGroup},
};
use leptos::prelude::*;

use super::{CasePlace, case::Cases};
use crate::{
    components::{page::Table, picture::ShareLine},
    pages::runs::files::file_picture,
    text,
};

/// One head's errors.
#[component]
pub fn Head(
    /// The errors.
    head: HeadErrors,
    /// The project's attributes.
    attributes: Vec<Attribute>,
    /// Whose they are.
    place: CasePlace,
) -> impl IntoView {
    let Some(attribute) = attributes.iter().find(|attribute| attribute.key == head.attribute).cloned() else {
        return ().into_any();
    };
    let name = text::attribute_name(&attribute, text::language());
    let wrong = head.score.photos - head.score.right;
    let summary = t!(
        "{name}: {right} of {photos} right, {share}; mean loss {loss}",
        name = name,
        right = text::number(head.score.right),
        photos = text::number(head.score.photos),
        share = share(&head.score),
        loss = format!("{:.2}", head.loss)
    );
    let queue = (!head.given).then(|| {
        let href = format!("/p/{}/disagreements?cause=model&attribute={}", place.key, head.attribute);
        view! { <a class="button" href=href>{t!("Labels that models contradict")}</a> }
    });
    let pairs = head
        .confused
        .into_iter()
        .map(|pair| view! { <Pair pair head=attribute.clone() attributes=attributes.clone() place=place.clone()/> })
        .collect_view();
    let groups = head
        .groups
        .into_iter()
        .map(|group| view! { <Scores group head=name.clone() attributes=attributes.clone()/> })
        .collect_view();
    let calibration =
        head.calibration.map(|calibration| view! { <Fit calibration head=name.clone() place=place.clone()/> });
    view! {
        <div class="row row-apart">
            <p>{summary}</p>
            {queue}
        </div>
        {if wrong == 0 {
            view! { <p class="quiet">{t!("Nothing is wrong on these photos.")}</p> }.into_any()
        } else {
            view! {
                <section class="stack-s">
                    <h2>{t!("Most confused")}</h2>
                    {pairs}
                </section>
                <section class="stack-s">
                    <h2>{t!("Largest losses")}</h2>
                    <Cases cases=head.losses head=attribute attributes place/>
                </section>
            }.into_any()
        }}
        <section class="stack-s">
            <h2>{t!("Right answers, the worst first")}</h2>
            <div class="score-tables">{groups}</div>
        </section>
        {calibration}
    }
    .into_any()
}

#[component]
fn Pair(
    /// The pair with some of its photos.
    pair: ConfusedPhotos,
    /// The head's attribute.
    head: Attribute,
    /// The project's attributes.
    attributes: Vec<Attribute>,
    /// Whose they are.
    place: CasePlace,
) -> impl IntoView {
    let name = |key: &str| text::value_name(&head, key, text::language());
    let words =
        t!("{answer} taken for {predicted}", answer = name(&pair.pair.answer), predicted = name(&pair.pair.predicted));
    let count = n!(
        pair.pair.of,
        "{wrong} of {count} photo",
        "{wrong} of {count} photos",
        wrong = text::number(pair.pair.count)
    );
    view! {
        <details class="pair">
            <summary><b>{words}</b>" "<span class="quiet numeric">{count}</span></summary>
            <Cases cases=pair.cases head attributes place/>
        </details>
    }
}

/// A share with its interval: `79 % (69 to 87 %)`.
fn share(score: &Score) -> String {
    let share = text::percent(score.share(), 0);
    match score.interval {
        Some([low, high]) => {
            t!("{share} ({low} to {high})", share = share, low = text::percent(low, 0), high = text::percent(high, 0))
        }
        None => share,
    }
}

#[component]
fn Scores(
    /// Scores by the values of one attribute.
    group: ScoreGroup,
    /// The head's name.
    head: String,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let by = attributes.iter().find(|attribute| attribute.key == group.by);
    let by_name = by.map_or_else(|| group.by.clone(), |by| text::attribute_name(by, text::language()));
    let rows = group
        .scores
        .iter()
        .map(|score| {
            let value = by.map_or_else(|| score.value.clone(), |by| text::value_name(by, &score.value, text::language()));
            view! {
                <tr>
                    <th scope="row">{value.clone()}</th>
                    <td class="numeric nowrap">{t!("{right} of {photos}", right = text::number(score.right), photos = text::number(score.photos))}</td>
                    <td class="numeric nowrap">{share(score)}</td>
                    <td><ShareLine share=score.share() interval=score.interval label=value/></td>
                </tr>
            }
        })
        .collect_view();
    let caption = t!("{head}: right answers by {attribute}", head = head, attribute = by_name);
    view! {
        <Table caption>
            <thead>
                <tr>
                    <th scope="col">{by_name}</th>
                    <th scope="col" class="numeric">{t!("Right")}</th>
                    <th scope="col" class="numeric" title=t!("Wilson's 95 % interval")>{t!("Share and interval")}</th>
                    <th scope="col"><span class="visually-hidden">{t!("As a picture")}</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

/// Calibration error, and accuracy over confidence as a picture.
#[component]
fn Fit(
    /// The calibration.
    calibration: Calibration,
    /// The head's name.
    head: String,
    /// Whose it is.
    place: CasePlace,
) -> impl IntoView {
    let share = |error: f64| text::percent(error, 1);
    let (before, photos) = (share(calibration.before), text::number(calibration.photos));
    let split = text::split_name(calibration.split);
    let words = match calibration.after {
        Some(after) => t!(
            "Expected calibration error on {photos} {split} photos: {before} before temperature scaling, {after} after it. With few photos the figure is too high by chance alone.",
            photos = photos,
            split = split,
            before = before,
            after = share(after)
        ),
        None => t!(
            "Expected calibration error on {photos} {split} photos: {before}, without temperature scaling. With few photos the figure is too high by chance alone.",
            photos = photos,
            split = split,
            before = before
        ),
    };
    let picture = calibration.picture.map(|file| {
        let alt = t!("Accuracy over confidence of the head {head}", head = head);
        file_picture(&place.key, place.run_id, &file, alt)
    });
    view! {
        <section class="stack-s">
            <h2>{t!("Calibration")}</h2>
            <p class="measure">{words}</p>
            <div class="run-pictures">{picture}</div>
        </section>
    }
}
