//! Kenami's pages: one source, rendered on the server and taken over by the browser.
//!
//! - [`app`]: the document and the routes.
//! - [`api`]: server functions, thin doors to the store.
//! - [`components`]: the parts that pages are made of.
//! - [`pages`]: one module a page.
//! - [`text`]: numbers, names and words as people read them.
//!
//! The feature `ssr` builds it into the server, `hydrate` into the browser package; never both.

#![recursion_limit = "512"]

// First: its macros are for all the others.
#[macro_use]
pub mod text;

pub mod api;
pub mod app;
pub mod components;
pub mod pages;

/// The browser package's entry point: takes over the page that the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
    // Tests and styles may wait for this: from now on buttons answer.
    if let Some(root) = leptos::prelude::document().document_element() {
        let _ = root.set_attribute("data-hydrated", "true");
    }
}
