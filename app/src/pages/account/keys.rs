//! One's own keys on the pages on which photos are answered.

use kenami_domain::keys::{self, Action, Chosen, Layout, Page, Refusal};
use leptos::{ev, prelude::*, task::spawn_local};

use crate::{
    api::people::{my_preferences, save_keys},
    components::{
        alert::{Alert, Tone},
        keys::{action_name, refusal, shown},
        loaded::loaded,
        page::Table,
    },
};

/// An action of a page.
type Place = (Page, &'static str);

/// What the parts of the section share.
#[derive(Clone, Copy)]
struct Choice {
    chosen: RwSignal<Chosen>,
    /// Whose new key is waited for.
    listening: RwSignal<Option<Place>>,
    /// What was refused, and why.
    refused: RwSignal<Option<(Place, String)>>,
}

impl Choice {
    /// Takes keys over, and back if the server does not keep them.
    fn save(self, place: Place, keys: Chosen) {
        let before = self.chosen.get_untracked();
        self.refused.set(None);
        self.chosen.set(keys.clone());
        spawn_local(async move {
            if let Err(error) = save_keys(keys).await {
                self.chosen.try_set(before);
                self.refused.try_set(Some((place, error.to_string())));
            }
        });
    }

    /// A key was pressed while the action waits for one.
    fn press(self, place: Place, event: &ev::KeyboardEvent) {
        let key = event.key();
        if matches!(key.as_str(), "Shift" | "Control" | "Alt" | "AltGraph" | "Meta" | "CapsLock") {
            return;
        }
        self.listening.set(None);
        if key == "Escape" {
            return;
        }
        let modified = event.ctrl_key() || event.alt_key() || event.meta_key();
        if !modified && key != "Tab" {
            // Not also a press of the button.
            event.prevent_default();
        }
        let (page, id) = place;
        let asked =
            if modified { Err(Refusal::Modified) } else { keys::choose(page, id, &key, &self.chosen.get_untracked()) };
        match asked {
            Ok(keys) => self.save(place, keys),
            Err(reason) => self.refused.set(Some((place, refusal(page, &reason)))),
        }
    }

    /// Brings an action's own keys back, if nothing else has them by now.
    fn reset(self, place: Place) {
        let (page, id) = place;
        let mut keys = self.chosen.get_untracked();
        keys.remove(&page.full_id(id));
        match keys::check(&keys) {
            Ok(()) => self.save(place, keys),
            Err(reason) => self.refused.set(Some((place, refusal(page, &reason)))),
        }
    }
}

/// The keys, each with a way to choose another.
#[component]
pub fn Keys() -> impl IntoView {
    let kept = Resource::new(|| (), |()| my_preferences());
    view! {
        <section class="stack" id="keys">
            <h2>{t!("Keys")}</h2>
            <p class="quiet">
                {t!("For the pages on which photos are answered; they go with your account. Tab, Escape, the arrows, Space and ? mean the same everywhere.")}
            </p>
            {loaded(kept, |kept| view! { <Pages chosen=kept.keys/> })}
        </section>
    }
}

#[component]
fn Pages(
    /// What was chosen before.
    chosen: Chosen,
) -> impl IntoView {
    let choice = Choice { chosen: RwSignal::new(chosen), listening: RwSignal::new(None), refused: RwSignal::new(None) };
    let any = move || !choice.chosen.with(Chosen::is_empty);
    let tables = [(Page::Annotate, t!("One photo after the other")), (Page::Grid, t!("Grid"))].map(|(page, caption)| {
        let rows = page.actions().iter().map(|action| view! { <Row page action choice/> }).collect_view();
        view! {
            <Table caption>
                <thead><tr><th scope="col">{caption}</th><th scope="col">{t!("Keys")}</th><th scope="col"><span class="visually-hidden">{t!("Change")}</span></th></tr></thead>
                <tbody>{rows}</tbody>
            </Table>
        }
    });
    view! {
        <div role="status">
            {move || choice.refused.get().map(|((page, id), reason)| view! {
                <Alert tone=Tone::Bad>{t!("{action}: {reason}", action = action_name(page, id), reason = reason)}</Alert>
            })}
        </div>
        {tables.collect_view()}
        <div class="row">
            <button
                type="button" class="button" disabled=move || !any()
                on:click=move |_| choice.save((Page::Annotate, ""), Chosen::new())
            >
                {t!("Reset all keys")}
            </button>
        </div>
    }
}

#[component]
fn Row(
    /// The page.
    page: Page,
    /// What the key is for.
    action: &'static Action,
    /// All of them.
    choice: Choice,
) -> impl IntoView {
    let place = (page, action.id);
    let name = action_name(page, action.id);
    let now = Memo::new(move |_| choice.chosen.with(|chosen| Layout::new(page, chosen).keys_of(action.id).to_vec()));
    let changed = Memo::new(move |_| choice.chosen.with(|chosen| chosen.contains_key(&page.full_id(action.id))));
    let listening = Memo::new(move |_| choice.listening.get() == Some(place));
    let on_click = move |event: ev::MouseEvent| {
        // Safari gives a clicked button no focus, and without it the key would go elsewhere.
        let _ = event_target::<web_sys::HtmlElement>(&event).focus();
        choice.refused.set(None);
        choice.listening.set(Some(place));
    };
    let (of_change, of_reset) =
        (t!("Change the key of {name}", name = name), t!("Reset the key of {name}", name = name));
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td>{move || now.get().iter().map(|key| view! { <kbd>{shown(key)}</kbd>" " }).collect_view()}</td>
            <td class="end">
                {move || changed.get().then(|| view! {
                    <button type="button" class="button button-quiet" aria-label=of_reset.clone() on:click=move |_| choice.reset(place)>
                        {t!("Reset")}
                    </button>
                })}
                <button
                    type="button" class="button button-quiet"
                    aria-label=move || if listening.get() { None } else { Some(of_change.clone()) }
                    on:click=on_click
                    on:keydown=move |event| if listening.get_untracked() { choice.press(place, &event) }
                    on:blur=move |_| if listening.get_untracked() { choice.listening.set(None) }
                >
                    {move || if listening.get() { t!("Press the new key…") } else { t!("Change") }}
                </button>
            </td>
        </tr>
    }
}
