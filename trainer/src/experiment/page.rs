//! An experiment as one HTML file: no scripts, nothing from elsewhere, readable by day and by night.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    CellState, Results,
    chart::{COLOURS, Line, svg},
    results::CellCurves,
    tables,
};

const STYLE: &str = "\
:root{color-scheme:light dark;--c0:#1f6fb4;--c1:#c2500a;--c2:#2e7d32;--c3:#8e3ab0;--c4:#a8195b;--c5:#6d6a00;\
--line:#d0d3d8;--soft:#5b616b;--paper:#fff;--ink:#1b1e23;--band:#f3f5f7}\
@media(prefers-color-scheme:dark){:root{--c0:#6db3f2;--c1:#f0944d;--c2:#7cc77f;--c3:#c68be0;--c4:#ee7fb2;--c5:#c9c24a;\
--line:#3a3f47;--soft:#a2a9b4;--paper:#16181c;--ink:#e7e9ec;--band:#1f2227}}\
body{margin:0 auto;padding:1.5rem;max-width:72rem;background:var(--paper);color:var(--ink);\
font:1rem/1.5 system-ui,sans-serif}\
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem;border-bottom:1px solid var(--line)}\
.wide{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}\
th,td{padding:.3rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}thead th{background:var(--band);white-space:normal}tbody th{font-weight:600}\
p,figcaption{color:var(--soft);max-width:60rem}.charts{display:grid;gap:1rem;\
grid-template-columns:repeat(auto-fit,minmax(20rem,1fr))}figure{margin:0}svg{width:100%;height:auto}\
svg text{fill:var(--soft);font-size:12px}.y{text-anchor:end}.x{text-anchor:middle}.grid{stroke:var(--line);fill:none}\
polyline{fill:none;stroke-width:1.8;stroke-linejoin:round;opacity:.8}polyline:hover{stroke-width:3.5;opacity:1}\
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .35em 0 1em}\
pre{background:var(--band);padding:1rem;overflow-x:auto}";

/// Text in HTML, also inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The page.
pub(super) fn html(results: &Results, curves: &[CellCurves]) -> String {
    let title = escape(&tables::title(results));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}"
    );
    for colour in 0..COLOURS {
        let _ = write!(
            page,
            "polyline.c{colour}{{stroke:var(--c{colour})}}circle.c{colour}{{fill:var(--c{colour})}}\
             .key.c{colour}{{background:var(--c{colour})}}"
        );
    }
    let _ = write!(page, "</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n", escape(&summary(results)));
    for head in results.heads() {
        let _ = write!(page, "<section>\n<h2>{}</h2>\n", escape(head));
        table(&mut page, "Accuracy by variant", &tables::figures(results, head));
        table(&mut page, "Paired differences", &tables::differences(results, head));
        table(&mut page, "McNemar's test", &tables::comparisons(results, head));
        charts(&mut page, results, curves, head);
        page.push_str("</section>\n");
    }
    for note in tables::notes(results) {
        let _ = writeln!(page, "<p>{}</p>", escape(&note));
    }
    page.push_str("<section>\n<h2>Configurations</h2>\n");
    for variant in &results.variants {
        let config = results.configurations.get(variant).map_or("", String::as_str);
        // Seeds differ from run to run: the line would mislead.
        let config: Vec<&str> = config.lines().filter(|line| !line.starts_with("seed = ")).collect();
        let _ = writeln!(
            page,
            "<details><summary>{}</summary><pre>{}</pre></details>",
            escape(variant),
            escape(&config.join("\n"))
        );
    }
    page.push_str("</section>\n</main>\n</body>\n</html>\n");
    page
}

fn summary(results: &Results) -> String {
    let wanted = results.variants.len() * results.seeds.len();
    let finished = results.cells.iter().filter(|cell| cell.state == CellState::Finished).count();
    let seconds: f64 = results.cells.iter().filter_map(|cell| cell.seconds).sum();
    let mut text = format!("Dataset {}", results.dataset);
    if !results.dataset_hash.is_empty() {
        let _ = write!(text, " ({})", results.dataset_hash.chars().take(12).collect::<String>());
    }
    let _ = write!(text, "; {finished} of {wanted} runs finished, {seconds:.0} seconds of training.");
    text
}

fn table(page: &mut String, name: &str, rows: &[Vec<String>]) {
    let [header, rows @ ..] = rows else { return };
    if rows.is_empty() {
        return;
    }
    let _ = write!(page, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>", escape(name));
    let cells: String = header.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell))).collect();
    let _ = write!(page, "<thead><tr>{cells}</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match column {
                0 => write!(page, "<th scope=\"row\">{cell}</th>"),
                _ => write!(page, "<td>{cell}</td>"),
            };
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>\n");
}

/// A picture for each series of the head: a line per run, a colour per variant.
fn charts(page: &mut String, results: &Results, curves: &[CellCurves], head: &str) {
    let prefix = format!("{head}/");
    let rows = || curves.iter().flat_map(|cell| &cell.rows);
    let kinds: BTreeSet<(&str, &str)> =
        rows().filter_map(|row| Some((row.split.as_str(), row.series.strip_prefix(&prefix)?))).collect();
    if kinds.is_empty() {
        return;
    }
    let keys: String = results
        .variants
        .iter()
        .enumerate()
        .map(|(i, variant)| format!("<span class=\"key c{}\"></span>{}", i % COLOURS, escape(variant)))
        .collect();
    let _ = write!(page, "<p>Curves over epochs, a line for each seed:{keys}</p>\n<div class=\"charts\">\n");
    for (split, series) in kinds {
        let lines: Vec<Line> = curves
            .iter()
            .map(|cell| Line {
                name: format!("{}, seed {}", cell.variant, cell.seed),
                variant: results.variants.iter().position(|variant| *variant == cell.variant).unwrap_or(0),
                points: cell
                    .rows
                    .iter()
                    .filter(|row| row.split == split && row.series.strip_prefix(&prefix) == Some(series))
                    .map(|row| (f64::from(row.epoch), row.value))
                    .collect(),
            })
            .collect();
        let name = format!("{series}, {split}");
        let picture = svg(&name, &lines);
        let _ = writeln!(page, "<figure>{picture}<figcaption>{}</figcaption></figure>", escape(&name));
    }
    page.push_str("</div>\n");
}
