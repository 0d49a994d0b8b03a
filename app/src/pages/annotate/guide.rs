//! The guideline of the attribute in focus.

use kenami_domain::{
    keys::Layout,
    view::guidelines::{Guideline, Rule},
};
use leptos::{prelude::*, wasm_bindgen::JsCast};

use super::Desk;
use crate::{
    components::{
        keys::value_key,
        markdown::Translated,
        photo::{Variant, media_url},
    },
    text,
};

/// The rules that the answers are given under: beside the photo, or as a drawer in a narrow window.
#[component]
pub fn Guide() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    // A guideline stays where it was left while no photo is open.
    let shown = Memo::new(move |before: Option<&usize>| desk.focus.get().or(before.copied()).unwrap_or(0));
    let close = move |_| {
        desk.guide_open.set(false);
        if let Some(index) = desk.focus.get_untracked() {
            super::panel::focus_group(index);
        }
    };
    // A drawer that opens over the page takes the focus; at the side it does not.
    Effect::new(move |_| {
        if desk.guide_open.get() && super::window_width() <= super::NARROW {
            let guide = document().get_element_by_id("guide").and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
            if let Some(guide) = guide {
                let _ = guide.focus();
            }
        }
    });
    view! {
        <section class="guide" id="guide" tabindex="0" aria-label=t!("Guideline") hidden=move || !desk.guide_open.get()>
            <button type="button" class="button button-quiet guide-close" aria-label=t!("Close the guideline") on:click=close>
                "✕"
            </button>
            {move || {
                let key = driver.key();
                driver.guides.get().into_iter().enumerate().map(|(index, guide)| {
                    view! {
                        <div class="guide-one" hidden=move || shown.get() != index>
                            <Rules guide key=key.clone()/>
                        </div>
                    }
                }).collect_view()
            }}
        </section>
    }
}

/// One attribute's guideline.
#[component]
pub fn Rules(
    /// The guideline.
    guide: Guideline,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let layout = expect_context::<StoredValue<Layout>>();
    let language = text::language();
    let name = text::attribute_name(&guide.attribute, language);
    let version = guide.current.as_ref().map(|current| t!("version {version}", version = current.version));
    let introduction = guide.text.introduction.clone();
    let offered: Vec<_> = guide.attribute.values.iter().filter(|value| !value.retired).collect();
    let rules = guide
        .text
        .rules
        .iter()
        .filter_map(|rule| {
            let place = offered.iter().position(|value| value.key == rule.value)?;
            let name = offered[place].names.or_key(language, &rule.value).to_owned();
            Some(view! { <ValueRule rule=rule.clone() name shortcut=layout.with_value(|layout| value_key(layout, place)) key=key.clone()/> })
        })
        .collect_view();
    let href = format!("/p/{key}/guidelines/{}", guide.attribute.key);
    view! {
        <div class="guide-head">
            <h2>{name}</h2>
            {match version {
                Some(version) => view! { <a class="quiet" href=href>{version}</a> }.into_any(),
                None => view! { <span class="quiet">{t!("no guideline yet")}</span> }.into_any(),
            }}
        </div>
        <Translated texts=introduction/>
        <dl class="guide-rules">{rules}</dl>
    }
}

/// The rule of one value, with its examples.
#[component]
fn ValueRule(
    /// The rule.
    rule: Rule,
    /// The value's name.
    name: String,
    /// The value's key on the keyboard.
    shortcut: Option<String>,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let texts = rule.rule.clone();
    let examples = rule
        .examples
        .into_iter()
        .map(|example| {
            let caption = if example.caption.is_empty() { name.clone() } else { example.caption };
            view! {
                <li>
                    <img
                        src=media_url(&key, example.photo.id, Variant::Thumbnail)
                        alt=caption.clone()
                        title=caption
                        width="72"
                        height="72"
                        loading="lazy"
                        decoding="async"
                    />
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="guide-rule">
            <dt>{shortcut.map(|key| view! { <kbd>{key}</kbd> })} {name.clone()}</dt>
            <dd>
                <Translated texts/>
                <ul class="guide-examples">{examples}</ul>
            </dd>
        </div>
    }
}
