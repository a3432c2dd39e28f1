//! Sixty-four bytes at a time: where the bytes are that decide where a JSON value ends.
//!
//! Bit i of a mask stands for byte i of the block.

use wide::u8x16;

/// Bytes in a block.
pub(super) const BLOCK: usize = 64;

/// What is where in a block, strings not yet considered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Masks {
    /// `"`
    pub(super) quote: u64,
    /// `\`
    pub(super) backslash: u64,
    /// `{` and `[`
    pub(super) open: u64,
    /// `}` and `]`
    pub(super) close: u64,
    /// What may stand before a string begins: white space, `{`, `[`, `:` and `,`.
    pub(super) before_string: u64,
    /// Control characters, which no string may hold.
    pub(super) control: u64,
}

impl Masks {
    /// Classifies a block.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self::default();
        for (lane, bytes) in block.chunks_exact(16).enumerate() {
            let bytes = u8x16::new(bytes.try_into().expect("sixteen bytes"));
            let bits = |mask: u8x16| u64::from(mask.to_bitmask()) << (lane * 16);
            let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
            // `{` and `[`, like `}` and `]`, differ in one bit alone.
            let folded = bytes | u8x16::splat(0x20);
            let open = folded.simd_eq(u8x16::splat(b'{'));
            let up_to = |most: u8| bytes.min(u8x16::splat(most)).simd_eq(bytes);
            masks.quote |= bits(is(b'"'));
            masks.backslash |= bits(is(b'\\'));
            masks.open |= bits(open);
            masks.close |= bits(folded.simd_eq(u8x16::splat(b'}')));
            masks.before_string |= bits(open | is(b':') | is(b',') | up_to(0x20));
            masks.control |= bits(up_to(0x1f));
        }
        masks
    }
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
            for at in [0, 17, 63] {
                let mut block = [b'x'; BLOCK];
                block[at] = byte;
                let masks = Masks::of(&block);
                let bit = |set: bool| u64::from(set) << at;
                assert_eq!(masks.quote, bit(byte == b'"'));
                assert_eq!(masks.backslash, bit(byte == b'\\'));
                assert_eq!(masks.open, bit(b"{[".contains(&byte)));
                assert_eq!(masks.close, bit(b"}]".contains(&byte)));
                assert_eq!(masks.before_string, bit(byte <= 0x20 || b"{[:,".contains(&byte)));
                assert_eq!(masks.control, bit(byte < 0x20));
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
