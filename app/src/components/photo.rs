//! Photos.

use kenami_domain::view::photo::PhotoCard;
use leptos::prelude::*;

/// Which picture of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// 256 pixels on the long side.
    #[default]
    Thumbnail,
    /// At most 1,600 pixels on the long side.
    Web,
    /// The file as it was imported.
    Original,
}

/// The address of a photo's picture.
pub fn media_url(project_key: &str, photo_id: i64, variant: Variant) -> String {
    let variant = match variant {
        Variant::Thumbnail => "thumbnail",
        Variant::Web => "web",
        Variant::Original => "original",
    };
    format!("/media/{project_key}/{photo_id}/{variant}")
}

/// A photo's picture. It keeps its shape while it loads; the class decides its size.
#[component]
pub fn PhotoImage(
    /// The project's key.
    #[prop(into)]
    project_key: String,
    /// The photo.
    photo: PhotoCard,
    /// Which picture.
    #[prop(optional)]
    variant: Variant,
    /// CSS class.
    #[prop(optional, into)]
    class: Option<String>,
    /// What it shows; its file name if nothing is given.
    #[prop(optional, into)]
    alt: Option<String>,
    /// Loads at once instead of when it comes near the window.
    #[prop(optional)]
    eager: bool,
) -> impl IntoView {
    view! {
        <img
            class=class.unwrap_or_else(|| "photo".to_owned())
            src=media_url(&project_key, photo.id, variant)
            alt=alt.unwrap_or_else(|| photo.name.clone())
            width=photo.width.to_string()
            height=photo.height.to_string()
            loading=if eager { "eager" } else { "lazy" }
            decoding="async"
        />
    }
}

/// A photo in a grid, with its name below. Give children to say more.
#[component]
pub fn PhotoTile(
    /// The project's key.
    #[prop(into)]
    project_key: String,
    /// The photo.
    photo: PhotoCard,
    /// What else to say.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let name = photo.name.clone();
    view! {
        <figure class="tile">
            <PhotoImage project_key photo class="tile-photo"/>
            <figcaption>
                <span class="tile-name" title=name.clone()>{name.clone()}</span>
                {children.map(|children| children())}
            </figcaption>
        </figure>
    }
}
