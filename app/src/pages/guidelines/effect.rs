//! What a version did to agreement.

use kenami_domain::view::guidelines::{Agreed, Compared, VersionEffect};
use leptos::{either::Either, prelude::*};

use crate::text;

/// Agreement before and after a version, and what came back.
#[component]
pub fn Effect(
    /// The version's effect.
    effect: VersionEffect,
) -> impl IntoView {
    let VersionEffect { labels, photos, compared, before, after, .. } = effect;
    // A first version that sends nothing back and has no votes before it has no effect to tell of.
    if before.photos == 0 && after.photos == 0 && labels == 0 {
        return Either::Left(());
    }
    let what = match compared {
        Compared::Returned => {
            let labels = n!(labels, "{count} label", "{count} labels");
            let photos = n!(photos, "{count} photo", "{count} photos");
            t!("{labels} on {photos} came back. Agreement on these photos:", labels = labels, photos = photos)
        }
        Compared::All => {
            t!("Nothing came back. Agreement of all votes before, and of those given under it:").to_owned()
        }
    };
    Either::Right(view! {
        <p class="quiet">{what}</p>
        <table class="effect">
            <thead><tr>
                <td></td>
                <th scope="col" class="numeric" title=t!("Photos with two or more votes")>{t!("Photos")}</th>
                <th scope="col" class="numeric">{t!("Agreement")}</th>
                <th scope="col" class="numeric">{t!("Alpha")}</th>
            </tr></thead>
            <tbody>{row(t!("Before"), &before)}{row(t!("After"), &after)}</tbody>
        </table>
        {why(t!("Before"), before)}
        {why(t!("After"), after)}
    })
}

fn row(name: &'static str, agreed: &Agreed) -> impl IntoView + use<> {
    let figure = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td class="numeric">{text::number(agreed.photos)}</td>
            <td class="numeric">{figure(agreed.percent.map(|share| text::percent(share, 0)))}</td>
            <td class="numeric">{figure(agreed.alpha.map(text::coefficient))}</td>
        </tr>
    }
}

/// Why a figure is missing; that there are no votes yet says itself.
fn why(name: &'static str, agreed: Agreed) -> impl IntoView {
    agreed.undefined.filter(|_| agreed.photos > 0).map(|reason| {
        let reason = text::translate_sentence(&reason).into_owned();
        view! { <p class="quiet effect-why">{name}": "{reason}</p> }
    })
}
