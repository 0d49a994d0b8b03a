//! Progress in the terminal, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::jobs::Progress;

/// A bar that follows a [`Progress`] until it is told to finish. Where standard error is no terminal, nothing is drawn.
pub(super) struct Bar {
    done: CancellationToken,
    drawing: JoinHandle<()>,
}

impl Bar {
    pub(super) fn show(progress: &Progress) -> Self {
        let done = CancellationToken::new();
        let drawing = tokio::spawn(draw(progress.clone(), done.clone()));
        Self { done, drawing }
    }

    pub(super) async fn finish(self) {
        self.done.cancel();
        let _ = self.drawing.await;
    }
}

async fn draw(progress: Progress, done: CancellationToken) {
    let style = |template: &str| ProgressStyle::with_template(template).expect("a valid template");
    let counted = style("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}");
    let open = style("{msg} {spinner} {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let mut shown = String::new();
    while !done.is_cancelled() {
        let (position, total, message) = progress.now();
        if message != shown {
            // A new part of the work: its own bar, its own estimate.
            bar.reset();
            bar.set_style(if total > 0 { counted.clone() } else { open.clone() });
            bar.set_message(message.clone());
            shown = message;
        }
        bar.set_length(total.max(position));
        bar.set_position(position);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
            () = done.cancelled() => {}
        }
    }
    bar.finish_and_clear();
}
