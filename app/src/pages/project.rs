//! A project's frame: its name, its navigation, the page.

use kenami_domain::{roles::Role, view::project::Project};
use leptos::{either::Either, html, prelude::*, wasm_bindgen::JsCast};
use leptos_router::{
    components::{A, Outlet},
    hooks::{use_location, use_params_map},
};

use crate::api::{ApiError, projects};

/// The project that the address names, for every page below it.
#[derive(Clone, Copy)]
pub struct CurrentProject {
    /// Its key in the address.
    pub key: Memo<String>,
    /// The project.
    pub resource: Resource<Result<Project, ApiError>>,
}

/// The project that the address names.
pub fn use_project() -> CurrentProject {
    expect_context()
}

/// The navigation of a project and the page below it.
#[component]
pub fn ProjectShell() -> impl IntoView {
    let params = use_params_map();
    let key = Memo::new(move |_| params.with(|params| params.get("key").unwrap_or_default()));
    let resource = Resource::new(move || key.get(), projects::read_project);
    provide_context(CurrentProject { key, resource });
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match resource.await {
                    Ok(project) => Either::Left(view! { <ProjectNav project/> }),
                    // The page below says what is wrong.
                    Err(_) => Either::Right(()),
                }
            })}
        </Transition>
        <main id="main" class="page" tabindex="-1"><Outlet/></main>
    }
}

/// The pages of a project that `role` may use: path and name.
fn links(role: Role) -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("", mark!("Overview"), Role::Annotator),
        ("/progress", mark!("Progress"), Role::Lead),
        ("/annotate", mark!("Annotate"), Role::Annotator),
        ("/grid", mark!("Grid"), Role::Annotator),
        ("/guidelines", mark!("Guidelines"), Role::Annotator),
        ("/report", mark!("My report"), Role::Annotator),
        ("/disagreements", mark!("Disagreements"), Role::Reviewer),
        ("/agreement", mark!("Agreement"), Role::Reviewer),
        ("/gold", mark!("Gold"), Role::Lead),
        ("/annotators", mark!("Annotators"), Role::Lead),
        ("/datasets", mark!("Datasets"), Role::Reviewer),
        ("/runs", mark!("Runs"), Role::Reviewer),
        ("/import", mark!("Import"), Role::Lead),
        ("/suggestions", mark!("Suggestions"), Role::Lead),
        ("/members", mark!("Members"), Role::Lead),
        ("/settings", mark!("Settings"), Role::Lead),
    ]
    .into_iter()
    // Leads have everybody's reports, and little room.
    .filter(move |(path, _, needed)| role >= *needed && (role < Role::Lead || *path != "/report"))
    .map(|(path, name, _)| (path, name))
}

#[component]
fn ProjectNav(
    /// The project.
    project: Project,
) -> impl IntoView {
    let links = links(project.role)
        .map(|(path, name)| {
            let href = format!("/p/{}{path}", project.key);
            view! { <li><A href=href exact=path.is_empty()>{crate::text::translate(name)}</A></li> }
        })
        .collect_view();
    let list = NodeRef::<html::Ul>::new();
    let location = use_location();
    // Where the window is narrow the list scrolls: the page that shows must not be outside of it.
    Effect::new(move |_| {
        location.pathname.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || show_current(&list));
        }
    });
    view! {
        <nav class="project-nav" aria-label=t!("Project {name}", name = project.name)>
            <a class="project-name" href=format!("/p/{}", project.key) title=project.name.clone()>{project.name.clone()}</a>
            <ul node_ref=list>{links}</ul>
        </nav>
    }
}

/// Scrolls a list sideways so that the link to the page that shows is in sight.
fn show_current(list: &web_sys::HtmlUListElement) {
    let current = list.query_selector("[aria-current=page]").ok().flatten();
    if let Some(current) = current.and_then(|current| current.dyn_into::<web_sys::HtmlElement>().ok()) {
        let middle = current.offset_left() - list.offset_left() + current.offset_width() / 2;
        list.set_scroll_left(middle - list.client_width() / 2);
    }
}
