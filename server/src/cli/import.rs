//! `kenami import`: a folder of photos into a project.

use std::path::PathBuf;

use anyhow::Result;
use kenami_domain::view::job::ImportReport;
use kenami_store::actor::Actor;

use super::{Usage, bar::Bar, with_context};
use crate::{
    config::DatabaseArgs,
    import::{self, Layout},
    jobs::Progress,
};

/// `kenami import PROJECT DIR`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The project's key; made if there is none
    pub project: String,
    /// The folder of photos
    pub dir: PathBuf,
    /// How the folder is laid out; found out from what it holds if not given
    #[arg(long, value_enum)]
    pub layout: Option<LayoutArg>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// A folder's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LayoutArg {
    /// images/ and annotations/{list,trainval,test}.txt
    OxfordPets,
    /// A folder a class
    Folders,
    /// A CSV beside the photos
    Csv,
}

impl From<LayoutArg> for Layout {
    fn from(argument: LayoutArg) -> Self {
        match argument {
            LayoutArg::OxfordPets => Self::OxfordPets,
            LayoutArg::Folders => Self::Folders,
            LayoutArg::Csv => Self::Csv,
        }
    }
}

/// Runs `kenami import`.
///
/// # Errors
/// The folder cannot be read, or nothing came in.
pub async fn run(args: ImportArgs) -> Result<()> {
    if !args.dir.exists() {
        return Err(Usage::error(format!("there is no folder {}", args.dir.display())));
    }
    let (dir, layout) = (args.dir.clone(), args.layout.map(Layout::from));
    // Read before the database is opened: a folder that cannot be read leaves nothing behind.
    let plan = tokio::task::spawn_blocking(move || import::plan(&dir, layout)).await??;
    let report = with_context(&args.database, async |context| {
        let progress = Progress::default();
        let bar = Bar::show(&progress);
        let report = import::run(&Actor::System, &context.db, &context.storage, &args.project, plan, &progress).await;
        bar.finish().await;
        Ok(report?)
    })
    .await?;
    print_report(&report, args.json)?;
    anyhow::ensure!(report.added + report.unchanged > 0, "no photo came in");
    Ok(())
}

fn print_report(report: &ImportReport, json: bool) -> Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for warning in &report.warnings {
        eprintln!("note: {warning}");
    }
    say!(
        "{} photos added ({} of them exact duplicates), {} unchanged, {} skipped",
        report.added,
        report.duplicates,
        report.unchanged,
        report.skipped.len()
    );
    for file in &report.skipped {
        say!("skipped {}: {}", file.name, file.reason);
    }
    Ok(())
}
