//! An attribute with its values and what may be done with them.

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE, UNSURE},
    schema::AttributeValue,
    view::schema_change::{SchemaAttribute, SchemaChange},
};
use leptos::prelude::*;

use super::{Form, Ways};
use crate::{
    components::{
        button::{Button, Weight},
        page::Table,
    },
    text,
};

/// An attribute that annotators answer.
#[component]
pub fn AttributeCard(
    /// The attribute.
    one: SchemaAttribute,
    /// All attributes that are asked for, in order.
    order: Vec<String>,
    /// What can be done.
    ways: Ways,
) -> impl IntoView {
    let language = text::language();
    let attribute = StoredValue::new(one.attribute.clone());
    let name = text::attribute_name(&one.attribute, language);
    let labels: i64 = one.labels.values().sum();
    let offered: Vec<String> =
        one.attribute.values.iter().filter(|value| !value.retired).map(|value| value.key.clone()).collect();
    let retired = one.retired;
    let ask = move |form: Form| ways.ask.run(form);
    let rows = one.attribute.values.clone().into_iter().map(|value| {
        let labels = one.labels.get(&value.key).copied().unwrap_or_default();
        view! { <ValueRow attribute value labels order=offered.clone() locked=retired ways/> }
    });
    let rows = rows.collect_view();
    let others = [(NOT_VISIBLE, Answer::NotVisible), (UNSURE, Answer::Unsure)].map(|(key, answer)| {
        let labels = one.labels.get(key).copied().unwrap_or_default();
        let name = text::answer_name(&one.attribute, &answer, language);
        view! { <tr class="quiet"><td>{name}</td><td></td><td class="numeric">{text::number(labels)}</td><td></td></tr> }
    });
    let title = name.clone();
    view! {
        <section class="card" class:schema-retired=retired>
            <div class="schema-head">
                <h2>{name.clone()}" "<code class="quiet">{one.attribute.key.clone()}</code></h2>
                {retired.then(|| view! { <span class="badge">{t!("retired")}</span> })}
                <span class="quiet">{n!(labels, "{count} label", "{count} labels")}</span>
                {if retired {
                    let label = t!("Restore {name}", name = name);
                    view! {
                        <div class="row">
                            <Button attr:aria-label=label on:click=move |_| ask(Form::RestoreAttribute(attribute.get_value()))>{t!("Restore")}</Button>
                        </div>
                    }.into_any()
                } else {
                    let labels = [
                        t!("Rename {name}…", name = name),
                        t!("Merge {name} into another attribute…", name = name),
                        t!("Retire {name}…", name = name),
                    ];
                    let [rename, merge, retire] = labels;
                    let key = one.attribute.key.clone();
                    view! {
                        <div class="row">
                            <Place keys=order own=key name ways wrap=Callback::new(|attributes| SchemaChange::OrderAttributes { attributes })/>
                            <Button weight=Weight::Quiet attr:aria-label=rename on:click=move |_| ask(Form::Rename(attribute.get_value(), None))>{t!("Rename")}</Button>
                            <Button weight=Weight::Quiet attr:aria-label=merge on:click=move |_| ask(Form::MergeAttribute(attribute.get_value()))>{t!("Merge")}</Button>
                            <Button weight=Weight::Quiet attr:aria-label=retire on:click=move |_| ask(Form::RetireAttribute(attribute.get_value()))>{t!("Retire")}</Button>
                        </div>
                    }.into_any()
                }}
            </div>
            <Table caption=t!("Values of {name}", name = title)>
                <thead><tr>
                    <th scope="col">{t!("Value")}</th><th scope="col">{t!("Key")}</th>
                    <th scope="col" class="numeric">{t!("Labels")}</th>
                    <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                </tr></thead>
                <tbody>{rows}{others.collect_view()}</tbody>
            </Table>
            {(!retired).then(|| {
                let label = t!("Add a value to {name}", name = title);
                view! {
                    <div class="row">
                        <Button attr:aria-label=label on:click=move |_| ask(Form::AddValue(attribute.get_value()))>{t!("Add a value")}</Button>
                    </div>
                }
            })}
        </section>
    }
}

#[component]
fn ValueRow(
    /// Its attribute.
    attribute: StoredValue<kenami_domain::schema::Attribute>,
    /// The value.
    value: AttributeValue,
    /// Its labels.
    labels: i64,
    /// All values that are offered, in order.
    order: Vec<String>,
    /// The attribute is retired: nothing can be done.
    locked: bool,
    /// What can be done.
    ways: Ways,
) -> impl IntoView {
    let name = value.names.or_key(text::language(), &value.key).to_owned();
    let key = StoredValue::new(value.key.clone());
    let ask = move |form: fn(kenami_domain::schema::Attribute, String) -> Form| {
        ways.ask.run(form(attribute.get_value(), key.get_value()));
    };
    let actions = if locked {
        ().into_any()
    } else if value.retired {
        let label = t!("Restore {name}", name = name);
        view! { <Button weight=Weight::Quiet attr:aria-label=label on:click=move |_| ask(Form::RestoreValue)>{t!("Restore")}</Button> }.into_any()
    } else {
        let rename = t!("Rename {name}…", name = name);
        let merge = t!("Merge {name} into another value…", name = name);
        let split = t!("Split {name}…", name = name);
        let retire = t!("Retire {name}…", name = name);
        let wrap = Callback::new(move |values| SchemaChange::OrderValues {
            attribute: attribute.with_value(|attribute| attribute.key.clone()),
            values,
        });
        let own = value.key.clone();
        view! {
            <div class="row schema-actions">
                <Place keys=order own name=name.clone() ways wrap/>
                <Button weight=Weight::Quiet attr:aria-label=rename on:click=move |_| ask(|attribute, value| Form::Rename(attribute, Some(value)))>{t!("Rename")}</Button>
                <Button weight=Weight::Quiet attr:aria-label=merge on:click=move |_| ask(Form::MergeValue)>{t!("Merge")}</Button>
                <Button weight=Weight::Quiet attr:aria-label=split on:click=move |_| ask(Form::SplitValue)>{t!("Split")}</Button>
                <Button weight=Weight::Quiet attr:aria-label=retire on:click=move |_| ask(Form::RetireValue)>{t!("Retire")}</Button>
            </div>
        }
        .into_any()
    };
    view! {
        <tr class:retired=value.retired>
            <th scope="row">{name}{value.retired.then(|| view! { " "<span class="badge">{t!("retired")}</span> })}</th>
            <td><code>{value.key}</code></td>
            <td class="numeric">{text::number(labels)}</td>
            <td class="end">{actions}</td>
        </tr>
    }
}

/// Moves one of several up or down.
#[component]
pub fn Place(
    /// All, in order.
    keys: Vec<String>,
    /// The one.
    own: String,
    /// What it is called.
    name: String,
    /// What can be done.
    ways: Ways,
    /// Makes a change of an order.
    wrap: Callback<Vec<String>, SchemaChange>,
) -> impl IntoView {
    let place = keys.iter().position(|key| *key == own);
    let (first, last) = (place == Some(0), place == keys.len().checked_sub(1));
    let keys = StoredValue::new(keys);
    let shift = move |by: isize| {
        let mut order = keys.get_value();
        if let Some(place) = place
            && let Some(other) = place.checked_add_signed(by).filter(|other| *other < order.len())
        {
            order.swap(place, other);
            ways.make.run(wrap.run(order));
        }
    };
    let (up, down) = (t!("Move {name} up", name = name), t!("Move {name} down", name = name));
    view! {
        <span class="schema-place">
            <Button weight=Weight::Quiet disabled=first attr:aria-label=up on:click=move |_| shift(-1)>"↑"</Button>
            <Button weight=Weight::Quiet disabled=last attr:aria-label=down on:click=move |_| shift(1)>"↓"</Button>
        </span>
    }
}
