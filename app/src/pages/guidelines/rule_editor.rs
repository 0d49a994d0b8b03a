//! The editor of one value's rule.

use kenami_domain::{
    schema::Attribute,
    view::{guidelines::Example, photo::PhotoCard},
};
use leptos::prelude::*;

use super::{
    draft::{DraftState, RuleDraft},
    picker::PhotoPicker,
};
use crate::{
    components::{
        button::{Button, Weight},
        markdown::Markdown,
        photo::PhotoImage,
    },
    text,
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
    let name = text::value_name(&attribute, &value, text::language());
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
                <h3><label for=id.clone()>{name.clone()}</label></h3>
                <span class="row">
                    <Button weight=Weight::Quiet disabled=index == 0 attr:aria-label=format!("Move the rule of {name} up") on:click=move |_| state.move_rule(index, true)>"↑"</Button>
                    <Button weight=Weight::Quiet disabled=last attr:aria-label=format!("Move the rule of {name} down") on:click=move |_| state.move_rule(index, false)>"↓"</Button>
                </span>
            </div>
            <div class="columns columns-even">
                <textarea
                    class="textarea" id=id prop:value=rule.text
                    on:input:target=move |event| rule.text.set(event.target().value())
                >{rule.text.get_untracked()}</textarea>
                <div class="preview"><Markdown text=rule.text/></div>
            </div>
            <ul class="examples">
                <For each=move || rule.examples.get() key=|example| example.photo.id let:example>
                    <ExampleEditor project_key=key.clone() rule example/>
                </For>
                <li><button type="button" class="example example-add" on:click=move |_| picking.set(true)>"Add an example"</button></li>
            </ul>
            <PhotoPicker open=picking project_key title=format!("Example of {name}") pick/>
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
    let caption_label = format!("What to see in {name}");
    let remove_label = format!("Remove the example {name}");
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
                class="input" aria-label=caption_label placeholder="What to see" maxlength=CAPTION.to_string()
                value=example.caption on:input:target=move |event| set_caption(event.target().value())
            />
            <Button weight=Weight::Quiet attr:aria-label=remove_label on:click=move |_| {
                rule.examples.update(|examples| examples.retain(|example| example.photo.id != id));
            }>"Remove"</Button>
        </li>
    }
}
