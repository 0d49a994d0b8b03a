//! The document and the routes.

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Outlet, ParentRoute, Route, Router, Routes},
    path,
};

use crate::{
    api::people,
    components::{shell::SignedInShell, toast::provide_toasts},
    pages::{
        account::AccountPage,
        agreement::{AgreementPage, PairPage},
        annotate::AnnotatePage,
        annotators::{AnnotatorPage, AnnotatorsPage, MyReportPage},
        datasets::{DatasetPage, DatasetsPage},
        disagreements::DisagreementsPage,
        gold::GoldPage,
        grid::GridPage,
        guidelines::{GuidelinePage, GuidelinesPage},
        import::ImportPage,
        join::JoinPage,
        members::MembersPage,
        not_found::NotFoundPage,
        overview::OverviewPage,
        pay::{ExperimentPage, PayPage},
        progress::ProgressPage,
        project::ProjectShell,
        projects::ProjectsPage,
        quiz::QuizPage,
        rounds::RoundsPage,
        runs::{RunPage, RunsPage, errors::RunErrorsPage},
        schema::SchemaPage,
        settings::SettingsPage,
        sign_in::SignInPage,
        suggestions::SuggestionsPage,
        users::UsersPage,
    },
    text,
};

/// The HTML document around the app, for the server.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang=text::language()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href="/style/main.css"/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The app: the same on the server and in the browser.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_toasts();
    provide_context(SignedIn(Resource::new(|| (), |()| people::read_me())));

    // Pages wait for their data on the server: statuses and redirects are right, and they read without scripts.
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Kenami".to_owned() } else { format!("{title} – Kenami") }/>
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                <Route path=path!("/join/:secret") view=JoinPage ssr=SsrMode::Async/>
                <ParentRoute path=path!("") view=SignedInShell ssr=SsrMode::Async>
                    <Route path=path!("/") view=ProjectsPage ssr=SsrMode::Async/>
                    <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async/>
                    <Route path=path!("/admin/users") view=UsersPage ssr=SsrMode::Async/>
                    <ParentRoute path=path!("/p/:key") view=ProjectShell ssr=SsrMode::Async>
                        <Route path=path!("") view=OverviewPage ssr=SsrMode::Async/>
                        <Route path=path!("annotate") view=AnnotatePage ssr=SsrMode::Async/>
                        <Route path=path!("grid") view=GridPage ssr=SsrMode::Async/>
                        <Route path=path!("quiz") view=QuizPage ssr=SsrMode::Async/>
                        <Route path=path!("report") view=MyReportPage ssr=SsrMode::Async/>
                        <Route path=path!("gold") view=GoldPage ssr=SsrMode::Async/>
                        <Route path=path!("progress") view=ProgressPage ssr=SsrMode::Async/>
                        <ParentRoute path=path!("annotators") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=AnnotatorsPage ssr=SsrMode::Async/>
                            <Route path=path!(":id") view=AnnotatorPage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <Route path=path!("suggestions") view=SuggestionsPage ssr=SsrMode::Async/>
                        <ParentRoute path=path!("guidelines") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=GuidelinesPage ssr=SsrMode::Async/>
                            <Route path=path!(":attribute") view=GuidelinePage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <Route path=path!("disagreements") view=DisagreementsPage ssr=SsrMode::Async/>
                        <ParentRoute path=path!("agreement") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=AgreementPage ssr=SsrMode::Async/>
                            <Route path=path!(":attribute/:a/:b") view=PairPage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <ParentRoute path=path!("datasets") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=DatasetsPage ssr=SsrMode::Async/>
                            <Route path=path!(":name") view=DatasetPage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <ParentRoute path=path!("runs") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=RunsPage ssr=SsrMode::Async/>
                            <Route path=path!(":id") view=RunPage ssr=SsrMode::Async/>
                            <Route path=path!(":id/errors") view=RunErrorsPage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <Route path=path!("loop") view=RoundsPage ssr=SsrMode::Async/>
                        <ParentRoute path=path!("pay") view=Outlet ssr=SsrMode::Async>
                            <Route path=path!("") view=PayPage ssr=SsrMode::Async/>
                            <Route path=path!(":id") view=ExperimentPage ssr=SsrMode::Async/>
                        </ParentRoute>
                        <Route path=path!("import") view=ImportPage ssr=SsrMode::Async/>
                        <Route path=path!("members") view=MembersPage ssr=SsrMode::Async/>
                        <Route path=path!("schema") view=SchemaPage ssr=SsrMode::Async/>
                        <Route path=path!("settings") view=SettingsPage ssr=SsrMode::Async/>
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// The signed-in user, for every page; none if nobody is signed in.
#[derive(Clone, Copy)]
pub struct SignedIn(pub Resource<Result<Option<kenami_domain::view::people::Me>, crate::api::ApiError>>);
