//! What a finished run left: its pictures on the page, and every file to keep.

use kenami_domain::schema::Attribute;
use leptos::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::text;

/// Files that every finished run has, with what they hold.
const FILES: [(&str, &str); 5] = [
    ("metrics.json", mark!("the results")),
    ("predictions.csv", mark!("probabilities for every photo")),
    ("config.toml", mark!("the configuration, every key written out")),
    ("curves.csv", mark!("the curves")),
    ("model.safetensors", mark!("the weights")),
];

/// What other files hold, by how their names begin.
const REPORT: [(&str, &str); 12] = [
    ("README.md", mark!("the model card")),
    ("per_class", mark!("precision, recall and F1 per value")),
    ("confused", mark!("the most confused pairs with their photos")),
    ("top_losses", mark!("the photos with the largest losses")),
    ("accuracy_by_given", mark!("accuracy per value of each given attribute")),
    ("coincidence", mark!("whether heads err on the same photos")),
    ("confusion_", mark!("a confusion matrix")),
    ("reliability_", mark!("accuracy over confidence")),
    ("curves.png", mark!("the curves as a picture")),
    ("oof_predictions", mark!("out-of-sample predictions")),
    ("events.out.tfevents", mark!("the curves for TensorBoard")),
    ("cam/", mark!("where the network looked")),
];

/// Where Grad-CAM overlays are, by head.
const CAMS: &str = "cam/";
const RELIABILITY: &str = "reliability_";
const PICTURE: &str = ".png";

/// What stays as it is in a path of an address.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// The address of a run's file.
fn file_url(key: &str, run_id: i64, file: &str) -> String {
    format!("/p/{key}/runs/{run_id}/files/{}", utf8_percent_encode(file, PATH))
}

/// A run's picture, which opens alone.
pub fn file_picture(key: &str, run_id: i64, file: &str, alt: String) -> impl IntoView + use<> {
    let source = file_url(key, run_id, file);
    view! { <a href=source.clone() rel="external" target="_blank"><img src=source.clone() alt=alt loading="lazy"/></a> }
}

/// Pictures and files of a run.
#[component]
pub fn Files(
    /// The project's key.
    key: String,
    /// The run.
    run_id: i64,
    /// Paths in the run's folder; none where the run is from before they were listed.
    files: Vec<String>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let href = |file: &str| file_url(&key, run_id, file);
    let row = |file: &str, holds: &'static str| {
        view! {
            <li>
                <a href=href(file) rel="external" download>{file.to_owned()}</a>
                <span class="quiet">{text::translate(holds)}</span>
            </li>
        }
    };
    let picture = |file: &str, alt: String| file_picture(&key, run_id, file, alt);
    let head_name = |head: &str| text::attribute_name_of(&attributes, head, text::language());
    let main = FILES.map(|(file, holds)| row(file, holds)).collect_view();
    let others: Vec<&String> = files.iter().filter(|file| !FILES.iter().any(|(known, _)| file == known)).collect();
    let count = others.len();
    let others = others.into_iter().map(|file| {
        let holds = REPORT.iter().find(|(start, _)| file.starts_with(start)).map_or("", |(_, holds)| holds);
        row(file, holds)
    });
    let others = others.collect_view();
    let reliability = files.iter().filter_map(|file| {
        let head = file.strip_prefix(RELIABILITY)?.strip_suffix(PICTURE)?;
        Some(picture(file, t!("Accuracy over confidence of the head {head}", head = head_name(head))))
    });
    let reliability = reliability.collect_view();
    let looks = looks(&files).into_iter().map(|(head, files)| {
        let title = n!(files.len() as i64, "{head}: {count} photo", "{head}: {count} photos", head = head_name(&head));
        let sheets =
            files.iter().map(|file| picture(file, t!("Where the network looked in {photo}", photo = name(file))));
        view! {
            <details>
                <summary>{title}</summary>
                <div class="run-pictures">{sheets.collect_view()}</div>
            </details>
        }
    });
    let looks = looks.collect_view();
    view! {
        {(!looks.is_empty()).then(|| view! {
            <section class="stack-s">
                <h2>{t!("Where the network looked")}</h2>
                <p class="quiet">{t!("Grad-CAM on the photos it got most wrong: what speaks for its prediction, and for the answer.")}</p>
                {looks}
            </section>
        })}
        {(!reliability.is_empty()).then(|| view! {
            <details class="stack-s">
                <summary>{t!("Calibration: accuracy over confidence, before and after temperature scaling")}</summary>
                <div class="run-pictures">{reliability}</div>
            </details>
        })}
        <section class="stack-s">
            <h2>{t!("Files")}</h2>
            <ul class="run-files">{main}</ul>
            {(count > 0).then(|| view! {
                <details>
                    <summary>{n!(count as i64, "{count} more file", "{count} more files")}</summary>
                    <ul class="run-files">{others}</ul>
                </details>
            })}
        </section>
    }
}

/// Overlays by head, each head's in order.
fn looks(files: &[String]) -> Vec<(String, Vec<String>)> {
    let mut heads: Vec<(String, Vec<String>)> = Vec::new();
    for file in files {
        let Some((head, _)) = file.strip_prefix(CAMS).and_then(|rest| rest.split_once('/')) else { continue };
        match heads.last_mut().filter(|(last, _)| last == head) {
            Some((_, of_head)) => of_head.push(file.clone()),
            None => heads.push((head.to_owned(), vec![file.clone()])),
        }
    }
    heads
}

/// The photo's name of `cam/HEAD/RANK_NAME.png`.
fn name(file: &str) -> &str {
    let last = file.rsplit('/').next().unwrap_or(file).trim_end_matches(PICTURE);
    last.split_once('_').map_or(last, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_are_gathered_by_head() {
        let files = ["cam/breed/001_pug_1.png", "cam/ear/001_a.png", "cam/ear/002_b.png", "curves.png"];
        let looks = looks(&files.map(str::to_owned));
        assert_eq!(looks.len(), 2);
        assert_eq!((looks[1].0.as_str(), looks[1].1.len()), ("ear", 2));
        assert_eq!(name(&looks[0].1[0]), "pug_1");
    }
}
