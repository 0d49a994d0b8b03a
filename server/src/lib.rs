//! Kenami's server: the command line, HTTP, sessions, media, jobs and the data folder's own PostgreSQL.
//!
//! - [`cli`]: the commands; [`config`]: their settings.
//! - [`postgres`]: finding, starting, sharing and stopping a PostgreSQL of one's own.
//! - [`web`]: the web server; [`rest`]: its API for scripts.
//! - [`imaging`], [`import`], [`export`]: photos and datasets, in and out; [`jobs`]: the work behind them; [`storage`]: files.

pub mod cli;
pub mod config;
pub mod demo;
pub mod export;
pub mod imaging;
pub mod import;
pub mod jobs;
pub mod postgres;
pub mod rest;
pub mod signals;
pub mod storage;
pub mod web;
