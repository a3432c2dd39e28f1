//! Numbers in as few bits as they need, as Parquet packs them: integers of any length, bits one behind the other, and runs.

/// Appends a number, seven bits a byte.
pub(super) fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative, seven bits a byte; small ones of both signs are short.
pub(super) fn push_zigzag(number: i64, out: &mut Vec<u8>) {
    push_varint(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

/// How many bits a number takes.
pub(super) fn width(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Appends the lowest `width` bits of each value, which has no others; the last byte is filled up with zeros.
#[inline]
pub(super) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let (mut word, mut filled) = (0_u64, 0);
    for value in values {
        word |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            word = value.checked_shr(width - filled).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// The least and the greatest of some numbers; of none the greatest and the least there is.
pub(super) fn range(numbers: &[i64]) -> (i64, i64) {
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for &number in numbers {
        least = least.min(number);
        most = most.max(number);
    }
    (least, most)
}

/// Values are packed in groups of so many, and so many that are the same make a run.
const GROUP: usize = 8;

/// Appends values of `width` bits: those that repeat as runs, others packed.
pub(super) fn push_hybrid<T: Copy + Eq + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    let (mut waiting, mut at) = (0, 0);
    while let Some(group) = values[at..].first_chunk::<GROUP>() {
        if *group != [group[0]; GROUP] {
            at += GROUP;
            continue;
        }
        push_packed(&values[waiting..at], width, out);
        let rest = &values[at + GROUP..];
        let rows = GROUP + rest.iter().take_while(|value| **value == group[0]).count();
        push_run(group[0].into(), rows, width, out);
        at += rows;
        waiting = at;
    }
    match &values[waiting..] {
        [first, rest @ ..] if waiting == at && rest.iter().all(|value| value == first) => {
            push_run((*first).into(), values.len() - at, width, out);
        }
        rest => push_packed(rest, width, out),
    }
}

/// Appends one value that stands for many.
pub(super) fn push_run(value: u64, times: usize, width: u32, out: &mut Vec<u8>) {
    push_varint((times as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

fn push_packed<T: Copy + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    push_varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    pack(values.iter().map(|value| (*value).into()), width, out);
    out.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack_varint(bytes: &[u8], at: &mut usize) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = bytes[*at];
            *at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    /// Reads one bit after the other, and so shares nothing with what writes.
    fn unpack(bytes: &[u8], width: u32, index: usize) -> u64 {
        let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
        (0..width as usize).map(|at| bit(index * width as usize + at) << at).sum()
    }

    fn unpack_hybrid(bytes: &[u8], width: u32, count: usize) -> Vec<u64> {
        let (mut values, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let header = unpack_varint(bytes, &mut at);
            let many = usize::try_from(header >> 1).unwrap();
            if header & 1 == 1 {
                values.extend((0..many * GROUP).map(|index| unpack(&bytes[at..], width, index)));
                at += many * width as usize;
            } else {
                let mut value = [0; 8];
                let bytes_of_value = width.div_ceil(8) as usize;
                value[..bytes_of_value].copy_from_slice(&bytes[at..at + bytes_of_value]);
                at += bytes_of_value;
                values.extend(std::iter::repeat_n(u64::from_le_bytes(value), many));
            }
        }
        assert!(values.len() >= count && values[count..].iter().all(|value| *value == 0));
        values.truncate(count);
        values
    }

    #[test]
    fn bits_of_every_width_are_packed() {
        for wide in 0..=64 {
            let most = u64::MAX.checked_shr(64 - wide).unwrap_or(0);
            let values: Vec<u64> = (0..130_u64).map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15) & most).collect();
            let mut out = vec![7];
            pack(values.iter().copied(), wide, &mut out);
            assert_eq!(out.len(), 1 + (130 * wide as usize).div_ceil(8));
            for (index, value) in values.iter().enumerate() {
                assert_eq!(unpack(&out[1..], wide, index), *value, "{wide} bits, value {index}");
            }
            assert!(values.iter().all(|value| width(*value) <= wide));
        }
    }

    #[test]
    fn runs_and_what_is_between_them_are_read_back() {
        let repeat = |value: u32, times| std::iter::repeat_n(value, times);
        let none: Vec<u32> = Vec::new();
        let cases = [
            (none, 1, 0),
            (vec![1], 1, 2),
            (vec![1, 0, 1], 1, 2),
            (repeat(0, 9).collect(), 0, 1),
            (repeat(300, 20_000).collect(), 9, 5),
            ((0..8).chain(repeat(5, 8)).chain(0..3).collect(), 3, 10),
            (repeat(5, 11).chain(0..8).chain(repeat(6, 7)).collect(), 3, 9),
            ((0..1000).map(|at| at % 7).collect(), 3, 377),
        ];
        for (values, width, length) in cases {
            let mut out = Vec::new();
            push_hybrid(&values, width, &mut out);
            assert_eq!(out.len(), length, "{width} bits, {} values", values.len());
            let values: Vec<u64> = values.into_iter().map(u64::from).collect();
            assert_eq!(unpack_hybrid(&out, width, values.len()), values);
        }
    }
}
