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
            <EmptyState title="Nothing is gold yet">
                <p>"Decide disagreements and make the decisions gold, or bring right answers in from a table."</p>
            </EmptyState>
        });
    }
    let next = page.next_cursor;
    let items = page.items;
    Either::Right(view! {
        <Table caption="Gold answers">
            <thead><tr>
                <th scope="col">"Photo"</th><th scope="col">"Attribute"</th><th scope="col">"Right answer"</th>
                <th scope="col">"Why"</th><th scope="col" class="numeric">"Right of given"</th><th scope="col">"Made gold"</th>
                <th scope="col"><span class="visually-hidden">"Actions"</span></th>
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
        all => format!("{} of {}", text::number(answer.right), text::number(all)),
    };
    let label = format!("Remove {}, {name}", answer.photo.name);
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
            <td class="end"><Button weight=Weight::Quiet attr:aria-label=label on:click=take_out>"Remove"</Button></td>
        </tr>
    }
}
