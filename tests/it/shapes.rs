//! The same records in every shape that a dump may have give the same rows, each with the offset of its first byte.

use crate::harness::{Place, Row, gzip, zstd};

/// The record that each API's page shows or describes, and a second one; the key of the source's envelope.
fn examples() -> Vec<(&'static str, Option<&'static str>, [String; 2])> {
    let spacivox = r#"{"amount":"12.34","campaign":1,"id":"0cb59bd9-5d78-4bbd-a87b-63a1d10d7b8c","job":1,"reference":"123456","state":0,"team":1,"timestamp":"2015-01-06T10:21:14.243Z"}"#;
    let onlinefundraising = r#"{"transactionGuid":"a5c7bac6-a99b-4634-ada1-1e9451fc914b","createdTs":"2019-12-31 15:59:59 +0100","paymentGuid":"87e15dc4-738b-4540-b2ce-2b9581ba40bb","amount":100,"paymentGatewayProvider":"ePay","paymentGatewayGuid":"e0c18e67-ea43-4e55-9f81-d902837a0c10","paymentGatewaySubscriptionReferenceId":"ffyrryzr2nn0","paymentGatewayPaymentReferenceId":"xc44p1dyrdgf","transactionTs":"2019-12-31 15:59:59 +0100","transactionType":"Charge","paymentMethodAccountingCode":"donation","chargeAttemptGuid":"f6ddf0b8-bd1c-4831-be87-3bab0c745076","paymentMethodGuid":"61e2412c-3741-43ae-8d7f-d0c6ae160fd5"}"#;
    let twocloud = r#"{"id":18446744073709551615,"remote_id":"card_1","amount":100,"message":"Keep { it up!","created":"2014-05-17T09:30:10Z","completed":"2014-05-17T09:30:14Z","user_id":18446744073709551557,"funding_source_id":1,"anonymous":false,"campaign":1,"status":"succeeded","error":""}"#;
    let atpay = r#"{"id":"txn_1","date":"January 29, 2015 at 09:23 PM UTC","timestamp":1422566591,"offer_name":"Payment of $16.00","email":"lee@example.net","amount":16.0,"net_amount":14.719999999999999,"status":"Successful"}"#;
    let paydata = r#"{"id":"1qp8hp","bookingDate":"2021-10-01","valueDate":"2021-10-01","gross":{"currency":"EUR","value":15.12},"net":{"currency":"EUR","value":15.12},"fee":{"currency":"EUR","value":15.12},"isBalanceRelevant":true,"paymentClassification":"Payment","transactionId":"cc7a9a86-b571-496b-b400-3c15f56b4852","orderNumber":"123e4d56","receiptNumber":"AB86C03D-0379","bookingText":"Description of the booking","shopper":{"name":"Marvin Acme","email":"marvin@example.com","username":"macme123","identifier":"c00001"},"createdAt":"2021-10-01T05:15:15.111","lastModifiedAt":"2021-10-01T05:15:15.111","reportId":"8fkjh5hr","fields":{"uniqueId":"PO0002","reference2":"298347562384756298743"}}"#;
    let two = |record: &str, id: &str, other: &str| {
        assert!(record.contains(id));
        [record.to_owned(), record.replace(id, other)]
    };
    vec![
        ("spacivox", None, two(spacivox, "0cb59bd9", "1cb59bd9")),
        ("onlinefundraising", Some("list"), two(onlinefundraising, "a5c7bac6", "b5c7bac6")),
        ("twocloud", Some("payments"), two(twocloud, "18446744073709551615", "18446744073709551614")),
        ("atpay", Some("transactions"), two(atpay, "txn_1", "txn_2")),
        ("paydata", Some("transactions"), two(paydata, "1qp8hp", "2qp8hp")),
    ]
}

/// A dump in some shape: its bytes as stored, and decompressed.
struct Dump {
    shape: &'static str,
    stored: Vec<u8>,
    text: Vec<u8>,
}

fn plain(shape: &'static str, text: String) -> Dump {
    Dump { shape, stored: text.clone().into_bytes(), text: text.into_bytes() }
}

fn shapes(envelope: Option<&str>, [one, two]: &[String; 2]) -> Vec<Dump> {
    let array = format!("[{one},{two}]");
    let (head, tail) = array.split_at(array.len() / 3);
    let lines = format!("{one}\n{two}\n");
    let mut dumps = vec![
        plain("array", array.clone()),
        plain("pretty array", format!("[\n  {},\n  {}\n]\n", spread(one), spread(two))),
        plain("lines", lines.clone()),
        plain("lines with mark, CRLF and blank lines", format!("\u{feff}{one}\r\n\r\n \r\n{two}")),
        plain("concatenated", format!("{one}{two}")),
        plain("concatenated arrays", format!("[{one}][][{two}]")),
        Dump {
            shape: "gzip of two members",
            stored: [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat(),
            text: array.clone().into_bytes(),
        },
        Dump {
            shape: "zstd of two frames",
            stored: [zstd(&lines.as_bytes()[..7]), zstd(&lines.as_bytes()[7..])].concat(),
            text: lines.into_bytes(),
        },
    ];
    if let Some(key) = envelope {
        let before = r#""pageNumber":1,"x":{"list":3,"a":[{"id":1}]}"#;
        let after = r#""pagination":{"next":null,"page":[1]},"endDate":"]}""#;
        let page = |record: &str| format!("{{{before},\"{key}\":[{record}],{after}}}");
        dumps.extend([
            plain("envelope, keys before", format!("{{{before},\"{key}\":[{one},{two}]}}")),
            plain("envelope, keys after", format!("{{\"{key}\" : [ {one} , {two} ] ,{after}}}\n")),
            plain("several envelopes", format!("{}\n{}{{\"{key}\":null}}", page(one), page(two))),
        ]);
    }
    dumps
}

/// The record with its members on lines of their own, their values as they are.
fn spread(record: &str) -> String {
    let (mut text, mut depth, mut in_string) = (String::new(), 0, false);
    for character in record.chars() {
        match character {
            '"' => in_string = !in_string,
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth -= 1,
            _ => {}
        }
        match character {
            '{' | ',' if depth == 1 && !in_string => text = text + &character.to_string() + "\n    ",
            ':' if depth == 1 && !in_string => text += " : ",
            '}' if depth == 0 => text += "\n  }",
            other => text.push(other),
        }
    }
    text
}

fn rows_of(stored: &[u8]) -> Vec<Row> {
    let place = Place::with(&[("dump", stored)]);
    place.normalize(&[]).exits(0);
    let mut rows = place.rows();
    rows.sort_by_key(Row::offset);
    rows
}

#[test]
fn every_shape_gives_the_same_rows() {
    for (source, envelope, records) in examples() {
        let expected: Vec<_> = records
            .iter()
            .map(|record| {
                let rows = rows_of(record.as_bytes());
                assert_eq!((rows.len(), rows[0].text("source"), rows[0].offset()), (1, source, 0), "one record alone");
                rows[0].unplaced()
            })
            .collect();
        for dump in shapes(envelope, &records) {
            let shown = format!("{source}, {}", dump.shape);
            let rows = rows_of(&dump.stored);
            assert_eq!(rows.iter().map(Row::unplaced).collect::<Vec<_>>(), expected, "{shown}");
            for (row, record) in rows.iter().zip(&records) {
                let at = &dump.text[row.offset()..];
                let found = at.starts_with(record.as_bytes()) || at.starts_with(spread(record).as_bytes());
                assert!(found, "{shown}: {}", String::from_utf8_lossy(&at[..40]));
            }
        }
    }
}

#[test]
fn the_name_of_a_dump_says_nothing() {
    let (_, _, [record, _]) = examples().remove(3);
    for (name, stored) in
        [("a.gz", record.clone().into()), ("b.csv", gzip(record.as_bytes())), ("c.json", zstd(record.as_bytes()))]
    {
        let place = Place::with(&[(name, &stored)]);
        place.normalize(&[]).exits(0);
        assert_eq!((place.rows().len(), place.rows()[0].text("source_file")), (1, name));
    }
}

#[test]
fn dumps_without_records_are_well() {
    let texts: [&[u8]; 16] = [
        b"",
        b" \r\n\t ",
        b"\xef\xbb\xbf",
        b"[]",
        b"[ \n ]\n",
        b"[][]",
        b"\xef\xbb\xbf[]",
        br#"{"list":[]}"#,
        br#"{"list":null}"#,
        br#"{"pageNumber":9,"pageSize":50,"startDate":null,"endDate":null,"list":null}"#,
        br#"{"pageNumber":9,"pageSize":50,"startDate":null,"endDate":null}"#,
        br#"{"payments":null}"#,
        br#"{"transactions":null,"pagination":{"page":7}}"#,
        br#"{"pagination":{"page":7}}"#,
        br#"{"transactions":[],"pagination":{"page":7}}{"transactions":null}"#,
        b"{\"payments\" : [ ] }\n\n",
    ];
    let packed = [gzip(b""), zstd(b"[]"), gzip(br#"{"list":null}"#)];
    for text in texts.into_iter().chain(packed.iter().map(Vec::as_slice)) {
        let place = Place::with(&[("dump", text)]);
        let shown = String::from_utf8_lossy(text);
        assert_eq!(place.normalize(&[]).code, 0, "{shown}");
        assert_eq!((place.rows().len(), place.report()["records"]["seen"].as_u64()), (0, Some(0)), "{shown}");
    }
}

#[test]
fn an_empty_page_among_others_costs_nothing() {
    let (_, _, [one, two]) = examples().remove(3);
    let dump = format!("{{\"transactions\":[{one}]}}\n{{\"transactions\":null}}\n{{\"transactions\":[{two}]}}\n");
    assert_eq!(rows_of(dump.as_bytes()).iter().map(Row::id).collect::<Vec<_>>(), ["txn_1", "txn_2"]);
}

#[test]
fn bad_fits_of_shapes_still_give_their_records() {
    let (_, _, [one, two]) = examples().remove(3);
    let many: String = (0..200).map(|_| "{\"transactions\":[]}\n").collect();
    for dump in [
        format!("{one}\n[{two}]"),
        format!("{{\"transactions\":[{one}]}}[{two}]"),
        format!("{many}[{one}]\n{two}"),
        format!("[]\n[{one},{two}]"),
        format!("[\n{one}\n,\n{two}\n]"),
        format!("{{\"\\u0074ransactions\":[{one},{two}]}}"),
    ] {
        assert_eq!(rows_of(dump.as_bytes()).iter().map(Row::id).collect::<Vec<_>>(), ["txn_1", "txn_2"], "{dump}");
    }
}
