//! Photos a second that the loader makes ready, as one line of JSON; scripts/bench_loader.py measures torchvision's.
//!
//!     cargo run --release -p kenami-trainer --example bench_loader -- FOLDER [--workers N] [--batch 32] [--size 224]
//!         [--seconds 3] [--cache-mb 1024] [--policy basic]

use std::{env, path::Path, time::Duration};

use kenami_domain::run_config::{AugmentConfig, AugmentPolicy};
use kenami_trainer::data::bench::{LoaderBench, bench_loader};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(folder) = arguments.first().filter(|first| !first.starts_with("--")) else {
        eprintln!(
            "usage: bench_loader FOLDER [--workers N] [--batch N] [--size N] [--seconds S] [--cache-mb N] [--policy P]"
        );
        std::process::exit(2);
    };
    let option = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let number = |name: &str, default: usize| option(name).map_or(default, |text| text.parse().expect(name));
    let word = option("--policy").unwrap_or_else(|| "basic".to_owned());
    let policy = *AugmentPolicy::ALL.iter().find(|policy| policy.as_str() == word).expect("a policy");
    let bench = LoaderBench {
        augment: AugmentConfig { policy, ..AugmentConfig::default() },
        size: number("--size", 224) as u32,
        batch_size: number("--batch", 32),
        workers: number("--workers", 0),
        cache_bytes: number("--cache-mb", 1024) << 20,
        time: Duration::from_secs(number("--seconds", 3) as u64),
    };
    match bench_loader(Path::new(folder), &bench) {
        Ok(result) => println!(
            "{{\"case\": \"loader\", \"photos\": {}, \"first_epoch\": {:.1}, \"photos_per_second\": {:.1}}}",
            result.photos, result.first_epoch, result.later_epochs
        ),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
