//! What an attribute and its values are called, in each language.

use std::collections::BTreeMap;

use kenami_domain::{
    schema::{Attribute, Texts},
    view::schema_change::{Renamed, SchemaChange},
};
use leptos::prelude::*;

use crate::{
    components::page::Table,
    pages::guidelines::{own_text, set_text},
    text::Language,
};

/// Other names for an attribute and all of its values, or for one value.
#[component]
pub fn Rename(
    /// The attribute.
    attribute: Attribute,
    /// The value, where only one is named.
    only: Option<String>,
    /// The change.
    change: RwSignal<Option<SchemaChange>>,
) -> impl IntoView {
    let key = attribute.key.clone();
    let own = only.is_none().then(|| RwSignal::new(attribute.names.clone()));
    let named = attribute.values.iter().filter(|value| only.as_ref().is_none_or(|only| *only == value.key));
    let values: Vec<(String, RwSignal<Texts>)> =
        named.map(|value| (value.key.clone(), RwSignal::new(value.names.clone()))).collect();
    let rows = own.iter().map(|own| (key.clone(), *own)).chain(values.clone());
    let rows = rows.map(|(key, names)| view! { <NameRow key names/> }).collect_view();
    Effect::new(move |_| change.set(renaming(&attribute, own.map(|own| own.get()), &values)));
    view! {
        <p>{t!("Keys never change and labels stay with them. Where a name is missing, another language's stands in.")}</p>
        <div class="schema-names">
            <Table caption=t!("Names")>
                <thead><tr>
                    <th scope="col">{t!("Key")}</th>
                    {Language::ALL.map(|language| view! { <th scope="col" lang=language.code()>{language.own_name()}</th> })}
                </tr></thead>
                <tbody>{rows}</tbody>
            </Table>
        </div>
    }
}

/// The change to what is typed; none where all is called as before.
fn renaming(attribute: &Attribute, own: Option<Texts>, values: &[(String, RwSignal<Texts>)]) -> Option<SchemaChange> {
    let names = own.filter(|names| *names != attribute.names);
    // All are read, so that each is followed.
    let typed = values.iter().map(|(key, names)| (key.clone(), names.get()));
    let known = |key: &str| attribute.value(key).map(|value| value.names.clone()).unwrap_or_default();
    let values: BTreeMap<String, Texts> = typed.filter(|(key, names)| *names != known(key)).collect();
    let attribute = attribute.key.clone();
    (names.is_some() || !values.is_empty()).then_some(SchemaChange::Rename { attribute, names, values })
}

#[component]
fn NameRow(
    /// What is named.
    key: String,
    /// Its names.
    names: RwSignal<Texts>,
) -> impl IntoView {
    let cells = Language::ALL.map(|language| {
        let label = t!("Name of {key} in {language}", key = key, language = language.own_name());
        view! {
            <td>
                <input
                    class="input" maxlength="100" autocomplete="off" lang=language.code() aria-label=label
                    prop:value=move || names.with(|names| own_text(names, language))
                    on:input:target=move |event| names.update(|names| set_text(names, language, event.target().value()))
                />
            </td>
        }
    });
    view! { <tr><th scope="row"><code>{key}</code></th>{cells}</tr> }
}

/// What is called something else, with what carries the name.
pub fn renamed_line(one: &Renamed) -> String {
    let languages: std::collections::BTreeSet<&str> =
        one.from.0.keys().chain(one.to.0.keys()).map(String::as_str).collect();
    let name = |texts: &Texts, language: &str| texts.own(language).unwrap_or(t!("no name")).to_owned();
    let changed = languages.into_iter().filter(|language| one.from.own(language) != one.to.own(language));
    let names: Vec<String> =
        changed.map(|language| format!("{} → {}", name(&one.from, language), name(&one.to, language))).collect();
    let names = names.join(t!(", "));
    match (one.labels, one.photos) {
        (0, 0) => names,
        (labels, 0) => {
            n!(
                labels,
                "{names}: {count} label stays as it is",
                "{names}: {count} labels stay as they are",
                names = names
            )
        }
        (_, photos) => {
            n!(
                photos,
                "{names}: {count} photo stays as it is",
                "{names}: {count} photos stay as they are",
                names = names
            )
        }
    }
}

/// A change of names in words, by keys.
pub fn rename_words(attribute: &str, renamed: &[Renamed]) -> String {
    let values: Vec<String> = renamed.iter().filter_map(|one| one.value.clone()).collect();
    let both = values.len() < renamed.len();
    match (values.is_empty(), values.join(t!(", "))) {
        (true, _) => t!("Renamed the attribute {key}", key = attribute),
        (false, values) if both => {
            t!("Renamed the attribute {key}, and of its values {values}", key = attribute, values = values)
        }
        (false, values) => t!("{attribute}: renamed {values}", attribute = attribute, values = values),
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::schema::{AttributeKind, AttributeValue};

    use super::*;

    #[test]
    fn only_what_is_called_something_else_is_changed() {
        let owner = Owner::new();
        owner.set();
        let value = |key: &str| AttributeValue { key: key.to_owned(), names: Texts::en(key), retired: false };
        let attribute = Attribute {
            key: "ear".to_owned(),
            names: Texts::en("Ear"),
            kind: AttributeKind::Annotated,
            values: vec![value("drop"), value("erect")],
        };
        let typed = |drop: &str| {
            [("drop", drop), ("erect", "erect")].map(|(key, name)| (key.to_owned(), RwSignal::new(Texts::en(name))))
        };
        assert_eq!(renaming(&attribute, Some(Texts::en("Ear")), &typed("drop")), None);
        let change = renaming(&attribute, None, &typed("hanging"));
        let values = BTreeMap::from([("drop".to_owned(), Texts::en("hanging"))]);
        assert_eq!(change, Some(SchemaChange::Rename { attribute: "ear".to_owned(), names: None, values }));
    }

    #[test]
    fn a_name_that_changes_is_said_with_the_one_before() {
        let both =
            |en: &str| Texts(BTreeMap::from([("en".to_owned(), en.to_owned()), ("ja".to_owned(), "耳".to_owned())]));
        let mut one = Renamed { value: None, from: both("Ear"), to: both("Ears"), labels: 2, photos: 0 };
        assert_eq!(renamed_line(&one), "Ear → Ears: 2 labels stay as they are");
        assert_eq!(rename_words("ear", std::slice::from_ref(&one)), "Renamed the attribute ear");
        one.to = Texts::en("Ears");
        assert_eq!(renamed_line(&one), "Ear → Ears, 耳 → no name: 2 labels stay as they are");
        let value = Renamed { value: Some("drop".to_owned()), labels: 0, ..one.clone() };
        assert_eq!(rename_words("ear", std::slice::from_ref(&value)), "ear: renamed drop");
        assert_eq!(rename_words("ear", &[one, value]), "Renamed the attribute ear, and of its values drop");
    }
}
