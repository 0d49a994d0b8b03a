//! `kenami export`: a frozen dataset as files.

use std::path::PathBuf;

use anyhow::Result;
use kenami_domain::view::dataset::ExportFormat;
use kenami_store::{actor::Actor, datasets};

use super::with_context;
use crate::{
    config::DatabaseArgs,
    export::{self, Request},
};

/// `kenami export DATASET --format F --out PATH`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The dataset: NAME or PROJECT/NAME
    pub dataset: String,
    /// The format
    #[arg(long, value_enum)]
    pub format: FormatArg,
    /// The file or folder to write; folders become one archive where this ends in .zip
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// imagefolder: the attribute whose values are the folders [default: the given attribute with most values]
    #[arg(long, value_name = "ATTRIBUTE")]
    pub by: Option<String>,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// An export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatArg {
    /// One CSV table
    Csv,
    /// One JSON object a line
    Jsonl,
    /// A folder that `kenami train` reads
    Folder,
    /// Class folders and metadata.jsonl
    Imagefolder,
}

impl From<FormatArg> for ExportFormat {
    fn from(argument: FormatArg) -> Self {
        match argument {
            FormatArg::Csv => Self::Csv,
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Folder => Self::Folder,
            FormatArg::Imagefolder => Self::Imagefolder,
        }
    }
}

/// Runs `kenami export`.
///
/// # Errors
/// There is no such dataset, or the target cannot be written.
pub async fn run(args: ExportArgs) -> Result<()> {
    let written = with_context(&args.database, async |context| {
        let (project, dataset) = datasets::find(&Actor::System, &context.db, &args.dataset).await?;
        let request = Request {
            actor: Actor::System,
            db: context.db.clone(),
            storage: context.storage.clone(),
            project,
            dataset,
            format: args.format.into(),
            by: args.by.clone(),
        };
        Ok(export::write_to(&request, &args.out).await?)
    })
    .await?;
    if written.without_class > 0 {
        eprintln!("note: {} photos without a class were left out", written.without_class);
    }
    eprintln!("{} photos written to {}", written.photos, args.out.display());
    Ok(())
}
