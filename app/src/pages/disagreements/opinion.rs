//! What a model says beside the votes.

use kenami_domain::{answer::Answer, schema::Attribute, view::review::Opinion};
use leptos::prelude::*;

use crate::{pages::runs::files::file_picture, text};

/// Values that show at most.
const MOST: usize = 5;

/// The values that the model finds most probable, as bars.
#[component]
pub fn ModelOpinion(
    /// The model's probabilities.
    opinion: Opinion,
    /// The attribute.
    attribute: Attribute,
    /// The photo's name.
    photo: String,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let overlay = opinion.overlay.map(|file| {
        let alt = t!("Where the network looked in {photo}", photo = photo);
        view! {
            <figure class="opinion-overlay">
                {file_picture(&key, opinion.run_id, &file, alt)}
                <figcaption class="quiet">{t!("Where the network looked: the photo, what speaks for its prediction, what speaks for the dataset's answer")}</figcaption>
            </figure>
        }
    });
    let language = text::language();
    let rows = opinion
        .probabilities
        .into_iter()
        .take(MOST)
        .map(|(value, probability)| {
            view! {
                <tr>
                    <th scope="row">{text::answer_name(&attribute, &Answer::from(value.as_str()), language)}</th>
                    <td class="bar-cell">
                        <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                            <rect class="part-1" width=format!("{:.2}", probability * 100.0) height="8"/>
                        </svg>
                    </td>
                    <td class="numeric">{text::percent(probability, 0)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="opinion" aria-label=t!("Model")>
            <h2>{t!("Model")}</h2>
            <p class="quiet">{t!("Run {run}, by a model that has not seen this photo", run = opinion.run)}</p>
            <table class="bars"><tbody>{rows}</tbody></table>
            {overlay}
        </section>
    }
}
