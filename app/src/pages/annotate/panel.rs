//! The attributes with their answers.

use kenami_domain::{answer::Answer, schema::Attribute, view::suggestions::Suggestion};
use leptos::{html, prelude::*, wasm_bindgen::JsCast};

use super::{
    Desk,
    session::{Event, Session, Sheet},
};
use crate::{
    components::button::{Button, Weight},
    text,
};

/// The id of the group of the attribute with this index.
pub fn group_id(index: usize) -> String {
    format!("ask-{index}")
}

/// All attributes of the open photo.
#[component]
pub fn Panel() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    let attributes = Memo::new(move |_| {
        driver.guides.with(|guides| guides.iter().map(|guide| guide.attribute.clone()).collect::<Vec<_>>())
    });
    // The browser's focus goes where the attribute in focus is, unless it is somewhere of its own.
    Effect::new(move |_| {
        let (focus, _) = (desk.focus.get(), desk.claim.get());
        if let Some(index) = focus
            && may_take_focus()
        {
            focus_group(index);
        }
    });
    let complete = Memo::new(move |_| driver.session.with(|s| s.current().is_some_and(Sheet::is_complete)));
    view! {
        <div class="panel" role="group" aria-label=t!("Answers")>
            {move || attributes.get().into_iter().enumerate().map(|(index, attribute)| {
                view! { <Ask index attribute/> }
            }).collect_view()}
            {move || complete.get().then(|| view! {
                <div class="panel-next">
                    <Button weight=Weight::Primary on:click=move |_| driver.send(Event::Advance)>
                        {t!("Next photo")} " " <kbd>{desk.key_of("next-photo")}</kbd>
                    </Button>
                </div>
            })}
        </div>
    }
}

/// Whether the browser's focus is on the answers or nowhere, and nothing lies over the page.
fn may_take_focus() -> bool {
    let Some(active) = document().active_element() else { return true };
    let nowhere = matches!(active.tag_name().as_str(), "BODY" | "MAIN" | "HTML");
    nowhere || active.closest(".panel").ok().flatten().is_some()
}

/// Focuses a group without scrolling a narrow page away from its photo.
pub fn focus_group(index: usize) {
    let group = document().get_element_by_id(&group_id(index)).and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(group) = group {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _ = group.focus_with_options(&options);
    }
}

/// The probability of the suggestion where it is this answer.
fn sure_of(suggested: Memo<Option<Suggestion>>, key: String) -> Signal<Option<f32>> {
    Signal::derive(move || suggested.with(|s| s.as_ref().filter(|s| s.value == key).map(|s| s.probability)))
}

/// One attribute: its values, "not visible" and "unsure".
#[component]
fn Ask(
    /// Its index.
    index: usize,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    let language = text::language();
    let of_sheet = move |read: fn(&Sheet, usize) -> Option<Answer>| {
        driver.session.with(|session: &Session| session.current().and_then(|sheet| read(sheet, index)))
    };
    let given = Memo::new(move |_| of_sheet(|sheet, index| sheet.answer_to(index).map(|given| given.answer.clone())));
    let key = attribute.key.clone();
    let doubted = Memo::new(move |_| {
        driver
            .session
            .with(|session| session.current().and_then(|sheet| sheet.doubted(&key)).map(|given| given.answer.clone()))
    });
    let key = attribute.key.clone();
    let suggested = Memo::new(move |_| {
        driver.session.with(|session| session.current().and_then(|sheet| sheet.photo().suggestions.get(&key).cloned()))
    });
    let in_focus = Memo::new(move |_| desk.focus.get() == Some(index));
    let note_open = Memo::new(move |_| {
        in_focus.get() && driver.session.with(|session| session.current().is_some_and(Sheet::note_open))
    });
    let name = text::attribute_name(&attribute, language);
    let answers = attribute
        .values
        .iter()
        .filter(|value| !value.retired)
        .enumerate()
        .map(|(place, value)| {
            let answer = Answer::Value(value.key.clone());
            let name = value.names.or_key(language, &value.key).to_owned();
            let sure = sure_of(suggested, value.key.clone());
            view! { <AnswerButton index answer name key=desk.value_key(place) given sure/> }
        })
        .collect_view();
    let special = [(Answer::NotVisible, t!("Not visible"), "not-visible"), (Answer::Unsure, t!("Unsure"), "unsure")]
        .map(|(answer, name, id)| {
            let sure = sure_of(suggested, answer.key().to_owned());
            view! { <AnswerButton index answer name=name.to_owned() key=Some(desk.key_of(id)) given sure/> }
        })
        .collect_view();
    let (of_given, of_doubted) = (attribute.clone(), attribute);
    let label = name.clone();
    view! {
        <div
            class="ask"
            class:ask-in-focus=in_focus
            class:ask-answered=move || given.with(Option::is_some)
            id=group_id(index)
            role="group"
            tabindex="0"
            aria-label=move || match given.get() {
                Some(answer) => t!("{attribute}: {answer}", attribute = label, answer = text::answer_name(&of_given, &answer, language)),
                None => t!("{attribute}: no answer yet", attribute = label),
            }
            aria-current=move || in_focus.get().then_some("step")
            on:focusin=move |_| driver.send(Event::Focus(index))
        >
            <div class="ask-head" on:click=move |_| driver.send(Event::Focus(index))>
                <span class="ask-name">{name}</span>
                <span class="ask-given" aria-hidden="true">
                    {
                        let attribute = of_doubted.clone();
                        move || given.get().map(|answer| text::answer_name(&attribute, &answer, language))
                    }
                </span>
            </div>
            {move || doubted.get().map(|answer| view! {
                <p class="ask-doubt">
                    {text::arranged(
                        t!("The guideline has changed. Your earlier answer was {answer}."),
                        [("answer", view! { <b>{text::answer_name(&of_doubted, &answer, language)}</b> }.into_any())],
                    )}
                </p>
            })}
            <div class="ask-answers">{answers}</div>
            <div class="ask-special">{special}</div>
            {move || note_open.get().then(|| view! { <Note index/> })}
        </div>
    }
}

/// An answer that can be chosen.
#[component]
fn AnswerButton(
    /// The attribute's index.
    index: usize,
    /// The answer.
    answer: Answer,
    /// What it is called.
    name: String,
    /// Its key.
    key: Option<String>,
    /// The answer that is given.
    given: Memo<Option<Answer>>,
    /// The probability with which it is suggested, if it is.
    sure: Signal<Option<f32>>,
) -> impl IntoView {
    let driver = expect_context::<Desk>().driver;
    let special = answer.value().is_none();
    let shortcut = key.clone();
    let (mine, chosen) = (answer.clone(), Memo::new(move |_| given.get().as_ref() == Some(&answer)));
    let choose = move |_| {
        driver.send(Event::Focus(index));
        match mine.clone() {
            Answer::Unsure => driver.send(Event::OpenNote),
            answer => {
                // Enter must mean "next photo" afterwards, not "this button again".
                focus_group(index);
                driver.send(Event::Answer(answer));
            }
        }
    };
    view! {
        <button
            type="button"
            class="answer"
            class:answer-special=special
            tabindex="-1"
            aria-pressed=move || if chosen.get() { "true" } else { "false" }
            aria-keyshortcuts=shortcut
            on:click=choose
        >
            {key.map(|key| view! { <kbd aria-hidden="true">{key}</kbd> })}
            <span>{name}</span>
            {move || sure.get().map(|sure| view! {
                <span class="answer-suggested" title=t!("Suggested, with this probability")>
                    <span class="visually-hidden">{t!("suggested, ")}</span>
                    {text::percent(f64::from(sure), 0)}
                </span>
            })}
        </button>
    }
}

/// The note of an unsure answer.
#[component]
fn Note(
    /// The attribute's index.
    index: usize,
) -> impl IntoView {
    let driver = expect_context::<Desk>().driver;
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    let confirm = move || {
        let note = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        // The group first: the browser's focus must not be on a field that goes away.
        focus_group(index);
        driver.send(Event::Note(note.trim().to_owned()));
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "Enter" => {
                event.prevent_default();
                confirm();
            }
            "Escape" => {
                event.prevent_default();
                focus_group(index);
                driver.send(Event::CloseNote);
            }
            _ => {}
        }
    };
    view! {
        <div class="note">
            <label for="note-input">{t!("What do the rules leave open?")}</label>
            <div class="note-line">
                <input class="input" id="note-input" maxlength="1000" autocomplete="off" enterkeyhint="done" node_ref=input on:keydown=on_key/>
                <Button weight=Weight::Primary on:click=move |_| confirm()>{t!("Unsure")} " " <kbd>"Enter"</kbd></Button>
            </div>
        </div>
    }
}
