//! Secrets that are shown once.

use leptos::{prelude::*, task::spawn_local};

use super::{
    alert::{Alert, Tone},
    button::Button,
    toast::use_toasts,
};

/// A link or token that nobody can read again later, with a button that copies it.
#[component]
pub fn SecretOnce(
    /// The secret's address or text, as it is to be passed on.
    #[prop(into)]
    secret: String,
    /// What it is for and how long it lives.
    #[prop(into)]
    note: String,
) -> impl IntoView {
    let toasts = use_toasts();
    let value = secret.clone();
    let copy = move |_| {
        let value = value.clone();
        spawn_local(async move {
            // Browsers offer the clipboard in secure contexts only (https, or this machine).
            let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into()).ok();
            let written = match clipboard.filter(|c| c.is_object()) {
                Some(_) => wasm_bindgen_futures::JsFuture::from(window().navigator().clipboard().write_text(&value))
                    .await
                    .is_ok(),
                None => false,
            };
            if written {
                toasts.good(t!("Copied."))
            } else {
                toasts.bad(t!("The browser does not allow copying here: select the text instead."))
            }
        });
    };
    view! {
        <Alert tone=Tone::Good>
            <p>{note}</p>
            <div class="secret">
                <input class="input secret-text" readonly aria-label=t!("The link") value=secret on:focus=select_all/>
                <Button on:click=copy>{t!("Copy")}</Button>
            </div>
            <p class="quiet">{t!("It is shown this once.")}</p>
        </Alert>
    }
}

/// Selects all of the field that comes into focus.
fn select_all(event: web_sys::FocusEvent) {
    event_target::<web_sys::HtmlInputElement>(&event).select();
}

/// The address of this server, for links that are passed on: `https://kenami.example`. Browser only.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}
