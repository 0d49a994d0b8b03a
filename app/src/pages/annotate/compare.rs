//! The guideline's example photos of the attribute in focus, beside the open photo.

use kenami_domain::view::guidelines::{Example, Guideline};
use leptos::prelude::*;

use super::Desk;
use crate::{
    components::photo::{Variant, media_url},
    text,
};

/// Example photos by value; at the photo's side, or as a sheet over a narrow window. Made anew when it opens.
#[component]
pub fn Compare() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let guide = Memo::new(move |_| {
        let index = desk.focus.get()?;
        desk.driver.guides.with(|guides| guides.get(index).cloned())
    });
    move || {
        desk.examples_open.get().then(|| {
            view! {
                <section class="compare" id="examples" tabindex="0" aria-label=t!("Examples")>
                    <button
                        type="button" class="button button-quiet compare-close" aria-label=t!("Close the examples")
                        on:click=move |_| desk.examples_open.set(false)
                    >
                        "✕"
                    </button>
                    {move || guide.get().map(|guide| view! { <Examples guide/> })}
                </section>
            }
        })
    }
}

/// One attribute's examples.
#[component]
fn Examples(
    /// Its guideline.
    guide: Guideline,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let language = text::language();
    let offered = guide.attribute.values.iter().filter(|value| !value.retired);
    let groups: Vec<_> = offered
        .enumerate()
        .filter_map(|(place, value)| {
            let rule = guide.text.rules.iter().find(|rule| rule.value == value.key)?;
            let name = value.names.or_key(language, &value.key).to_owned();
            (!rule.examples.is_empty()).then(|| (desk.value_key(place), name, rule.examples.clone()))
        })
        .collect();
    let name = text::attribute_name(&guide.attribute, language);
    let none = groups.is_empty().then(|| {
        view! { <p class="quiet">{t!("This guideline has no example photos yet. A lead adds them to its rules.")}</p> }
    });
    view! {
        <h2>{t!("{name}, examples", name = name)}</h2>
        {none}
        {groups.into_iter().map(|(shortcut, name, examples)| view! {
            <div class="compare-value">
                <h3>{shortcut.map(|key| view! { <kbd>{key}</kbd> })} {name.clone()}</h3>
                <ul class="compare-photos">{examples.into_iter().map(|example| photo(desk, &name, example)).collect_view()}</ul>
            </div>
        }).collect_view()}
    }
}

fn photo(desk: Desk, value: &str, example: Example) -> impl IntoView {
    let caption = Some(example.caption).filter(|caption| !caption.is_empty());
    let alt = caption.clone().unwrap_or_else(|| value.to_owned());
    view! {
        <li>
            <img
                src=media_url(&desk.driver.key(), example.photo.id, Variant::Web) alt=alt decoding="async"
                width=example.photo.width.to_string() height=example.photo.height.to_string()
            />
            {caption.map(|caption| view! { <p class="quiet">{caption}</p> })}
        </li>
    }
}
