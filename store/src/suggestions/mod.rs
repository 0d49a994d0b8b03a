//! Suggestions: what the page proposes for a photo's attribute.
//!
//! A project has at most one source in use: a finished run, a file with predictions, or its priors. Its rows lie in
//! `suggestions`, one a photo and attribute. A share of pairs of a photo and an annotator (`suggestion_control` in the
//! database) never sees them; a label keeps a copy of what there was and whether it was shown, so that [`report`] can say
//! how far suggestions pull answers.

mod report;
pub(crate) mod shown;
mod source;

pub use report::report;
pub use source::{import, set_viewer, source, switch_off, switch_on};
