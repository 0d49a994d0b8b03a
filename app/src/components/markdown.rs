//! Markdown as people write it in guidelines, made harmless.

use kenami_domain::schema::Texts;
use leptos::prelude::*;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

use crate::text::{Language, page_language};

/// Shows markdown. HTML in it shows as text; links lead only to http, https and this server; pictures show as links.
#[component]
pub fn Markdown(
    /// The text.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    view! { <div class="markdown" inner_html=move || text.with(|text| to_html(text))></div> }
}

/// Markdown in a language, or, marked as such, in the nearest one that there is. Nothing where there is none.
#[component]
pub fn Translated(
    /// The text per language.
    texts: Texts,
    /// The language that is wanted; the page's if nothing is given.
    #[prop(default = page_language())]
    language: Language,
) -> impl IntoView {
    let shown = Language::ALL.into_iter().find(|other| texts.own(other.code()).is_some());
    let shown = if texts.own(language.code()).is_some() { Some(language) } else { shown };
    let text = shown.and_then(|shown| texts.own(shown.code())).unwrap_or_default().to_owned();
    let mark = shown.filter(|shown| *shown != language).map(|shown| {
        let note = t!("Only in {language}", language = shown.own_name());
        view! { <p><span class="badge badge-note">{note}</span></p> }
    });
    view! {
        {mark}
        <div lang=shown.map(Language::code)><Markdown text/></div>
    }
}

/// HTML of `markdown` that holds only elements of its own making.
pub fn to_html(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(harmless);
    let mut html = String::with_capacity(markdown.len() * 2);
    push_html(&mut html, events);
    html
}

/// An event that cannot run a script or load something from elsewhere.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Event::Html(link_start(&dest_url)),
        Event::End(TagEnd::Link | TagEnd::Image) => Event::Html(CowStr::Borrowed("</a>")),
        other => other,
    }
}

/// The start of a link; without an address where the address is none that we follow.
fn link_start(address: &str) -> CowStr<'static> {
    if !is_followed(address) {
        return CowStr::Borrowed("<a>");
    }
    // `external` keeps the router from taking it for one of its pages.
    CowStr::from(format!("<a href=\"{}\" rel=\"external noopener noreferrer\">", escape(address)))
}

/// Whether an address is http, https or a path of this server.
fn is_followed(address: &str) -> bool {
    // Browsers drop white space and control characters in addresses: `java\tscript:` is a script.
    if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let lower = address.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return true;
    }
    // A path, a fragment or a query; `//host` and `/\host` are other servers.
    let local = matches!(lower.as_bytes().first(), Some(b'/' | b'#' | b'?' | b'.'));
    local && !lower.starts_with("//") && !lower.contains('\\')
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_elements() {
        let html = to_html("1. The *whole* ear **stands**\n2. `tip`\n\n| a | b |\n|---|---|\n| 1 | 2 |");
        for part in ["<ol>", "<em>whole</em>", "<strong>stands</strong>", "<code>tip</code>", "<td>2</td>"] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn html_shows_as_text() {
        for attack in [
            "<script>alert(1)</script>",
            "text <img src=x onerror=alert(1)> text",
            "<div onclick=\"alert(1)\">\n\n<b>x</b>",
            "<!-- --><svg/onload=alert(1)>",
            "<style>*{display:none}</style>",
            "```<script>\n</code><script>alert(1)</script>\n```",
        ] {
            let html = to_html(attack);
            for element in ["<script", "<img", "<div", "<svg", "<style", "<b>", "<!--"] {
                assert!(!html.contains(element), "{attack} made {html}");
            }
        }
    }

    #[test]
    fn links_follow_only_the_web_and_this_server() {
        for good in ["https://example.org/a?b=c&d=e", "http://example.org", "/p/pets/guidelines/ear", "#ear", "../coat"]
        {
            let html = to_html(&format!("[x](<{good}>)"));
            assert!(html.contains("href=") && html.contains("noopener"), "{good} made {html}");
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java&#9;script:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//evil.example",
            "/\\evil.example",
            "&#x6A;avascript:alert(1)",
            "file:///etc/passwd",
            " javascript:alert(1)",
        ] {
            let html = to_html(&format!("[x](<{bad}>)"));
            assert!(!html.contains("href="), "{bad} made {html}");
        }
        assert!(!to_html("<javascript:alert(1)>").contains("href="));
        assert!(!to_html("![x](https://example.org/track.gif)").contains("<img"));
    }

    #[test]
    fn an_address_cannot_leave_its_attribute() {
        let html = to_html("[x](</\"onmouseover=alert(1)>)");
        assert!(!html.contains("\"onmouseover"), "{html}");
        let html = to_html("[x](/a \"\\\" onmouseover=alert(1)\")");
        assert!(!html.contains("onmouseover"), "{html}");
    }
}
