"""A slow and literal reading of the `paynorm` contract, for checking the fast program.

Reads payment dumps and writes two files of JSON lines: the rows of schema `transactions` version 1
and the rejected records. It knows nothing of Parquet, of partitions on disk and of speed: whole
dumps are held in memory, every byte is looked at several times.

The one thing that surprises: the JSON parser is our own. The standard one forgets what the contract
needs: byte offsets, number text, key order and duplicates, and it accepts `NaN` and lone surrogates.

The sections follow the way of a byte: JSON text, dump into records, recognising the source, values
(ids, money, time), sources, one key one row, files, command line.
"""

import argparse
import codecs
import dataclasses
import datetime
import decimal
import gzip
import json
import os
import re
import sys
import zlib
import zoneinfo

COLUMNS = (
    "source transaction_id occurred_at utc_offset_minutes gross_amount net_amount fee_amount "
    "currency net_currency fee_currency amount_check classification state source_classification "
    "source_state failure_reason created_at updated_at completed_at booking_date value_date "
    "reference receipt_number description payment_id payment_method_id charge_attempt_id provider "
    "provider_transaction_id provider_account_id provider_payment_method_id accounting_code "
    "campaign_id job_id team_id report_id payer_id payer_name payer_email payer_username "
    "is_anonymous is_balance_relevant extra source_file source_offset"
).split()

MAX_DEPTH = 128
MAX_RECORD_BYTES = 64 * 1024 * 1024
DETECT_RECORDS = 100
DETECT_BYTES = 16 * 1024 * 1024


class Reject(Exception):
    """The record cannot become a row: a reason code of the contract and the member that caused it."""

    def __init__(self, reason, field=None):
        super().__init__(reason, field)
        self.reason = reason
        self.field = field


# --------------------------------------------------------------------------------------------------
# JSON text: strict RFC 8259 grammar over bytes
# --------------------------------------------------------------------------------------------------


class Broken(Exception):
    """The bytes break the JSON grammar."""


class Cut(Exception):
    """The bytes end inside a JSON value that was correct so far."""


SPACE = re.compile(rb"[ \t\n\r]*")
PLAIN = rb'[^"\\\x00-\x1f]*'
ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
STRING = re.compile(rb'"' + PLAIN + rb"(?:" + ESCAPE + PLAIN + rb')*"')
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
LITERAL = re.compile(rb"true|false|null")
INTEGER_TEXT = re.compile(r"-?(?:0|[1-9][0-9]*)")
NUMBER_TEXT = re.compile(NUMBER.pattern.decode())

# The beginning of a token that the end of the dump has cut off.
CUT_TOKEN = re.compile(
    rb'(?:"' + PLAIN + rb"(?:" + ESCAPE + PLAIN + rb")*(?:\\(?:u[0-9a-fA-F]{0,3})?)?"
    rb"|-|-?(?:0|[1-9][0-9]*)(?:\.|(?:\.[0-9]+)?[eE][+-]?)"
    rb"|t|tr|tru|f|fa|fal|fals|n|nu|nul)\Z"
)


def skip_space(data, pos):
    """Position of the first byte at or after `pos` that is not JSON white space."""
    return SPACE.match(data, pos).end()


def byte_at(data, pos):
    """The byte at `pos` as bytes, empty at the end of the dump."""
    return data[pos : pos + 1]


def scan_token(data, pos, pattern):
    """End of the token at `pos`; tells a cut token from a wrong one (`1.` is both a number and a cut one)."""
    match = pattern.match(data, pos)
    if match and not (pattern is NUMBER and CUT_TOKEN.match(data, pos)):
        return match.end()
    if pos == len(data) or CUT_TOKEN.match(data, pos):
        raise Cut
    raise Broken


def scan_scalar(data, pos):
    """End of the string, number or literal at `pos`."""
    first = byte_at(data, pos)
    if first == b'"':
        return scan_token(data, pos, STRING)
    if first in (b"t", b"f", b"n"):
        return scan_token(data, pos, LITERAL)
    return scan_token(data, pos, NUMBER)


def scan_key(data, pos):
    """Position of the value that belongs to the key at `pos`."""
    if byte_at(data, pos) not in (b'"', b""):
        raise Broken
    pos = skip_space(data, scan_token(data, pos, STRING))
    if pos == len(data):
        raise Cut
    if byte_at(data, pos) != b":":
        raise Broken
    return skip_space(data, pos + 1)


def scan_value(data, pos):
    """End and depth of the JSON value at `pos`; brackets are kept in a list, so no depth is too deep."""
    closers, depth = [], 0
    while True:
        first = byte_at(data, pos)
        if first in (b"{", b"["):
            closers.append(b"}" if first == b"{" else b"]")
            depth = max(depth, len(closers))
            pos = skip_space(data, pos + 1)
            if byte_at(data, pos) != closers[-1]:
                pos = scan_key(data, pos) if first == b"{" else pos
                continue
        else:
            pos = scan_scalar(data, pos)
        while closers:
            pos = skip_space(data, pos)
            mark = byte_at(data, pos)
            if mark == b"":
                raise Cut
            if mark == closers[-1]:
                closers.pop()
                pos += 1
                continue
            if mark != b",":
                raise Broken
            pos = skip_space(data, pos + 1)
            if closers[-1] == b"}":
                pos = scan_key(data, pos)
            break
        else:
            return pos, depth


@dataclasses.dataclass
class Node:
    """A parsed value: its kind, its bytes in the dump, and what it holds.

    `value` is the text of a string (unescaped) or number (as written), True, False, None, a list of
    nodes, or a list of members.
    """

    kind: str
    start: int
    end: int
    value: object


@dataclasses.dataclass
class Member:
    """A member of an object: the key's raw bytes, the key unescaped, and the value."""

    raw_key: bytes
    key: str
    node: Node


def parse(data, start):
    """The tree of the value at `start`, which `scan_value` has accepted and found shallow enough."""
    first = byte_at(data, start)
    if first == b"{":
        return parse_object(data, start)
    if first == b"[":
        return parse_array(data, start)
    end = scan_scalar(data, start)
    if first == b'"':
        return Node("string", start, end, unescape(data[start:end]))
    text = data[start:end].decode("ascii")
    if first in (b"t", b"f"):
        return Node("bool", start, end, text == "true")
    if first == b"n":
        return Node("null", start, end, None)
    return Node("number", start, end, text)


def parse_object(data, start):
    """Members in the order of the source, each with its raw key."""
    members, pos = [], skip_space(data, start + 1)
    while byte_at(data, pos) != b"}":
        key_end = scan_token(data, pos, STRING)
        raw_key = data[pos:key_end]
        node = parse(data, scan_key(data, pos))
        members.append(Member(raw_key, unescape(raw_key), node))
        pos = skip_space(data, node.end)
        if byte_at(data, pos) == b",":
            pos = skip_space(data, pos + 1)
    return Node("object", start, pos + 1, members)


def parse_array(data, start):
    """Elements in the order of the source."""
    elements, pos = [], skip_space(data, start + 1)
    while byte_at(data, pos) != b"]":
        node = parse(data, pos)
        elements.append(node)
        pos = skip_space(data, node.end)
        if byte_at(data, pos) == b",":
            pos = skip_space(data, pos + 1)
    return Node("array", start, pos + 1, elements)


def unescape(raw):
    """The exact characters of a quoted string; invalid UTF-8 and lone surrogates are refused."""
    try:
        text = raw[1:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise Reject("invalid_unicode") from None
    short = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
    out, i = [], 0
    while i < len(text):
        if text[i] != "\\":
            out.append(text[i])
            i += 1
        elif text[i + 1] != "u":
            out.append(short.get(text[i + 1], text[i + 1]))
            i += 2
        else:
            unit = int(text[i + 2 : i + 6], 16)
            i += 6
            if 0xDC00 <= unit <= 0xDFFF:
                raise Reject("invalid_unicode")
            if 0xD800 <= unit <= 0xDBFF:
                unit = join_surrogates(unit, text[i : i + 6])
                i += 6
            out.append(chr(unit))
    return "".join(out)


def join_surrogates(high, following):
    """A high surrogate must be followed by an escaped low one; together they are one character."""
    if not re.fullmatch(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}", following):
        raise Reject("invalid_unicode")
    return 0x10000 + ((high - 0xD800) << 10) + (int(following[2:], 16) - 0xDC00)


def refuse_duplicate_keys(node):
    """No object at any depth has the same key twice, compared after unescaping."""
    if node.kind == "array":
        for element in node.value:
            refuse_duplicate_keys(element)
    if node.kind == "object":
        seen = set()
        for member in node.value:
            if member.key in seen:
                raise Reject("duplicate_key", member.key)
            seen.add(member.key)
            refuse_duplicate_keys(member.node)


def parse_record(data, start):
    """The tree of one record whose grammar is right: Unicode, depth and keys are checked, in that order."""
    end, depth = scan_value(data, start)
    if end - start > MAX_RECORD_BYTES:
        raise Reject("record_too_large")
    refuse_bad_utf8(data[start:end])
    if depth > MAX_DEPTH:
        raise Reject("too_deep")
    tree = parse(data, start)
    refuse_duplicate_keys(tree)
    return tree


def refuse_bad_utf8(raw):
    """Every byte of a record is UTF-8, also in members that nobody reads."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Reject("invalid_unicode") from None


# --------------------------------------------------------------------------------------------------
# A dump into documents and slots
# --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Slot:
    """A place where a record should stand; `fault` is the reason when its grammar is broken."""

    start: int
    end: int
    fault: str | None = None


@dataclasses.dataclass
class Document:
    """One top-level document: `kind` is single, array, envelope, html or broken."""

    kind: str
    start: int
    end: int
    slots: list


LIST_KEYS = {"list", "payments", "transactions"}
ENVELOPE_KEYS = LIST_KEYS | {"pageNumber", "pageSize", "startDate", "endDate", "pagination"}
RECORD_KEYS = {"id", "transactionGuid", "transactionId", "amount"}
ERROR_KEYS = {"error", "errors", "message", "fault", "detail"}

# Strings and brackets only, forgiving everything else: used to step over broken text.
SKIM = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)


def skim(data, pos, stop_at_separator):
    """Steps over balanced brackets from `pos`.

    With `stop_at_separator` gives the position of the first comma or closing bracket that belongs to
    the surrounding array or object; without, the end of the bracket group that opens at `pos`.
    None when brackets or quotes do not match.
    """
    closers = []
    for match in SKIM.finditer(data, pos):
        token = match.group()
        if token in (b"{", b"["):
            closers.append(b"}" if token == b"{" else b"]")
        elif token in (b"}", b"]"):
            if not closers:
                return match.start() if stop_at_separator else None
            if token != closers.pop():
                return None
            if not closers and not stop_at_separator:
                return match.end()
        elif token == b",":
            if not closers and stop_at_separator:
                return match.start()
        elif token == b'"':
            return None
    return None


def trim_end(data, start, end):
    """`end` moved left over white space."""
    while end > start and data[end - 1 : end] in (b" ", b"\t", b"\n", b"\r"):
        end -= 1
    return end


def split_dump(data):
    """All top-level documents of a dump: one, or several with any white space between; a BOM may lead."""
    documents, told_before = [], False
    pos = 3 if data.startswith(codecs.BOM_UTF8) else 0
    while (pos := skip_space(data, pos)) < len(data):
        document = read_document(data, pos, documents, told_before)
        documents.append(document)
        told_before = told_before or any(
            len(slot_told_by(data, slot)) == 1 for slot in document.slots
        )
        pos = document.end
    return documents


def read_document(data, pos, before, told_before):
    """The document at `pos`, by its first byte."""
    first = byte_at(data, pos)
    if first == b"[":
        slots, end = read_array(data, pos)
        return Document("array", pos, end, slots)
    if first == b"{" and is_envelope(peek_members(data, pos)):
        slots, end = read_envelope(data, pos)
        return Document("envelope", pos, end, slots)
    if re.compile(rb"<[A-Za-z!?/]").match(data, pos) and not told_before:
        return Document("html", pos, len(data), [])
    return read_single(data, pos, before)


def peek_members(data, pos):
    """Keys of the object at `pos` and the first byte of each value, as far as the text can be followed."""
    found = []
    pos = skip_space(data, pos + 1)
    while match := STRING.match(data, pos):
        colon = skip_space(data, match.end())
        if byte_at(data, colon) != b":":
            break
        value = skip_space(data, colon + 1)
        found.append((forgiving_unescape(match.group()), byte_at(data, value)))
        end = skim(data, value, stop_at_separator=True)
        if end is None or byte_at(data, end) != b",":
            break
        pos = skip_space(data, end + 1)
    return found


def forgiving_unescape(raw):
    """The key's characters, or None where they are not Unicode."""
    try:
        return unescape(raw)
    except Reject:
        return None


def is_envelope(members):
    """A page of an API: a list under one of the three names, or nothing but an envelope's other members.

    An object that some source would tell as its record is a record, whatever else it has.
    """
    keys = {key for key, _ in members}
    if told_by(keys):
        return False
    if any(key in LIST_KEYS and first == b"[" for key, first in members):
        return True
    if any(key in LIST_KEYS and first != b"n" for key, first in members):
        return False
    if keys & LIST_KEYS and not keys & RECORD_KEYS:
        return True
    return bool(keys) and keys <= ENVELOPE_KEYS


def read_envelope(data, start):
    """Slots of every list in the envelope, in the order of the text; its other members only must be JSON."""
    slots, pos = [], skip_space(data, start + 1)
    while byte_at(data, pos) != b"}":
        member = pos
        try:
            value = scan_key(data, member)
            key = forgiving_unescape(data[member : scan_token(data, member, STRING)])
            if key in LIST_KEYS and byte_at(data, value) == b"[":
                inner, end = read_array(data, value)
                slots += inner
                if inner and inner[-1].fault and inner[-1].end == len(data):
                    return slots, end
            else:
                end, _ = scan_value(data, value)
            pos = skip_space(data, end)
            if pos == len(data):
                raise Cut
            if byte_at(data, pos) not in (b",", b"}"):
                raise Broken
        except Cut:
            start_of_rest = member if pos < len(data) else pos
            return slots + [Slot(start_of_rest, len(data), "truncated_input")], len(data)
        except Broken:
            end = broken_end(data, member, b"}")
            slots.append(Slot(member, end, "invalid_json"))
            pos = skip_space(data, end)
            if pos == len(data):
                return slots, pos
        if byte_at(data, pos) == b",":
            pos = skip_space(data, pos + 1)
    return slots, pos + 1


def read_array(data, start):
    """One slot for each element of the array that opens at `start`, and the array's end."""
    slots, pos = [], skip_space(data, start + 1)
    if byte_at(data, pos) == b"]":
        return slots, pos + 1
    while True:
        slot = read_element(data, pos)
        slots.append(slot)
        pos = skip_space(data, slot.end)
        if slot.fault == "truncated_input":
            return slots, len(data)
        if pos == len(data):
            if slot.fault is None:
                slots.append(Slot(pos, pos, "truncated_input"))
            return slots, pos
        if byte_at(data, pos) == b"]":
            return slots, pos + 1
        pos = skip_space(data, pos + 1)


def read_element(data, pos):
    """The element at `pos`: good, cut by the end of the dump, or broken up to its separator."""
    try:
        end, _ = scan_value(data, pos)
        if byte_at(data, skip_space(data, end)) in (b",", b"]", b""):
            return Slot(pos, end)
    except Cut:
        return Slot(pos, len(data), "truncated_input")
    except Broken:
        pass
    return Slot(pos, broken_end(data, pos, b"]"), "invalid_json")


def broken_end(data, pos, closer):
    """Where a broken element ends: before its separator, else before the next good record."""
    end = skim(data, pos, stop_at_separator=True)
    if end is not None and byte_at(data, end) in (b",", closer):
        return trim_end(data, pos, end)
    for match in re.compile(rb"[ \t\n\r]*,[ \t\n\r]*(?=\{)").finditer(data, pos):
        try:
            after, _ = scan_value(data, match.end())
        except (Broken, Cut):
            continue
        if byte_at(data, skip_space(data, after)) in (b",", b"]"):
            return match.start()
    return len(data)


def read_single(data, pos, before):
    """One document that is no page and no array; when broken, what of the dump it takes with it."""
    was_cut = False
    try:
        end, depth = scan_value(data, pos)
        if depth > 0 or byte_at(data, end) in (b"", b" ", b"\t", b"\n", b"\r"):
            return Document("single", pos, end, [Slot(pos, end)])
    except Cut:
        was_cut = True
    except Broken:
        pass
    slot = broken_single(data, pos, before, was_cut)
    return Document("broken", slot.start, slot.end, [slot])


def broken_single(data, pos, before, was_cut):
    """What a broken document takes with it.

    Its bracket group, when another document stands behind it on the same line; its line, when the dump
    looks like newline-delimited JSON; its bracket group, when it goes over lines; else the rest.
    """
    line_end = end_of_line(data, pos)
    group_end = skim(data, pos, stop_at_separator=False) if byte_at(data, pos) == b"{" else None
    if group_end is not None and data[group_end:line_end].lstrip(b" \t").startswith(b"{"):
        return Slot(pos, group_end, "invalid_json")
    following = byte_at(data, skip_space(data, line_end))
    if was_cut and following == b"":
        return Slot(pos, len(data), "truncated_input")
    if following in (b"", b"{", b"[") or byte_at(data, pos) != b"{" or all_on_one_line(data, before):
        return Slot(pos, trim_end(data, pos, line_end), "invalid_json")
    if was_cut:
        return Slot(pos, len(data), "truncated_input")
    return Slot(pos, group_end or len(data), "invalid_json")


def end_of_line(data, pos):
    """The line's end without CR and LF."""
    newline = data.find(b"\n", pos)
    if newline < 0:
        return len(data)
    return newline - 1 if data[newline - 1 : newline] == b"\r" else newline


def all_on_one_line(data, documents):
    """Whether the documents so far look like lines: there are some, and none holds a line break."""
    return bool(documents) and all(
        b"\n" not in data[document.start : document.end] for document in documents
    )


# --------------------------------------------------------------------------------------------------
# Which source
# --------------------------------------------------------------------------------------------------


def told_by(keys):
    """The sources whose telling members stand among the keys."""
    told = set()
    if {"job", "team", "state", "timestamp"} <= keys:
        told.add("spacivox")
    if "transactionGuid" in keys:
        told.add("onlinefundraising")
    if keys & {"remote_id", "funding_source_id"} or {"created", "campaign"} <= keys:
        told.add("twocloud")
    if keys & {"offer_name", "net_amount"}:
        told.add("atpay")
    if keys & {"paymentClassification", "isBalanceRelevant", "bookingDate"}:
        told.add("paydata")
    return told


def slot_told_by(data, slot):
    """The sources that tell the object in a slot; none for broken text and for what is no object."""
    if slot.fault or byte_at(data, slot.start) != b"{":
        return set()
    return told_by({key for key, _ in peek_members(data, slot.start)})


def detect(data, documents):
    """The first record, of the first hundred and the first 16 MiB, that exactly one source tells, decides."""
    slots = [slot for document in documents for slot in document.slots]
    for slot in slots[:DETECT_RECORDS]:
        told = slot_told_by(data, slot)
        if len(told) == 1 and slot.end <= DETECT_BYTES:
            return told.pop()
    return None


def is_error_body(keys):
    """An API's error answer: speaks of an error and has nothing of a transaction."""
    return bool(keys & ERROR_KEYS) and not keys & RECORD_KEYS


def refuse_foreign(keys, source):
    """In a dump of one source, other sources' records and error answers are no records of it."""
    told = told_by(keys)
    if told and source not in told:
        raise Reject("unknown_format")
    if not told and is_error_body(keys):
        raise Reject("api_error_page")


# --------------------------------------------------------------------------------------------------
# Values: types, ids and text
# --------------------------------------------------------------------------------------------------

# What a documented member may hold. "word" is a text whose meaning depends on a list.
KIND_ACCEPTS = {
    "id": lambda node: node.kind == "string" or is_integer(node),
    "text": lambda node: node.kind == "string",
    "word": lambda node: node.kind == "string",
    "number_word": lambda node: node.kind == "number",
    "bool": lambda node: node.kind == "bool",
    "amount": lambda node: node.kind in ("string", "number"),
    "time": lambda node: node.kind == "string",
    "unix": lambda node: node.kind in ("string", "number"),
    "extra_text": lambda node: node.kind == "string",
    "extra_object": lambda node: node.kind == "object",
}


def is_integer(node):
    """A JSON number without fraction and exponent."""
    return node.kind == "number" and INTEGER_TEXT.fullmatch(node.value) is not None


def check_types(members, spec, prefix=""):
    """Every documented member holds its documented type or null; the first that does not is named."""
    for member in members:
        kind = spec.get(member.key)
        name = prefix + member.key
        if kind is None or member.node.kind == "null":
            continue
        if isinstance(kind, dict):
            if member.node.kind != "object":
                raise Reject("wrong_type", name)
            check_types(member.node.value, kind, name + ".")
        elif not KIND_ACCEPTS[kind](member.node):
            raise Reject("wrong_type", name)


def collect(members, spec, prefix=""):
    """Documented members that are not null, by dotted name."""
    found = {}
    for member in members:
        kind = spec.get(member.key)
        if kind is None or member.node.kind == "null":
            continue
        if isinstance(kind, dict):
            found |= collect(member.node.value, kind, prefix + member.key + ".")
        else:
            found[prefix + member.key] = member.node
    return found


def text_of(node):
    """Optional text: absent and empty are both null; an integer keeps its digits."""
    if node is None or node.value == "":
        return None
    return node.value


def required_id(found, names):
    """The first of the named members that is there and not empty; without any `missing_id`."""
    for name in names:
        if text_of(found.get(name)) is not None:
            return text_of(found[name])
    raise Reject("missing_id", names[0])


def extra_of(data, members, spec):
    """What no column takes, as one JSON object in source order: key and value text verbatim."""
    parts = extra_parts(data, members, spec)
    return None if not parts else b"{" + b",".join(parts) + b"}"


def extra_parts(data, members, spec):
    """`key:value` texts of undocumented members, also those inside a documented object."""
    parts = []
    for member in members:
        kind = spec.get(member.key)
        if kind is None or kind in ("extra_text", "extra_object"):
            parts.append(member.raw_key + b":" + data[member.node.start : member.node.end])
        elif isinstance(kind, dict) and member.node.kind == "object":
            inner = extra_of(data, member.node.value, kind)
            if inner is not None:
                parts.append(member.raw_key + b":" + inner)
    return parts


# --------------------------------------------------------------------------------------------------
# Values: money, as whole numbers of ten-thousandths
# --------------------------------------------------------------------------------------------------

EXACT = decimal.Context(
    prec=decimal.MAX_PREC,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    rounding=decimal.ROUND_HALF_EVEN,
)
FOUR_DIGITS = decimal.Decimal("0.0001")
NOISE_LIMIT = decimal.Decimal("0.00000001")
UNITS = 10_000
LIMIT_UNITS = 10**14 * UNITS


@dataclasses.dataclass
class Amount:
    """Money in ten-thousandths of the major unit, and its currency or None where that is unknown."""

    units: int
    currency: str | None


def exact_number(text):
    """The number as decimal digits and a power of ten, nothing lost.

    Exponents beyond a thousand million are brought to that size: the answer, far too large or far
    too small, stays the same, and Python's own exponent limits are never met.
    """
    mantissa, _, exponent = text.lower().partition("e")
    value = decimal.Decimal(mantissa)
    if value.is_zero():
        return decimal.Decimal(0)
    digits = exponent.lstrip("+-").lstrip("0")
    power = 10**9 if len(digits) > 9 else int(digits or "0")
    return value.scaleb(-power if exponent.startswith("-") else power, context=EXACT)


def significant_digits(text):
    """Written digits of the mantissa from the first that is not zero."""
    mantissa = text.lower().partition("e")[0]
    return len(mantissa.lstrip("-").replace(".", "").lstrip("0"))


def repair_float_noise(text, value):
    """A number with 15 digits or more, within 1e-8 of its value at four digits, becomes that value."""
    if significant_digits(text) < 15:
        return value
    if value.adjusted() < -9:
        return decimal.Decimal(0)
    rounded = value.quantize(FOUR_DIGITS, context=EXACT)
    distance = abs(EXACT.subtract(value, rounded))
    return rounded if distance <= NOISE_LIMIT else value


def amount_units(node, field, per_major=1):
    """The exact amount in ten-thousandths; `per_major` is 100 for a source that writes cents."""
    if not NUMBER_TEXT.fullmatch(node.value):
        raise Reject("bad_amount", field)
    value = exact_number(node.value)
    if value.is_zero():
        return 0
    digits_more = len(str(per_major)) - 1
    if value.adjusted() >= 14 + digits_more:
        raise Reject("amount_out_of_range", field)
    if node.kind == "number":
        value = repair_float_noise(node.value, value)
    if value.adjusted() < -9 and not value.is_zero():
        raise Reject("amount_too_precise", field)
    scaled = value.scaleb(4 - digits_more, context=EXACT)
    units = int(scaled.to_integral_value(rounding=decimal.ROUND_DOWN, context=EXACT))
    if abs(units) >= LIMIT_UNITS:
        raise Reject("amount_out_of_range", field)
    if scaled != units:
        raise Reject("amount_too_precise", field)
    return units


def currency_code(text, field):
    """Three ASCII letters, upper-cased."""
    if not re.fullmatch(r"[A-Za-z]{3}", text):
        raise Reject("bad_currency", field)
    return text.upper()


def money_out(units, classification):
    """Unsigned sources: refunds and chargebacks are money out, whatever sign stands there."""
    return -abs(units) if classification in ("refund", "chargeback") else units


def settle(gross, net, fee):
    """The three amounts and their check: gross minus fee is net; the missing third of two is computed."""
    present = [amount for amount in (gross, net, fee) if amount is not None]
    if not present:
        raise Reject("missing_amount")
    if len({amount.currency for amount in present}) > 1:
        return gross, net, fee, "mixed_currency"
    if len(present) == 3:
        fee = turn_fee(gross, net, fee)
        check = "balanced" if gross.units - fee.units == net.units else "unbalanced"
        return gross, net, fee, check
    if len(present) == 1:
        return gross, net, fee, "partial"
    currency = present[0].currency
    if gross is None:
        gross = derived(net.units + fee.units, currency)
    elif net is None:
        net = derived(gross.units - fee.units, currency)
    else:
        fee = derived(gross.units - net.units, currency)
    return gross, net, fee, "derived"


def turn_fee(gross, net, fee):
    """A fee written with the other sign (gross + fee = net, but gross - fee is not net) is negated."""
    added = gross.units + fee.units == net.units
    taken = gross.units - fee.units == net.units
    return Amount(-fee.units, fee.currency) if added and not taken else fee


def derived(units, currency):
    """A computed amount, which must fit the column as well."""
    if abs(units) >= LIMIT_UNITS:
        raise Reject("amount_out_of_range")
    return Amount(units, currency)


def put_money(row, gross, net, fee):
    """The seven money columns; `currency` is that of gross, else of the first amount there is."""
    gross, net, fee, check = settle(gross, net, fee)
    row["amount_check"] = check
    row["currency"] = next(a for a in (gross, net, fee) if a is not None).currency
    row["net_currency"] = net.currency if net else None
    row["fee_currency"] = fee.currency if fee else None
    for column, amount in (("gross_amount", gross), ("net_amount", net), ("fee_amount", fee)):
        row[column] = None if amount is None else decimal_text(amount.units)


def decimal_text(units):
    """Ten-thousandths as decimal text with four digits."""
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // UNITS}.{abs(units) % UNITS:04d}"


# --------------------------------------------------------------------------------------------------
# Values: time, as whole microseconds since 1970 in UTC
# --------------------------------------------------------------------------------------------------

EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
FIRST_MICRO = (datetime.date(1, 1, 1).toordinal() - EPOCH_DAY) * 86_400 * 10**6
END_MICRO = (datetime.date(9999, 12, 31).toordinal() + 1 - EPOCH_DAY) * 86_400 * 10**6

TIME_TEXT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?: ?([Zz]|[+-][0-9]{2}:?[0-9]{2})| (UTC))?)?"
)


@dataclasses.dataclass
class Written:
    """A time as it was written: calendar date, clock (second may be 60), and the offset or None."""

    date: datetime.date
    hour: int
    minute: int
    second: int
    micro: int
    offset_minutes: int | None


def read_time(text, field):
    """The parts of an RFC 3339 time, of one without offset, or of a bare date (its midnight)."""
    match = TIME_TEXT.fullmatch(text)
    if not match:
        raise Reject("bad_timestamp", field)
    year, month, day, hour, minute, second, fraction, offset, utc = match.groups()
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError:
        raise Reject("bad_timestamp", field) from None
    clock = [int(part or "0") for part in (hour, minute, second)]
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 60:
        raise Reject("bad_timestamp", field)
    micro = int((fraction or "")[:6].ljust(6, "0"))
    minutes = 0 if utc else offset_minutes(offset, field)
    return Written(date, *clock, micro, minutes)


def offset_minutes(text, field):
    """`Z` is 0; hours to 23 and minutes to 59, with or without a colon; no offset is None."""
    if text is None:
        return None
    if text in ("Z", "z"):
        return 0
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise Reject("bad_timestamp", field)
    return (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)


def to_instant(written, zone, field):
    """Microseconds since 1970; a time without offset is local in the zone. Second 60 is the next second."""
    if written.offset_minutes is None:
        offset_seconds = local_offset(written, zone, field)
    else:
        offset_seconds = written.offset_minutes * 60
    days = written.date.toordinal() - EPOCH_DAY
    clock = written.hour * 3600 + written.minute * 60 + written.second
    seconds = days * 86_400 + clock - offset_seconds
    return in_years_of_contract(seconds * 10**6 + written.micro, field)


def local_offset(written, zone, field):
    """The zone's offset at a local time; skipped times are refused, repeated ones are their first pass.

    Python answers with the offset before the change for the first pass and with the one after it for
    the second: a smaller one first means that the clock jumps over this time.
    """
    second = min(written.second, 59)
    clock = datetime.time(written.hour, written.minute, second, tzinfo=zone)
    first = datetime.datetime.combine(written.date, clock)
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    if before < after:
        raise Reject("bad_timestamp", field)
    return before // datetime.timedelta(seconds=1)


def in_years_of_contract(micros, field):
    """Years 0001 to 9999, counted in UTC."""
    if not FIRST_MICRO <= micros < END_MICRO:
        raise Reject("bad_timestamp", field)
    return micros


def unix_instant(text, field):
    """Unix seconds in the grammar of a JSON number; what is beyond microseconds is cut toward zero."""
    if not NUMBER_TEXT.fullmatch(text):
        raise Reject("bad_timestamp", field)
    value = exact_number(text)
    if value.is_zero() or value.adjusted() < -6:
        return 0
    if value.adjusted() > 12:
        raise Reject("bad_timestamp", field)
    micros = value.scaleb(6, context=EXACT)
    whole = micros.to_integral_value(rounding=decimal.ROUND_DOWN, context=EXACT)
    return in_years_of_contract(int(whole), field)


def micros_text(micros):
    """ISO 8601 in UTC with six digits."""
    if micros is None:
        return None
    seconds, micro = divmod(micros, 10**6)
    days, clock = divmod(seconds, 86_400)
    date = datetime.date.fromordinal(EPOCH_DAY + days)
    return f"{date.isoformat()}T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}.{micro:06}Z"


# --------------------------------------------------------------------------------------------------
# The sources
# --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Settings:
    """What a run may be told about a source: its zone and the currency of a source that writes none."""

    zones: dict = dataclasses.field(default_factory=dict)
    currencies: dict = dataclasses.field(default_factory=dict)

    def zone(self, source):
        """The zone of local times, UTC by default."""
        return zoneinfo.ZoneInfo(self.zones.get(source, "UTC"))


SPECS = {
    "spacivox": {
        "id": "id",
        "timestamp": "time",
        "amount": "amount",
        "state": "number_word",
        "reference": "text",
        "campaign": "id",
        "job": "id",
        "team": "id",
    },
    "onlinefundraising": {
        "transactionGuid": "id",
        "transactionTs": "time",
        "createdTs": "time",
        "amount": "amount",
        "transactionType": "word",
        "paymentGuid": "id",
        "paymentGatewayProvider": "text",
        "paymentGatewayGuid": "id",
        "paymentGatewaySubscriptionReferenceId": "id",
        "paymentGatewayPaymentReferenceId": "id",
        "paymentMethodAccountingCode": "text",
        "chargeAttemptGuid": "id",
        "paymentMethodGuid": "id",
    },
    "twocloud": {
        "id": "id",
        "created": "time",
        "completed": "time",
        "amount": "amount",
        "status": "word",
        "error": "text",
        "message": "text",
        "user_id": "id",
        "funding_source_id": "id",
        "remote_id": "id",
        "funding_source_provider": "text",
        "anonymous": "bool",
        "campaign": "id",
    },
    "atpay": {
        "id": "id",
        "timestamp": "unix",
        "date": "extra_text",
        "amount": "amount",
        "net_amount": "amount",
        "status": "word",
        "offer_name": "text",
        "email": "text",
    },
    "paydata": {
        "id": "id",
        "bookingDate": "time",
        "valueDate": "time",
        "gross": {"currency": "text", "value": "amount"},
        "net": {"currency": "text", "value": "amount"},
        "fee": {"currency": "text", "value": "amount"},
        "isBalanceRelevant": "bool",
        "paymentClassification": "word",
        "transactionId": "id",
        "orderNumber": "text",
        "receiptNumber": "text",
        "bookingText": "text",
        "shopper": {"name": "text", "email": "text", "username": "text", "identifier": "id"},
        "createdAt": "time",
        "lastModifiedAt": "time",
        "reportId": "id",
        "fields": "extra_object",
    },
}

# Members whose text goes to a column as it is.
PLAIN_COLUMNS = {
    "spacivox": {
        "reference": "reference",
        "campaign": "campaign_id",
        "job": "job_id",
        "team": "team_id",
        "state": "source_state",
    },
    "onlinefundraising": {
        "transactionType": "source_classification",
        "paymentGuid": "payment_id",
        "paymentGatewayProvider": "provider",
        "paymentGatewayGuid": "provider_account_id",
        "paymentGatewaySubscriptionReferenceId": "provider_payment_method_id",
        "paymentGatewayPaymentReferenceId": "provider_transaction_id",
        "paymentMethodAccountingCode": "accounting_code",
        "chargeAttemptGuid": "charge_attempt_id",
        "paymentMethodGuid": "payment_method_id",
    },
    "twocloud": {
        "status": "source_state",
        "error": "failure_reason",
        "message": "description",
        "user_id": "payer_id",
        "funding_source_id": "payment_method_id",
        "remote_id": "provider_payment_method_id",
        "funding_source_provider": "provider",
        "anonymous": "is_anonymous",
        "campaign": "campaign_id",
    },
    "atpay": {"status": "source_state", "offer_name": "description", "email": "payer_email"},
    "paydata": {
        "isBalanceRelevant": "is_balance_relevant",
        "paymentClassification": "source_classification",
        "transactionId": "provider_transaction_id",
        "orderNumber": "reference",
        "receiptNumber": "receipt_number",
        "bookingText": "description",
        "shopper.name": "payer_name",
        "shopper.email": "payer_email",
        "shopper.username": "payer_username",
        "shopper.identifier": "payer_id",
        "reportId": "report_id",
    },
}

ID_MEMBERS = {
    "spacivox": ["id"],
    "onlinefundraising": ["transactionGuid"],
    "twocloud": ["id"],
    "atpay": ["id"],
    "paydata": ["id", "transactionId"],
}

SPACIVOX_STATES = {"0": "pending", "1": "succeeded", "2": "failed"}
ONLINEFUNDRAISING_TYPES = {"Charge": "payment", "Refund": "refund"}
TWOCLOUD_STATES = {
    "pending": "pending",
    "succeeded": "succeeded",
    "error": "failed",
    "retry": "pending",
}
ATPAY_STATES = {
    "Successful": "succeeded",
    "Failed": "failed",
    "Further Action Required": "requires_action",
}
PAYDATA_CLASSIFICATIONS = {
    "Unknown": "unknown",
    "Payment": "payment",
    "Refund": "refund",
    "Chargeback": "chargeback",
    "Purchase": "purchase",
    "PurchaseRefund": "purchase_refund",
    "ServiceFee": "service_fee",
    "ServiceFeeRefund": "service_fee_refund",
    "Transfer": "transfer",
    "Payout": "payout",
    "TemporaryHold": "temporary_hold",
    "Review": "review",
    "Reserve": "reserve",
    "CurrencyConversion": "currency_conversion",
    "CreditRepayment": "credit_repayment",
    "Tax": "tax",
    "Adjustment": "adjustment",
    "Donation": "donation",
    "Unclassified": "unclassified",
}


def map_record(data, tree, source, settings):
    """The row of one record: id first, then types, then everything else."""
    if tree.kind != "object":
        raise Reject("wrong_type")
    refuse_foreign({member.key for member in tree.value}, source)
    spec, members = SPECS[source], tree.value
    id_spec = {name: spec[name] for name in ID_MEMBERS[source]}
    check_types(members, id_spec)
    transaction_id = required_id(collect(members, id_spec), ID_MEMBERS[source])
    check_types(members, spec)
    found = collect(members, spec)
    row = dict.fromkeys(COLUMNS)
    row["source"] = source
    row["transaction_id"] = transaction_id
    for name, column in PLAIN_COLUMNS[source].items():
        row[column] = text_of(found.get(name))
    MAPPERS[source](row, found, Times(found, settings.zone(source)), settings.currencies.get(source))
    extra = extra_of(data, members, spec)
    row["extra"] = None if extra is None else extra.decode("utf-8")
    row["source_offset"] = tree.start
    return row


class Times:
    """The times of one record, read by member name in the source's zone."""

    def __init__(self, found, zone):
        self.found = found
        self.zone = zone

    def written(self, name):
        """The time as written, or None without the member."""
        node = self.found.get(name)
        return None if node is None else read_time(node.value, name)

    def instant(self, name):
        """Microseconds since 1970, or None without the member."""
        written = self.written(name)
        return None if written is None else to_instant(written, self.zone, name)

    def date(self, name):
        """The calendar date as written, or None without the member."""
        written = self.written(name)
        return None if written is None else written.date.isoformat()

    def put_occurred(self, row, names):
        """`occurred_at` and its offset from the first of the members there is; without any, no row."""
        for name in names:
            if name in self.found:
                row["occurred_at"] = self.instant(name)
                row["utc_offset_minutes"] = self.written(name).offset_minutes
                return
        raise Reject("bad_timestamp", names[0])


def single_amount(found, currency, classification, per_major=1):
    """The one unsigned amount of a source that writes no more."""
    node = found.get("amount")
    if node is None:
        return None
    return Amount(money_out(amount_units(node, "amount", per_major), classification), currency)


def map_spacivox(row, found, times, currency):
    """State is a number; no currency of its own."""
    row["classification"] = "payment"
    row["state"] = SPACIVOX_STATES.get(row["source_state"], "unknown")
    times.put_occurred(row, ["timestamp"])
    put_money(row, single_amount(found, currency, "payment"), None, None)


def map_onlinefundraising(row, found, times, currency):
    """Charges and refunds, unsigned; a transaction is an executed one."""
    row["classification"] = ONLINEFUNDRAISING_TYPES.get(row["source_classification"], "unknown")
    row["state"] = "succeeded"
    row["created_at"] = times.instant("createdTs")
    times.put_occurred(row, ["transactionTs", "createdTs"])
    put_money(row, single_amount(found, currency, row["classification"]), None, None)


def map_twocloud(row, found, times, _currency):
    """Cents; without a status, what is completed has succeeded."""
    row["classification"] = "payment"
    row["created_at"] = times.instant("created")
    row["completed_at"] = times.instant("completed")
    if "status" in found:
        row["state"] = TWOCLOUD_STATES.get(found["status"].value, "unknown")
    else:
        row["state"] = "pending" if row["completed_at"] is None else "succeeded"
    times.put_occurred(row, ["created"])
    put_money(row, single_amount(found, "USD", "payment", per_major=100), None, None)


def map_atpay(row, found, times, _currency):
    """Gross and net in dollars; Unix seconds, else the formatted date where it is a time."""
    row["classification"] = "payment"
    row["state"] = ATPAY_STATES.get(row["source_state"], "unknown")
    if "timestamp" in found:
        row["occurred_at"] = unix_instant(found["timestamp"].value, "timestamp")
    else:
        put_atpay_date(row, times)
    gross, net = (
        Amount(amount_units(found[name], name), "USD") if name in found else None
        for name in ("amount", "net_amount")
    )
    put_money(row, gross, net, None)


def put_atpay_date(row, times):
    """A `date` that is no time is as good as none: what is missing then is the timestamp."""
    try:
        times.put_occurred(row, ["date"])
    except Reject:
        raise Reject("bad_timestamp", "timestamp") from None


def map_paydata(row, found, times, currency):
    """Signed amounts with their own currencies; dates or date-times."""
    word = row["source_classification"]
    row["classification"] = PAYDATA_CLASSIFICATIONS.get(word, "unknown")
    row["state"] = "succeeded"
    row["created_at"] = times.instant("createdAt")
    row["updated_at"] = times.instant("lastModifiedAt")
    row["booking_date"] = times.date("bookingDate")
    row["value_date"] = times.date("valueDate")
    times.put_occurred(row, ["bookingDate", "createdAt"])
    put_money(row, *(paydata_amount(found, name, currency) for name in ("gross", "net", "fee")))


def paydata_amount(found, name, default_currency):
    """An amount object: without a value there is no amount, without a currency the source's default."""
    value, code = found.get(name + ".value"), found.get(name + ".currency")
    if value is None:
        return None
    units = amount_units(value, name + ".value")
    if code is None:
        return Amount(units, default_currency)
    return Amount(units, currency_code(code.value, name + ".currency"))


MAPPERS = {
    "spacivox": map_spacivox,
    "onlinefundraising": map_onlinefundraising,
    "twocloud": map_twocloud,
    "atpay": map_atpay,
    "paydata": map_paydata,
}


# --------------------------------------------------------------------------------------------------
# A whole dump, and one key one row
# --------------------------------------------------------------------------------------------------


def read_dump(data, source_file, settings, forced=None):
    """Rows and rejects of one decompressed dump, in the order of its bytes."""
    documents = join_text(data, split_dump(data))
    source = forced or detect(data, documents)
    rows, rejects = [], []
    for document in documents:
        if source is None or document.kind == "html":
            rejects += undecided_document(data, document)
            continue
        for slot in document.slots:
            read_slot(data, slot, source, settings, rows, rejects)
    for row in rows:
        row["source_file"] = source_file
    for reject in rejects:
        reject["source"], reject["source_file"] = source, source_file
    return rows, rejects


def join_text(data, documents):
    """A dump without any JSON, which does not even begin like it, is one broken document, not many lines."""
    if len(documents) < 2 or any(document.kind != "broken" for document in documents):
        return documents
    start = documents[0].start
    if byte_at(data, start) in (b"{", b"["):
        return documents
    return [Document("broken", start, len(data), [Slot(start, len(data), "invalid_json")])]


def read_slot(data, slot, source, settings, rows, rejects):
    """One slot becomes one row or one reject."""
    try:
        if slot.fault:
            raise Reject(slot.fault)
        rows.append(map_record(data, parse_record(data, slot.start), source, settings))
    except Reject as reject:
        rejects.append(reject_line(slot.start, slot.end, reject.reason, reject.field))


def undecided_document(data, document):
    """A document that is no dump of a known source is one reject as a whole; an empty one is nothing."""
    if document.kind == "html":
        reason = "api_error_page"
    elif not document.slots:
        return []
    else:
        faults = [slot.fault for slot in document.slots if slot.fault]
        reason = faults[0] if faults else undecided_reason(data, document)
    return [reject_line(document.start, document.end, reason, None)]


def undecided_reason(data, document):
    """An error answer or an unknown object."""
    if document.kind == "single" and byte_at(data, document.start) == b"{":
        if is_error_body({key for key, _ in peek_members(data, document.start)}):
            return "api_error_page"
    return "unknown_format"


def reject_line(start, end, reason, field):
    """One line of the rejects file."""
    return {
        "source": None,
        "source_file": None,
        "source_offset": start,
        "length": None if end is None else end - start,
        "reason": reason,
        "field": field,
    }


def one_row_per_key(rows):
    """Of rows with one source and id the winner stays, at its own place; decided pair by pair in input order."""
    winners = {}
    for row in rows:
        key = (row["source"], row["transaction_id"])
        if key not in winners or supersedes(row, winners[key]):
            winners[key] = row
    kept = {id(row) for row in winners.values()}
    return [row for row in rows if id(row) in kept]


def supersedes(later, earlier):
    """Newer update, else newer completion, else the more final state, else the later in the input.

    An absent time is older than any: compared pair by pair only where both are there, three rows could each beat the
    next one in a circle, and the answer would depend on how dumps are split into runs.
    """
    return finality(later) >= finality(earlier)


def finality(row):
    times = [(row[column] is not None, row[column] or 0) for column in ("updated_at", "completed_at")]
    return (*times, row["state"] in ("succeeded", "failed"))


# --------------------------------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------------------------------


class Corrupt(Exception):
    """A compressed dump whose data, checksum or end is bad."""


def percent_escape(error):
    """Bytes of a file name that are not UTF-8, as %XX."""
    bad = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in bad), error.end


codecs.register_error("percent", percent_escape)


def list_dumps(inputs):
    """Every regular file among the inputs and below input directories, as absolute byte paths."""
    found = set()
    for name in inputs:
        path = os.path.abspath(os.fsencode(name))
        if os.path.isfile(path):
            found.add(path)
            continue
        if not os.path.isdir(path):
            raise FileNotFoundError(os.fsdecode(path))
        for directory, _, files in os.walk(path):
            found.update(
                os.path.join(directory, file)
                for file in files
                if os.path.isfile(os.path.join(directory, file))
            )
    return found


def deepest_directory(inputs):
    """The deepest directory that holds all inputs; a file stands in its parent."""
    paths = [os.path.abspath(os.fsencode(name)) for name in inputs]
    return os.path.commonpath([p if os.path.isdir(p) else os.path.dirname(p) for p in paths])


def decompress(raw):
    """The dump's own bytes: gzip and zstd are told by their first bytes."""
    if raw.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise Corrupt from None
    if raw.startswith(b"\x28\xb5\x2f\xfd") or re.match(rb"[\x50-\x5f]\x2a\x4d\x18", raw):
        return decompress_zstd(raw)
    return raw


def decompress_zstd(raw):
    """Frame after frame; skippable frames hold nothing."""
    import zstandard  # a dump without zstd needs no third party

    out = []
    while raw:
        if re.match(rb"[\x50-\x5f]\x2a\x4d\x18", raw):
            end = 8 + int.from_bytes(raw[4:8], "little")
            if len(raw) < max(end, 8):
                raise Corrupt
            raw = raw[end:]
            continue
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            out.append(frame.decompress(raw))
        except zstandard.ZstdError:
            raise Corrupt from None
        if not frame.eof:
            raise Corrupt
        raw = frame.unused_data
    return b"".join(out)


def read_inputs(inputs, base, settings, forced=None):
    """Rows and rejects of all dumps, sorted by the bytes of the whole relative path."""
    base = os.path.abspath(os.fsencode(base)) if base else deepest_directory(inputs)
    dumps = sorted((os.path.relpath(path, base), path) for path in list_dumps(inputs))
    rows, rejects = [], []
    for relative, path in dumps:
        source_file = relative.decode("utf-8", errors="percent")
        with open(path, "rb") as file:
            raw = file.read()
        try:
            data = decompress(raw)
        except Corrupt:
            entry = reject_line(0, None, "corrupt_compression", None)
            rejects.append(entry | {"source": forced, "source_file": source_file})
            continue
        more_rows, more_rejects = read_dump(data, source_file, settings, forced)
        rows += more_rows
        rejects += more_rejects
    return rows, rejects


def printable(row):
    """A row with its instants as text."""
    instants = ("occurred_at", "created_at", "updated_at", "completed_at")
    return {column: micros_text(v) if column in instants else v for column, v in row.items()}


def write_lines(path, items):
    """One JSON object a line."""
    with open(path, "w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(item) + "\n")


def pair(text):
    """A `SOURCE=VALUE` option."""
    name, separator, value = text.partition("=")
    if not separator or name not in SPECS:
        raise argparse.ArgumentTypeError(f"not SOURCE=VALUE with a known source: {text}")
    return name, value


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description="slow reference of the paynorm data contract")
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    parser.add_argument("--base")
    parser.add_argument("--source", choices=sorted(SPECS))
    parser.add_argument("--currency", type=pair, action="append", default=[])
    parser.add_argument("--timezone", type=pair, action="append", default=[])
    parser.add_argument("--keep-duplicates", action="store_true")
    parser.add_argument("--out", required=True)
    parser.add_argument("--rejects", required=True)
    options = parser.parse_args(arguments)
    currencies = {name: currency_code(code, "--currency") for name, code in options.currency}
    settings = Settings(dict(options.timezone), currencies)
    rows, rejects = read_inputs(options.inputs, options.base, settings, options.source)
    if not options.keep_duplicates:
        rows = one_row_per_key(rows)
    write_lines(options.out, map(printable, rows))
    write_lines(options.rejects, rejects)
    print(f"{len(rows)} rows, {len(rejects)} rejects", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
