//! Sign-in, sessions, links and what protects them, through the whole router.

mod fixtures;
mod site;

use axum::http::{Method, StatusCode, header};
use fixtures::Server;
use kenami_domain::roles::Role;
use kenami_store::{actor::Actor, annotate, links, members, people};
use site::{Answer, PASSWORD, Site};
use sqlx::PgPool;

#[sqlx::test(migrations = "../migrations")]
async fn signing_in_sets_a_guarded_cookie(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    let answer = site.sign_in("ada", PASSWORD, "/p/pets?x=1").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/p/pets?x=1"));
    let cookie = answer.set_cookie().expect("a cookie");
    for part in ["kenami_session=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain http has no secure cookies: {cookie}");
    let account = site.get("/account", answer.cookie().as_deref()).await;
    assert_eq!(account.status, StatusCode::OK);
    assert!(account.body.contains("ada"));
}

#[sqlx::test(migrations = "../migrations")]
async fn behind_https_the_cookie_is_secure(db: PgPool) {
    let site = Site::at(&db, Some("https://kenami.example.org")).await;
    site.account("ada").await;
    let answer = site.sign_in("ada", PASSWORD, "/").await;
    assert!(answer.set_cookie().expect("a cookie").contains("Secure"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_wrong_password_is_an_unknown_name_to_the_eye(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    for (name, password) in [("ada", "wrong password"), ("nobody", PASSWORD), ("", ""), ("system", PASSWORD)] {
        let answer = site.sign_in(name, password, "/p/pets").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), "/sign-in?error=credentials&next=%2Fp%2Fpets", "{name}");
        assert_eq!(answer.set_cookie(), None, "{name}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn too_many_failures_are_braked(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    for _ in 0..5 {
        site.sign_in("ada", "wrong password", "/").await;
    }
    let answer = site.sign_in("ada", PASSWORD, "/").await;
    assert!(answer.location().starts_with("/sign-in?error=throttled"), "{}", answer.location());
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_sent_to_another_server(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example/"] {
        assert_eq!(site.sign_in("ada", PASSWORD, next).await.location(), "/", "{next}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_in_changes_the_session_id(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    site.account("bob").await;
    let ada = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    // Whoever knows a session from before must not find another account in it.
    let bob = site.post("/auth/sign-in", Some(&ada), &[("name", "bob"), ("password", PASSWORD)]).await;
    let bob = bob.cookie().expect("a new cookie");
    assert_ne!(ada, bob);
    assert!(!site.is_signed_in(&ada).await);
    assert!(site.is_signed_in(&bob).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_out_ends_the_session(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    let cookie = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    assert!(site.is_signed_in(&cookie).await);
    let answer = site.post("/auth/sign-out", Some(&cookie), &[]).await;
    assert_eq!(answer.location(), "/sign-in");
    assert!(!site.is_signed_in(&cookie).await, "the session is dead on the server too");
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_out_gives_photos_back(db: PgPool) {
    let server = Server::new(db.clone());
    server.with_pets().await;
    let site = Site::new(&db).await;
    let cookie = site.cookie_of("ada").await;
    members::add(&Actor::System, &db, "pets", "ada", Role::Annotator).await.unwrap();
    let ada = site.actor("ada").await;
    // The imported labels fill what the project asks for.
    sqlx::query("UPDATE tasks SET needed = needed + 1").execute(&db).await.unwrap();
    let held = annotate::claim(&ada, &db, "pets", 5, &[]).await.unwrap().photos.len();
    let open = "SELECT count(*) FROM claims WHERE released_at IS NULL AND done_at IS NULL";
    let open = async || sqlx::query_scalar::<_, i64>(open).fetch_one(&db).await.unwrap();
    let before = open().await;
    assert!(held > 0 && before >= held as i64, "{held} {before}");
    site.post("/auth/sign-out", Some(&cookie), &[]).await;
    assert_eq!(open().await, before - held as i64);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_new_password_ends_the_other_sessions(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    let here = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    let there = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    let wrong =
        site.post("/auth/password", Some(&here), &[("current", "not it at all"), ("new", "another password")]).await;
    assert_eq!(wrong.location(), "/account?error=credentials");
    let short = site.post("/auth/password", Some(&here), &[("current", PASSWORD), ("new", "short")]).await;
    assert_eq!(short.location(), "/account?error=password");
    assert!(site.is_signed_in(&there).await, "nothing has happened yet");

    let changed = site.post("/auth/password", Some(&here), &[("current", PASSWORD), ("new", "another password")]).await;
    assert_eq!(changed.location(), "/account?changed=password");
    let here_now = changed.cookie().expect("a new cookie");
    assert_ne!(here, here_now);
    assert!(site.is_signed_in(&here_now).await);
    assert!(!site.is_signed_in(&there).await);
    assert!(!site.is_signed_in(&here).await);
    assert_eq!(site.sign_in("ada", "another password", "/").await.location(), "/");
    let nobody = site.post("/auth/password", None, &[("current", PASSWORD), ("new", "another password")]).await;
    assert!(nobody.location().starts_with("/sign-in"), "{}", nobody.location());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_disabled_account_is_out_at_once(db: PgPool) {
    let site = Site::new(&db).await;
    let id = site.account("ada").await;
    let cookie = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    people::set_disabled(&Actor::System, &db, id, true).await.expect("disabled");
    assert!(!site.is_signed_in(&cookie).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_first_administrators_link_works_once(db: PgPool) {
    let site = Site::new(&db).await;
    let secret = links::first_administrator(&Actor::System, &db).await.expect("a link").expect("no administrator yet");
    // Looking does not use it up: mail scanners and previews look.
    for _ in 0..2 {
        let look = site.get(&format!("/join/{secret}"), None).await;
        assert_eq!(look.status, StatusCode::OK);
        assert_eq!(look.header(header::REFERRER_POLICY), "no-referrer");
    }
    let join = |name: &'static str, password: &'static str| {
        let form = [("secret", secret.clone()), ("name", name.to_owned()), ("password", password.to_owned())];
        let site = &site;
        async move { site.post("/auth/join", None, &form.each_ref().map(|(key, value)| (*key, value.as_str()))).await }
    };
    assert_eq!(join("ada", "short").await.location(), format!("/join/{secret}?error=password"));
    assert_eq!(join("a name", PASSWORD).await.location(), format!("/join/{secret}?error=name"));
    let joined = join("ada", PASSWORD).await;
    assert_eq!((joined.status, joined.location()), (StatusCode::SEE_OTHER, "/"));
    let cookie = joined.cookie().expect("signed in");
    assert_eq!(site.get("/admin/users", Some(&cookie)).await.status, StatusCode::OK, "an administrator");
    let again = join("eve", PASSWORD).await;
    assert_eq!(again.location(), format!("/join/{secret}?error=link"));
    assert_eq!(again.set_cookie(), None);
    assert_eq!(links::first_administrator(&Actor::System, &db).await.expect("asked"), None, "nor is it made again");
}

#[sqlx::test(migrations = "../migrations")]
async fn requests_from_other_sites_are_refused(db: PgPool) {
    let site = Site::new(&db).await;
    site.account("ada").await;
    let cookie = site.sign_in("ada", PASSWORD, "/").await.cookie().expect("a cookie");
    let form = "name=ada&password=correct+horse+battery";
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Headers<'_>, bool); 6] = [
        ("another site", &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], false),
        ("a sibling", &[("sec-fetch-site", "same-site"), ("origin", "http://kenami.test:81")], false),
        ("another origin", &[("origin", "https://evil.example")], false),
        ("no word of its origin", &[], false),
        ("an old browser here", &[("origin", "http://kenami.test")], true),
        ("a token beside the cookie", &[("authorization", "Bearer kenami_x"), ("cookie", "kenami_session=x")], false),
    ];
    for (what, headers, allowed) in cases {
        for path in ["/auth/sign-in", "/auth/sign-out", "/fn/anything", "/upload/pets"] {
            let answer = site.send(Method::POST, path, headers, form).await;
            assert_eq!(answer.status != StatusCode::FORBIDDEN, allowed, "{what}: {path}: {}", answer.status);
        }
    }
    assert!(site.is_signed_in(&cookie).await, "none of the refused sign-outs happened");
    // No browser sends a token by itself.
    let script = site.send(Method::POST, "/auth/sign-in", &[("authorization", "Bearer kenami_x")], form).await;
    assert_eq!(script.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_carry_a_policy_with_their_nonce(db: PgPool) {
    let site = Site::new(&db).await;
    let nonce_of = |page: &Answer| {
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'nonce-"), "{policy}");
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce").to_owned();
        assert!(page.body.contains(&format!("nonce=\"{nonce}\"")), "the page's scripts carry it");
        assert!(!page.body.contains(" style=\""), "no inline styles: the policy refuses them");
        nonce
    };
    let (first, second) = (site.get("/sign-in", None).await, site.get("/sign-in", None).await);
    assert_ne!(nonce_of(&first), nonce_of(&second), "a nonce is used once");
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        assert_eq!(first.header(name.clone()), value, "{name}");
    }
    // What is no page may run nothing.
    let plain = site.get("/healthz", None).await;
    assert!(!plain.header(header::CONTENT_SECURITY_POLICY).contains("nonce"));
}
