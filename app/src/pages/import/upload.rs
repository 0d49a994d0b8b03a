//! The form that sends photos.

use kenami_domain::view::job::Job;
use leptos::{html, prelude::*, task::spawn_local, wasm_bindgen::JsCast};
use send_wrapper::SendWrapper;
use serde::Deserialize;
use web_sys::{File, HtmlInputElement, XmlHttpRequest};

use super::send::send;
use crate::{
    api::jobs::read_job,
    components::{
        alert::{Alert, Tone},
        button::{Button, Weight},
        field::{Field, described_by},
        progress::ProgressBar,
    },
    text,
};

/// Bytes and files that the server takes in one upload.
const MOST_BYTES: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;
const MOST_FILES: usize = 20_000;

/// What the server answers to an upload that it took.
#[derive(Deserialize)]
struct Accepted {
    job_id: i64,
}

/// What is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Files,
    Folder,
    Zip,
}

/// Layouts: name in the address, what people read.
const LAYOUTS: [(&str, &str); 4] = [
    ("auto", mark!("Find out")),
    ("folders", mark!("A folder a class: the folder becomes the attribute class")),
    ("csv", mark!("A table: a .csv file names the photos and their values")),
    ("oxford-pets", mark!("Oxford-IIIT Pet: images/ and annotations/")),
];

/// Where sending stands.
#[derive(Debug, Clone, PartialEq)]
enum Sending {
    No,
    Sent { bytes: f64, total: f64 },
    Failed(String),
}

/// Chooses files, a folder or a zip and sends them; the job that takes them in becomes `followed`.
#[component]
pub fn UploadForm(
    /// The project's key.
    project_key: String,
    /// Gets the job.
    followed: RwSignal<Option<Job>>,
) -> impl IntoView {
    let source = RwSignal::new(Source::Files);
    let layout = RwSignal::new("auto".to_owned());
    // How many and how large; the files themselves belong to the browser's thread.
    let chosen = RwSignal::new((0, 0.0));
    let files = StoredValue::new(None::<SendWrapper<Vec<File>>>);
    let sending = RwSignal::new(Sending::No);
    let request = StoredValue::new(None::<SendWrapper<XmlHttpRequest>>);
    let input = NodeRef::<html::Input>::new();
    let problem = Signal::derive(move || chosen.with(|(count, bytes)| refusal(*count, *bytes)));
    let busy = Signal::derive(move || matches!(sending.get(), Sending::Sent { .. }));

    // No attribute of the standard, so not one of the view's either; all browsers know it.
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.toggle_attribute_with_force("webkitdirectory", source.get() == Source::Folder);
        }
    });
    let choose_source = move |value: Source| {
        source.set(value);
        chosen.set((0, 0.0));
        files.set_value(None);
        if let Some(input) = input.get_untracked() {
            input.set_value("");
        }
    };
    let start = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let files = files.with_value(|files| files.as_ref().map(|files| (**files).clone())).unwrap_or_default();
        if files.is_empty() || busy.get_untracked() {
            return;
        }
        sending.set(Sending::Sent { bytes: 0.0, total: total_bytes(&files) });
        let address = format!("/upload/{project_key}?layout={}", layout.get_untracked());
        let made = send(
            &address,
            &files,
            move |bytes, total| sending.set(Sending::Sent { bytes, total }),
            move |result: Result<Accepted, String>| match result {
                Ok(Accepted { job_id }) => {
                    sending.set(Sending::No);
                    choose_source(source.get_untracked());
                    follow(job_id, followed, sending);
                }
                Err(why) => sending.set(Sending::Failed(why)),
            },
        );
        match made {
            Ok(made) => request.set_value(Some(SendWrapper::new(made))),
            Err(_) => sending.set(Sending::Failed(t!("The browser did not send the files.").to_owned())),
        }
    };
    let abort = move |_| {
        request.with_value(|request| {
            if let Some(request) = request {
                let _ = request.abort();
            }
        });
        sending.set(Sending::No);
    };

    view! {
        <form class="card upload" on:submit=start>
            <fieldset class="row">
                <legend class="visually-hidden">{t!("What to send")}</legend>
                <SourceButton source value=Source::Files name=t!("Photos") choose=choose_source/>
                <SourceButton source value=Source::Folder name=t!("A folder") choose=choose_source/>
                <SourceButton source value=Source::Zip name=t!("A zip") choose=choose_source/>
            </fieldset>
            <Field id="files" label=t!("Files") hint=t!("At most 20,000 files and 2 GiB at once, 50 MiB a photo. More: kenami import on the server's command line.")>
                <input
                    class="input" id="files" type="file" node_ref=input aria-describedby=described_by("files")
                    multiple={move || source.get() != Source::Zip}
                    accept=move || match source.get() {
                        Source::Files => Some("image/jpeg,image/png,image/webp,.csv"),
                        Source::Folder => None,
                        Source::Zip => Some(".zip,application/zip"),
                    }
                    disabled=busy
                    on:change=move |event| {
                        let list = files_of(&event);
                        chosen.set((list.len(), total_bytes(&list)));
                        files.set_value(Some(SendWrapper::new(list)));
                    }
                />
            </Field>
            <Field id="layout" label=t!("How they are laid out")>
                <select class="select" id="layout" disabled=busy on:change=move |event| layout.set(event_target_value(&event))>
                    {LAYOUTS.map(|(value, name)| view! { <option value=value>{text::translate(name)}</option> })}
                </select>
            </Field>
            {move || problem.get().map(|problem| view! { <Alert tone=Tone::Warning>{problem}</Alert> })}
            {move || match sending.get() {
                Sending::Failed(why) => Some(view! { <Alert tone=Tone::Bad>{why}</Alert> }),
                _ => None,
            }}
            <div hidden=move || !busy.get()>
                <p class="quiet numeric">{move || sent_text(&sending.get())}</p>
                <ProgressBar
                    done=Signal::derive(move || if let Sending::Sent { bytes, .. } = sending.get() { bytes as i64 } else { 0 })
                    total=Signal::derive(move || if let Sending::Sent { total, .. } = sending.get() { total as i64 } else { 0 })
                    label=t!("Upload")
                />
            </div>
            <div class="row">
                <Button
                    submit=true weight=Weight::Primary busy
                    disabled=Signal::derive(move || chosen.with(|(count, _)| *count == 0) || problem.with(Option::is_some))
                >
                    {move || {
                        let (count, _) = chosen.get();
                        if count == 0 { t!("Import").to_owned() } else { n!(count as i64, "Import {count} file", "Import {count} files") }
                    }}
                </Button>
                <span hidden=move || !busy.get()><Button on:click=abort>{t!("Stop sending")}</Button></span>
            </div>
        </form>
    }
}

#[component]
fn SourceButton(
    /// What is chosen.
    source: RwSignal<Source>,
    /// What this button chooses.
    value: Source,
    /// Its words.
    name: &'static str,
    /// Chooses.
    choose: impl Fn(Source) + 'static,
) -> impl IntoView {
    view! {
        <button type="button" class="button" aria-pressed=move || if source.get() == value { "true" } else { "false" } on:click=move |_| choose(value)>
            {name}
        </button>
    }
}

/// Loads the job that an upload made, for the page to follow.
fn follow(job_id: i64, followed: RwSignal<Option<Job>>, sending: RwSignal<Sending>) {
    spawn_local(async move {
        match read_job(job_id).await {
            Ok(job) => followed.set(Some(job)),
            Err(error) => sending.set(Sending::Failed(error.to_string())),
        }
    });
}

fn files_of(event: &web_sys::Event) -> Vec<File> {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    let Some(list) = input.and_then(|input| input.files()) else { return Vec::new() };
    (0..list.length()).filter_map(|index| list.get(index)).collect()
}

fn total_bytes(files: &[File]) -> f64 {
    files.iter().map(|file| file.size()).sum()
}

/// Why the server would not take so much at once.
fn refusal(files: usize, bytes: f64) -> Option<String> {
    if files > MOST_FILES {
        Some(t!(
            "{size} are more than one upload takes. Send them in parts, or use kenami import.",
            size = n!(files as i64, "{count} file", "{count} files")
        ))
    } else if bytes > MOST_BYTES {
        Some(t!(
            "{size} are more than one upload takes. Send them in parts, or use kenami import.",
            size = text::bytes(bytes)
        ))
    } else {
        None
    }
}

fn sent_text(sending: &Sending) -> String {
    match sending {
        Sending::Sent { bytes, total } if bytes < total => {
            t!("{done} of {total} sent", done = text::bytes(*bytes), total = text::bytes(*total))
        }
        Sending::Sent { total, .. } => t!("{size} sent; the server stores them…", size = text::bytes(*total)),
        Sending::No | Sending::Failed(_) => String::new(),
    }
}
