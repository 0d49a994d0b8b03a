//! Accounts, passwords, tokens and one-time links.

mod world;

use futures::future::join_all;
use kenami_domain::{keys::Chosen, language::Language, roles::Role, view::people::Preferences};
use kenami_store::{
    actor::{Actor, UserActor},
    error::Error,
    links, members, people, preferences, projects, tokens,
};
use sqlx::PgPool;
use world::{PETS, World};

const PASSWORD: &str = "a long enough one";

/// The first administrator, who came by the link.
async fn administrator(db: &PgPool) -> Actor {
    let secret = links::first_administrator(&Actor::System, db).await.unwrap().unwrap();
    let signed_in = links::accept(&Actor::Anonymous, db, &secret, Some("root"), Some(PASSWORD)).await.unwrap();
    Actor::User(signed_in.user)
}

/// An account with a password.
async fn account(db: &PgPool, name: &str) -> UserActor {
    people::ensure(&Actor::System, db, name).await.unwrap();
    let secret = links::sign_in_link_for(&Actor::System, db, name).await.unwrap();
    links::accept(&Actor::Anonymous, db, &secret, None, Some(PASSWORD)).await.unwrap().user
}

async fn forget_pauses(db: &PgPool) {
    sqlx::query("UPDATE sign_in_throttle SET last_failure = now() - interval '1 hour'").execute(db).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn the_first_link_makes_one_administrator_however_many_try(db: PgPool) {
    let secret = links::first_administrator(&Actor::System, &db).await.unwrap().unwrap();
    assert!(links::offer(&db, &secret).await.unwrap().administrator);
    let names = ["a", "b", "c", "d"];
    let tries = names.map(|name| links::accept(&Actor::Anonymous, &db, &secret, Some(name), Some(PASSWORD)));
    let outcomes = join_all(tries).await;
    let winners: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    assert!(winners[0].user.administrator);
    assert!(outcomes.iter().filter_map(|o| o.as_ref().err()).all(|e| matches!(e, Error::NotFound("link"))));
    let administrators: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users WHERE administrator").fetch_one(&db).await.unwrap();
    assert_eq!(administrators, 1);
    assert_eq!(links::first_administrator(&Actor::System, &db).await.unwrap(), None);
    assert!(people::sign_in(&db, &winners[0].user.name, PASSWORD).await.is_ok());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_new_first_link_replaces_the_old_one_and_both_die_with_an_administrator(db: PgPool) {
    let old = links::first_administrator(&Actor::System, &db).await.unwrap().unwrap();
    let new = links::first_administrator(&Actor::System, &db).await.unwrap().unwrap();
    assert!(matches!(links::offer(&db, &old).await, Err(Error::NotFound("link"))));
    assert!(links::offer(&db, &new).await.is_ok());
    // The command line makes an administrator; without a way in, the link still holds.
    people::create(&Actor::System, &db, "ops", true).await.unwrap();
    assert!(links::offer(&db, &new).await.is_ok());
    account(&db, "ops").await;
    assert!(matches!(links::offer(&db, &new).await, Err(Error::NotFound("link"))));
    let late = links::accept(&Actor::Anonymous, &db, &new, Some("late"), Some(PASSWORD)).await;
    assert!(matches!(late, Err(Error::NotFound("link"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_does_not_fit_does_not_use_the_link_up(db: PgPool) {
    account(&db, "taken").await;
    let secret = links::first_administrator(&Actor::System, &db).await.unwrap().unwrap();
    let accept = async |name: Option<&str>, password: Option<&str>| {
        links::accept(&Actor::Anonymous, &db, &secret, name, password).await.map(|signed_in| signed_in.user.name)
    };
    assert!(matches!(accept(Some("x"), None).await, Err(Error::Invalid { field: "password", .. })));
    assert!(matches!(accept(Some("x"), Some("short")).await, Err(Error::Invalid { field: "password", .. })));
    assert!(matches!(accept(None, Some(PASSWORD)).await, Err(Error::Invalid { field: "name", .. })));
    assert!(matches!(accept(Some("no good"), Some(PASSWORD)).await, Err(Error::Invalid { field: "name", .. })));
    assert!(matches!(accept(Some("TAKEN"), Some(PASSWORD)).await, Err(Error::Conflict(_))));
    assert!(matches!(accept(Some("system"), Some(PASSWORD)).await, Err(Error::Conflict(_))));
    assert_eq!(accept(Some("x"), Some(PASSWORD)).await.unwrap(), "x");
}

#[sqlx::test(migrations = "../migrations")]
async fn links_die_of_age_and_only_their_hash_is_kept(db: PgPool) {
    let secret = links::first_administrator(&Actor::System, &db).await.unwrap().unwrap();
    let kept: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM links WHERE links::text LIKE '%' || $1 || '%')
             OR EXISTS (SELECT FROM audit WHERE audit::text LIKE '%' || $1 || '%')",
    )
    .bind(&secret)
    .fetch_one(&db)
    .await
    .unwrap();
    assert!(!kept);
    sqlx::query("UPDATE links SET expires_at = now() - interval '1 second'").execute(&db).await.unwrap();
    assert!(matches!(links::offer(&db, &secret).await, Err(Error::NotFound("link"))));
    assert!(matches!(links::offer(&db, "no such link").await, Err(Error::NotFound("link"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_invitation_makes_a_member_and_never_lowers_a_role(db: PgPool) {
    let world = World::new(db.clone()).await;
    let lead = world.member("lea", Role::Lead).await;
    let secret = links::invite(&lead, &db, PETS, Role::Annotator, 7).await.unwrap();
    let offer = links::offer(&db, &secret).await.unwrap();
    assert_eq!(
        (offer.project_name.as_deref(), offer.role, offer.administrator),
        (Some(PETS), Some(Role::Annotator), false)
    );
    assert_eq!(links::open_invitations(&lead, &db, PETS).await.unwrap().len(), 1);
    // The lead uses it on herself: it is used up and she stays lead.
    links::accept(&lead, &db, &secret, None, None).await.unwrap();
    assert_eq!(projects::get(&lead, &db, PETS).await.unwrap().role, Role::Lead);
    assert!(links::open_invitations(&lead, &db, PETS).await.unwrap().is_empty());
    // Somebody new makes an account by it.
    let secret = links::invite(&lead, &db, PETS, Role::Reviewer, 7).await.unwrap();
    let ned = links::accept(&Actor::Anonymous, &db, &secret, Some("ned"), Some(PASSWORD)).await.unwrap();
    assert!(!ned.user.administrator);
    assert_eq!(projects::get(&Actor::User(ned.user), &db, PETS).await.unwrap().role, Role::Reviewer);
    // A known account rises.
    let ann = world.member("ann", Role::Annotator).await;
    let secret = links::invite(&lead, &db, PETS, Role::Reviewer, 7).await.unwrap();
    links::accept(&ann, &db, &secret, None, None).await.unwrap();
    assert_eq!(projects::get(&ann, &db, PETS).await.unwrap().role, Role::Reviewer);
    for days in [0, 91, i64::MAX] {
        assert!(matches!(
            links::invite(&lead, &db, PETS, Role::Lead, days).await,
            Err(Error::Invalid { field: "days", .. })
        ));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn invitations_die_by_hand_and_with_their_makers_rights(db: PgPool) {
    let world = World::new(db.clone()).await;
    let root = administrator(&db).await;
    let lead = world.member("lea", Role::Lead).await;
    let id = lead.user().unwrap().id;
    let revoked = links::invite(&lead, &db, PETS, Role::Lead, 7).await.unwrap();
    let link_id = links::open_invitations(&lead, &db, PETS).await.unwrap()[0].id;
    links::revoke(&lead, &db, link_id).await.unwrap();
    assert!(matches!(links::revoke(&lead, &db, link_id).await, Err(Error::NotFound("link"))));
    let demoted = links::invite(&lead, &db, PETS, Role::Lead, 7).await.unwrap();
    members::set_role(&root, &db, PETS, id, Role::Reviewer).await.unwrap();
    members::set_role(&root, &db, PETS, id, Role::Lead).await.unwrap();
    let removed = links::invite(&lead, &db, PETS, Role::Lead, 7).await.unwrap();
    members::remove(&root, &db, PETS, id).await.unwrap();
    assert!(matches!(members::remove(&root, &db, PETS, id).await, Err(Error::NotFound("member"))));
    for secret in [revoked, demoted, removed] {
        assert!(matches!(links::offer(&db, &secret).await, Err(Error::NotFound("link"))));
    }
    let lasting = links::invite(&root, &db, PETS, Role::Lead, 7).await.unwrap();
    assert!(links::offer(&db, &lasting).await.is_ok());
}

#[sqlx::test(migrations = "../migrations")]
async fn five_wrong_passwords_bring_a_pause_that_also_stops_the_right_one(db: PgPool) {
    account(&db, "ann").await;
    assert!(people::sign_in(&db, "ANN", PASSWORD).await.is_ok(), "names are one whatever their case");
    for _ in 0..5 {
        assert!(matches!(people::sign_in(&db, "Ann", "wrong wrong").await, Err(Error::Unauthenticated)));
    }
    let Err(Error::TooMany(seconds)) = people::sign_in(&db, "ann", PASSWORD).await else { panic!("no pause") };
    assert!((1..=2).contains(&seconds), "{seconds}");
    // The pause doubles with each failure.
    sqlx::query("UPDATE sign_in_throttle SET failures = 11").execute(&db).await.unwrap();
    let Err(Error::TooMany(seconds)) = people::sign_in(&db, "ann", PASSWORD).await else { panic!("no pause") };
    assert!((60..=64).contains(&seconds), "{seconds}");
    forget_pauses(&db).await;
    assert!(people::sign_in(&db, "ann", PASSWORD).await.is_ok());
    assert!(matches!(people::sign_in(&db, "ann", "wrong wrong").await, Err(Error::Unauthenticated)));
    assert!(people::sign_in(&db, "ann", PASSWORD).await.is_ok(), "a success forgives the failures");
}

#[sqlx::test(migrations = "../migrations")]
async fn guesses_at_the_same_moment_do_not_slip_by_the_brake(db: PgPool) {
    account(&db, "ann").await;
    let guesses = (0..20).map(|_| people::sign_in(&db, "ann", "wrong wrong"));
    let outcomes = join_all(guesses).await;
    let checked = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Unauthenticated))).count();
    // Five at once; a sixth or seventh if the hashing of the others took a second or three.
    assert!((5..=7).contains(&checked), "{checked}");
}

#[sqlx::test(migrations = "../migrations")]
async fn unknown_names_look_like_known_ones(db: PgPool) {
    for name in ["nobody", "system", "no name at all", ""] {
        assert!(matches!(people::sign_in(&db, name, PASSWORD).await, Err(Error::Unauthenticated)), "{name}");
    }
    for _ in 0..4 {
        people::sign_in(&db, "nobody", PASSWORD).await.unwrap_err();
    }
    assert!(matches!(people::sign_in(&db, "nobody", PASSWORD).await, Err(Error::TooMany(_))));
    // An account without a password cannot be signed in to with an empty one.
    people::ensure(&Actor::System, &db, "demo").await.unwrap();
    assert!(matches!(people::sign_in(&db, "demo", "").await, Err(Error::Unauthenticated)));
}

/// Whose session it is, if it still holds.
async fn whose(db: &PgPool, user_id: i64, epoch: i64) -> Option<UserActor> {
    people::session_user(db, user_id, epoch).await.unwrap().map(|account| account.user)
}

#[sqlx::test(migrations = "../migrations")]
async fn a_language_is_kept_with_the_account_until_it_is_left_to_the_browser(db: PgPool) {
    account(&db, "ann").await;
    let signed_in = people::sign_in(&db, "ann", PASSWORD).await.unwrap();
    let actor = Actor::User(signed_in.user.clone());
    assert_eq!(people::me(&actor, &db).await.unwrap().language, None);
    for language in [Some(Language::Japanese), Some(Language::English), None] {
        people::set_language(&actor, &db, language).await.unwrap();
        let of_session = people::session_user(&db, signed_in.user.id, signed_in.session_epoch).await.unwrap();
        assert_eq!(of_session.unwrap().language, language);
        assert_eq!(people::me(&actor, &db).await.unwrap().language, language);
    }
    assert!(matches!(people::set_language(&Actor::System, &db, None).await, Err(Error::Conflict(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_new_password_ends_the_other_sessions(db: PgPool) {
    account(&db, "ann").await;
    let one = people::sign_in(&db, "ann", PASSWORD).await.unwrap();
    let other = people::sign_in(&db, "ann", PASSWORD).await.unwrap();
    let actor = Actor::User(one.user.clone());
    let new = "another long one";
    let change = async |current: Option<&str>, new: &str| people::change_password(&actor, &db, current, new).await;
    assert!(matches!(change(None, new).await, Err(Error::Invalid { field: "current", .. })));
    assert!(matches!(change(Some("wrong wrong"), new).await, Err(Error::Invalid { field: "current", .. })));
    assert!(matches!(change(Some(PASSWORD), "short").await, Err(Error::Invalid { field: "password", .. })));
    assert_eq!(whose(&db, one.user.id, other.session_epoch).await, Some(one.user.clone()));
    let epoch = change(Some(PASSWORD), new).await.unwrap();
    assert_eq!(whose(&db, one.user.id, other.session_epoch).await, None);
    assert_eq!(whose(&db, one.user.id, epoch).await, Some(one.user.clone()));
    assert!(matches!(people::sign_in(&db, "ann", PASSWORD).await, Err(Error::Unauthenticated)));
    assert_eq!(people::sign_in(&db, "ann", new).await.unwrap().session_epoch, epoch);
    assert!(matches!(people::change_password(&Actor::System, &db, None, new).await, Err(Error::Conflict(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_sign_in_link_sets_a_password_once_and_the_next_replaces_it(db: PgPool) {
    let root = administrator(&db).await;
    let ann = account(&db, "ann").await;
    let session = people::sign_in(&db, "ann", PASSWORD).await.unwrap();
    let old = links::sign_in_link(&root, &db, ann.id).await.unwrap();
    let new = links::sign_in_link(&root, &db, ann.id).await.unwrap();
    assert!(matches!(links::offer(&db, &old).await, Err(Error::NotFound("link"))));
    assert_eq!(links::offer(&db, &new).await.unwrap().user_name.as_deref(), Some("ann"));
    // Whoever is signed in meanwhile: it is Ann's link.
    let signed_in = links::accept(&root, &db, &new, Some("ignored"), Some("forgot the old one")).await.unwrap();
    assert_eq!(signed_in.user, ann);
    assert_eq!(whose(&db, ann.id, session.session_epoch).await, None);
    assert!(people::sign_in(&db, "ann", "forgot the old one").await.is_ok());
    assert!(matches!(
        links::accept(&Actor::Anonymous, &db, &new, None, Some(PASSWORD)).await,
        Err(Error::NotFound("link"))
    ));
    assert!(matches!(links::sign_in_link(&root, &db, -1).await, Err(Error::NotFound("user"))));
    assert!(matches!(links::sign_in_link_for(&Actor::System, &db, "system").await, Err(Error::NotFound("user"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_last_administrator_stays(db: PgPool) {
    let root = administrator(&db).await;
    let root_id = root.user().unwrap().id;
    assert!(matches!(people::set_disabled(&root, &db, root_id, true).await, Err(Error::Conflict(_))));
    // Another administrator who has no password yet does not count.
    let other_id = people::create(&root, &db, "other", true).await.unwrap();
    assert!(matches!(people::set_disabled(&root, &db, root_id, true).await, Err(Error::Conflict(_))));
    let other = Actor::User(account(&db, "other").await);
    // Two administrators disable each other at the same moment: one stays.
    let (one, two) = tokio::join!(
        people::set_disabled(&root, &db, other_id, true),
        people::set_disabled(&other, &db, root_id, true)
    );
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1, "{one:?} {two:?}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE administrator AND disabled_at IS NULL")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(left, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_disabled_account_is_out_at_once_everywhere(db: PgPool) {
    let world = World::new(db.clone()).await;
    world.photos(&["a.jpg"]).await;
    let root = administrator(&db).await;
    let ann = account(&db, "ann").await;
    members::add(&root, &db, PETS, "ANN", Role::Lead).await.unwrap();
    let actor = Actor::User(ann.clone());
    let session = people::sign_in(&db, "ann", PASSWORD).await.unwrap();
    let token = tokens::create(&actor, &db, "script").await.unwrap();
    let invitation = links::invite(&actor, &db, PETS, Role::Lead, 7).await.unwrap();
    let link = links::sign_in_link(&root, &db, ann.id).await.unwrap();
    kenami_store::annotate::claim(&actor, &db, PETS, 1, &[]).await.unwrap();
    assert_eq!(world.number("SELECT sum(taken) FROM tasks").await, 1);
    people::set_disabled(&root, &db, ann.id, true).await.unwrap();
    assert_eq!(world.number("SELECT sum(taken) FROM tasks").await, 0, "her photo goes back");
    assert!(matches!(people::sign_in(&db, "ann", PASSWORD).await, Err(Error::Unauthenticated)));
    assert_eq!(whose(&db, ann.id, session.session_epoch).await, None);
    assert_eq!(tokens::authenticate(&db, &token).await.unwrap(), None);
    assert!(matches!(people::me(&actor, &db).await, Err(Error::Unauthenticated)));
    assert!(matches!(projects::get(&actor, &db, PETS).await, Err(Error::Unauthenticated)));
    assert!(matches!(links::offer(&db, &invitation).await, Err(Error::NotFound("link"))));
    assert!(matches!(links::sign_in_link(&root, &db, ann.id).await, Err(Error::Conflict(_))));
    people::set_disabled(&root, &db, ann.id, false).await.unwrap();
    assert_eq!(whose(&db, ann.id, session.session_epoch).await, None, "old sessions stay dead");
    assert!(matches!(links::offer(&db, &link).await, Err(Error::NotFound("link"))), "and old links");
    assert!(people::sign_in(&db, "ann", PASSWORD).await.is_ok());
    let system: i64 = sqlx::query_scalar("SELECT id FROM users WHERE built_in").fetch_one(&db).await.unwrap();
    assert!(matches!(people::set_disabled(&root, &db, system, true).await, Err(Error::NotFound("user"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn tokens_are_shown_once_and_can_be_revoked_by_their_owner_alone(db: PgPool) {
    let ann = Actor::User(account(&db, "ann").await);
    let ben = Actor::User(account(&db, "ben").await);
    let secret = tokens::create(&ann, &db, "  notebook ").await.unwrap();
    assert!(secret.starts_with("kenami_") && secret.len() == 7 + 43, "{secret}");
    let rows = tokens::list(&ann, &db).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["notebook"]);
    assert_eq!(rows[0].last_used_at, None);
    assert_eq!(tokens::authenticate(&db, &secret).await.unwrap().as_ref(), ann.user());
    assert!(tokens::list(&ann, &db).await.unwrap()[0].last_used_at.is_some());
    assert_eq!(tokens::authenticate(&db, &format!("{secret}x")).await.unwrap(), None);
    assert_eq!(tokens::authenticate(&db, "").await.unwrap(), None);
    assert!(matches!(tokens::revoke(&ben, &db, rows[0].id).await, Err(Error::NotFound("token"))));
    tokens::revoke(&ann, &db, rows[0].id).await.unwrap();
    assert_eq!(tokens::authenticate(&db, &secret).await.unwrap(), None);
    assert!(tokens::list(&ann, &db).await.unwrap().is_empty());
    let made = tokens::create_for(&Actor::System, &db, "Ben").await.unwrap();
    assert_eq!(tokens::authenticate(&db, &made).await.unwrap().as_ref(), ben.user());
    assert!(matches!(tokens::create_for(&Actor::System, &db, "nobody").await, Err(Error::NotFound("user"))));
    assert!(matches!(tokens::create(&ann, &db, &"x".repeat(101)).await, Err(Error::Invalid { field: "label", .. })));
}

#[sqlx::test(migrations = "../migrations")]
async fn accounts_have_names_of_their_own(db: PgPool) {
    let root = administrator(&db).await;
    let id = people::ensure(&Actor::System, &db, "Annotator-A").await.unwrap();
    assert_eq!(people::ensure(&Actor::System, &db, "annotator-a").await.unwrap(), id);
    assert!(matches!(people::create(&root, &db, "annotator-A", false).await, Err(Error::Conflict(_))));
    assert!(matches!(people::ensure(&Actor::System, &db, "System").await, Err(Error::Conflict(_))));
    for bad in ["", ".hidden", "a b", "é", "a/b", &"x".repeat(65)] {
        assert!(
            matches!(people::create(&root, &db, bad, false).await, Err(Error::Invalid { field: "name", .. })),
            "{bad}"
        );
    }
    let rows = people::list(&root, &db).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Annotator-A", "root"]);
    assert!(!rows[0].has_password && rows[1].has_password && rows[1].administrator && !rows[1].disabled);
    assert!(people::me(&root, &db).await.unwrap().has_password);
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_kept_with_the_account_and_checked(db: PgPool) {
    let actor = Actor::User(account(&db, "ann").await);
    let other = Actor::User(account(&db, "ben").await);
    assert_eq!(preferences::get(&actor, &db).await.unwrap(), Preferences::default());
    let chosen = Chosen::from([("annotate.undo".to_owned(), "y".to_owned())]);
    preferences::save_keys(&actor, &db, &chosen).await.unwrap();
    preferences::save_auto_advance(&actor, &db, false).await.unwrap();
    let expected = Preferences { keys: chosen, auto_advance: false };
    assert_eq!(preferences::get(&actor, &db).await.unwrap(), expected);
    assert_eq!(preferences::get(&other, &db).await.unwrap(), Preferences::default());
    let taken = Chosen::from([("annotate.undo".to_owned(), "g".to_owned())]);
    let refused = preferences::save_keys(&actor, &db, &taken).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { field: "keys", .. }), "{refused}");
    assert_eq!(preferences::get(&actor, &db).await.unwrap(), expected, "what was kept stays");
    preferences::save_keys(&actor, &db, &Chosen::new()).await.unwrap();
    assert_eq!(preferences::get(&actor, &db).await.unwrap().keys, Chosen::new());
}
