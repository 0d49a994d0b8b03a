//! Shows what a resource brings, or why it could not.

use leptos::{either::Either, prelude::*};

use super::alert::{ErrorView, Loading};
use crate::api::ApiError;

/// Shows `render(data)` once `resource` is there, an [`ErrorView`] if it failed, and [`Loading`] before. While it loads
/// again, what was there stays.
///
/// Make no resources inside `render`: the server and the browser would number them differently.
pub fn loaded<T, V>(
    resource: Resource<Result<T, ApiError>>,
    render: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=|| view! { <Loading/> }>
            {move || {
                let render = render.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(data) => Either::Left(render(data)),
                        Err(error) => Either::Right(view! { <ErrorView error/> }),
                    }
                })
            }}
        </Transition>
    }
}

/// As [`loaded`], for two resources that are needed together.
pub fn loaded_both<A, B, V>(
    a: Resource<Result<A, ApiError>>,
    b: Resource<Result<B, ApiError>>,
    render: impl Fn(A, B) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    A: Clone + Send + Sync + 'static,
    B: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=|| view! { <Loading/> }>
            {move || {
                let render = render.clone();
                Suspend::new(async move {
                    match (a.await, b.await) {
                        (Ok(a), Ok(b)) => Either::Left(render(a, b)),
                        (Err(error), _) | (_, Err(error)) => Either::Right(view! { <ErrorView error/> }),
                    }
                })
            }}
        </Transition>
    }
}
