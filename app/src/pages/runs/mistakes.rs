//! Photos behind a cell of a confusion matrix.

use kenami_domain::{dataset::Split, schema::Attribute, view::run::Mistake};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{ApiError, runs},
    components::{
        alert::{ErrorView, Loading},
        button::Button,
        dialog::Dialog,
        photo::PhotoTile,
    },
    text,
};

/// A cell of a confusion matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Attribute key of the head.
    pub head: String,
    /// What the photos are.
    pub answer: String,
    /// What the model says.
    pub predicted: String,
    /// The split.
    pub split: Split,
}

/// What has been fetched of a cell.
#[derive(Debug, Clone, Default)]
struct Fetched {
    photos: Vec<Mistake>,
    next: Option<i64>,
    error: Option<ApiError>,
    busy: bool,
}

/// Shows the photos of a cell while one is chosen.
#[component]
pub fn MistakesDialog(
    /// The chosen cell.
    cell: RwSignal<Option<Cell>>,
    /// The project's key.
    key: String,
    /// The run.
    run_id: i64,
    /// The project's attributes, for names.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let fetched = RwSignal::new(Fetched::default());
    let (key, attributes) = (StoredValue::new(key), StoredValue::new(attributes));
    let fetch = move |of: Cell, cursor: Option<i64>| {
        fetched.update(|fetched| fetched.busy = true);
        spawn_local(async move {
            let asked = of.clone();
            let page =
                runs::mistakes(key.get_value(), run_id, of.head, of.answer, of.predicted, Some(of.split), cursor).await;
            // Somebody may have chosen another cell meanwhile.
            if cell.try_get_untracked().flatten() != Some(asked) {
                return;
            }
            fetched.try_update(|fetched| {
                fetched.busy = false;
                match page {
                    Ok(page) => {
                        fetched.photos.extend(page.items);
                        fetched.next = page.next_cursor;
                    }
                    Err(error) => fetched.error = Some(error),
                }
            });
        });
    };
    Effect::new(move |_| {
        if let Some(of) = cell.get() {
            fetched.set(Fetched::default());
            open.set(true);
            fetch(of, None);
        }
    });
    Effect::new(move |_| {
        if !open.get() {
            cell.set(None);
        }
    });
    let title = move || {
        cell.get().map(|cell| {
            let name = |value: &str| {
                attributes.with_value(|attributes| {
                    attributes
                        .iter()
                        .find(|attribute| attribute.key == cell.head)
                        .map_or_else(|| value.to_owned(), |a| text::value_name(a, value, text::language()))
                })
            };
            t!(
                "{answer} taken for {predicted}, {split}",
                answer = name(&cell.answer),
                predicted = name(&cell.predicted),
                split = text::split_name(cell.split)
            )
        })
    };
    let more = move |_| {
        let next = fetched.with_untracked(|fetched| fetched.next);
        if let (Some(of), Some(cursor)) = (cell.get_untracked(), next) {
            fetch(of, Some(cursor));
        }
    };
    view! {
        <Dialog open title=t!("Photos") wide=true>
            <h3>{title}</h3>
            {move || {
                let now = fetched.get();
                let key = key.get_value();
                let empty = now.photos.is_empty();
                view! {
                    <div class="grid-photos">
                        {now.photos.into_iter().map(|mistake| view! {
                            <PhotoTile project_key=key.clone() photo=mistake.photo>
                                <span class="numeric">{text::percent(mistake.probability, 0)}</span>
                            </PhotoTile>
                        }).collect_view()}
                    </div>
                    {(empty && now.busy).then(|| view! { <Loading what=t!("photos")/> })}
                    {(empty && !now.busy && now.error.is_none()).then(|| view! { <p class="quiet">{t!("No photos are stored for this pair.")}</p> })}
                    {now.error.map(|error| view! { <ErrorView error/> })}
                    {now.next.map(|_| view! { <div class="row"><Button busy=now.busy on:click=more>{t!("More")}</Button></div> })}
                }
            }}
        </Dialog>
    }
}
