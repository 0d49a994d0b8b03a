//! The parts that pages are made of.

pub mod alert;
pub mod button;
pub mod copy;
pub mod dialog;
pub mod field;
pub mod job;
pub mod keys;
pub mod language;
pub mod loaded;
pub mod markdown;
pub mod page;
pub mod photo;
pub mod picture;
pub mod progress;
pub mod shell;
pub mod time;
pub mod toast;
