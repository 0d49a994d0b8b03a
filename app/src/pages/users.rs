//! The server's accounts, for administrators.

use kenami_domain::view::people::UserRow;
use leptos::prelude::*;

use crate::{
    api::people::{CreateUser, SetDisabled, SignInLink, users},
    components::{
        alert::ErrorAlert,
        button::Button,
        copy::{SecretOnce, origin},
        field::{Field, described_by},
        loaded::loaded,
        page::{PageHeader, Table},
        time::Ago,
    },
};

/// Lists accounts; makes, disables and enables them; makes sign-in links.
#[component]
pub fn UsersPage() -> impl IntoView {
    let create = ServerAction::<CreateUser>::new();
    let disable = ServerAction::<SetDisabled>::new();
    let link = ServerAction::<SignInLink>::new();
    let list = Resource::new(move || (create.version().get(), disable.version().get()), |_| users());
    // The link that came last, from either action.
    let secret = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        if let Some(Ok(made)) = create.value().get() {
            secret.set(Some(made))
        }
    });
    Effect::new(move |_| {
        if let Some(Ok(made)) = link.value().get() {
            secret.set(Some(made))
        }
    });
    let field_error = Signal::derive(move || {
        create.value().get().and_then(Result::err).and_then(|error| error.for_field("name").map(str::to_owned))
    });
    let error = Signal::derive(move || {
        let create = create.value().get().and_then(Result::err).filter(|error| error.for_field("name").is_none());
        create
            .or_else(|| disable.value().get().and_then(Result::err))
            .or_else(|| link.value().get().and_then(Result::err))
    });
    view! {
        <main id="main" class="page">
            <PageHeader title=t!("Accounts") lead=t!("Whoever has an account here. Members and roles are set in each project.")/>
            <ErrorAlert error/>
            {move || secret.get().map(|secret| view! {
                <SecretOnce
                    secret=format!("{}/join/{secret}", origin())
                    note=t!("Send this sign-in link to its owner; it works once and lets them set a password:")
                />
            })}
            <ActionForm action=create attr:class="form-inline card">
                <Field id="user-name" label=t!("New account") hint=t!("Letters, digits, . _ and -.") error=field_error>
                    <input class="input" id="user-name" name="name" required maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off" aria-describedby=described_by("user-name")/>
                </Field>
                <label class="check"><input type="checkbox" name="administrator" value="yes"/>{t!("Administrator of the server")}</label>
                <Button submit=true busy=create.pending()>{t!("Make it and its sign-in link")}</Button>
            </ActionForm>
            {loaded(list, move |users| {
                let rows = users.into_iter().map(|user| view! { <Row user disable link/> }).collect_view();
                view! {
                    <Table caption=t!("Accounts")>
                        <thead><tr>
                            <th scope="col">{t!("Name")}</th><th scope="col">{t!("Rights")}</th><th scope="col">{t!("State")}</th>
                            <th scope="col">{t!("Made")}</th><th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </Table>
                }
            })}
        </main>
    }
}

#[component]
fn Row(
    /// The account.
    user: UserRow,
    /// Disables or enables it.
    disable: ServerAction<SetDisabled>,
    /// Makes a sign-in link.
    link: ServerAction<SignInLink>,
) -> impl IntoView {
    let (state, badge) = match (user.disabled, user.has_password) {
        (true, _) => (t!("disabled"), "badge badge-bad"),
        (false, true) => (t!("active"), "badge badge-good"),
        (false, false) => (t!("no password"), "badge badge-warning"),
    };
    let link_label = t!("New sign-in link for {name}", name = user.name);
    let link_form = (!user.disabled).then(|| {
        view! {
            <ActionForm action=link>
                <input type="hidden" name="user_id" value=user.id.to_string()/>
                <button type="submit" class="button button-quiet" aria-label=link_label>{t!("New sign-in link")}</button>
            </ActionForm>
        }
    });
    let verb = if user.disabled { t!("Enable") } else { t!("Disable") };
    view! {
        <tr>
            <th scope="row">{user.name.clone()}</th>
            <td>{if user.administrator { t!("Administrator") } else { "—" }}</td>
            <td><span class=badge>{state}</span></td>
            <td><Ago at=user.created_at/></td>
            <td class="end">
                {link_form}
                <ActionForm action=disable>
                    <input type="hidden" name="user_id" value=user.id.to_string()/>
                    <input type="hidden" name="disabled" value=(!user.disabled).to_string()/>
                    <button type="submit" class="button button-quiet" aria-label=t!("{verb} {name}", verb = verb, name = user.name)>{verb}</button>
                </ActionForm>
            </td>
        </tr>
    }
}
