//! A guideline as annotators read it.

use kenami_domain::{
    schema::Attribute,
    view::guidelines::{Example, GuidelineText, Rule},
};
use leptos::{either::Either, prelude::*};

use crate::{
    components::{
        alert::EmptyState,
        dialog::Dialog,
        markdown::Markdown,
        photo::{PhotoImage, Variant},
    },
    text,
};

/// Introduction, rules in order, examples that open large.
#[component]
pub fn Reading(
    /// The project's key.
    project_key: String,
    /// The attribute.
    attribute: Attribute,
    /// The text.
    text: GuidelineText,
) -> impl IntoView {
    if text.rules.is_empty() && text.introduction.0.is_empty() {
        return Either::Left(view! {
            <EmptyState title="No version has been published">
                <p>"Until then annotators answer by the values' names alone."</p>
            </EmptyState>
        });
    }
    let language = text::language();
    let large = RwSignal::new(None::<Example>);
    let open = RwSignal::new(false);
    let show = Callback::new(move |example: Example| {
        large.set(Some(example));
        open.set(true);
    });
    let rules = text
        .rules
        .into_iter()
        .map(|rule| view! { <RuleItem project_key=project_key.clone() attribute=attribute.clone() rule show/> })
        .collect_view();
    let introduction = text.introduction.get(language).unwrap_or_default().to_owned();
    Either::Right(view! {
        <article class="stack guideline" lang=language>
            <Markdown text=introduction/>
            <ol class="rules">{rules}</ol>
            <p class="quiet">
                "Every attribute has two more answers: "<b>"not visible"</b>" (the part that the rules look at is outside the photo, hidden or too small) and "
                <b>"unsure"</b>" (it is visible, but these rules do not decide)."
            </p>
            <Dialog open title="Example" wide=true>
                {
                    let project_key = project_key.clone();
                    move || large.get().map(|example| view! {
                        <figure class="stack-s">
                            <PhotoImage project_key=project_key.clone() photo=example.photo variant=Variant::Web class="photo example-large" eager=true/>
                            <figcaption>{example.caption}</figcaption>
                        </figure>
                    })
                }
            </Dialog>
        </article>
    })
}

#[component]
fn RuleItem(
    /// The project's key.
    project_key: String,
    /// The attribute.
    attribute: Attribute,
    /// The rule of one of its values.
    rule: Rule,
    /// Shows an example large.
    show: Callback<Example>,
) -> impl IntoView {
    let language = text::language();
    let name = text::value_name(&attribute, &rule.value, language);
    let retired = attribute.value(&rule.value).is_some_and(|value| value.retired);
    let markdown = rule.rule.get(language).unwrap_or_default().to_owned();
    let examples = rule
        .examples
        .into_iter()
        .map(|example| {
            let caption = example.caption.clone();
            let label = format!(
                "Example of {name}: {}. Show it large",
                if caption.is_empty() { &example.photo.name } else { &caption }
            );
            let photo = example.photo.clone();
            view! {
                <li>
                    <button type="button" class="example" aria-label=label on:click=move |_| show.run(example.clone())>
                        <PhotoImage project_key=project_key.clone() photo class="tile-photo" alt=""/>
                        <span class="example-caption">{caption}</span>
                    </button>
                </li>
            }
        })
        .collect_view();
    view! {
        <li class="rule">
            <h3>
                {name.clone()}
                {retired.then(|| view! { " "<span class="badge">"retired"</span> })}
            </h3>
            <Markdown text=markdown/>
            <ul class="examples">{examples}</ul>
        </li>
    }
}
