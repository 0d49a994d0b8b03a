//! How well annotators agree, per attribute.

use kenami_domain::{schema::Attribute, view::review::AttributeAgreement};
use leptos::{either::Either, prelude::*};

use crate::{components::page::Table, text};

/// Percent agreement and Krippendorff's alpha per attribute, with the reason where a figure is undefined.
#[component]
pub fn AgreementTable(
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// Their agreement.
    agreement: Vec<AttributeAgreement>,
) -> impl IntoView {
    let language = text::language();
    let rows = agreement
        .into_iter()
        .map(|row| {
            let name = text::attribute_name_of(&attributes, &row.attribute, language);
            let reason = row.undefined.clone();
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="numeric">{text::number(row.photos)}</td>
                    <td class="numeric">{text::number(row.votes)}</td>
                    <td class="numeric">{figure(row.percent.map(|share| text::percent(share, 1)))}</td>
                    <td class="numeric">{figure(row.alpha.map(text::coefficient))}</td>
                    <td class="numeric">{figure(row.alpha_not_visible_missing.map(text::coefficient))}</td>
                    <td class="quiet nowrap">{reason.map(|reason| text::translate_sentence(&reason).into_owned()).or_else(|| row.alpha.map(|alpha| reading(alpha).to_owned()))}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Agreement per attribute")>
            <thead>
                <tr>
                    <th scope="col">{t!("Attribute")}</th>
                    <th scope="col" class="numeric">{t!("Photos with 2+ votes")}</th>
                    <th scope="col" class="numeric">{t!("Votes")}</th>
                    <th scope="col" class="numeric" title=t!("Mean share of agreeing pairs of votes")>{t!("Agreement")}</th>
                    <th scope="col" class="numeric" title=t!("Krippendorff's alpha, nominal; not visible and unsure count as answers")>
                        {t!("Alpha")}
                    </th>
                    <th scope="col" class="numeric" title=t!("Krippendorff's alpha with not visible and unsure left out")>
                        {t!("Alpha, values alone")}
                    </th>
                    <th scope="col"><span class="visually-hidden">{t!("What it means")}</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

/// A figure, or that it is undefined.
pub fn figure(text: Option<String>) -> impl IntoView {
    match text {
        Some(text) => Either::Left(text),
        None => Either::Right(view! { <span class="quiet">{t!("undefined")}</span> }),
    }
}

/// How much may be built on an alpha: Krippendorff (2004) asks for .8, and for .667 where tentative conclusions do.
pub fn reading(alpha: f64) -> &'static str {
    match alpha {
        a if a >= 0.8 => t!("reliable"),
        a if a >= 0.667 => t!("tentative conclusions only"),
        a if a > 0.0 => t!("too low to rely on: look at the pairs"),
        _ => t!("no better than chance: the rules need work"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphas_are_read_by_krippendorffs_marks() {
        assert_eq!(reading(0.8), "reliable");
        assert_eq!(reading(0.7), "tentative conclusions only");
        assert!(reading(0.584).starts_with("too low"));
        assert!(reading(-0.1).starts_with("no better"));
    }
}
