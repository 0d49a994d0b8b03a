//! Which language pages and server functions speak, through the whole router.

mod site;

use axum::http::{Method, StatusCode, header};
use kenami_domain::language::Language;
use kenami_store::people;
use site::{Answer, Site};
use sqlx::PgPool;

async fn sign_in_page(site: &Site, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = [("accept", "text/html")].iter().chain(headers).copied().collect();
    site.send(Method::GET, "/sign-in", &headers, "").await
}

#[sqlx::test(migrations = "../migrations")]
async fn the_cookie_of_the_switch_comes_before_what_the_browser_asks_for(db: PgPool) {
    let site = Site::new(&db).await;
    let asks = ("accept-language", "ja-JP,ja;q=0.9,en;q=0.8");
    let page = sign_in_page(&site, &[asks]).await;
    assert!(page.body.contains("<html lang=\"ja\""), "{}", page.body);
    assert!(page.body.contains("パスワード") && !page.body.contains("Password"), "{}", page.body);
    assert!(sign_in_page(&site, &[]).await.body.contains("<html lang=\"en\""));

    let switched = site.post("/language", None, &[("language", "en"), ("next", "/sign-in?next=%2Fp")]).await;
    assert_eq!((switched.status, switched.location()), (StatusCode::SEE_OTHER, "/sign-in?next=%2Fp"));
    let cookie = switched.header(header::SET_COOKIE);
    assert!(cookie.starts_with("kenami_language=en;") && cookie.contains("HttpOnly"), "{cookie}");
    let page = sign_in_page(&site, &[asks, ("cookie", "kenami_language=en")]).await;
    assert!(page.body.contains("<html lang=\"en\"") && page.body.contains("Password"));
    // Nobody is led to another server, and no page of another server switches.
    assert_eq!(site.post("/language", None, &[("language", "ja"), ("next", "//evil.example")]).await.location(), "/");
    let other = site.send(Method::POST, "/language", &[("sec-fetch-site", "cross-site")], "language=ja").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_account_keeps_its_language_and_hears_of_mistakes_in_it(db: PgPool) {
    let site = Site::new(&db).await;
    let cookie = site.cookie_of("ada").await;
    let answer = site.post("/language", Some(&cookie), &[("language", "ja"), ("next", "/account")]).await;
    assert_eq!(answer.location(), "/account");
    let actor = site.actor("ada").await;
    assert_eq!(people::me(&actor, &db).await.expect("an account").language, Some(Language::Japanese));
    let account = site.get("/account", Some(&cookie)).await;
    assert!(
        account.body.contains("<html lang=\"ja\"") && account.body.contains("自分のアカウント"),
        "{}",
        account.body
    );
    let failed = site.get("/account?error=password", Some(&cookie)).await;
    assert!(failed.body.contains("パスワードが正しくありません"), "{}", failed.body);
    // Server functions speak it too.
    let label = "x".repeat(101);
    let headers = [("sec-fetch-site", "same-origin"), ("cookie", cookie.as_str()), ("accept", "application/json")];
    let refused = site.send(Method::POST, create_token(), &headers, format!("label={label}")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("100 文字以内にしてください"), "{}", refused.body);
    // Left to the browser again.
    site.post("/language", Some(&cookie), &[("language", ""), ("next", "/account")]).await;
    assert_eq!(people::me(&actor, &db).await.expect("an account").language, None);
    assert!(site.get("/account", Some(&cookie)).await.body.contains("<html lang=\"en\""));
}

fn create_token() -> &'static str {
    use leptos::server_fn::ServerFn;
    <kenami_app::api::people::CreateToken as ServerFn>::PATH
}
