//! `kenami export-model`: a trained model for use elsewhere; no server needed.

use std::path::PathBuf;

use anyhow::Result;
use kenami_trainer::ModelFormat;

use super::Usage;

/// `kenami export-model --run DIR --format onnx|safetensors --out PATH`.
#[derive(Debug, clap::Args)]
pub struct ExportModelArgs {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// onnx: one file that onnxruntime runs; safetensors: a folder with weights and config.json
    #[arg(long, value_enum)]
    pub format: Format,
    /// The file (onnx) or folder (safetensors) to write
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
}

/// What the model is written as.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Format {
    /// One file that onnxruntime runs.
    Onnx,
    /// A folder with weights and config.json.
    Safetensors,
}

/// Runs `kenami export-model`.
///
/// # Errors
/// The folder has no model, its network cannot be written in this format, or the output cannot be written.
pub async fn run(args: ExportModelArgs) -> Result<()> {
    if !args.run.is_dir() {
        return Err(Usage::error(format!("there is no folder {}", args.run.display())));
    }
    let format = match args.format {
        Format::Onnx => ModelFormat::Onnx,
        Format::Safetensors => ModelFormat::Safetensors,
    };
    let out = args.out.clone();
    tokio::task::spawn_blocking(move || kenami_trainer::export_model(&args.run, format, &args.out)).await??;
    say!("{}", out.display());
    Ok(())
}
