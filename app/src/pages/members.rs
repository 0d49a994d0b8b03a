//! Members of a project: roles, invitations.

use kenami_domain::{
    roles::Role,
    view::people::{Member, OpenInvitation},
};
use leptos::{either::Either, prelude::*};

use super::project::use_project;
use crate::{
    api::members::{
        AddMember, INVITATION_DAYS, Invite, RemoveMember, RevokeInvitation, SetRole, members, open_invitations,
    },
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        copy::{SecretOnce, origin},
        dialog::Dialog,
        field::{Field, described_by},
        loaded::loaded,
        page::{PageHeader, Table},
        time::Ago,
    },
    text,
};

/// Lists members with their roles; invites and removes.
#[component]
pub fn MembersPage() -> impl IntoView {
    let project = use_project();
    let set_role = ServerAction::<SetRole>::new();
    let remove = ServerAction::<RemoveMember>::new();
    let add = ServerAction::<AddMember>::new();
    let versions = move || (set_role.version().get(), remove.version().get(), add.version().get());
    let list = Resource::new(move || (project.key.get(), versions()), |(key, _)| members(key));
    let error = Signal::derive(move || {
        set_role.value().get().and_then(Result::err).or_else(|| remove.value().get().and_then(Result::err))
    });
    let leaving = RwSignal::new(None::<Member>);
    let asking = RwSignal::new(false);
    view! {
        <PageHeader title=t!("Members") lead=t!("Whoever is a member sees the project's photos; the role says what they may do.")/>
        <ErrorAlert error/>
        {loaded(list, move |members| {
            let rows = move || members.clone();
            view! {
                <Table caption=t!("Members")>
                    <thead><tr>
                        <th scope="col">{t!("Name")}</th><th scope="col">{t!("Role")}</th><th scope="col" class="numeric">{t!("Photos finished")}</th>
                        <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                    </tr></thead>
                    <tbody>
                        // By key: what a button does on a click stays with its row when the list is loaded again.
                        <For each=rows key=|member| (member.user_id, member.role, member.photos_done) let:member>
                            <Row member set_role on_remove=move |member| { leaving.set(Some(member)); asking.set(true); }/>
                        </For>
                    </tbody>
                </Table>
            }
        })}
        <Dialog open=asking title=t!("Remove the member?")>
            {move || leaving.get().map(|member| view! {
                <p>{text::arranged(t!("{name} no longer sees the project. Their answers stay."), [("name", view! { <b>{member.name.clone()}</b> }.into_any())])}</p>
                <div class="dialog-actions">
                    <Button on:click=move |_| asking.set(false)>{t!("Keep")}</Button>
                    <Button weight=Weight::Danger on:click=move |_| {
                        if let Some(Member { user_id, .. }) = leaving.get_untracked() {
                            remove.dispatch(RemoveMember { key: project.key.get_untracked(), user_id });
                        }
                        asking.set(false);
                    }>{t!("Remove")}</Button>
                </div>
            })}
        </Dialog>
        <div class="columns columns-even">
            <Invitations/>
            <KnownAccount add/>
        </div>
    }
}

#[component]
fn Row(
    /// The member.
    member: Member,
    /// Changes the role.
    set_role: ServerAction<SetRole>,
    /// Asks to remove the member.
    on_remove: impl Fn(Member) + Send + Sync + 'static,
) -> impl IntoView {
    let project = use_project();
    let user_id = member.user_id;
    let change = move |event| {
        if let Ok(role) = event_target_value(&event).parse::<Role>() {
            set_role.dispatch(SetRole { key: project.key.get_untracked(), user_id, role });
        }
    };
    let label = t!("Role of {name}", name = member.name);
    let remove_label = t!("Remove {name}", name = member.name);
    let (name, photos_done, current) = (member.name.clone(), member.photos_done, member.role);
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td><RoleSelect label name="role" current on:change=change/></td>
            <td class="numeric">{text::number(photos_done)}</td>
            <td class="end">
                <Button weight=Weight::Quiet attr:aria-label=remove_label on:click=move |_| on_remove(member.clone())>{t!("Remove")}</Button>
            </td>
        </tr>
    }
}

/// A choice of roles.
#[component]
fn RoleSelect(
    /// What it is the role of; empty where a label is tied to `id`.
    #[prop(into)]
    label: String,
    /// The field's name in a form.
    name: &'static str,
    /// The role chosen at first.
    current: Role,
    /// The element's id.
    #[prop(optional)]
    id: Option<&'static str>,
) -> impl IntoView {
    let options = Role::ALL
        .into_iter()
        .map(|role| view! { <option value=role.as_str() selected=role == current>{text::role_name(role)}</option> })
        .collect_view();
    view! { <select class="select role-select" id=id name=name aria-label=(!label.is_empty()).then_some(label)>{options}</select> }
}

#[component]
fn Invitations() -> impl IntoView {
    let project = use_project();
    let invite = ServerAction::<Invite>::new();
    let revoke = ServerAction::<RevokeInvitation>::new();
    let open = Resource::new(
        move || (project.key.get(), invite.version().get(), revoke.version().get()),
        |(key, ..)| open_invitations(key),
    );
    let error = Signal::derive(move || {
        invite.value().get().and_then(Result::err).or_else(|| revoke.value().get().and_then(Result::err))
    });
    let secret = move || invite.value().get().and_then(Result::ok);
    let rights = Role::ALL
        .into_iter()
        .map(|role| view! { <li><b>{text::role_name(role)}</b>" "{text::role_rights(role)}</li> })
        .collect_view();
    view! {
        <section class="card">
            <h2>{t!("Invite by link")}</h2>
            <p class="quiet">{t!("A link makes one person a member, works once and lives {days} days. No account is needed beforehand.", days = INVITATION_DAYS)}</p>
            <ErrorAlert error/>
            {move || secret().map(|secret| view! {
                <SecretOnce secret=format!("{}/join/{secret}", origin()) note=t!("Send this link to the person you invite:")/>
            })}
            <ActionForm action=invite attr:class="form-inline">
                <input type="hidden" name="key" value=move || project.key.get()/>
                <Field id="invite-role" label=t!("Role")>
                    <RoleSelect label="" id="invite-role" name="role" current=Role::Annotator/>
                </Field>
                <Button submit=true weight=Weight::Primary busy=invite.pending()>{t!("Make a link")}</Button>
            </ActionForm>
            <ul class="quiet plain-list">{rights}</ul>
            {loaded(open, move |open| if open.is_empty() {
                Either::Left(view! { <p class="quiet">{t!("No open invitations.")}</p> })
            } else {
                let rows = open.into_iter().map(|invitation| view! { <Invitation invitation revoke/> }).collect_view();
                Either::Right(view! {
                    <Table caption=t!("Open invitations")>
                        <thead><tr>
                            <th scope="col">{t!("Role")}</th><th scope="col">{t!("By")}</th><th scope="col">{t!("Expires")}</th>
                            <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </Table>
                })
            })}
        </section>
    }
}

#[component]
fn Invitation(
    /// The invitation.
    invitation: OpenInvitation,
    /// Makes it useless.
    revoke: ServerAction<RevokeInvitation>,
) -> impl IntoView {
    view! {
        <tr>
            <td>{text::role_name(invitation.role)}</td>
            <td>{invitation.created_by}</td>
            <td><Ago at=invitation.expires_at/></td>
            <td class="end">
                <ActionForm action=revoke>
                    <input type="hidden" name="id" value=invitation.id.to_string()/>
                    <button type="submit" class="button button-quiet">{t!("Revoke")}</button>
                </ActionForm>
            </td>
        </tr>
    }
}

#[component]
fn KnownAccount(
    /// Makes an account a member.
    add: ServerAction<AddMember>,
) -> impl IntoView {
    let project = use_project();
    let failed = Signal::derive(move || add.value().get().and_then(Result::err));
    view! {
        <section class="card">
            <h2>{t!("Add a known account")}</h2>
            <p class="quiet">{t!("For somebody who already has an account on this server.")}</p>
            <ErrorAlert error=failed/>
            <ActionForm action=add attr:class="form-inline">
                <input type="hidden" name="key" value=move || project.key.get()/>
                <Field id="member-name" label=t!("Name")>
                    <input class="input" id="member-name" name="user_name" required maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off" aria-describedby=described_by("member-name")/>
                </Field>
                <Field id="member-role" label=t!("Role")>
                    <RoleSelect label="" id="member-role" name="role" current=Role::Annotator/>
                </Field>
                <Button submit=true busy=add.pending()>{t!("Add")}</Button>
            </ActionForm>
        </section>
    }
}
