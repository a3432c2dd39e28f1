//! Sixty-four bytes at a time: where the bytes are that decide where a JSON value ends.
//!
//! Bit i of a mask stands for byte i of the block. What is rare in JSON is not told apart at once: one question is asked
//! of the whole block, and only where it says yes are there masks for it.

use std::ops::BitXorAssign;

use wide::u8x32;

/// Bytes in a block.
pub(super) const BLOCK: usize = 64;
/// Where its halves begin.
const HALVES: [usize; 2] = [0, BLOCK / 2];

/// What is where in a block, strings not yet considered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    /// `"`
    pub(super) quote: u64,
    /// `{`, `[`, `}` and `]`, and with them `Y`, `_`, `y` and DEL, which stand in strings alone.
    pub(super) bracket: u64,
    /// `:` and `,`, behind which most strings begin.
    pub(super) separator: u64,
    /// Whether there is a `\` or a control character.
    pub(super) has_rare: bool,
}

/// What is where in a block that has something rare.
#[derive(Clone, Copy, Debug)]
pub(super) struct RareMasks {
    /// `\`
    pub(super) backslash: u64,
    /// Control characters, which no string may hold.
    pub(super) control: u64,
}

impl Masks {
    /// Classifies a block.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let (mut quote, mut bracket, mut separator) = (0, 0, 0);
        let (mut backslash, mut least) = (u8x32::ZERO, u8x32::MAX);
        for (bytes, at) in lanes(block) {
            quote |= bits(is(bytes, b'"'), at);
            // The brackets differ in these three bits alone.
            bracket |= bits(is(bytes & u8x32::splat(!0x26), b'{' & !0x26), at);
            separator |= bits(is(bytes, b':') | is(bytes, b','), at);
            backslash |= is(bytes, b'\\');
            least = least.min(bytes);
        }
        let has_rare = (backslash | is_control(least)).to_bitmask() != 0;
        Self { quote, bracket, separator, has_rare }
    }
}

impl RareMasks {
    /// Classifies a block.
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let (mut backslash, mut control) = (0, 0);
        for (bytes, at) in lanes(block) {
            backslash |= bits(is(bytes, b'\\'), at);
            control |= bits(is_control(bytes), at);
        }
        Self { backslash, control }
    }
}

/// What is where in a block of an object that may be plain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectMasks {
    /// `{`
    pub(super) open: u64,
    /// `}`
    pub(super) close: u64,
    /// `]`, a `{` that is not behind a `:`, and a `\` behind another.
    pub(super) other: u64,
    /// `"` that is not behind a `\`.
    pub(super) quotes: Quotes,
}

impl ObjectMasks {
    /// Classifies a block; `before` is the block that begins a byte earlier.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK], before: &[u8; BLOCK]) -> Self {
        let (mut open, mut close, mut other, mut quotes) = (0, 0, 0, Quotes::default());
        let all = lanes(block).zip(lanes(before)).zip(&mut quotes.0);
        for (((bytes, at), (before, _)), quotes) in all {
            let (opens, escaped) = (is(bytes, b'{'), is(before, b'\\'));
            open |= bits(opens, at);
            close |= bits(is(bytes, b'}'), at);
            other |= bits((opens & !is(before, b':')) | (escaped & is(bytes, b'\\')) | is(bytes, b']'), at);
            *quotes = is(bytes, b'"') & !escaped;
        }
        Self { open, close, other, quotes }
    }
}

/// For each place of a block whether there is a quote, or in several blocks an odd number of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quotes([u8x32; 2]);

impl Quotes {
    /// The places as a mask.
    pub(super) fn mask(self) -> u64 {
        self.0.iter().zip(HALVES).fold(0, |all, (lane, at)| all | bits(*lane, at))
    }
}

impl BitXorAssign for Quotes {
    fn bitxor_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(lane, other)| *lane ^= other);
    }
}

/// The halves of a block, and where they begin.
#[inline]
fn lanes(block: &[u8; BLOCK]) -> impl Iterator<Item = (u8x32, usize)> {
    let halves = block.as_chunks().0.iter().map(|bytes: &[u8; BLOCK / 2]| u8x32::new(*bytes));
    halves.zip(HALVES)
}

/// The last bytes of a text as a block, with white space behind them.
pub(super) fn padded(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    block
}

#[inline]
fn is(bytes: u8x32, byte: u8) -> u8x32 {
    bytes.simd_eq(u8x32::splat(byte))
}

#[inline]
fn is_control(bytes: u8x32) -> u8x32 {
    bytes.min(u8x32::splat(0x1f)).simd_eq(bytes)
}

#[inline]
fn bits(lane: u8x32, at: usize) -> u64 {
    u64::from(lane.to_bitmask()) << at
}

/// Bits of `quotes` that no backslash escapes; `carry` tells whether the block before ended in an open escape.
#[inline]
pub(super) fn unescaped(quotes: u64, backslash: u64, carry: &mut bool) -> u64 {
    if backslash == 0 && !*carry {
        return quotes;
    }
    let mut escaped = u64::from(*carry);
    *carry = false;
    // A backslash that is not escaped itself escapes the byte behind it; they are few, so one by one.
    let mut rest = backslash & !escaped;
    while rest != 0 {
        let at = rest.trailing_zeros();
        rest &= rest - 1;
        if at == 63 {
            *carry = true;
        } else {
            escaped |= 2 << at;
            rest &= !(2 << at);
        }
    }
    quotes & !escaped
}

/// Bit i of the result is the parity of bits 0 to i: set from each opening quote up to the byte before its closing one.
#[inline]
pub(super) fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_classified() {
        for byte in 0..=u8::MAX {
            for at in [0, 17, 47, 63] {
                let mut block = [b'x'; BLOCK];
                block[at] = byte;
                let (masks, rare) = (Masks::of(&block), RareMasks::of(&block));
                let bit = |set: bool| u64::from(set) << at;
                assert_eq!(masks.quote, bit(byte == b'"'));
                assert_eq!(masks.bracket, bit(b"{[}]Y_y\x7f".contains(&byte)));
                assert_eq!(masks.separator, bit(b":,".contains(&byte)));
                assert_eq!(rare.backslash, bit(byte == b'\\'));
                assert_eq!(rare.control, bit(byte < 0x20));
                assert_eq!(masks.has_rare, rare.backslash | rare.control != 0);
            }
        }
    }

    #[test]
    fn what_is_before_a_byte_counts() {
        for (byte, before) in (0..=u8::MAX).flat_map(|byte| [b'x', b':', b'\\'].map(|before| (byte, before))) {
            for at in [0, 17, 47, 63] {
                let (mut block, mut blocks) = ([b'x'; BLOCK], [b'x'; BLOCK]);
                (block[at], blocks[at]) = (byte, before);
                let masks = ObjectMasks::of(&block, &blocks);
                let bit = |set: bool| u64::from(set) << at;
                assert_eq!(masks.open, bit(byte == b'{'));
                assert_eq!(masks.close, bit(byte == b'}'));
                let is_other = match byte {
                    b']' => true,
                    b'{' => before != b':',
                    b'\\' => before == b'\\',
                    _ => false,
                };
                assert_eq!(masks.other, bit(is_other));
                let mut quotes = masks.quotes;
                assert_eq!(quotes.mask(), bit(byte == b'"' && before != b'\\'));
                quotes ^= masks.quotes;
                assert_eq!(quotes.mask(), 0);
            }
        }
    }

    #[test]
    fn escapes_run_over_the_edge_of_a_block() {
        let mut carry = false;
        assert_eq!(unescaped(0b1000, 0b0110, &mut carry), 0b1000, "an escaped backslash escapes nothing");
        assert_eq!(unescaped(0b1000, 0b0111, &mut carry), 0, "the third backslash escapes the quote");
        assert_eq!(unescaped(0, 1 << 63, &mut carry), 0);
        assert!(carry);
        assert_eq!(unescaped(0b11, 0, &mut carry), 0b10);
        assert!(!carry);
    }
}
