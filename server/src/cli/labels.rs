//! `kenami labels import` and `kenami labels export`.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kenami_domain::csvio;
use kenami_store::{actor::Actor, labels};

use super::with_context;
use crate::config::DatabaseArgs;

/// `kenami labels`.
#[derive(Debug, clap::Subcommand)]
pub enum LabelsCommand {
    /// Read labels from a CSV: image,annotator,attribute,answer[,duration_ms,note]
    Import(LabelsImportArgs),
    /// Write a project's current labels as CSV
    Export(LabelsExportArgs),
}

/// `kenami labels import PROJECT FILE.csv`.
#[derive(Debug, clap::Args)]
pub struct LabelsImportArgs {
    /// The project's key
    pub project: String,
    /// The CSV file
    pub file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// `kenami labels export PROJECT --out FILE.csv`.
#[derive(Debug, clap::Args)]
pub struct LabelsExportArgs {
    /// The project's key
    pub project: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Runs `kenami labels`.
///
/// # Errors
/// The file cannot be read or written, or no row of it came in.
pub async fn run(command: LabelsCommand) -> Result<()> {
    match command {
        LabelsCommand::Import(args) => import(args).await,
        LabelsCommand::Export(args) => export(args).await,
    }
}

async fn import(args: LabelsImportArgs) -> Result<()> {
    let explain = || args.file.display().to_string();
    let file = File::open(&args.file).with_context(explain)?;
    let read = csvio::read_labels(BufReader::new(file)).with_context(explain)?;
    let done = with_context(&args.database, async |context| {
        Ok(labels::import(&Actor::System, &context.db, &args.project, &read.value).await?)
    })
    .await?;
    let mut left_out: Vec<(u64, String)> = read.errors.iter().map(|error| (error.line, error.to_string())).collect();
    left_out.extend(done.problems.iter().map(|(line, reason)| (*line, format!("line {line}: {reason}"))));
    left_out.sort();
    if args.json {
        let left_out: Vec<_> =
            left_out.iter().map(|(line, reason)| serde_json::json!({ "line": line, "reason": reason })).collect();
        let report =
            serde_json::json!({ "imported": done.imported, "unchanged": done.unchanged, "left_out": left_out });
        say!("{report:#}");
    } else {
        say!("{} labels imported, {} unchanged, {} rows left out", done.imported, done.unchanged, left_out.len());
        for (_, reason) in &left_out {
            say!("{reason}");
        }
    }
    anyhow::ensure!(done.imported + done.unchanged > 0, "no label came in");
    Ok(())
}

async fn export(args: LabelsExportArgs) -> Result<()> {
    let rows = with_context(&args.database, async |context| {
        Ok(labels::export(&Actor::System, &context.db, &args.project).await?)
    })
    .await?;
    write(&args.out, |file| Ok(csvio::write_labels(file, &rows)?))?;
    eprintln!("{} labels written to {}", rows.len(), args.out.display());
    Ok(())
}

/// Writes a file beside `path` and renames it at the end: there is a whole file or none.
pub(super) fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> Result<()>) -> Result<()> {
    let explain = || format!("cannot write {}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(explain)?;
    let file = tempfile::NamedTempFile::new_in(parent).with_context(explain)?;
    let mut buffered = BufWriter::new(file.as_file());
    write(&mut buffered).with_context(explain)?;
    buffered.flush().with_context(explain)?;
    drop(buffered);
    make_readable(file.as_file()).with_context(explain)?;
    file.persist(path).with_context(explain)?;
    Ok(())
}

/// Temporary files are private; results are as readable as other files.
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
