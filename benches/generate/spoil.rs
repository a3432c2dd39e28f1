//! Breaks a finished record in one of a dozen ways, each of which a reader has to refuse.
//!
//! It leaves quotes and brackets balanced and adds no line break, so that a broken record never hides where the next
//! one starts. The surprising thing: it edits the record's text, because a value could not hold most of these faults,
//! and it knows the sources by the names of their members only.

use crate::rng::Rng;

const IDS: [&str; 3] = ["id", "transactionGuid", "transactionId"];
const AMOUNTS: [&str; 5] = ["amount", "net_amount", "gross", "net", "fee"];
const TIMES: [&str; 4] = ["timestamp", "transactionTs", "created", "bookingDate"];
const TEXTS: [&str; 5] = ["reference", "paymentGuid", "offer_name", "message", "reportId"];

/// Breaks the record that starts at `start` and ends the buffer.
pub(crate) fn spoil(out: &mut Vec<u8>, start: usize, rng: &mut Rng) {
    let mut record = out.split_off(start);
    let amount = AMOUNTS[if value(&record, "amount").is_some() { 0 } else { 2 }];
    match rng.below(12) {
        0 => set(&mut record, &IDS, "null"),
        1 => set(&mut record, &AMOUNTS, "null"),
        2 => set(&mut record, &[amount], "true"),
        3 => set(&mut record, &TIMES, "{}"),
        4 => set_number(&mut record, amount, "12.345678"),
        5 => set_number(&mut record, amount, "123456789012345678901"),
        6 => set_number(&mut record, amount, "\"1,000\""),
        7 => set(&mut record, &TIMES, "\"2023-02-30T25:61:00Z\""),
        8 => append(&mut record, &format!(",\"{amount}\":null")),
        9 => {
            let (first, rest) = (amount.as_bytes()[0], &amount[1..]);
            append(&mut record, &format!(",\"\\u{first:04x}{rest}\":null"));
        }
        10 => set(&mut record, &[amount], rng.pick(&["", "nul", "01", "'5'"])),
        _ => set(&mut record, &TEXTS, rng.pick(&["\"\\ud83d\"", "\"thanks \\udc4d\""])),
    }
    out.append(&mut record);
}

/// Puts a number where the record has an amount, alone or beside its currency.
fn set_number(record: &mut Vec<u8>, member: &str, number: &str) {
    let money = format!("{{\"currency\":\"EUR\",\"value\":{number}}}");
    set(record, &[member], if member == "gross" { &money } else { number });
}

/// Puts `new` in the place of the value of each member that the record has.
fn set(record: &mut Vec<u8>, members: &[&str], new: &str) {
    for member in members {
        if let Some(value) = value(record, member) {
            record.splice(value, new.bytes());
        }
    }
}

/// Where the member's value stands in the record.
fn value(record: &[u8], member: &str) -> Option<std::ops::Range<usize>> {
    let key = format!("\"{member}\":");
    let start = record.windows(key.len()).position(|window| window == key.as_bytes())? + key.len();
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let length = record[start..].iter().position(|&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b',' | b'}' if depth == 0 => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        false
    })?;
    Some(start..start + length)
}

/// Adds text before the record's last brace.
fn append(record: &mut Vec<u8>, text: &str) {
    record.pop();
    record.extend_from_slice(text.as_bytes());
    record.push(b'}');
}
