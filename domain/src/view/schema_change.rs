//! Changes of attributes and values: what may be changed, what it does to labels, and what was changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::schema::{Attribute, Texts};

/// A value to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewValue {
    /// Its key, which never changes.
    pub key: String,
    /// What people read.
    #[serde(default)]
    pub names: Texts,
}

/// How answers of one attribute become answers of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnswerMap {
    /// The attribute whose labels are read.
    pub attribute: String,
    /// By its answers (values, `not_visible`, `unsure`) those that they become; labels with an answer that is not named stay
    /// where they are and are not carried over.
    pub answers: BTreeMap<String, String>,
}

/// One change of a project's annotated attributes. No label is ever lost: a label that moves is superseded by one that says
/// what it became, by the same annotator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SchemaChange {
    /// Add an attribute after the others; with labels made from those of another one where `from` says so (that is how an
    /// attribute is split).
    AddAttribute {
        /// Its key, which never changes.
        key: String,
        /// What people read.
        #[serde(default)]
        names: Texts,
        /// Its values in order; at least two.
        values: Vec<NewValue>,
        /// Where its first labels come from.
        #[serde(default)]
        from: Option<AnswerMap>,
        /// Give photos that are done back to those who answered them, where they lack an answer to it.
        #[serde(default)]
        ask: bool,
    },
    /// Call an attribute, or values of it, something else. Keys stay, and labels with them: no label is touched.
    Rename {
        /// Its key; a given attribute may be renamed, too.
        attribute: String,
        /// What it is called from now on, in all languages; nothing: as it is.
        #[serde(default)]
        names: Option<Texts>,
        /// What values are called from now on, by their keys; others stay as they are.
        #[serde(default)]
        values: BTreeMap<String, Texts>,
    },
    /// Put the attributes in another order.
    OrderAttributes {
        /// All that are not retired, given ones included.
        attributes: Vec<String>,
    },
    /// Ask for an attribute no more. Its labels stay.
    RetireAttribute {
        /// Its key.
        attribute: String,
    },
    /// Ask for a retired attribute again.
    RestoreAttribute {
        /// Its key.
        attribute: String,
    },
    /// Carry the labels of an attribute over to another where that has none by the same annotator, and retire it.
    MergeAttributes {
        /// Goes, and how its answers are read.
        from: AnswerMap,
        /// Stays.
        into: String,
    },
    /// Add a value after the others.
    AddValue {
        /// The attribute.
        attribute: String,
        /// The value.
        value: NewValue,
    },
    /// Put the values of an attribute in another order.
    OrderValues {
        /// The attribute.
        attribute: String,
        /// All that are not retired.
        values: Vec<String>,
    },
    /// Offer a value no more. Its labels stay.
    RetireValue {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
    /// Offer a retired value again.
    RestoreValue {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
    /// Make several values one: their labels, decisions, gold answers and priors become those of `into`, and they are
    /// retired. Of a given attribute, their photos have `into` instead.
    MergeValues {
        /// The attribute.
        attribute: String,
        /// Values that go.
        values: Vec<String>,
        /// The value that stays.
        into: String,
    },
    /// Make one value several: its labels are in doubt, that is, kept and no votes until they are given again, and their
    /// photos go back to those who gave them, or to others where these cannot answer.
    SplitValue {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
        /// The new ones, which come right after it.
        into: Vec<NewValue>,
        /// Whether it stays beside the new ones, with a narrower meaning; otherwise it is retired.
        #[serde(default)]
        keep: bool,
    },
}

/// How much a change concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SchemaCounts {
    /// Labels that become another value, or are carried over to another attribute.
    pub labels_moved: i64,
    /// Labels that are in doubt afterwards: no votes until they are given again.
    pub labels_in_doubt: i64,
    /// Labels that stay with what is retired; of a split value, answers on gold photos.
    pub labels_kept: i64,
    /// Reviewers' decisions that become another value, or are carried over.
    pub decisions_moved: i64,
    /// Gold answers that become another value.
    pub gold_moved: i64,
    /// Photos whose annotators differed and agree afterwards.
    pub photos_settled: i64,
    /// Photos that have another given value.
    #[serde(default)]
    pub photos_moved: i64,
    /// Photos that go back to those who answered them, once for each of these.
    pub photos_returned: i64,
    /// Photos that are open to others, since who answered them cannot answer again; once for each of these.
    #[serde(default)]
    pub photos_opened: i64,
    /// What is called something else afterwards: the attribute, then values in order.
    #[serde(default)]
    pub renamed: Vec<Renamed>,
}

/// An attribute or a value that is called something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Renamed {
    /// The value's key; nothing for the attribute itself.
    pub value: Option<String>,
    /// What it was called, by language.
    pub from: Texts,
    /// What it is called.
    pub to: Texts,
    /// Standing labels that carry the name; none of them changes.
    pub labels: i64,
    /// Photos that carry it, of a given attribute.
    pub photos: i64,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SchemaChangeRecord {
    /// Its id.
    pub id: i64,
    /// What was changed.
    pub change: SchemaChange,
    /// How much it concerned.
    pub counts: SchemaCounts,
    /// Who made it.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who undid it, and when.
    pub undone: Option<Undone>,
    /// Why it cannot be undone (now); nothing where it can be, or has been.
    pub bound: Option<Bound>,
}

/// Who undid a change, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Undone {
    /// Account name.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Why a change cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Later changes stand: the newest is undone first.
    Later,
    /// Somebody has labelled or decided on top of it.
    Labelled,
}

/// An attribute with what there is of it, retired ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SchemaAttribute {
    /// The attribute with all of its values.
    pub attribute: Attribute,
    /// Whether it is asked for no more.
    pub retired: bool,
    /// Standing labels by answer key (photos, for a given attribute); answers that nobody gave are left out.
    pub labels: BTreeMap<String, i64>,
}
