"""Hand-computed cases for the reference: `python3 -m unittest selftest` in this directory.

Every expected value was worked out from the contract's text, not from the program.
"""

import gzip
import json
import os
import pathlib
import tempfile
import unittest

import reference as ref

try:
    import zstandard
except ImportError:
    zstandard = None

SPACIVOX = {
    "amount": "12.34",
    "campaign": 1,
    "id": "1832d01c-661c-4c1d-abab-1d88c645d8e3",
    "job": 1,
    "reference": "123456",
    "state": 0,
    "team": 1,
    "timestamp": "2015-01-06T10:21:14.243Z",
}
ONLINEFUNDRAISING = {
    "transactionGuid": "a863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
    "createdTs": "2019-12-31 15:59:59 +0100",
    "paymentGuid": "b863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
    "amount": 100,
    "paymentGatewayProvider": "ePay",
    "paymentGatewayGuid": "c863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
    "paymentGatewaySubscriptionReferenceId": "sub-1",
    "paymentGatewayPaymentReferenceId": "pay-1",
    "transactionTs": "2019-12-31 15:59:58 +0100",
    "transactionType": "Charge",
    "paymentMethodAccountingCode": "donation",
    "chargeAttemptGuid": "d863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
    "paymentMethodGuid": "e863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
}
TWOCLOUD = {
    "id": 18446744073709551615,
    "remote_id": "cus_1",
    "amount": 100,
    "message": "thanks",
    "created": "2015-03-04T05:06:07Z",
    "completed": "2015-03-04T05:06:08+01:00",
    "user_id": 9007199254740993,
    "funding_source_id": 12,
    "anonymous": False,
    "campaign": 3,
    "status": "error",
    "error": "card declined",
}
ATPAY = {
    "id": "txn_1",
    "date": "2015-01-06T10:21:14Z",
    "timestamp": 1420539674,
    "offer_name": "Payment of $10.00 to ORG",
    "email": "a@example.org",
    "amount": 10.0,
    "net_amount": 9.41,
    "status": "Successful",
}
PAYDATA = {
    "id": "7hrt3c",
    "bookingDate": "2021-10-01",
    "valueDate": "2021-10-02",
    "gross": {"currency": "EUR", "value": 15.12},
    "net": {"currency": "EUR", "value": 14.12},
    "fee": {"currency": "EUR", "value": 1.0},
    "isBalanceRelevant": True,
    "paymentClassification": "Payment",
    "transactionId": "75123478",
    "orderNumber": "123e4d56",
    "receiptNumber": "AB86C03D-0379",
    "bookingText": "Description of the booking",
    "shopper": {
        "name": "Marvin Acme",
        "email": "marvin@example.com",
        "username": "macme123",
        "identifier": "c00001",
    },
    "createdAt": "2021-10-01T05:15:15.111",
    "lastModifiedAt": "2021-10-01T05:15:15.111",
    "reportId": "8fkjh5hr",
    "fields": {"uniqueId": "PO0002", "reference2": "2983"},
}
GONE = object()


class Raw(str):
    """JSON text to stand in a record as it is."""


def text(base, **changes):
    """A record as compact JSON text, with members changed, added or (GONE) taken out."""
    members = {**base, **changes}
    parts = (
        json.dumps(key) + ":" + (value if isinstance(value, Raw) else json.dumps(value))
        for key, value in members.items()
        if value is not GONE
    )
    return "{" + ",".join(parts) + "}"


def read(dump, forced=None, zones=None, currencies=None):
    """Rows and rejects of one dump given as text or bytes."""
    data = dump.encode() if isinstance(dump, str) else dump
    settings = ref.Settings(zones or {}, currencies or {})
    return ref.read_dump(data, "f", settings, forced)


class Case(unittest.TestCase):
    """What all cases need."""

    def row(self, dump, **options):
        """The only row of a dump without rejects."""
        rows, rejects = read(dump, **options)
        self.assertEqual((len(rows), rejects), (1, []))
        return ref.printable(rows[0])

    def expect(self, dump, _options=None, **expected):
        """The only row has these values."""
        row = self.row(dump, **(_options or {}))
        self.assertEqual({name: row[name] for name in expected}, expected)

    def reject(self, dump, reason, field=None, **options):
        """The dump is one reject."""
        rows, rejects = read(dump, **options)
        self.assertEqual(rows, [])
        self.assertEqual([(r["reason"], r["field"]) for r in rejects], [(reason, field)])
        return rejects[0]

    def spans(self, dump, **options):
        """Offsets of the rows, and (offset, length, reason) of the rejects."""
        rows, rejects = read(dump, **options)
        return (
            [row["source_offset"] for row in rows],
            [(r["source_offset"], r["length"], r["reason"]) for r in rejects],
        )


class JsonText(Case):
    """The parser, also against the standard one where that is strict."""

    def accepts(self, data):
        try:
            return ref.scan_value(data, 0)[0] == len(data)
        except (ref.Broken, ref.Cut):
            return False

    def test_grammar_agrees_with_the_standard_parser(self):
        pieces = '{ } [ ] , : "a" "\\n" "\\u00e9" "\\x" 0 -0 01 1.5 1. .5 1e3 1E+ -1e-2 + true nul null " \t'.split(" ")
        for a in pieces:
            for b in pieces:
                for c in pieces:
                    for shape in ("{}", "[{}]", '{{"k":{}}}'):
                        candidate = shape.format(f"{a} {b}{c}")
                        try:
                            json.loads(candidate, parse_constant=lambda _: 1 / 0)
                            good = True
                        except (json.JSONDecodeError, ZeroDivisionError):
                            good = False
                        if candidate == candidate.strip():
                            self.assertEqual(self.accepts(candidate.encode()), good, candidate)

    def test_nan_and_infinity_are_no_json(self):
        for word in (b"NaN", b"Infinity", b"-Infinity", b"[NaN]"):
            self.assertFalse(self.accepts(word))

    def test_control_character_in_a_string_is_no_json(self):
        self.assertFalse(self.accepts(b'"a\tb"'))
        self.assertFalse(self.accepts(b'"a\x00b"'))
        self.assertTrue(self.accepts(b'"a\x7fb"'))

    def test_every_prefix_of_a_document_is_cut(self):
        whole = b'{"a\\u00e9":[1,-2.5e3,true,null,{"b":""}],"c":"\\n"}'
        for end in range(len(whole)):
            with self.assertRaises(ref.Cut, msg=whole[:end]):
                ref.scan_value(whole[:end], 0)

    def test_escapes(self):
        self.assertEqual(ref.unescape(rb'"\"\\\/\b\f\n\r\t\u0041\u0000"'), '"\\/\b\f\n\r\tA\0')
        self.assertEqual(ref.unescape(rb'"\ud83d\uDE00"'), "\U0001f600")

    def test_lone_surrogates(self):
        for escape in (r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ud83d\ud83d\ude00", r"\ude00\ud83d"):
            for member in (Raw(f'"{escape}"'), Raw(f'{{"{escape}":1}}')):
                self.reject(text(SPACIVOX, other=member), "invalid_unicode")

    def test_invalid_utf8(self):
        dump = text(SPACIVOX, other="@@").encode()
        for bad in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"):
            self.reject(dump.replace(b"@@", bad), "invalid_unicode")

    def test_depth(self):
        def nested(levels):
            return Raw("[" * levels + "]" * levels)

        self.assertEqual(self.spans(text(SPACIVOX, other=nested(127))), ([0], []))
        self.reject(text(SPACIVOX, other=nested(128)), "too_deep")
        self.reject(text(SPACIVOX, other=nested(100_000)), "too_deep")

    def test_duplicate_key(self):
        self.reject(text(SPACIVOX)[:-1] + ',"amount":1}', "duplicate_key", "amount")

    def test_duplicate_key_escaped(self):
        self.reject(text(SPACIVOX)[:-1] + ',"\\u0061mount":1}', "duplicate_key", "amount")

    def test_duplicate_key_inside_an_unknown_member(self):
        self.reject(text(SPACIVOX, other=Raw('[{"x":[{"a":1,"b":2,"\\u0061":3}]}]')), "duplicate_key", "a")

    def test_same_key_in_different_objects_is_fine(self):
        self.assertEqual(self.spans(text(SPACIVOX, other=Raw('{"amount":{"amount":1}}'))), ([0], []))


class Documented(Case):
    """The examples of the API pages, all 45 columns."""

    def whole(self, dump, **expected):
        row = self.row(dump)
        self.assertEqual(list(row), ref.COLUMNS)
        self.assertEqual({k: v for k, v in row.items() if v is not None}, expected)

    def test_spacivox(self):
        self.whole(
            "[" + text(SPACIVOX) + "]",
            source="spacivox",
            transaction_id="1832d01c-661c-4c1d-abab-1d88c645d8e3",
            occurred_at="2015-01-06T10:21:14.243000Z",
            utc_offset_minutes=0,
            gross_amount="12.3400",
            amount_check="partial",
            classification="payment",
            state="pending",
            source_state="0",
            reference="123456",
            campaign_id="1",
            job_id="1",
            team_id="1",
            source_file="f",
            source_offset=1,
        )

    def test_onlinefundraising(self):
        self.whole(
            '{"pageNumber":1,"list":[' + text(ONLINEFUNDRAISING) + "]}",
            source="onlinefundraising",
            transaction_id="a863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
            occurred_at="2019-12-31T14:59:58.000000Z",
            utc_offset_minutes=60,
            gross_amount="100.0000",
            amount_check="partial",
            classification="payment",
            state="succeeded",
            source_classification="Charge",
            created_at="2019-12-31T14:59:59.000000Z",
            payment_id="b863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
            payment_method_id="e863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
            charge_attempt_id="d863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
            provider="ePay",
            provider_transaction_id="pay-1",
            provider_account_id="c863d62e-d53b-4651-9b7b-xxxxxxxxxxxx",
            provider_payment_method_id="sub-1",
            accounting_code="donation",
            source_file="f",
            source_offset=24,
        )

    def test_twocloud(self):
        self.whole(
            '{"payments":[' + text(TWOCLOUD) + "]}",
            source="twocloud",
            transaction_id="18446744073709551615",
            occurred_at="2015-03-04T05:06:07.000000Z",
            utc_offset_minutes=0,
            gross_amount="1.0000",
            currency="USD",
            amount_check="partial",
            classification="payment",
            state="failed",
            source_state="error",
            failure_reason="card declined",
            created_at="2015-03-04T05:06:07.000000Z",
            completed_at="2015-03-04T04:06:08.000000Z",
            description="thanks",
            payment_method_id="12",
            provider_payment_method_id="cus_1",
            campaign_id="3",
            payer_id="9007199254740993",
            is_anonymous=False,
            source_file="f",
            source_offset=13,
        )

    def test_atpay(self):
        # 1420539674 = 2015-01-06T10:21:14Z: 16441 days of 86400 s, then 37274 s = 10 h 21 min 14 s.
        self.whole(
            "[" + text(ATPAY) + "]",
            source="atpay",
            transaction_id="txn_1",
            occurred_at="2015-01-06T10:21:14.000000Z",
            gross_amount="10.0000",
            net_amount="9.4100",
            fee_amount="0.5900",
            currency="USD",
            net_currency="USD",
            fee_currency="USD",
            amount_check="derived",
            classification="payment",
            state="succeeded",
            source_state="Successful",
            description="Payment of $10.00 to ORG",
            payer_email="a@example.org",
            extra='{"date":"2015-01-06T10:21:14Z"}',
            source_file="f",
            source_offset=1,
        )

    def test_paydata(self):
        self.whole(
            '{"transactions":[' + text(PAYDATA) + '],"pagination":{"pageNumber":1}}',
            source="paydata",
            transaction_id="7hrt3c",
            occurred_at="2021-10-01T00:00:00.000000Z",
            gross_amount="15.1200",
            net_amount="14.1200",
            fee_amount="1.0000",
            currency="EUR",
            net_currency="EUR",
            fee_currency="EUR",
            amount_check="balanced",
            classification="payment",
            state="succeeded",
            source_classification="Payment",
            created_at="2021-10-01T05:15:15.111000Z",
            updated_at="2021-10-01T05:15:15.111000Z",
            booking_date="2021-10-01",
            value_date="2021-10-02",
            reference="123e4d56",
            receipt_number="AB86C03D-0379",
            description="Description of the booking",
            provider_transaction_id="75123478",
            report_id="8fkjh5hr",
            payer_id="c00001",
            payer_name="Marvin Acme",
            payer_email="marvin@example.com",
            payer_username="macme123",
            is_balance_relevant=True,
            extra='{"fields":{"uniqueId": "PO0002", "reference2": "2983"}}',
            source_file="f",
            source_offset=17,
        )


class Money(Case):
    """Amounts, signs, the third amount, currencies."""

    def gross(self, number, expected, base=SPACIVOX):
        self.expect(text(base, amount=Raw(number)), gross_amount=expected)

    def test_numbers_and_strings(self):
        for number, expected in {
            "0": "0.0000",
            "-0": "0.0000",
            "-0.0": "0.0000",
            "0e999999": "0.0000",
            "12.3400000": "12.3400",
            "0.0001": "0.0001",
            "-0.5": "-0.5000",
            "1.5e3": "1500.0000",
            "1.5E+3": "1500.0000",
            "15e-1": "1.5000",
            "100e-6": "0.0001",
            "99999999999999.9999": "99999999999999.9999",
            "-99999999999999.9999": "-99999999999999.9999",
        }.items():
            self.gross(number, expected)
            self.gross(f'"{number}"', expected)

    def test_grammar(self):
        for bad in ("1,000", " 1", "1 ", "+1", ".5", "1.", "01", "NaN", "", "0x1", "1e", "1e+", "--1", "١"):
            self.reject(text(SPACIVOX, amount=bad), "bad_amount", "amount")

    def test_too_precise(self):
        for number in ("0.00001", "12.34567", "1e-5", "1.23456e0", "1e-999999999999", "1e-99999999999999999999999"):
            self.reject(text(SPACIVOX, amount=Raw(number)), "amount_too_precise", "amount")

    def test_out_of_range(self):
        for number in ("100000000000000", "-1e14", "1e999999", "1e99999999999999999999999", "100000000000000.00001"):
            self.reject(text(SPACIVOX, amount=Raw(number)), "amount_out_of_range", "amount")

    def test_a_number_with_a_million_digits(self):
        self.reject(text(SPACIVOX, amount=Raw("1" + "0" * 1_000_000)), "amount_out_of_range", "amount")
        self.gross("1." + "0" * 1_000_000, "1.0000")

    def test_float_noise_of_numbers(self):
        for number, expected in {
            "14.719999999999999": "14.7200",
            "0.30000000000000004": "0.3000",
            "-0.30000000000000004": "-0.3000",
            "0.1234500000000001e1": "1.2345",
            "5.551115123125783e-17": "0.0000",
            # 15 digits, exactly 1e-8 away.
            "1234567.12340001": "1234567.1234",
            # Half-even does not matter so near; 1e-8 below.
            "1234567.12339999": "1234567.1234",
        }.items():
            self.gross(number, expected)

    def test_not_float_noise(self):
        # 14 digits; 1.1e-8 away; 5e-5 away; one significant digit.
        for number in ("123456.12340001", "1234567.123400011", "12345678901.12345", "0.00000000000000004"):
            self.reject(text(SPACIVOX, amount=Raw(number)), "amount_too_precise", "amount")

    def test_float_noise_in_a_string_is_not_repaired(self):
        self.reject(text(SPACIVOX, amount="14.719999999999999"), "amount_too_precise", "amount")

    def test_float_noise_that_rounds_out_of_range(self):
        self.reject(text(SPACIVOX, amount=Raw("99999999999999.999999999")), "amount_out_of_range", "amount")

    def test_cents(self):
        for number, expected in {
            "100": "1.0000",
            "1": "0.0100",
            "0.25": "0.0025",
            "1999.5": "19.9950",
            "-7": "-0.0700",
            '"250"': "2.5000",
            "9999999999999999": "99999999999999.9900",
            "1471.9999999999998": "14.7200",
        }.items():
            self.gross(number, expected, TWOCLOUD)

    def test_cents_limits(self):
        self.reject(text(TWOCLOUD, amount=Raw("0.125")), "amount_too_precise", "amount")
        self.reject(text(TWOCLOUD, amount=Raw("10000000000000000")), "amount_out_of_range", "amount")

    def test_float_noise_of_cents_is_repaired_to_four_digits_of_a_cent(self):
        # 0.1234 cents after the repair: 0.001234 dollars do not fit.
        self.reject(text(TWOCLOUD, amount=Raw("0.12340000000000001")), "amount_too_precise", "amount")

    def test_unsigned_refund(self):
        for number in ("100", "-100"):
            self.expect(
                text(ONLINEFUNDRAISING, amount=Raw(number), transactionType="Refund"),
                gross_amount="-100.0000",
                classification="refund",
                source_classification="Refund",
            )

    def test_zero_refund_has_no_sign(self):
        self.expect(text(ONLINEFUNDRAISING, amount=0, transactionType="Refund"), gross_amount="0.0000")

    def test_amount_types(self):
        for value in ("true", "[]", "{}"):
            self.reject(text(SPACIVOX, amount=Raw(value)), "wrong_type", "amount")

    def test_missing_amount(self):
        self.reject(text(SPACIVOX, amount=GONE), "missing_amount")
        self.reject(text(SPACIVOX, amount=None), "missing_amount")
        self.reject(text(PAYDATA, gross=None, net=None, fee=GONE), "missing_amount")

    def test_atpay_parts(self):
        self.expect(text(ATPAY, net_amount=None), amount_check="partial", net_currency=None, fee_amount=None)
        self.expect(
            text(ATPAY, amount=GONE),
            amount_check="partial",
            gross_amount=None,
            net_amount="9.4100",
            currency="USD",
            net_currency="USD",
        )
        self.expect(text(ATPAY, amount=1, net_amount=1.5), fee_amount="-0.5000", amount_check="derived")

    def paydata(self, gross, net, fee):
        def amount(pair):
            return None if pair is None else Raw('{"currency":%s,"value":%s}' % (json.dumps(pair[1]), pair[0]))

        return text(PAYDATA, gross=amount(gross), net=amount(net), fee=amount(fee))

    def money(self, gross, net, fee, *expected, **options):
        names = ("gross_amount", "net_amount", "fee_amount", "currency", "net_currency", "fee_currency")
        wanted = dict(zip((*names, "amount_check"), expected))
        self.expect(self.paydata(gross, net, fee), options, **wanted)

    def test_unbalanced(self):
        self.money(("15.12", "EUR"), ("15.12", "EUR"), ("15.12", "EUR"),
                   "15.1200", "15.1200", "15.1200", "EUR", "EUR", "EUR", "unbalanced")

    def test_fee_with_the_other_sign(self):
        self.money(("10", "EUR"), ("9", "EUR"), ("-1", "EUR"),
                   "10.0000", "9.0000", "1.0000", "EUR", "EUR", "EUR", "balanced")

    def test_fee_of_a_refund_with_the_other_sign(self):
        self.money(("-10", "EUR"), ("-9", "EUR"), ("1", "EUR"),
                   "-10.0000", "-9.0000", "-1.0000", "EUR", "EUR", "EUR", "balanced")

    def test_zero_fee_stays(self):
        self.money(("10", "EUR"), ("10", "EUR"), ("0", "EUR"),
                   "10.0000", "10.0000", "0.0000", "EUR", "EUR", "EUR", "balanced")

    def test_paydata_signs_are_kept(self):
        dump = text(PAYDATA, paymentClassification="Refund", net=None, fee=None)
        self.expect(dump, gross_amount="15.1200", classification="refund", amount_check="partial")

    def test_derived_gross(self):
        self.money(None, ("9", "EUR"), ("1", "EUR"),
                   "10.0000", "9.0000", "1.0000", "EUR", "EUR", "EUR", "derived")

    def test_derived_net(self):
        self.money(("10", "EUR"), None, ("0.3", "EUR"),
                   "10.0000", "9.7000", "0.3000", "EUR", "EUR", "EUR", "derived")

    def test_derived_out_of_range(self):
        self.reject(self.paydata(None, ("99999999999999", "EUR"), ("1", "EUR")), "amount_out_of_range")

    def test_only_a_fee(self):
        self.money(None, None, ("1", "EUR"), None, None, "1.0000", "EUR", None, "EUR", "partial")

    def test_mixed_currency(self):
        self.money(("10", "EUR"), ("11", "USD"), None,
                   "10.0000", "11.0000", None, "EUR", "USD", None, "mixed_currency")
        self.money(None, ("11", "USD"), ("1", "EUR"),
                   None, "11.0000", "1.0000", "USD", "USD", "EUR", "mixed_currency")

    def test_known_and_unknown_currency_are_mixed(self):
        self.money(("10", None), ("9", "EUR"), None,
                   "10.0000", "9.0000", None, None, "EUR", None, "mixed_currency")

    def test_unknown_everywhere_is_one_currency(self):
        self.money(("10", None), ("9", None), None,
                   "10.0000", "9.0000", "1.0000", None, None, None, "derived")

    def test_default_currency(self):
        self.money(("10", None), ("9", "EUR"), None,
                   "10.0000", "9.0000", "1.0000", "EUR", "EUR", "EUR", "derived", currencies={"paydata": "EUR"})
        self.expect(text(SPACIVOX), {"currencies": {"spacivox": "CHF"}}, currency="CHF")

    def test_currency_is_upper_cased(self):
        self.money(("10", "eUr"), ("9", "EUR"), ("1", "eur"),
                   "10.0000", "9.0000", "1.0000", "EUR", "EUR", "EUR", "balanced")

    def test_bad_currency(self):
        for code in ("", "EURO", "EU", "E1R", " EUR", "€UR", "ıss"):
            self.reject(self.paydata(("10", code), None, None), "bad_currency", "gross.currency")

    def test_amount_object_without_value(self):
        dump = text(PAYDATA, gross={"currency": "nonsense"}, net={"currency": "USD", "value": None})
        self.expect(dump, gross_amount=None, fee_amount="1.0000", currency="EUR", amount_check="partial")

    def test_amount_object_types(self):
        self.reject(text(PAYDATA, gross=12), "wrong_type", "gross")
        self.reject(text(PAYDATA, gross={"currency": 5, "value": 1}), "wrong_type", "gross.currency")
        self.reject(text(PAYDATA, gross={"currency": "EUR", "value": False}), "wrong_type", "gross.value")


class Time(Case):
    """RFC 3339, local times, Unix seconds."""

    def occurred(self, written, expected, offset, zone="UTC"):
        options = {"zones": {"spacivox": zone}}
        self.expect(
            text(SPACIVOX, timestamp=written), options, occurred_at=expected, utc_offset_minutes=offset
        )

    def bad(self, written, zone="UTC"):
        dump = text(SPACIVOX, timestamp=written)
        self.reject(dump, "bad_timestamp", "timestamp", zones={"spacivox": zone})

    def test_offsets(self):
        for written, hour, offset in (
            ("2015-01-06T10:00:00Z", 10, 0),
            ("2015-01-06t10:00:00z", 10, 0),
            ("2015-01-06 10:00:00Z", 10, 0),
            ("2015-01-06 10:00:00 Z", 10, 0),
            ("2015-01-06 10:00:00 UTC", 10, 0),
            ("2015-01-06T10:00:00+01:00", 9, 60),
            ("2015-01-06T10:00:00+0100", 9, 60),
            ("2015-01-06 10:00:00 +0100", 9, 60),
            ("2015-01-06T10:00:00-05:00", 15, -300),
            ("2015-01-06T10:00:00-00:00", 10, 0),
        ):
            self.occurred(written, f"2015-01-06T{hour:02}:00:00.000000Z", offset)
        self.occurred("2015-01-06T10:00:00+05:30", "2015-01-06T04:30:00.000000Z", 330)
        self.occurred("2015-01-01T00:30:00+23:59", "2014-12-31T00:31:00.000000Z", 1439)

    def test_bad_texts(self):
        for written in (
            "", "2015-01-06T10:21", "2015-01-06T10:21Z", "2015-01-06T10:21:14+01", "2015-01-06T10:21:14+24:00",
            "2015-01-06T10:21:14+01:60", "2015-01-06T24:00:00Z", "2015-01-06T10:60:00Z", "2015-01-06T10:21:61Z",
            "2015-02-29T00:00:00Z", "2015-13-01", "0000-01-01", "15-01-06", "2015-1-6", "2015-01-06T10:21:14.Z",
            "2015-01-06T10:21:14,5Z", "2015-01-06  10:21:14Z", "2015-01-06T10:21:14  +0100", " 2015-01-06",
            "2015-01-06Z", "2015-01-06T10:21:14 GMT", "2015-01-06T10:21:14+1:00", "1420539674", "٢015-01-06",
        ):
            self.bad(written)

    def test_fractions_are_cut(self):
        self.occurred("2015-01-06T10:21:14.1Z", "2015-01-06T10:21:14.100000Z", 0)
        self.occurred("2015-01-06T10:21:14.123456999Z", "2015-01-06T10:21:14.123456Z", 0)
        self.occurred("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z", 0)

    def test_second_sixty(self):
        self.occurred("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z", 0)
        self.occurred("2016-12-31T18:59:60.5-05:00", "2017-01-01T00:00:00.500000Z", -300)
        self.occurred("2015-01-06T10:21:60", "2015-01-06T10:22:00.000000Z", None)

    def test_years(self):
        self.occurred("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z", 0)
        self.occurred("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", 0)
        self.bad("0001-01-01T00:00:00+00:01")
        self.bad("9999-12-31T23:59:60Z")
        self.bad("9999-12-31T23:59:59-00:01")

    def test_local_time(self):
        self.occurred("2015-01-06T10:00:00", "2015-01-06T10:00:00.000000Z", None)
        self.occurred("2015-01-06T10:00:00", "2015-01-06T09:00:00.000000Z", None, "Europe/Berlin")
        self.occurred("2015-07-06T10:00:00", "2015-07-06T08:00:00.000000Z", None, "Europe/Berlin")
        self.occurred("2015-07-06T10:00:00+00:00", "2015-07-06T10:00:00.000000Z", 0, "Europe/Berlin")

    def test_gap(self):
        # Berlin, 2021-03-28: 02:00 becomes 03:00.
        self.bad("2021-03-28T02:00:00", "Europe/Berlin")
        self.bad("2021-03-28T02:59:59.999999", "Europe/Berlin")
        self.occurred("2021-03-28T01:59:59", "2021-03-28T00:59:59.000000Z", None, "Europe/Berlin")
        self.occurred("2021-03-28T03:00:00", "2021-03-28T01:00:00.000000Z", None, "Europe/Berlin")
        self.occurred("2021-03-28T02:30:00Z", "2021-03-28T02:30:00.000000Z", 0, "Europe/Berlin")

    def test_ambiguous_is_the_earlier(self):
        # Berlin, 2021-10-31: 03:00 becomes 02:00; the first 02:30 is summer time, two hours before UTC.
        self.occurred("2021-10-31T02:30:00", "2021-10-31T00:30:00.000000Z", None, "Europe/Berlin")
        self.occurred("2021-10-31T02:00:00", "2021-10-31T00:00:00.000000Z", None, "Europe/Berlin")
        self.occurred("2021-10-31T03:00:00", "2021-10-31T02:00:00.000000Z", None, "Europe/Berlin")

    def test_bare_date(self):
        self.occurred("2015-01-06", "2015-01-06T00:00:00.000000Z", None)
        self.occurred("2021-10-01", "2021-09-30T22:00:00.000000Z", None, "Europe/Berlin")
        # São Paulo, 2018-11-04: midnight did not happen.
        self.bad("2018-11-04", "America/Sao_Paulo")

    def test_unix_seconds(self):
        for number, expected in {
            "0": "1970-01-01T00:00:00.000000Z",
            "-0": "1970-01-01T00:00:00.000000Z",
            "-1": "1969-12-31T23:59:59.000000Z",
            "1420539674.5": "2015-01-06T10:21:14.500000Z",
            '"1420539674.123456789"': "2015-01-06T10:21:14.123456Z",
            '"1420539674"': "2015-01-06T10:21:14.000000Z",
            "1.420539674e9": "2015-01-06T10:21:14.000000Z",
            "-1.2345678": "1969-12-31T23:59:58.765433Z",
            "-1e-9": "1970-01-01T00:00:00.000000Z",
            "253402300799.9999999": "9999-12-31T23:59:59.999999Z",
            "-62135596800": "0001-01-01T00:00:00.000000Z",
        }.items():
            self.expect(text(ATPAY, timestamp=Raw(number)), occurred_at=expected, utc_offset_minutes=None)

    def test_bad_unix_seconds(self):
        for number in ("253402300800", "-62135596801", "1e999999", '"soon"', '""', '"2015-01-06T10:21:14Z"', '" 1"'):
            self.reject(text(ATPAY, timestamp=Raw(number)), "bad_timestamp", "timestamp")
        self.reject(text(ATPAY, timestamp=True), "wrong_type", "timestamp")

    def test_atpay_date(self):
        self.expect(
            text(ATPAY, timestamp=GONE, date="2015-01-06 10:21:14 +0100"),
            occurred_at="2015-01-06T09:21:14.000000Z",
            utc_offset_minutes=60,
            extra='{"date":"2015-01-06 10:21:14 +0100"}',
        )
        self.reject(text(ATPAY, timestamp=None, date="Jan 6, 2015"), "bad_timestamp", "timestamp")
        self.reject(text(ATPAY, timestamp=GONE, date=GONE), "bad_timestamp", "timestamp")
        self.reject(text(ATPAY, date=20150106), "wrong_type", "date")
        self.expect(text(ATPAY, date="Jan 6, 2015"), occurred_at="2015-01-06T10:21:14.000000Z")

    def test_onlinefundraising_falls_back_to_created(self):
        self.expect(
            text(ONLINEFUNDRAISING, transactionTs=GONE),
            occurred_at="2019-12-31T14:59:59.000000Z",
            created_at="2019-12-31T14:59:59.000000Z",
        )
        dump = text(ONLINEFUNDRAISING, transactionTs=None, createdTs=None)
        self.reject(dump, "bad_timestamp", "transactionTs")

    def test_paydata_dates(self):
        self.expect(
            text(PAYDATA, bookingDate="2021-10-01T00:30:00+02:00", valueDate="2021-10-02T23:59:60-12:00"),
            occurred_at="2021-09-30T22:30:00.000000Z",
            utc_offset_minutes=120,
            booking_date="2021-10-01",
            value_date="2021-10-02",
        )
        self.expect(
            text(PAYDATA, bookingDate=None, valueDate=GONE),
            occurred_at="2021-10-01T05:15:15.111000Z",
            booking_date=None,
            value_date=None,
        )
        self.reject(text(PAYDATA, valueDate="soon"), "bad_timestamp", "valueDate")
        self.reject(text(PAYDATA, lastModifiedAt=""), "bad_timestamp", "lastModifiedAt")
        self.reject(text(PAYDATA, bookingDate=GONE, createdAt=GONE), "bad_timestamp", "bookingDate")

    def test_paydata_local_zone(self):
        self.expect(
            text(PAYDATA),
            {"zones": {"paydata": "Europe/Berlin"}},
            occurred_at="2021-09-30T22:00:00.000000Z",
            created_at="2021-10-01T03:15:15.111000Z",
            booking_date="2021-10-01",
            utc_offset_minutes=None,
        )


class Words(Case):
    """States and classifications."""

    def test_spacivox_states(self):
        for number, state in {"0": "pending", "1": "succeeded", "2": "failed", "7": "unknown", "-1": "unknown"}.items():
            self.expect(text(SPACIVOX, state=Raw(number)), state=state, source_state=number)
        self.reject(text(SPACIVOX, state="1"), "wrong_type", "state")

    def test_missing_state(self):
        self.expect(text(SPACIVOX, state=None), state="unknown", source_state=None)

    def test_onlinefundraising_unknown_type(self):
        self.expect(
            text(ONLINEFUNDRAISING, transactionType="charge"),
            classification="unknown",
            source_classification="charge",
            gross_amount="100.0000",
            state="succeeded",
            source_state=None,
        )

    def test_twocloud_states(self):
        words = {"pending": "pending", "succeeded": "succeeded", "error": "failed", "retry": "pending", "x": "unknown"}
        for word, state in words.items():
            self.expect(text(TWOCLOUD, status=word), state=state, source_state=word)

    def test_twocloud_public_view(self):
        public = text(TWOCLOUD, remote_id=GONE, user_id=GONE, funding_source_id=GONE, anonymous=GONE, status=GONE, error=GONE)
        self.expect(public, source="twocloud", state="succeeded", source_state=None, is_anonymous=None)
        self.expect(public.replace('"2015-03-04T05:06:08+01:00"', "null"), state="pending", completed_at=None)

    def test_atpay_states(self):
        words = {"Failed": "failed", "Further Action Required": "requires_action", "failed": "unknown"}
        for word, state in words.items():
            self.expect(text(ATPAY, status=word), state=state, source_state=word)

    def test_paydata_classifications(self):
        words = {
            "PurchaseRefund": "purchase_refund", "ServiceFeeRefund": "service_fee_refund", "Tax": "tax",
            "TemporaryHold": "temporary_hold", "CurrencyConversion": "currency_conversion",
            "CreditRepayment": "credit_repayment", "Unclassified": "unclassified", "payment": "unknown",
        }
        for word, classification in words.items():
            self.expect(
                text(PAYDATA, paymentClassification=word),
                classification=classification,
                source_classification=word,
            )
        self.assertEqual(len(ref.PAYDATA_CLASSIFICATIONS), 19)

    def test_booleans(self):
        self.expect(text(TWOCLOUD, anonymous=True), is_anonymous=True)
        self.expect(text(PAYDATA, isBalanceRelevant=None), is_balance_relevant=None)
        self.reject(text(TWOCLOUD, anonymous="true"), "wrong_type", "anonymous")
        self.reject(text(PAYDATA, isBalanceRelevant=1), "wrong_type", "isBalanceRelevant")


class TextAndIds(Case):
    """Ids, text, and the members that no column takes."""

    def test_integer_ids_keep_every_digit(self):
        self.expect(text(SPACIVOX, id=Raw("123456789012345678901234567890")), transaction_id="123456789012345678901234567890")
        self.expect(text(SPACIVOX, id=Raw("-5"), job=Raw("007".lstrip("0"))), transaction_id="-5", job_id="7")

    def test_ids_that_are_no_integers(self):
        for value in ("1.0", "1e3", "true", "[]"):
            self.reject(text(SPACIVOX, id=Raw(value)), "wrong_type", "id")
            self.reject(text(SPACIVOX, job=Raw(value)), "wrong_type", "job")

    def test_missing_id(self):
        for value in (GONE, None, ""):
            self.reject(text(SPACIVOX, id=value), "missing_id", "id")
            self.reject(text(ONLINEFUNDRAISING, transactionGuid=value), "missing_id", "transactionGuid", forced="onlinefundraising")
            self.reject(text(PAYDATA, id=value, transactionId=value), "missing_id", "id")

    def test_paydata_id_falls_back(self):
        self.expect(text(PAYDATA, id=None), transaction_id="75123478", provider_transaction_id="75123478")

    def test_empty_text_is_null(self):
        self.expect(text(SPACIVOX, reference="", campaign=""), reference=None, campaign_id=None)

    def test_text_is_exact(self):
        self.expect(text(SPACIVOX, reference=Raw(r'" \u0000\ud83d\ude00 "')), reference=" \0\U0001f600 ")

    def test_number_in_a_text_column(self):
        self.reject(text(SPACIVOX, reference=123456), "wrong_type", "reference")
        self.reject(text(PAYDATA, shopper={"name": 1}), "wrong_type", "shopper.name")
        self.reject(text(PAYDATA, shopper="x"), "wrong_type", "shopper")

    def test_escaped_key_is_the_same_member(self):
        self.expect(text(SPACIVOX).replace('"amount"', '"\\u0061mount"'), gross_amount="12.3400", extra=None)

    def test_extra_is_verbatim_and_in_source_order(self):
        dump = '{"z":1.50e+1,' + text(SPACIVOX)[1:-1] + ',"\\u00e4\\/" : {"b" :\n[ 1 ],"a":"\\u0041"}\t, "n":null}'
        self.expect(dump, extra='{"z":1.50e+1,"\\u00e4\\/":{"b" :\n[ 1 ],"a":"\\u0041"},"n":null}')

    def test_extra_of_nested_members(self):
        dump = text(
            PAYDATA,
            gross=Raw('{"currency":"EUR", "x" : [1, 2],"value":15.12,"y":0}'),
            shopper=Raw('{"name":"A","phone": "1"}'),
            fields=Raw('{ "a":1 }'),
            last=True,
        )
        self.expect(
            dump,
            extra='{"gross":{"x":[1, 2],"y":0},"shopper":{"phone":"1"},"fields":{ "a":1 },"last":true}',
            payer_name="A",
        )

    def test_mapped_null_is_not_in_extra(self):
        self.expect(text(SPACIVOX, reference=None), extra=None)
        self.expect(text(PAYDATA, shopper=None, fields=None), extra='{"fields":null}', payer_name=None)

    def test_wrong_fields(self):
        self.reject(text(PAYDATA, fields=[]), "wrong_type", "fields")

    def test_currency_of_a_source_that_documents_none_is_extra(self):
        self.expect(text(SPACIVOX, currency="EUR"), currency=None, extra='{"currency":"EUR"}')


class Shapes(Case):
    """How a dump is cut into records."""

    def setUp(self):
        self.a, self.b, self.c = (text(SPACIVOX, id=name) for name in "abc")
        self.size = len(self.a)

    def test_array(self):
        dump = f"[ {self.a} ,\n{self.b}]"
        self.assertEqual(self.spans(dump), ([2, 2 + self.size + 3], []))

    def test_lines_with_bom_crlf_blank_lines(self):
        dump = b"\xef\xbb\xbf" + f"{self.a}\r\n\r\n  {self.b}".encode()
        self.assertEqual(self.spans(dump), ([3, 3 + self.size + 6], []))

    def test_concatenated(self):
        self.assertEqual(self.spans(self.a + self.b + "\t" + self.c), ([0, self.size, 2 * self.size + 1], []))

    def test_pages_with_keys_in_any_order(self):
        page = '{"pagination":{"pageNumber":1},"transactions":[' + text(PAYDATA) + "]}"
        rows, rejects = read(page + page + "\n" + page.replace("7hrt3c", "other1"))
        self.assertEqual((len(rows), rejects), (3, []))

    def test_list_under_an_escaped_key(self):
        self.assertEqual(self.spans('{"l\\u0069st":[' + self.a + "]}"), ([14], []))

    def test_nothing(self):
        for dump in ("", " \r\n", "[]", "[ ]", '{"list":null}', '{"pagination":{"pageNumber":1}}',
                     '{"pageNumber":1,"pageSize":2}', '{"transactions":[],"pagination":null}', '{"payments":[]}{"payments":null}',
                     "\ufeff", "\ufeff[]"):
            self.assertEqual(read(dump), ([], []), dump)

    def test_unknown_objects(self):
        self.assertEqual(self.spans(' {} [1, 2] "x" {"a":1}\n'), ([], [
            (1, 2, "unknown_format"), (4, 6, "unknown_format"), (11, 3, "unknown_format"), (15, 7, "unknown_format")]))

    def test_error_body(self):
        for body in ('{"message":"no"}', '{"errors":[1],"status":404}', '{"fault":{}}', '{"detail":1}', '{"error":"x"}'):
            self.assertEqual(self.spans(" " + body + "\n"), ([], [(1, len(body), "api_error_page")]))
        self.reject('{"message":"no","id":1}', "unknown_format")

    def test_html(self):
        self.assertEqual(self.spans("\n<html>\n{}</html>\n"), ([], [(1, 17, "api_error_page")]))

    def test_error_body_among_records(self):
        dump = f'{self.a}\n{{"error":"x"}}\n{self.b}\n'
        self.assertEqual(self.spans(dump), ([0, self.size + 15], [(self.size + 1, 13, "api_error_page")]))

    def test_plain_text(self):
        self.assertEqual(self.spans("Service\nunavailable\n"), ([], [(0, 20, "invalid_json")]))

    def test_foreign_record(self):
        dump = f"[{self.a},{text(ATPAY)}]"
        _, rejects = read(dump)
        self.assertEqual([(r["source"], r["reason"], r["source_offset"]) for r in rejects],
                         [("spacivox", "unknown_format", self.size + 2)])

    def test_forced_source(self):
        self.reject(self.a, "unknown_format", forced="atpay")
        self.reject("{}", "missing_id", "id", forced="atpay")

    def test_record_told_by_none_belongs_to_the_dump(self):
        later = text(SPACIVOX, id="z", team=GONE)
        self.assertEqual(self.spans(f"[{later},{self.a}]"), ([1, len(later) + 2], []))

    def test_record_told_by_two_does_not_decide(self):
        both = text(SPACIVOX, id="z", offer_name="x")
        self.reject(both, "unknown_format")
        self.assertEqual(self.spans(f"[{both},{self.a}]"), ([1, len(both) + 2], []))

    def test_the_hundred_and_first_record_does_not_decide(self):
        self.assertEqual(len(read('{"id":1}' * 99 + self.a)[0]), 1)
        rows, rejects = read('{"id":1}' * 100 + self.a)
        self.assertEqual((len(rows), {r["reason"] for r in rejects}, len(rejects)), (0, {"unknown_format"}, 101))

    def test_elements_that_are_no_objects(self):
        dump = f'[1,{self.a},"x",null,[2]]'
        reasons = [r[2] for r in self.spans(dump)[1]]
        self.assertEqual(reasons, ["wrong_type"] * 4)
        self.assertEqual(self.spans(dump)[1][0], (1, 1, "wrong_type"))

    def test_broken_line(self):
        for bad in ('{"id":"x","amount":,}', '{"id":"x', '{"id":', "not json", "{", '{"a":[1}', "{'a':1}"):
            dump = f"{self.a}\r\n  {bad}\r\n{self.b}\r\n"
            start = self.size + 4
            self.assertEqual(self.spans(dump), ([0, start + len(bad) + 2], [(start, len(bad), "invalid_json")]), bad)

    def test_broken_lines_after_one_another(self):
        for bad in ('{"id":,}', '{"id":', '{"id":"x', "not json"):
            dump = f"{self.a}\n{bad}\nnot json\n{self.b}"
            second = self.size + 1 + len(bad) + 1
            wanted = [(self.size + 1, len(bad), "invalid_json"), (second, 8, "invalid_json")]
            self.assertEqual(self.spans(dump), ([0, second + 9], wanted))

    def test_broken_element_without_its_bracket(self):
        bad = '{"id":[1}'
        dump = f"[{self.a},{bad} , {self.b}]"
        start = self.size + 2
        self.assertEqual(self.spans(dump), ([1, start + len(bad) + 3], [(start, len(bad), "invalid_json")]))

    def test_broken_first_and_last_line(self):
        dump = f'{{"id":,}}\n{self.a}\n{{"id":,}}\n'
        self.assertEqual(self.spans(dump), ([9], [(0, 8, "invalid_json"), (10 + self.size, 8, "invalid_json")]))

    def test_broken_element(self):
        bad = '{"id":"x","gross":{"a":[1,2,]}}'
        dump = f"[{self.a},\n {bad} ,{self.b}]"
        start = self.size + 4
        self.assertEqual(self.spans(dump), ([1, start + len(bad) + 2], [(start, len(bad), "invalid_json")]))

    def test_broken_element_in_a_page(self):
        bad = '{"id" "x"}'
        dump = f'{{"pageNumber":1,"list":[{bad},{self.a}]}}'
        self.assertEqual(self.spans(dump), ([24 + len(bad) + 1], [(24, len(bad), "invalid_json")]))

    def test_broken_document_among_documents_on_one_line(self):
        bad = '{"id":01}'
        self.assertEqual(self.spans(f"{self.a}{bad}{self.b}"),
                         ([0, self.size + len(bad)], [(self.size, len(bad), "invalid_json")]))

    def test_broken_pretty_document(self):
        bad = '{\n"id": 1,\n"x":\n}'
        self.assertEqual(self.spans(f"{bad}\n{self.a}"), ([len(bad) + 1], [(0, len(bad), "invalid_json")]))

    def test_cut_dumps(self):
        for opening, separator in (("[", ","), ('{"list":[', ","), ("", "\n")):
            start = len(opening) + self.size + 1
            for length in (1, 5, 9, self.size - 1):
                dump = opening + self.a + separator + self.b[:length]
                self.assertEqual(self.spans(dump), ([len(opening)], [(start, length, "truncated_input")]), dump)

    def test_dump_cut_between_records(self):
        dump = f"[{self.a},\n"
        self.assertEqual(self.spans(dump), ([1], [(len(dump), 0, "truncated_input")]))

    def test_record_with_a_list_of_its_own_is_a_record(self):
        self.expect(text(SPACIVOX, list=[1]), extra='{"list":[1]}')


class Files(Case):
    """Directories, compression, lineage."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name)
        self.record = text(SPACIVOX).encode()

    def write(self, name, data):
        path = os.path.join(os.fsencode(self.base), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def files(self, *inputs, **options):
        rows, rejects = ref.read_inputs(inputs, options.get("base"), ref.Settings())
        return [row["source_file"] for row in rows], [(r["source_file"], r["reason"]) for r in rejects]

    def test_order_is_that_of_the_path_bytes(self):
        names = ["b.json", "a/z.json", "a.json", "a-b/x.json", "A.json", "ä.json", "z.json"]
        for name in names:
            self.write(name, self.record)
        # "-" 2D, "." 2E, "/" 2F.
        wanted = ["A.json", "a-b/x.json", "a.json", "a/z.json", "b.json", "z.json", "ä.json"]
        self.assertEqual(self.files(self.base), (wanted, []))

    def test_name_that_is_not_utf8(self):
        self.write(b"a\xff%\xc3\xa4.json", self.record)
        self.assertEqual(self.files(self.base)[0], ["a%FF%ä.json"])

    def test_default_base(self):
        one, two = self.write("x/y/1.json", self.record), self.write("x/z/2.json", self.record)
        self.assertEqual(self.files(one)[0], ["1.json"])
        self.assertEqual(self.files(one, two)[0], ["y/1.json", "z/2.json"])
        self.assertEqual(self.files(self.base / "x" / "y", two)[0], ["y/1.json", "z/2.json"])
        self.assertEqual(self.files(one, base=self.base)[0], ["x/y/1.json"])

    def test_what_is_no_file_is_skipped(self):
        self.write("a.json", self.record)
        os.symlink("nowhere", self.base / "dangling")
        os.symlink(".", self.base / "loop")
        os.mkfifo(self.base / "fifo")
        self.assertEqual(self.files(self.base), (["a.json"], []))

    def test_gzip_members(self):
        half = len(self.record) // 2
        data = gzip.compress(self.record[:half]) + gzip.compress(self.record[half:] + b"\n")
        self.write("a", data)
        self.write("b", data + b"\0" * 512)
        self.assertEqual(self.files(self.base), (["a", "b"], []))

    def test_corrupt_gzip(self):
        data = gzip.compress(self.record)
        flipped = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
        for name, bad in {"cut": data[:-1], "checksum": flipped, "garbage": data + b"xx", "second": data + data[:9]}.items():
            self.write(name, bad)
        wanted = [(name, "corrupt_compression") for name in ("checksum", "cut", "garbage", "second")]
        self.assertEqual(self.files(self.base), ([], wanted))

    @unittest.skipUnless(zstandard, "no zstandard")
    def test_zstd_frames(self):
        half = len(self.record) // 2
        packer = zstandard.ZstdCompressor(write_checksum=True)
        data = packer.compress(self.record[:half]) + b"\x50\x2a\x4d\x18\x03\0\0\0xyz" + packer.compress(self.record[half:])
        self.write("good", data)
        self.write("cut", data[:-1])
        self.write("flipped", data[:-1] + bytes([data[-1] ^ 1]))
        self.write("garbage", data + b"xx")
        wanted = [(name, "corrupt_compression") for name in ("cut", "flipped", "garbage")]
        self.assertEqual(self.files(self.base), (["good"], wanted))


class CommandLine(Case):
    """The options of the program."""

    def test_options(self):
        with tempfile.TemporaryDirectory() as folder:
            dump, rows, rejects = (os.path.join(folder, name) for name in ("dump", "rows", "rejects"))
            old = text(PAYDATA, bookingText="old", lastModifiedAt=None, gross={"value": 1})
            pathlib.Path(dump).write_text(f"{old}\n{text(PAYDATA)}\n{{}}\n")
            options = [dump, "--source", "paydata", "--currency", "paydata=usd", "--timezone", "paydata=Asia/Tokyo"]
            wanted = {(): ["15.1200"], ("--keep-duplicates",): ["1.0000", "15.1200"]}
            for more, amounts in wanted.items():
                ref.main([*options, *more, "--out", rows, "--rejects", rejects])
                lines = [json.loads(line) for line in pathlib.Path(rows).read_text().splitlines()]
                self.assertEqual([line["gross_amount"] for line in lines], amounts)
                self.assertEqual(lines[-1]["occurred_at"], "2021-09-30T15:00:00.000000Z")
                self.assertEqual(list(lines[0]), ref.COLUMNS)
                if more:
                    self.assertEqual((lines[0]["currency"], lines[0]["amount_check"]), ("USD", "mixed_currency"))
            wanted = {"source": "paydata", "source_file": "dump", "length": 2, "reason": "missing_id", "field": "id"}
            wanted["source_offset"] = len(old) + len(text(PAYDATA)) + 2
            self.assertEqual(json.loads(pathlib.Path(rejects).read_text()), wanted)


class OneKeyOneRow(Case):
    """Which of several records with one id stays."""

    def kept(self, *records):
        rows, rejects = read("\n".join(records))
        self.assertEqual(rejects, [])
        return [row["source_offset"] for row in ref.one_row_per_key(rows)], [
            sum(len(r) + 1 for r in records[:i]) for i in range(len(records))
        ]

    def winner(self, number, *records):
        kept, starts = self.kept(*records)
        self.assertEqual(kept, [starts[number]])

    def test_greatest_update(self):
        new = text(PAYDATA, lastModifiedAt="2021-10-02T00:00:00Z")
        self.winner(0, new, text(PAYDATA))
        self.winner(1, text(PAYDATA), new)

    def test_same_update_is_decided_by_order(self):
        self.winner(1, text(PAYDATA, bookingText="x"), text(PAYDATA))

    def test_an_absent_update_is_older_than_any(self):
        self.winner(0, text(PAYDATA), text(PAYDATA, lastModifiedAt=None))
        self.winner(1, text(PAYDATA, lastModifiedAt=None), text(PAYDATA))

    def test_greatest_completion(self):
        late = text(TWOCLOUD, completed="2016-01-01T00:00:00Z", status="pending")
        self.winner(0, late, text(TWOCLOUD, status="succeeded"))

    def test_more_final_state(self):
        done = text(TWOCLOUD, status="succeeded")
        self.winner(0, done, text(TWOCLOUD, completed=None, status="pending"))
        self.winner(1, text(TWOCLOUD, completed=None, status="pending"), done)
        self.winner(1, text(SPACIVOX, state=1), text(SPACIVOX, state=2))
        self.winner(1, text(SPACIVOX, state=0), text(SPACIVOX, state=9))

    def test_winner_keeps_its_place(self):
        done, other, again = text(SPACIVOX, state=1), text(SPACIVOX, id="b"), text(SPACIVOX, state=0)
        kept, starts = self.kept(done, other, again)
        self.assertEqual(kept, starts[:2])

    def test_integer_and_string_ids_are_one_key(self):
        self.winner(1, text(SPACIVOX, id="7"), text(SPACIVOX, id=7))

    def test_sources_do_not_meet(self):
        rows = read(text(SPACIVOX, id="x"))[0] + read(text(ATPAY, id="x"))[0]
        self.assertEqual(len(ref.one_row_per_key(rows)), 2)


if __name__ == "__main__":
    unittest.main()
