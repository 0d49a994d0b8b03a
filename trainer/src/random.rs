//! Random numbers that depend on the seed and the place where they are used alone, so that a run can be resumed anywhere.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Epoch `e` shuffles with stream `e` of the seed's numbers.
pub(crate) fn epoch(seed: u64, epoch: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(epoch));
    rng
}

/// The numbers for one purpose at one place (an epoch, a step): a stream named by their hash.
pub(crate) fn at(seed: u64, purpose: &str, place: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.to_le_bytes());
    hasher.update(purpose.as_bytes());
    let mut stream = [0; 8];
    stream.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_le_bytes(stream));
    rng
}
