//! The editor of one value's rule.

use kenami_domain::{
    schema::Attribute,
    view::{guidelines::Example, photo::PhotoCard},
};
use leptos::prelude::*;

use super::{
    draft::{DraftState, RuleDraft, own_text, set_text},
    picker::PhotoPicker,
};
use crate::{
    components::{
        button::{Button, Weight},
        markdown::Translated,
        photo::PhotoImage,
    },
    text::value_name,
};

/// Characters of a caption at most.
const CAPTION: u32 = 200;

/// Text with preview, place among the rules, examples with captions.
#[component]
pub fn RuleEditor(
    /// The project's key.
    project_key: String,
    /// The attribute.
    attribute: Attribute,
    /// The draft.
    state: DraftState,
    /// The rule.
    rule: RuleDraft,
    /// Its place among the rules.
    index: usize,
) -> impl IntoView {
    let value = rule.value.get_value();
    let name = value_name(&attribute, &value, crate::text::language());
    let text = Signal::derive(move || rule.texts.with(|texts| own_text(texts, state.language.get())));
    let id = format!("rule-{value}");
    let picking = RwSignal::new(false);
    let last = Signal::derive(move || index + 1 >= state.rules.with(Vec::len));
    let pick = Callback::new(move |photo: PhotoCard| {
        rule.examples.update(|examples| {
            if !examples.iter().any(|example| example.photo.id == photo.id) {
                examples.push(Example { photo, caption: String::new() });
            }
        });
        picking.set(false);
    });
    let key = project_key.clone();
    view! {
        <li class="card rule-editor">
            <div class="row row-apart">
                <h2><label for=id.clone()>{name.clone()}</label></h2>
                <span class="row">
                    <Button weight=Weight::Quiet disabled=index == 0 attr:aria-label=t!("Move the rule of {name} up", name = name) on:click=move |_| state.move_rule(index, true)>"↑"</Button>
                    <Button weight=Weight::Quiet disabled=last attr:aria-label=t!("Move the rule of {name} down", name = name) on:click=move |_| state.move_rule(index, false)>"↓"</Button>
                </span>
            </div>
            <div class="columns columns-even">
                <textarea
                    class="textarea" id=id lang=move || state.language.get().code() prop:value=text
                    on:input:target=move |event| {
                        let language = state.language.get_untracked();
                        rule.texts.update(|texts| set_text(texts, language, event.target().value()));
                    }
                >{text.get_untracked()}</textarea>
                <div class="preview">{move || view! { <Translated texts=rule.texts.get() language=state.language.get()/> }}</div>
            </div>
            <ul class="examples">
                <For each=move || rule.examples.get() key=|example| example.photo.id let:example>
                    <ExampleEditor project_key=key.clone() rule example/>
                </For>
                <li><button type="button" class="example example-add" on:click=move |_| picking.set(true)>{t!("Add an example")}</button></li>
            </ul>
            <PhotoPicker open=picking project_key title=t!("Example of {name}", name = name) pick/>
        </li>
    }
}

#[component]
fn ExampleEditor(
    /// The project's key.
    project_key: String,
    /// The rule.
    rule: RuleDraft,
    /// The example as it is now.
    example: Example,
) -> impl IntoView {
    let id = example.photo.id;
    let name = example.photo.name.clone();
    let caption_label = t!("What to see in {name}", name = name);
    let remove_label = t!("Remove the example {name}", name = name);
    let set_caption = move |caption: String| {
        rule.examples.update(|examples| {
            if let Some(example) = examples.iter_mut().find(|example| example.photo.id == id) {
                example.caption = caption;
            }
        });
    };
    view! {
        <li class="example">
            <PhotoImage project_key photo=example.photo class="tile-photo" alt=name/>
            <input
                class="input" aria-label=caption_label placeholder=t!("What to see") maxlength=CAPTION.to_string()
                value=example.caption on:input:target=move |event| set_caption(event.target().value())
            />
            <Button weight=Weight::Quiet attr:aria-label=remove_label on:click=move |_| {
                rule.examples.update(|examples| examples.retain(|example| example.photo.id != id));
            }>{t!("Remove")}</Button>
        </li>
    }
}
