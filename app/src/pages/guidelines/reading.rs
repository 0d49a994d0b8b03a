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
        markdown::Translated,
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
            <EmptyState title=t!("No version has been published")>
                <p>{t!("Until then annotators answer by the values' names alone.")}</p>
            </EmptyState>
        });
    }
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
    let introduction = text.introduction;
    Either::Right(view! {
        <article class="stack guideline">
            <Translated texts=introduction/>
            <ol class="rules">{rules}</ol>
            <p class="quiet">
                {crate::text::arranged(
                    t!("Every attribute has two more answers: {not_visible} (the part that the rules look at is outside the photo, hidden or too small) and {unsure} (it is visible, but these rules do not decide)."),
                    [("not_visible", view! { <b>{t!("not visible")}</b> }.into_any()), ("unsure", view! { <b>{t!("unsure")}</b> }.into_any())],
                )}
            </p>
            <Dialog open title=t!("Example") wide=true>
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
    let texts = rule.rule;
    let examples = rule
        .examples
        .into_iter()
        .map(|example| {
            let caption = example.caption.clone();
            let label = t!(
                "Example of {name}: {caption}. Show it large",
                name = name,
                caption = if caption.is_empty() { &example.photo.name } else { &caption }
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
            <h2>
                {name.clone()}
                {retired.then(|| view! { " "<span class="badge">{t!("retired")}</span> })}
            </h2>
            <Translated texts/>
            <ul class="examples">{examples}</ul>
        </li>
    }
}
