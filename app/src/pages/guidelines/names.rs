//! What the attribute and its values are called: a change like those of the page for attributes, where it can be undone.

use kenami_domain::schema::Attribute;
use leptos::prelude::*;

use crate::{
    components::dialog::Dialog,
    pages::schema::{ChangeForm, Form},
};

/// The dialog in which a lead names an attribute and its values.
#[component]
pub fn NamesDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The attribute.
    attribute: Attribute,
    /// Called when the names are changed.
    done: Callback<()>,
) -> impl IntoView {
    let attribute = StoredValue::new(attribute);
    view! {
        <Dialog open title=t!("Names") wide=true>
            <ChangeForm open form=Form::Rename(attribute.get_value(), None) all=Signal::stored(Vec::new()) done/>
        </Dialog>
    }
}
