//! Repeatable chance: a splitmix64 stream for each record, and ids that can't collide.
//!
//! A stream is seeded from what it is for (seed, source, record, purpose), never from what was drawn before, so a
//! record has the same bytes whoever writes it and when. It is no source of secrets. The surprising thing: an id is
//! not drawn at all, [`permute`] shuffles the record's number, so two records never share one.

/// The step of splitmix64: the golden ratio in 64 bits.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A splitmix64 stream.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The stream for one purpose of record `index` of the world named by `key`.
    pub(crate) fn new(key: u64, index: u64, purpose: u64) -> Self {
        Self(mix(mix(key ^ purpose.wrapping_mul(GAMMA)) ^ index))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// True `permille` times in a thousand.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of `items`, each as likely.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// The place of one of `weights`, each as likely as it is heavy.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut roll = self.below(weights.iter().sum());
        for (place, &weight) in weights.iter().enumerate() {
            if roll < weight {
                return place;
            }
            roll -= weight;
        }
        0
    }
}

/// Spreads every bit of `x` over all 64; no two inputs give the same output.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Shuffles the numbers of `bits` bits: one to one for each `key`.
pub(crate) fn permute(bits: u32, key: u64, number: u64) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    let mut x = (number ^ key) & mask;
    for odd in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb, GAMMA] {
        x = x.wrapping_mul(odd) & mask;
        x ^= x >> (bits / 2);
    }
    x
}
