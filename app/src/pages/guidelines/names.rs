//! What the attribute and its values are called, in each language.

use std::collections::BTreeMap;

use kenami_domain::{
    schema::{Attribute, Texts},
    view::guidelines::NamesEdit,
};
use leptos::{prelude::*, task::spawn_local};

use super::draft::{own_text, set_text};
use crate::{
    api::{ApiError, guidelines::save_names},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        page::Table,
        toast::use_toasts,
    },
    text::Language,
};

/// The dialog in which a lead names an attribute and its values.
#[component]
pub fn NamesDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The project's key.
    project_key: String,
    /// The attribute.
    attribute: Attribute,
    /// Called when the names are saved.
    done: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let (error, busy) = (RwSignal::new(None::<ApiError>), RwSignal::new(false));
    let place = StoredValue::new((project_key, attribute.key.clone()));
    let own = RwSignal::new(attribute.names.clone());
    let values: Vec<(String, RwSignal<Texts>)> =
        attribute.values.iter().map(|value| (value.key.clone(), RwSignal::new(value.names.clone()))).collect();
    let rows = StoredValue::new(values);
    let save = move |_| {
        let values: BTreeMap<String, Texts> =
            rows.with_value(|rows| rows.iter().map(|(key, names)| (key.clone(), names.get_untracked())).collect());
        let edit = NamesEdit { attribute: own.get_untracked(), values };
        let (key, attribute) = place.get_value();
        busy.set(true);
        spawn_local(async move {
            let saved = save_names(key, attribute, edit).await;
            busy.set(false);
            match saved {
                Ok(()) => {
                    open.set(false);
                    toasts.good(t!("Saved."));
                    done.run(());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    view! {
        <Dialog open title=t!("Names") wide=true>
            <ErrorAlert error/>
            <p class="quiet">{t!("Keys never change and labels stay with them. Where a name is missing, another language's stands in.")}</p>
            <Table caption=t!("Names")>
                <thead><tr>
                    <th scope="col">{t!("Key")}</th>
                    {Language::ALL.map(|language| view! { <th scope="col" lang=language.code()>{language.own_name()}</th> })}
                </tr></thead>
                <tbody>
                    <NameRow key=place.with_value(|(_, key)| key.clone()) names=own/>
                    {rows.get_value().into_iter().map(|(key, names)| view! { <NameRow key names/> }).collect_view()}
                </tbody>
            </Table>
            <div class="dialog-actions">
                <Button on:click=move |_| open.set(false)>{t!("Cancel")}</Button>
                <Button weight=Weight::Primary busy on:click=save>{t!("Save")}</Button>
            </div>
        </Dialog>
    }
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
