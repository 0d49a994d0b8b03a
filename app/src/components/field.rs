//! Form fields.

use leptos::prelude::*;

/// A label, an input (the child, whose `id` is `id`), a hint and an error, tied together.
///
/// Give the input `aria-describedby=described_by(id)` so that hint and error are read out with it.
#[component]
pub fn Field(
    /// The input's id.
    #[prop(into)]
    id: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// What fits, in a few words.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with the input.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The input, select or textarea.
    children: Children,
) -> impl IntoView {
    let message_id = described_by(&id);
    view! {
        <div class="field" class:field-invalid=move || error.with(Option::is_some)>
            <label for=id>{label}</label>
            {children()}
            <div class="field-message" id=message_id>
                {move || match error.get() {
                    Some(error) => view! { <span class="field-error" role="alert">{error}</span> }.into_any(),
                    None => hint.clone().map(|hint| view! { <span class="quiet">{hint}</span> }).into_any(),
                }}
            </div>
        </div>
    }
}

/// The id of the element that holds a field's hint and error.
pub fn described_by(id: &str) -> String {
    format!("{id}-message")
}
