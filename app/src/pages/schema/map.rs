//! What answers of one attribute become of another.

use std::collections::BTreeMap;

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE, UNSURE},
    schema::{Attribute, AttributeKind},
    view::schema_change::{AnswerMap, SchemaAttribute, SchemaChange},
};
use leptos::prelude::*;

use crate::{components::field::Field, text};

/// By an answer's key the key that it becomes; empty for none.
pub type Answers = BTreeMap<String, String>;

/// Annotated attributes that are not retired.
pub fn open_attributes(all: &[SchemaAttribute]) -> Vec<Attribute> {
    let open = all.iter().filter(|one| !one.retired && one.attribute.kind == AttributeKind::Annotated);
    open.map(|one| one.attribute.clone()).collect()
}

/// The map that was chosen, where anything was.
pub fn answers_of(attribute: String, chosen: &Answers) -> Option<AnswerMap> {
    let answers: Answers =
        chosen.iter().filter(|(_, to)| !to.is_empty()).map(|(from, to)| (from.clone(), to.clone())).collect();
    (!answers.is_empty()).then_some(AnswerMap { attribute, answers })
}

/// One choice for each answer of `attribute`. Answers with the same key are chosen at first.
#[component]
pub fn AnswerFields(
    /// Whose answers are read.
    attribute: Attribute,
    /// Keys and names of the values that they may become.
    #[prop(into)]
    targets: Signal<Vec<(String, String)>>,
    /// What is chosen.
    map: RwSignal<Answers>,
) -> impl IntoView {
    let language = text::language();
    let keys: Vec<String> = (attribute.values.iter().filter(|value| !value.retired).map(|value| value.key.clone()))
        .chain([NOT_VISIBLE, UNSURE].map(str::to_owned))
        .collect();
    let general =
        [NOT_VISIBLE, UNSURE].map(|key| (key.to_owned(), text::answer_name(&attribute, &Answer::from(key), language)));
    let known = keys.clone();
    Effect::new(move |_| {
        let offered: Vec<String> = targets.with(|targets| targets.iter().map(|(key, _)| key.clone()).collect());
        let fits = |to: &String| [NOT_VISIBLE, UNSURE].contains(&to.as_str()) || offered.contains(to);
        let before = map.get_untracked();
        let chosen: Answers = known
            .iter()
            .map(|from| {
                let to = before.get(from).cloned().unwrap_or_else(|| from.clone());
                (from.clone(), if to.is_empty() || fits(&to) { to } else { String::new() })
            })
            .collect();
        if chosen != before {
            map.set(chosen);
        }
    });
    let rows = keys.into_iter().map(|from| {
        let name = text::answer_name(&attribute, &Answer::from(from.as_str()), language);
        let id = format!("answer-{from}");
        let (general, from) = (general.clone(), StoredValue::new(from));
        let now = move || map.with(|map| map.get(&from.get_value()).cloned().unwrap_or_default());
        let options = move || {
            let all = targets.get().into_iter().chain(general.clone());
            all.map(|(key, name)| {
                let own = key.clone();
                view! { <option value=key selected=move || now() == own>{name}</option> }
            })
            .collect_view()
        };
        view! {
            <label class="label" for=id.clone()>{name}</label>
            <select
                class="select" id=id
                on:change:target=move |event| map.update(|map| { map.insert(from.get_value(), event.target().value()); })
            >
                <option value="" selected=move || now().is_empty()>{t!("nothing")}</option>
                {options}
            </select>
        }
    });
    view! {
        <fieldset class="schema-map">
            <legend>{t!("What its answers become")}</legend>
            {rows.collect_view()}
        </fieldset>
    }
}

/// One attribute is carried over to another.
#[component]
pub fn MergeAttribute(
    /// The attribute that goes.
    attribute: Attribute,
    /// All attributes.
    all: Signal<Vec<SchemaAttribute>>,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let (into, map) = (RwSignal::new(String::new()), RwSignal::new(Answers::new()));
    let name = text::attribute_name(&attribute, text::language());
    let gone = StoredValue::new(attribute);
    let others = move || {
        let mut open = all.with(|all| open_attributes(all));
        open.retain(|other| gone.with_value(|gone| gone.key != other.key));
        open
    };
    let options = others();
    let targets = Signal::derive(move || {
        let wanted = into.get();
        let target = others().into_iter().find(|other| other.key == wanted);
        let values = target.map(|target| target.values).unwrap_or_default();
        let open = values.into_iter().filter(|value| !value.retired);
        open.map(|value| {
            let name = value.names.or_key(text::language(), &value.key).to_owned();
            (value.key, name)
        })
        .collect::<Vec<_>>()
    });
    Effect::new(move |_| {
        let into = into.get();
        let from = answers_of(gone.with_value(|gone| gone.key.clone()), &map.get());
        change.set(from.filter(|_| !into.is_empty()).map(|from| SchemaChange::MergeAttributes { from, into }));
    });
    view! {
        <p>{t!("{name} is retired, and its labels count for another attribute wherever the same annotator has not answered that one.", name = name)}</p>
        <Field id="attribute-into" label=t!("Goes into")>
            <select class="select" id="attribute-into" on:change:target=move |event| into.set(event.target().value())>
                <option value="">{t!("Choose…")}</option>
                {options.into_iter().map(|attribute| {
                    let name = text::attribute_name(&attribute, text::language());
                    view! { <option value=attribute.key>{name}</option> }
                }).collect_view()}
            </select>
        </Field>
        {move || (!into.with(String::is_empty)).then(|| view! { <AnswerFields attribute=gone.get_value() targets map/> })}
    }
}
