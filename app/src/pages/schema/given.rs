//! An attribute that comes with the photo: its values may be renamed and merged.

use kenami_domain::{
    schema::{Attribute, AttributeValue},
    view::schema_change::{SchemaAttribute, SchemaChange},
};
use leptos::prelude::*;

use super::{Form, Ways, cards::Place};
use crate::{
    components::{
        button::{Button, Weight},
        page::Table,
    },
    text,
};

/// An attribute that comes with the photo.
#[component]
pub fn GivenCard(
    /// The attribute.
    one: SchemaAttribute,
    /// All attributes that are asked for, in order.
    order: Vec<String>,
    /// What can be done.
    ways: Ways,
) -> impl IntoView {
    let name = text::attribute_name(&one.attribute, text::language());
    let values = one.attribute.values.iter().filter(|value| !value.retired).count() as i64;
    let rename = t!("Rename {name}…", name = name);
    let key = one.attribute.key.clone();
    let attribute = StoredValue::new(one.attribute.clone());
    let rows = one.attribute.values.into_iter().map(|value| {
        let photos = one.labels.get(&value.key).copied().unwrap_or_default();
        view! { <ValueRow attribute value photos ways/> }
    });
    let rows = rows.collect_view();
    let caption = t!("Values of {name}", name = name);
    view! {
        <section class="card">
            <div class="schema-head">
                <h2>{name.clone()}" "<code class="quiet">{key.clone()}</code></h2>
                <span class="quiet">{t!("given with the photo")}</span>
                <div class="row">
                    <Place keys=order own=key name ways wrap=Callback::new(|attributes| SchemaChange::OrderAttributes { attributes })/>
                    <Button weight=Weight::Quiet attr:aria-label=rename on:click=move |_| ways.ask.run(Form::Rename(attribute.get_value(), None))>{t!("Rename")}</Button>
                </div>
            </div>
            <details>
                <summary>{n!(values, "{count} value", "{count} values")}</summary>
                <Table caption>
                    <thead><tr>
                        <th scope="col">{t!("Value")}</th><th scope="col">{t!("Key")}</th>
                        <th scope="col" class="numeric">{t!("Photos")}</th>
                        <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </Table>
            </details>
        </section>
    }
}

#[component]
fn ValueRow(
    /// Its attribute.
    attribute: StoredValue<Attribute>,
    /// The value.
    value: AttributeValue,
    /// Photos that have it.
    photos: i64,
    /// What can be done.
    ways: Ways,
) -> impl IntoView {
    let name = value.names.or_key(text::language(), &value.key).to_owned();
    let key = StoredValue::new(value.key.clone());
    // A retired one has become another.
    let actions = (!value.retired).then(|| {
        let rename = t!("Rename {name}…", name = name);
        let merge = t!("Merge {name} into another value…", name = name);
        view! {
            <div class="row schema-actions">
                <Button weight=Weight::Quiet attr:aria-label=rename on:click=move |_| ways.ask.run(Form::Rename(attribute.get_value(), Some(key.get_value())))>{t!("Rename")}</Button>
                <Button weight=Weight::Quiet attr:aria-label=merge on:click=move |_| ways.ask.run(Form::MergeValue(attribute.get_value(), key.get_value()))>{t!("Merge")}</Button>
            </div>
        }
    });
    view! {
        <tr class:retired=value.retired>
            <th scope="row">{name}{value.retired.then(|| view! { " "<span class="badge">{t!("retired")}</span> })}</th>
            <td><code>{value.key}</code></td>
            <td class="numeric">{text::number(photos)}</td>
            <td class="end">{actions}</td>
        </tr>
    }
}
