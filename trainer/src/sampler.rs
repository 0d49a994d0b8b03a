//! Which photos make up each batch of an epoch: a function of seed and epoch alone, so a run goes on from any step.

use kenami_domain::run_config::{RunConfig, SamplerConfig, SamplerKind};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{
    error::{Error, Result},
    random,
};

/// Draws the batches of an epoch.
#[derive(Debug, Clone)]
pub struct Sampler {
    config: SamplerConfig,
    seed: u64,
    batch_size: usize,
    photos: usize,
    /// Per class, its photos; only where the kind goes by classes, and only classes that have photos.
    classes: Vec<Vec<u32>>,
}

impl Sampler {
    /// Over the training part's photos, whose `classes` are those of [`RunConfig::loss`]'s `of`. Photos without a class
    /// are never drawn by the kinds that go by classes.
    ///
    /// # Errors
    /// There are no photos, or the kind needs two classes and there are not.
    pub fn new(config: &RunConfig, classes: &[Option<usize>]) -> Result<Self> {
        if classes.is_empty() {
            return Err(Error::Dataset("there is no photo to train on".to_owned()));
        }
        let mut by_class: Vec<Vec<u32>> = Vec::new();
        if config.sampler.kind != SamplerKind::Shuffle {
            for (photo, class) in classes.iter().enumerate() {
                let Some(class) = *class else { continue };
                if by_class.len() <= class {
                    by_class.resize(class + 1, Vec::new());
                }
                by_class[class].push(photo as u32);
            }
            by_class.retain(|photos| !photos.is_empty());
            if by_class.len() < 2 {
                let kind = config.sampler.kind;
                return Err(Error::Dataset(format!(
                    "sampler.kind = \"{kind}\" needs two classes in train, there are {}",
                    by_class.len()
                )));
            }
        }
        Ok(Self {
            config: config.sampler.clone(),
            seed: config.seed,
            batch_size: config.batch_size as usize,
            photos: classes.len(),
            classes: by_class,
        })
    }

    /// Batches of an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        match self.config.kind {
            SamplerKind::Shuffle => self.photos.div_ceil(self.batch_size),
            SamplerKind::Pk => self.labelled().div_ceil(self.classes_per_batch() * self.config.k as usize),
            SamplerKind::Balanced => self.labelled().div_ceil(self.batch_size),
        }
    }

    fn labelled(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    fn classes_per_batch(&self) -> usize {
        (self.config.p as usize).min(self.classes.len())
    }

    /// The batches of `epoch`, as positions in the training part.
    pub fn epoch(&self, epoch: u32) -> Vec<Vec<u32>> {
        let mut rng = random::epoch(self.seed, epoch);
        match self.config.kind {
            SamplerKind::Shuffle => {
                let mut order: Vec<u32> = (0..self.photos as u32).collect();
                order.shuffle(&mut rng);
                order.chunks(self.batch_size).map(<[u32]>::to_vec).collect()
            }
            SamplerKind::Pk => self.pk(&mut rng),
            SamplerKind::Balanced => self.balanced(&mut rng),
        }
    }

    /// P classes that differ and K photos of each, which differ where the class has as many (Hermans, Beyer and Leibe
    /// 2017). As many batches as make up the number of photos.
    fn pk(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
        let mut classes = Cycle::new((0..self.classes.len()).collect());
        let mut photos: Vec<Cycle<u32>> = self.classes.iter().cloned().map(Cycle::new).collect();
        let batch = |_| {
            let drawn = classes.take(self.classes_per_batch(), rng);
            drawn.into_iter().flat_map(|class| photos[class].take(self.config.k as usize, rng)).collect()
        };
        (0..self.batches_per_epoch()).map(batch).collect()
    }

    /// Every class as often as every other (by one at most), as many photos in all as there are.
    fn balanced(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
        let mut classes = Cycle::new((0..self.classes.len()).collect());
        let mut photos: Vec<Cycle<u32>> = self.classes.iter().cloned().map(Cycle::new).collect();
        let drawn: Vec<u32> = (0..self.labelled()).map(|_| photos[classes.next(rng)].next(rng)).collect();
        drawn.chunks(self.batch_size).map(<[u32]>::to_vec).collect()
    }
}

/// Goes through its values in random order, again and again in another.
struct Cycle<T> {
    values: Vec<T>,
    used: usize,
}

impl<T: Copy + PartialEq> Cycle<T> {
    fn new(values: Vec<T>) -> Self {
        Self { used: values.len(), values }
    }

    fn next(&mut self, rng: &mut ChaCha8Rng) -> T {
        if self.used == self.values.len() {
            self.values.shuffle(rng);
            self.used = 0;
        }
        self.used += 1;
        self.values[self.used - 1]
    }

    /// The next `count` values, without repetition as far as there are so many.
    fn take(&mut self, count: usize, rng: &mut ChaCha8Rng) -> Vec<T> {
        let mut taken: Vec<T> = Vec::with_capacity(count);
        // Values of the last full pass do not count as repetitions: a small class is gone through again.
        let mut pass = 0;
        while taken.len() < count {
            if taken.len() - pass == self.values.len() {
                pass = taken.len();
            }
            let value = self.next(rng);
            // A value that has come already keeps its turn in the order that has just begun; one that has not goes first.
            let is_new = |other: &T| !taken[pass..].contains(other);
            if !is_new(&value)
                && let Some(later) = self.values[self.used..].iter().position(is_new)
            {
                let later = self.used + later;
                self.used -= 1;
                self.values.swap(self.used, later);
                continue;
            }
            taken.push(value);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// 23 photos of 5 classes of unequal size; every sixth has none.
    fn classes() -> Vec<Option<usize>> {
        (0..23).map(|i: usize| (i % 6 != 5).then(|| [0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 4][i % 11])).collect()
    }

    fn sampler(kind: SamplerKind, p: u32, k: u32) -> Sampler {
        let sampler = SamplerConfig { kind, p, k };
        Sampler::new(&RunConfig { seed: 3, batch_size: 4, sampler, ..RunConfig::default() }, &classes()).unwrap()
    }

    #[test]
    fn shuffle_goes_through_every_photo_once() {
        let sampler = sampler(SamplerKind::Shuffle, 8, 4);
        let batches = sampler.epoch(1);
        assert_eq!(batches.len(), sampler.batches_per_epoch());
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4, 4, 4, 3]);
        let seen: BTreeSet<u32> = batches.concat().into_iter().collect();
        assert_eq!(seen, (0..23).collect());
        assert_ne!(batches, sampler.epoch(2));
    }

    #[test]
    fn every_kind_gives_the_same_batches_for_the_same_seed_and_epoch() {
        for kind in SamplerKind::ALL {
            let one = sampler(*kind, 2, 3);
            assert_eq!(one.epoch(5), sampler(*kind, 2, 3).epoch(5));
            assert_ne!(one.epoch(5), one.epoch(6));
            assert_eq!(one.epoch(5).len(), one.batches_per_epoch(), "{kind}");
            let other = Sampler { seed: 4, ..one.clone() };
            assert_ne!(one.epoch(5), other.epoch(5));
        }
    }

    #[test]
    fn pk_draws_p_classes_with_k_photos_each() {
        let classes = classes();
        for (p, k) in [(2, 3), (3, 2), (5, 2), (8, 4)] {
            let sampler = sampler(SamplerKind::Pk, p, k);
            let mut seen = BTreeSet::new();
            for batch in (1..=20).flat_map(|epoch| sampler.epoch(epoch)) {
                let mut by_class: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
                batch
                    .iter()
                    .for_each(|photo| by_class.entry(classes[*photo as usize].unwrap()).or_default().push(*photo));
                assert_eq!(by_class.len(), (p as usize).min(5));
                for (class, photos) in by_class {
                    assert_eq!(photos.len(), k as usize);
                    let size = classes.iter().filter(|other| **other == Some(class)).count();
                    let different = photos.iter().collect::<BTreeSet<_>>().len();
                    assert_eq!(different, size.min(k as usize), "class {class}: {photos:?}");
                }
                seen.extend(batch);
            }
            assert_eq!(seen.len(), classes.iter().flatten().count(), "a photo is never drawn");
        }
    }

    #[test]
    fn balanced_draws_every_class_as_often_as_every_other() {
        let classes = classes();
        let sampler = sampler(SamplerKind::Balanced, 8, 4);
        let mut counts = BTreeMap::new();
        let drawn = sampler.epoch(1).concat();
        drawn.iter().for_each(|photo| *counts.entry(classes[*photo as usize].unwrap()).or_insert(0) += 1);
        assert_eq!(drawn.len(), classes.iter().flatten().count());
        let (low, high) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        assert!(counts.len() == 5 && high - low <= 1, "{counts:?}");
    }

    #[test]
    fn one_class_is_too_few() {
        let sampler = SamplerConfig { kind: SamplerKind::Pk, ..Default::default() };
        let config = RunConfig { sampler, ..Default::default() };
        assert!(Sampler::new(&config, &[Some(1), None, Some(1)]).is_err());
        assert!(Sampler::new(&RunConfig::default(), &[]).is_err());
    }
}
