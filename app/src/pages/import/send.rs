//! Sends files with XMLHttpRequest, which tells how far the upload is (fetch does not).

use leptos::wasm_bindgen::{JsCast, JsValue, closure::Closure};
use serde::{Deserialize, de::DeserializeOwned};
use web_sys::{File, FormData, ProgressEvent, XmlHttpRequest};

/// What the server answers to one that it did not take.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
}

/// The path of a file inside the folder that was chosen, else its name.
pub fn path_of(file: &File) -> String {
    let path =
        js_sys::Reflect::get(file, &JsValue::from_str("webkitRelativePath")).ok().and_then(|path| path.as_string());
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name())
}

/// Sends `files` to `address`. `on_progress` gets bytes sent and bytes in all; `on_end` the server's answer or what went wrong.
/// The request can be aborted; it then ends without a word.
///
/// # Errors
/// The browser refuses to make the request.
pub fn send<T: DeserializeOwned + 'static>(
    address: &str,
    files: &[File],
    on_progress: impl Fn(f64, f64) + 'static,
    on_end: impl FnOnce(Result<T, String>) + 'static,
) -> Result<XmlHttpRequest, JsValue> {
    let form = FormData::new()?;
    for file in files {
        form.append_with_blob_and_filename("files", file, &path_of(file))?;
    }
    let request = XmlHttpRequest::new()?;
    request.open("POST", address)?;

    let progress =
        Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| on_progress(event.loaded(), event.total()));
    request.upload()?.set_onprogress(Some(progress.as_ref().unchecked_ref()));
    // One of the two comes, once; an aborted request ends without either.
    let ended = request.clone();
    let end = Closure::once(move |_: ProgressEvent| {
        on_end(outcome(ended.status().unwrap_or(0), &ended.response_text().ok().flatten().unwrap_or_default()));
    });
    request.set_onload(Some(end.as_ref().unchecked_ref()));
    request.set_onerror(Some(end.as_ref().unchecked_ref()));
    end.forget();
    progress.forget();
    request.send_with_opt_form_data(Some(&form))?;
    Ok(request)
}

/// What an answer means; status 0 is no answer at all.
fn outcome<T: DeserializeOwned>(status: u16, body: &str) -> Result<T, String> {
    match status {
        0 => Err(t!(
            "The connection broke while the files were sent. Send them again: what has arrived is not added twice."
        )
        .to_owned()),
        200..=299 => serde_json::from_str(body).map_err(|_| t!("The server's answer could not be read.").to_owned()),
        _ => Err(serde_json::from_str::<Problem>(body)
            .ok()
            .and_then(|problem| problem.detail.or(problem.title))
            .map(|why| crate::text::translate_sentence(&why).into_owned())
            .unwrap_or_else(|| t!("The server did not take the files (status {status}).", status = status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(outcome(202, "[7]"), Ok(vec![7]));
        assert_eq!(
            outcome::<Vec<i64>>(413, r#"{"title": "Too large", "detail": "more than 50 MiB"}"#),
            Err("more than 50 MiB".into())
        );
        assert!(matches!(outcome::<i64>(502, "<html>"), Err(text) if text.contains("502")));
        assert!(matches!(outcome::<i64>(0, ""), Err(text) if text.contains("connection")));
    }
}
