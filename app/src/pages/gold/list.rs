//! The gold answers.

use kenami_domain::view::{Page, gold::GoldAnswer, project::Project};
use leptos::{either::Either, prelude::*};

use crate::{
    api::gold::RemoveGold,
    components::{
        alert::EmptyState,
        button::{Button, Weight},
        page::{Pager, Table},
        photo::PhotoImage,
        time::Ago,
    },
    text,
};

/// A page of them, with what annotators answered.
#[component]
pub fn Answers(
    /// The project.
    project: Project,
    /// The page.
    page: Page<GoldAnswer>,
    /// The page's cursor.
    cursor: RwSignal<Option<i64>>,
    /// Takes one out.
    remove: ServerAction<RemoveGold>,
) -> impl IntoView {
    if page.items.is_empty() {
        return Either::Left(view! {
            <EmptyState title=t!("Nothing is gold yet")>
                <p>{t!("Decide disagreements and make the decisions gold, or bring right answers in from a table.")}</p>
            </EmptyState>
        });
    }
    let next = page.next_cursor;
    let items = page.items;
    Either::Right(view! {
        <Table caption=t!("Gold answers")>
            <thead><tr>
                <th scope="col">{t!("Photo")}</th><th scope="col">{t!("Attribute")}</th><th scope="col">{t!("Right answer")}</th>
                <th scope="col">{t!("Why")}</th><th scope="col" class="numeric">{t!("Right of given")}</th><th scope="col">{t!("Made gold")}</th>
                <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
            </tr></thead>
            <tbody>
                // By key: what a button does on a click stays when the page is rendered again.
                <For each=move || items.clone() key=|answer| (answer.id, answer.answers, answer.right) let:answer>
                    <Row project=project.clone() answer remove/>
                </For>
            </tbody>
        </Table>
        <Pager cursor next/>
    })
}

#[component]
fn Row(
    /// The project.
    project: Project,
    /// The answer.
    answer: GoldAnswer,
    /// Takes it out.
    remove: ServerAction<RemoveGold>,
) -> impl IntoView {
    let language = text::language();
    let attribute = project.attributes.iter().find(|attribute| attribute.key == answer.attribute);
    let right = attribute.map_or_else(
        || answer.answer.key().to_owned(),
        |attribute| text::answer_name(attribute, &answer.answer, language),
    );
    let name = text::attribute_name_of(&project.attributes, &answer.attribute, language);
    let given = match answer.answers {
        0 => "—".to_owned(),
        all => t!("{done} of {total}", done = text::number(answer.right), total = text::number(all)),
    };
    let label = t!("Remove {photo}, {attribute}", photo = answer.photo.name, attribute = name);
    let (photo_id, attribute) = (answer.photo.id, answer.attribute);
    let key = project.key.clone();
    let take_out = move |_| {
        remove.dispatch(RemoveGold { key: key.clone(), photo_id, attribute: attribute.clone() });
    };
    view! {
        <tr>
            <th scope="row">
                <span class="gold-photo">
                    <PhotoImage project_key=project.key photo=answer.photo.clone() class="gold-thumbnail" alt=""/>
                    {answer.photo.name.clone()}
                </span>
            </th>
            <td>{name}</td>
            <td><b>{right}</b></td>
            <td class="gold-why">{answer.explanation}</td>
            <td class="numeric">{given}</td>
            <td>{answer.by}", "<Ago at=answer.created_at/></td>
            <td class="end"><Button weight=Weight::Quiet attr:aria-label=label on:click=take_out>{t!("Remove")}</Button></td>
        </tr>
    }
}
