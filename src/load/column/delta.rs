//! Numbers as differences from one to the next: `DELTA_BINARY_PACKED`.

use super::bits::{pack, push_varint, push_zigzag, range, width};

/// A block has so many parts, each with bits of its own width.
const PARTS: usize = 4;
/// So many differences share a width in columns of 64-bit integers, …
pub(super) const LARGE_PART: usize = 64;
/// … and in lengths of texts, which are 32-bit integers.
pub(super) const SMALL_PART: usize = 32;

/// Appends `values`, of whose differences `part` share a width.
pub(super) fn push_deltas<T: Copy + Into<i64>>(values: &[T], part: usize, out: &mut Vec<u8>) {
    let block = PARTS * part;
    push_varint(block as u64, out);
    push_varint(PARTS as u64, out);
    push_varint(values.len() as u64, out);
    push_zigzag(values.first().map_or(0, |first| (*first).into()), out);
    let mut deltas = [0; PARTS * LARGE_PART];
    let mut at = 0;
    while at + 1 < values.len() {
        let end = values.len().min(at + block + 1);
        for (delta, pair) in deltas.iter_mut().zip(values[at..end].windows(2)) {
            *delta = pair[1].into().wrapping_sub(pair[0].into());
        }
        push_block(&deltas[..end - at - 1], part, out);
        at = end - 1;
    }
}

fn push_block(deltas: &[i64], part: usize, out: &mut Vec<u8>) {
    let mut ranges = [(0, 0); PARTS];
    for (range_of, deltas) in ranges.iter_mut().zip(deltas.chunks(part)) {
        *range_of = range(deltas);
    }
    let least = ranges[..deltas.len().div_ceil(part)].iter().fold(i64::MAX, |least, range| least.min(range.0));
    push_zigzag(least, out);
    let widths = out.len();
    out.extend_from_slice(&[0; PARTS]);
    let above = |delta: i64| delta.wrapping_sub(least).cast_unsigned();
    for (number, (deltas, (_, most))) in deltas.chunks(part).zip(ranges).enumerate() {
        let wide = width(above(most));
        out[widths + number] = wide.to_le_bytes()[0];
        let end = out.len() + part * wide as usize / 8;
        pack(deltas.iter().map(|delta| above(*delta)), wide, out);
        out.resize(end, 0);
    }
}
