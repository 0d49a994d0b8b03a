//! The fields of changes that need some.

use kenami_domain::{
    schema::{Attribute, AttributeKind, Texts},
    view::schema_change::{NewValue, SchemaAttribute, SchemaChange},
};
use leptos::prelude::*;

use super::{
    change::value_name,
    map::{AnswerFields, answers_of},
};
use crate::{
    components::field::{Field, described_by},
    text,
};

/// The values in lines of `key` or `key = name`; names are in `language`.
pub fn parse_values(lines: &str, language: &str) -> Vec<NewValue> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (key, name) = line.split_once('=').map_or((line, ""), |(key, name)| (key.trim(), name.trim()));
            let names = if name.is_empty() { Texts::default() } else { Texts::of(language, name) };
            NewValue { key: key.to_owned(), names }
        })
        .collect()
}

#[component]
fn Text(
    /// The field's id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// What fits.
    hint: &'static str,
    /// What is typed.
    value: RwSignal<String>,
) -> impl IntoView {
    view! {
        <Field id=id label=label hint=hint>
            <input class="input" id=id autocomplete="off" maxlength="100" aria-describedby=described_by(id) bind:value=value/>
        </Field>
    }
}

#[component]
fn Lines(
    /// The field's id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// What is typed.
    value: RwSignal<String>,
) -> impl IntoView {
    view! {
        <Field id=id label=label hint=t!("One a line: the key, and after = the name that people read.")>
            <textarea class="textarea textarea-code" id=id rows="4" aria-describedby=described_by(id) bind:value=value></textarea>
        </Field>
    }
}

fn names(name: &str) -> Texts {
    if name.trim().is_empty() { Texts::default() } else { Texts::of(text::language(), name.trim()) }
}

const KEY_HINT: &str = mark!("Letters, digits, _ and -. It never changes.");

/// A value more.
#[component]
pub fn AddValue(
    /// Its attribute.
    attribute: Attribute,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let (key, name) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let words = t!(
        "A value more for {name}. What is labelled already stays as it is.",
        name = text::attribute_name(&attribute, text::language())
    );
    let attribute = attribute.key;
    Effect::new(move |_| {
        let value = NewValue { key: key.get().trim().to_owned(), names: names(&name.get()) };
        let made = SchemaChange::AddValue { attribute: attribute.clone(), value };
        change.set((!key.with(|key| key.trim().is_empty())).then_some(made));
    });
    view! {
        <p>{words}</p>
        <Text id="value-key" label=t!("Key") hint=text::translate(KEY_HINT) value=key/>
        <Text id="value-name" label=t!("Name") hint=t!("What people read; the key if empty.") value=name/>
    }
}

/// One value becomes another.
#[component]
pub fn MergeValue(
    /// Its attribute.
    attribute: Attribute,
    /// The value that goes.
    value: String,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let into = RwSignal::new(String::new());
    let name = value_name(&attribute, &value);
    let others = attribute.values.iter().filter(|other| !other.retired && other.key != value);
    let options = others.map(|other| (other.key.clone(), value_name(&attribute, &other.key))).collect::<Vec<_>>();
    let words = match attribute.kind {
        AttributeKind::Annotated => t!(
            "{name} and another value become one. Its labels, decisions, gold answers and breed standards count for the other.",
            name = name
        ),
        AttributeKind::Given => t!(
            "{name} and another value become one. Its photos, and those that come in under its key, have the other. Breed standards become the mean of both, weighted by their photos.",
            name = name
        ),
    };
    let attribute = attribute.key;
    Effect::new(move |_| {
        let into = into.get();
        let (attribute, values) = (attribute.clone(), vec![value.clone()]);
        change.set((!into.is_empty()).then_some(SchemaChange::MergeValues { attribute, values, into }));
    });
    view! {
        <p>{words}</p>
        <Field id="merge-into" label=t!("Becomes")>
            <select class="select" id="merge-into" on:change:target=move |event| into.set(event.target().value())>
                <option value="">{t!("Choose…")}</option>
                {options.into_iter().map(|(key, name)| view! { <option value=key>{name}</option> }).collect_view()}
            </select>
        </Field>
    }
}

/// One value becomes several.
#[component]
pub fn SplitValue(
    /// Its attribute.
    attribute: Attribute,
    /// The value.
    value: String,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let (lines, keep) = (RwSignal::new(String::new()), RwSignal::new(true));
    let name = value_name(&attribute, &value);
    let attribute = attribute.key;
    Effect::new(move |_| {
        let into = lines.with(|lines| parse_values(lines, text::language()));
        let enough = into.len() >= if keep.get() { 1 } else { 2 };
        let (attribute, value, keep) = (attribute.clone(), value.clone(), keep.get());
        change.set(enough.then_some(SchemaChange::SplitValue { attribute, value, into, keep }));
    });
    view! {
        <p>{t!("{name} becomes several values. Nobody can say which of them a label means: its labels are kept, but count for nothing until they are given again. The photos go back to those who gave them.", name = name)}</p>
        <Lines id="split-into" label=t!("New values") value=lines/>
        <label class="check">
            <input type="checkbox" prop:checked=move || keep.get() on:change:target=move |event| keep.set(event.target().checked())/>
            <span>{t!("{name} stays beside them, with a narrower meaning", name = name)}</span>
        </label>
    }
}

/// An attribute more.
#[component]
pub fn AddAttribute(
    /// All attributes.
    all: Signal<Vec<SchemaAttribute>>,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let (key, name, lines) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (ask, source) = (RwSignal::new(false), RwSignal::new(String::new()));
    let map = RwSignal::new(Default::default());
    let values = Memo::new(move |_| lines.with(|lines| parse_values(lines, text::language())));
    let sources = all.with_untracked(|all| super::map::open_attributes(all));
    let from = Memo::new(move |_| {
        let wanted = source.get();
        all.with(|all| super::map::open_attributes(all)).into_iter().find(|attribute| attribute.key == wanted)
    });
    let targets = Signal::derive(move || {
        let name = |value: &NewValue| value.names.or_key(text::language(), &value.key).to_owned();
        values.with(|values| values.iter().map(|value| (value.key.clone(), name(value))).collect::<Vec<_>>())
    });
    Effect::new(move |_| {
        let ready = !key.with(|key| key.trim().is_empty()) && values.with(|values| values.len() >= 2);
        let made = SchemaChange::AddAttribute {
            key: key.get().trim().to_owned(),
            names: names(&name.get()),
            values: values.get(),
            from: from.get().and_then(|attribute| answers_of(attribute.key, &map.get())),
            ask: ask.get(),
        };
        change.set(ready.then_some(made));
    });
    view! {
        <p>{t!("Annotators answer it beside the others from now on.")}</p>
        <div class="columns columns-even">
            <Text id="attribute-key" label=t!("Key") hint=text::translate(KEY_HINT) value=key/>
            <Text id="attribute-name" label=t!("Name") hint=t!("What people read; the key if empty.") value=name/>
        </div>
        <Lines id="attribute-values" label=t!("Values") value=lines/>
        <label class="check">
            <input type="checkbox" prop:checked=move || ask.get() on:change:target=move |event| ask.set(event.target().checked())/>
            <span>{t!("Give photos that are done back to those who answered them, for this answer")}</span>
        </label>
        <Field id="attribute-source" label=t!("First labels from") hint=t!("To split an attribute: say what its answers mean for the new one.")>
            <select
                class="select" id="attribute-source" aria-describedby=described_by("attribute-source")
                on:change:target=move |event| source.set(event.target().value())
            >
                <option value="">{t!("none")}</option>
                {sources.into_iter().map(|attribute| {
                    let name = text::attribute_name(&attribute, text::language());
                    view! { <option value=attribute.key>{name}</option> }
                }).collect_view()}
            </select>
        </Field>
        {move || from.get().map(|attribute| view! { <AnswerFields attribute targets map/> })}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key_with_a_name() {
        let values = parse_values("smooth\n\n curly = Lockig \nwire=", "de");
        let expected = [("smooth", None), ("curly", Some("Lockig")), ("wire", None)];
        assert_eq!(values.len(), 3);
        for (value, (key, name)) in values.iter().zip(expected) {
            assert_eq!((value.key.as_str(), value.names.own("de")), (key, name));
        }
    }
}
