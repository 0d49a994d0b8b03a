//! A dialog in which a photo of the project is found and chosen.

use kenami_domain::view::{Page, photo::PhotoCard};
use leptos::prelude::*;

use crate::{
    api::{ApiError, photos::photos},
    components::{
        alert::{EmptyState, ErrorView, Loading},
        dialog::Dialog,
        field::Field,
        page::Pager,
        photo::PhotoImage,
    },
};

/// Searches the project's photos by name and gives the chosen one to `pick`.
#[component]
pub fn PhotoPicker(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The project's key.
    project_key: String,
    /// Its title.
    title: String,
    /// Gets the photo.
    pick: Callback<PhotoCard>,
) -> impl IntoView {
    view! {
        <Dialog open title wide=true>
            <Search project_key=project_key.clone() pick/>
        </Dialog>
    }
}

#[component]
fn Search(
    /// The project's key.
    project_key: String,
    /// Gets the photo.
    pick: Callback<PhotoCard>,
) -> impl IntoView {
    let words = RwSignal::new(String::new());
    let cursor = RwSignal::new(None::<i64>);
    let key = StoredValue::new(project_key);
    // Made only in the browser, when the dialog opens.
    let found = LocalResource::new(move || {
        let name = Some(words.get()).filter(|words| !words.trim().is_empty());
        photos(key.get_value(), cursor.get(), name, None, None)
    });
    let next = Signal::derive(move || found.get().and_then(Result::ok).and_then(|page| page.next_cursor));
    // A search per key stroke would be many: the last one within a moment counts.
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let search = move |typed: String| {
        if let Some(handle) = waiting.get_value() {
            handle.clear();
        }
        let handle = set_timeout_with_handle(
            move || {
                cursor.set(None);
                words.set(typed.clone());
            },
            std::time::Duration::from_millis(250),
        );
        waiting.set_value(handle.ok());
    };
    view! {
        <Field id="picker-search" label=t!("File name contains")>
            <input class="input" id="picker-search" type="search" autofocus on:input:target=move |event| search(event.target().value())/>
        </Field>
        <Transition fallback=|| view! { <Loading what=t!("photos")/> }>
            {move || found.get().map(|found| results(&key.get_value(), found, pick))}
        </Transition>
        <Pager cursor next/>
    }
}

fn results(project_key: &str, found: Result<Page<PhotoCard>, ApiError>, pick: Callback<PhotoCard>) -> AnyView {
    match found {
        Err(error) => view! { <ErrorView error/> }.into_any(),
        Ok(page) if page.items.is_empty() => view! { <EmptyState title=t!("No photo has such a name")/> }.into_any(),
        Ok(page) => {
            let tiles = page
                .items
                .into_iter()
                .map(|photo| {
                    let name = photo.name.clone();
                    let chosen = photo.clone();
                    view! {
                        <button type="button" class="example" on:click=move |_| pick.run(chosen.clone())>
                            <PhotoImage project_key=project_key.to_owned() photo class="tile-photo" alt=""/>
                            <span class="tile-name">{name}</span>
                        </button>
                    }
                })
                .collect_view();
            view! { <div class="grid-photos picker-grid">{tiles}</div> }.into_any()
        }
    }
}
