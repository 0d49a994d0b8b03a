//! The loader: order, sameness whatever the threads, failures, bounds, and the contact sheet.

use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use image::{ImageFormat, RgbImage};
use kenami_domain::{
    dataset::{Item, Manifest},
    run_config::{AugmentConfig, AugmentPolicy, RunConfig},
};
use kenami_trainer::{
    Dataset, Error, Result,
    augment::Augment,
    data::{
        Batch, Loader, LoaderOptions, MemoryBudget, Normalisation, Photos, Preprocessing, Transform, prepare,
        show_batch,
    },
};

const PLAIN: Normalisation = Normalisation { mean: [124.0, 116.0, 104.0], deviation: [58.0, 57.0, 56.0] };

fn png(number: usize) -> Vec<u8> {
    let photo = RgbImage::from_fn(60 + number as u32, 50, |x, y| {
        image::Rgb([(x * 4) as u8, (y * 5) as u8, (number * 11) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    photo.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Photos in memory that count how often they were read; number 13 is broken.
struct Drawn {
    photos: usize,
    read: AtomicUsize,
}

impl Photos for Drawn {
    fn len(&self) -> usize {
        self.photos
    }

    fn name(&self, item: usize) -> String {
        format!("photo {item}")
    }

    fn bytes(&self, item: usize) -> Result<Vec<u8>> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok(if item == 13 { b"no photo".to_vec() } else { png(item) })
    }
}

fn drawn(photos: usize) -> Arc<Drawn> {
    Arc::new(Drawn { photos, read: AtomicUsize::new(0) })
}

fn augmented() -> Transform {
    let config = AugmentConfig {
        policy: AugmentPolicy::TrivialAugment,
        erasing: Some(0.5),
        jitter: [0.3; 4],
        ..AugmentConfig::default()
    };
    Transform::Train(Augment::new(&config, 5, 24))
}

fn loader(photos: &Arc<Drawn>, transform: Transform, workers: usize, cache: usize) -> Loader {
    let options = LoaderOptions { batch_size: 4, workers, prefetch: 2 };
    let photos: Arc<dyn Photos> = Arc::clone(photos) as _;
    Loader::new(photos, transform, PLAIN, options, Arc::new(MemoryBudget::new(cache)))
}

fn all(loader: &Loader, epoch: u64, order: &[usize], first: usize) -> Vec<Batch> {
    loader.epoch(epoch, order.to_vec(), first).map(|batch| batch.unwrap()).collect()
}

#[test]
fn batches_are_the_same_whatever_threads_cache_and_start() {
    let order: Vec<usize> = vec![3, 1, 4, 10, 5, 9, 2, 6, 12, 8, 0];
    let photos = drawn(13);
    let base = all(&loader(&photos, augmented(), 1, 0), 2, &order, 0);
    assert_eq!(base.iter().map(|batch| batch.items.len()).collect::<Vec<_>>(), [4, 4, 3]);
    assert_eq!(base.iter().flat_map(|batch| batch.items.clone()).collect::<Vec<_>>(), order);
    assert_eq!(base.iter().map(|batch| batch.number).collect::<Vec<_>>(), [0, 1, 2]);
    for workers in [2, 7] {
        for cache in [0, 20_000, 1 << 20] {
            let loader = loader(&photos, augmented(), workers, cache);
            assert_eq!(all(&loader, 2, &order, 0), base);
            assert_eq!(all(&loader, 2, &order, 0), base, "from memory");
            assert_eq!(all(&loader, 2, &order, 2), base[2..], "resumed");
            assert_ne!(all(&loader, 3, &order, 0), base, "another epoch");
        }
    }
    assert!(all(&loader(&photos, augmented(), 2, 0), 0, &order, 3).is_empty());
    assert!(all(&loader(&photos, augmented(), 2, 0), 0, &[], 0).is_empty());
}

#[test]
fn evaluation_gives_the_prepared_square_normalised() {
    let preprocessing = Preprocessing { size: 32, normalisation: PLAIN };
    let photos = drawn(3);
    let loader = loader(&photos, Transform::Evaluate(32), 2, 1 << 20);
    for _ in 0..2 {
        let batch = &all(&loader, 0, &[2, 0], 0)[0];
        for (image, item) in batch.images.chunks_exact(32 * 32 * 3).zip([2, 0]) {
            let bytes = prepare(&png(item), &preprocessing).unwrap();
            for (at, (value, byte)) in image.iter().zip(&bytes).enumerate() {
                assert_eq!(*value, (f32::from(*byte) - PLAIN.mean[at % 3]) / PLAIN.deviation[at % 3]);
            }
        }
    }
    assert_eq!(photos.read.load(Ordering::Relaxed), 2, "the second epoch comes from memory");
}

#[test]
fn a_photo_that_cannot_be_read_is_named_and_the_rest_is_there() {
    let photos = drawn(20);
    let loader = loader(&photos, augmented(), 3, 0);
    let results: Vec<_> = loader.epoch(0, (10..20).collect(), 0).collect();
    assert_eq!(results.len(), 3);
    assert!(results[1].is_ok() && results[2].is_ok());
    let incomplete = results.into_iter().next().unwrap().unwrap_err();
    assert_eq!(incomplete.rest.items, [10, 11, 12]);
    assert_eq!(incomplete.rest.images.len(), 3 * 24 * 24 * 3);
    assert_eq!(incomplete.failures[0].0, 13);
    let error = Error::from(incomplete).to_string();
    assert!(error.contains("photo 13"), "{error}");
}

#[test]
fn no_more_is_read_than_the_bound_says_and_dropping_stops() {
    let photos = drawn(200);
    let loader = loader(&photos, augmented(), 3, 0);
    let mut batches = loader.epoch(0, (0..13).chain(14..200).collect(), 0);
    batches.next().unwrap().unwrap();
    thread::sleep(Duration::from_millis(300));
    // One batch was taken, two are ahead.
    assert_eq!(photos.read.load(Ordering::Relaxed), 12);
    drop(batches);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(photos.read.load(Ordering::Relaxed), 12);
}

#[test]
fn kept_photos_stay_within_the_budget_and_are_given_back() {
    let budget = Arc::new(MemoryBudget::new(70_000));
    let photos: Arc<dyn Photos> = drawn(12);
    let options = LoaderOptions { batch_size: 5, workers: 2, prefetch: 1 };
    let loader = Loader::new(photos, augmented(), PLAIN, options, Arc::clone(&budget));
    all(&loader, 0, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 0);
    assert!(budget.left() < 12_000, "{}", budget.left());
    drop(loader);
    assert_eq!(budget.left(), 70_000);
}

#[test]
fn a_contact_sheet_shows_photos_names_and_targets() {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "name": "n", "hash": "", "policy": "majority",
        "schema": {"attributes": [{
            "key": "breed", "kind": "given",
            "values": [{"key": "pug"}, {"key": "boxer"}],
        }]},
    }))
    .unwrap();
    let item = |number: usize| -> Item {
        serde_json::from_value(serde_json::json!({
            "image": format!("images/{number}.png"), "split": if number == 5 { "test" } else { "train" },
            "given": {"breed": if number.is_multiple_of(2) { "pug" } else { "boxer" }},
        }))
        .unwrap()
    };
    let dataset = Dataset::new(manifest, (0..6).map(item).collect(), |item| {
        Ok(png(item.image.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()))
    });
    let config = |text: &str| RunConfig::from_toml(&format!("image_size = 40\n{text}")).unwrap();
    let basic = show_batch(&dataset, &config(""), 4).unwrap();
    assert_eq!(basic, show_batch(&dataset, &config(""), 4).unwrap());
    assert_ne!(basic, show_batch(&dataset, &config("[augment]\nmixup = 1.0\n"), 4).unwrap());
    assert_ne!(basic, show_batch(&dataset, &config("seed = 1\n"), 4).unwrap());
    // Two cells of 208 pixels a row, with two lines of text below each photo; 5 training photos need a third column.
    assert_eq!(basic.dimensions(), (8 + 2 * 216, 8 + 2 * (40 + 4 + 22 + 8)));
    assert_eq!(show_batch(&dataset, &config(""), 100).unwrap().width(), 8 + 3 * 216);
    let ink = basic.pixels().filter(|pixel| pixel.0 == [20; 3]).count();
    assert!(ink > 4 * 15 * 10, "{ink}");
}
