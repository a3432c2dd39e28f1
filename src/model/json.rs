//! One record's JSON, read strictly (RFC 8259) and without copying: its members as the exact text of keys and values.
//!
//! A general parser would lose what the contract promises: number text, the text of unknown members, and keys that
//! occur twice (compared after unescaping, at every depth). Nothing here knows what a member means. What surprises:
//! values are checked to the last byte but not built; whoever needs one reads its text.

use std::borrow::Cow;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use wide::{u8x16, u8x32};

use super::reject::{Reason, Reject, Why};

/// How many levels a record may nest, its own braces being the first.
pub const MAX_DEPTH: usize = 128;
/// Up to this many keys are compared pair by pair, more are sorted.
const FEW_KEYS: usize = 16;

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number; `integer` when it has neither fraction nor exponent.
    Number {
        /// Whether it is digits and a sign alone.
        integer: bool,
    },
    /// A string; `escaped` when its text has a backslash.
    String {
        /// Whether the raw text differs from the characters it stands for.
        escaped: bool,
    },
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Type {
    /// The type's name, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number { .. } => "a number",
            Self::String { .. } => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A checked value and its text, for a string with the quotes.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The text as in the dump.
    pub raw: &'a str,
    /// The JSON type.
    pub kind: Type,
}

impl<'a> Value<'a> {
    /// The characters of a string value that has no escapes.
    #[inline]
    #[must_use]
    pub fn plain(&self) -> Option<&'a str> {
        match self.kind {
            Type::String { escaped: false } => self.raw.get(1..self.raw.len() - 1),
            _ => None,
        }
    }

    /// The characters of a string value; `None` for other types.
    #[inline]
    #[must_use]
    pub fn characters(&self) -> Option<Cow<'a, str>> {
        let Type::String { escaped } = self.kind else { return None };
        let inner = &self.raw[1..self.raw.len() - 1];
        Some(if escaped { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// As before, made in `arena` where they do not stand in the text.
    #[inline]
    #[must_use]
    pub fn characters_in(&self, arena: &'a Bump) -> Option<&'a str> {
        let Type::String { escaped } = self.kind else { return None };
        let inner = &self.raw[1..self.raw.len() - 1];
        if !escaped {
            return Some(inner);
        }
        let mut characters = BumpString::with_capacity_in(inner.len(), arena);
        unescape_to(inner, |piece| characters.push_str(piece));
        Some(characters.into_bump_str())
    }
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key's text between its quotes, as in the dump.
    pub raw_key: &'a str,
    /// Whether the key has a backslash.
    pub escaped_key: bool,
    /// Where the key starts in the text that was read.
    pub at: usize,
    /// The value.
    pub value: Value<'a>,
}

impl<'a> Member<'a> {
    /// The key after unescaping.
    #[must_use]
    pub fn key(&self) -> Cow<'a, str> {
        key_characters(self.raw_key, self.escaped_key)
    }
}

/// Where a key stands in the text that is read.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where its opening quote is.
    pub at: usize,
    /// How many bytes are between the quotes.
    pub length: usize,
    /// Whether it has a backslash.
    pub escaped: bool,
}

impl Key {
    /// The member of `text` with this key.
    #[must_use]
    pub fn member<'a>(self, text: &'a str, value: Value<'a>) -> Member<'a> {
        let raw_key = &text[self.at + 1..self.at + 1 + self.length];
        Member { raw_key, escaped_key: self.escaped, at: self.at, value }
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Byte offset in the text.
    pub at: usize,
    /// `invalid_json`, `too_deep`, `duplicate_key` or `invalid_unicode`.
    pub reason: Reason,
    /// What was expected or found.
    pub what: &'static str,
    /// The key that occurs twice.
    pub key: Option<String>,
}

impl Broken {
    fn new(at: usize, what: &'static str) -> Self {
        Self { at, reason: Reason::InvalidJson, what, key: None }
    }

    /// A key that occurs twice in one object.
    #[must_use]
    pub fn duplicate(at: usize, key: &str) -> Self {
        Self { at, reason: Reason::DuplicateKey, what: "the key occurs twice in one object", key: Some(key.to_owned()) }
    }
}

impl From<Broken> for Reject {
    fn from(broken: Broken) -> Self {
        let message = format!("{} (at byte {} of the record)", broken.what, broken.at);
        Why { reason: broken.reason, field: broken.key.map(Cow::Owned), message: message.into() }.into()
    }
}

/// Reads JSON texts; it keeps its scratch space from one to the next.
#[derive(Debug, Default)]
pub struct Reader {
    /// Keys of the objects that are open: start, end, escaped.
    keys: Vec<(usize, usize, bool)>,
}

impl Reader {
    /// Checks that `text` is one JSON value with nothing behind it, and tells its type.
    ///
    /// # Errors
    /// The first fault in the text.
    pub fn check<'a>(&mut self, text: &'a str) -> Result<Value<'a>, Broken> {
        let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0, keys: &mut self.keys };
        cursor.keys.clear();
        cursor.skip_space();
        let value = cursor.value(0)?;
        cursor.end()?;
        Ok(value)
    }

    /// Checks that `text` is one JSON object and hands its members to `take`, in order.
    ///
    /// Keys of the object itself are not compared; `take` sees them all.
    ///
    /// # Errors
    /// The first fault in the text, or what `take` returns.
    pub fn members<'a>(
        &mut self,
        text: &'a str,
        take: impl FnMut(Member<'a>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.take_members(text, &mut Each(take))
    }

    /// As [`Self::members`], for one that knows which keys tend to come, and may want the members of an inner object too.
    ///
    /// # Errors
    /// The first fault in the text, or what `taker` returns.
    pub fn take_members<'a>(&mut self, text: &'a str, taker: &mut impl TakeMembers<'a>) -> Result<(), Broken> {
        self.take_first(text, taker)?.end()
    }

    /// As [`Self::take_members`], of an object that is said to be the first `length` bytes of `text`: it is faster to look at
    /// what is behind it than to take care not to.
    ///
    /// # Errors
    /// When that is not so, or anything is wrong; what, the object alone must be asked.
    pub fn take_members_within<'a>(
        &mut self,
        text: &'a str,
        length: usize,
        taker: &mut impl TakeMembers<'a>,
    ) -> Result<(), Broken> {
        let cursor = self.take_first(text, taker)?;
        if cursor.at == length { Ok(()) } else { Err(cursor.broken("the object ends elsewhere")) }
    }

    fn take_first<'a, 's>(
        &'s mut self,
        text: &'a str,
        taker: &mut impl TakeMembers<'a>,
    ) -> Result<Cursor<'a, 's>, Broken> {
        let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0, keys: &mut self.keys };
        cursor.keys.clear();
        cursor.skip_space();
        if cursor.peek() != Some(b'{') {
            return Err(Broken::new(cursor.at, "expected an object"));
        }
        cursor.each_member(1, taker, |_, _| {})?;
        Ok(cursor)
    }
}

/// Takes the members of an object.
pub trait TakeMembers<'a> {
    /// Who takes the members of inner objects.
    type Inner: TakeMembers<'a>;

    /// The length of a `"key":` that `rest` begins with, if it is a well-known one without escapes; else 0.
    fn known(&mut self, _rest: &[u8]) -> usize {
        0
    }

    /// Sees the key that comes next, which is not a well-known one.
    fn key(&mut self, _raw: &'a str, _escaped: bool) {}

    /// Who takes the members of the value that comes next, should it be an object; else nobody does.
    fn inner(&mut self) -> Option<&mut Self::Inner> {
        None
    }

    /// Takes the member of `text` whose key and value were read.
    ///
    /// # Errors
    /// Why it can't be.
    fn take(&mut self, text: &'a str, key: Key, value: Value<'a>) -> Result<(), Broken>;
}

/// Takes the members of inner objects where nobody wants them.
#[derive(Debug)]
pub enum Nobody {}

impl<'a> TakeMembers<'a> for Nobody {
    type Inner = Self;

    fn take(&mut self, _text: &'a str, _key: Key, _value: Value<'a>) -> Result<(), Broken> {
        match *self {}
    }
}

/// Takes members by a function.
struct Each<F>(F);

impl<'a, F: FnMut(Member<'a>) -> Result<(), Broken>> TakeMembers<'a> for Each<F> {
    type Inner = Nobody;

    fn take(&mut self, text: &'a str, key: Key, value: Value<'a>) -> Result<(), Broken> {
        self.0(key.member(text, value))
    }
}

/// Takes no notice of members that are only checked.
struct Unseen;

impl<'a> TakeMembers<'a> for Unseen {
    type Inner = Nobody;

    fn take(&mut self, _text: &'a str, _key: Key, _value: Value<'a>) -> Result<(), Broken> {
        Ok(())
    }
}

struct Cursor<'a, 's> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    keys: &'s mut Vec<(usize, usize, bool)>,
}

impl<'a> Cursor<'a, '_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        self.at = space_end(self.bytes, self.at);
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.broken("expected nothing behind the value")) }
    }

    fn broken(&self, what: &'static str) -> Broken {
        Broken::new(self.at, what)
    }

    /// The value at the cursor; `depth` levels are open around it.
    #[inline]
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Broken> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => Type::String { escaped: self.string()? },
            Some(b'-' | b'0'..=b'9') => {
                let (end, integer) = number_end(self.bytes, start).map_err(no_digit)?;
                self.at = end;
                Type::Number { integer }
            }
            other => self.rare_value(other, depth)?,
        };
        Ok(Value { raw: &self.text[start..self.at], kind })
    }

    /// The value at the cursor that begins with `first`, which tells no string and no number.
    fn rare_value(&mut self, first: Option<u8>, depth: usize) -> Result<Type, Broken> {
        match first {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'n') => self.literal(b"null", Type::Null),
            Some(b't') => self.literal(b"true", Type::Bool),
            Some(b'f') => self.literal(b"false", Type::Bool),
            Some(_) => Err(self.broken("expected a value")),
            None => Err(self.broken("the text ends where a value should be")),
        }
    }

    #[inline]
    fn literal<const N: usize>(&mut self, word: &[u8; N], kind: Type) -> Result<Type, Broken> {
        if self.bytes[self.at..].first_chunk() != Some(word) {
            return Err(self.broken("expected true, false or null"));
        }
        self.at += N;
        Ok(kind)
    }

    fn enter(&self, depth: usize) -> Result<(), Broken> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(Broken { reason: Reason::TooDeep, ..self.broken("nested deeper than 128 levels") })
    }

    fn array(&mut self, depth: usize) -> Result<Type, Broken> {
        self.enter(depth)?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Type::Array);
        }
        loop {
            self.skip_space();
            self.value(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.broken("expected `,` or `]` behind an element")),
            }
        }
        self.at += 1;
        Ok(Type::Array)
    }

    fn object(&mut self, depth: usize) -> Result<Type, Broken> {
        self.enter(depth)?;
        let first_key = self.keys.len();
        let note = |cursor: &mut Self, key: Key| {
            cursor.keys.push((key.at + 1, key.at + 1 + key.length, key.escaped));
        };
        self.each_member(depth, &mut Unseen, note)?;
        if self.keys.len() - first_key > 1 {
            self.compare_keys(first_key)?;
        }
        self.keys.truncate(first_key);
        Ok(Type::Object)
    }

    /// Moves behind the object at the cursor, whose members `taker` takes and `note` is told of.
    ///
    /// Where it is in the text is in a variable of its own, and the cursor learns it only for what is rare.
    fn each_member(
        &mut self,
        depth: usize,
        taker: &mut impl TakeMembers<'a>,
        note: impl Fn(&mut Self, Key),
    ) -> Result<(), Broken> {
        let (text, bytes) = (self.text, self.bytes);
        let mut at = space_end(bytes, self.at + 1);
        if bytes.get(at) == Some(&b'}') {
            self.at = at + 1;
            return Ok(());
        }
        loop {
            at = space_end(bytes, at);
            let key_at = at;
            let key = match taker.known(&bytes[at..]) {
                0 => {
                    self.at = at;
                    let (raw, escaped) = self.key()?;
                    taker.key(raw, escaped);
                    at = self.at;
                    Key { at: key_at, length: raw.len(), escaped }
                }
                known => {
                    at += known;
                    // Without the quotes and the colon.
                    Key { at: key_at, length: known - 3, escaped: false }
                }
            };
            at = space_end(bytes, at);
            let start = at;
            let kind = match bytes.get(at) {
                Some(b'"') => {
                    at += 1;
                    at += plain_length(&bytes[at..]);
                    let escaped = bytes.get(at) != Some(&b'"');
                    if escaped {
                        self.at = at;
                        self.rest_of_string()?;
                        at = self.at;
                    } else {
                        at += 1;
                    }
                    Type::String { escaped }
                }
                Some(b'-' | b'0'..=b'9') => {
                    let (end, integer) = number_end(bytes, at).map_err(no_digit)?;
                    at = end;
                    Type::Number { integer }
                }
                other => {
                    self.at = at;
                    let kind = match taker.inner() {
                        Some(inner) if other == Some(&b'{') => self.taken_object(depth + 1, inner)?,
                        _ => self.rare_value(other.copied(), depth)?,
                    };
                    at = self.at;
                    kind
                }
            };
            note(self, key);
            taker.take(text, key, Value { raw: &text[start..at], kind })?;
            at = space_end(bytes, at);
            match bytes.get(at) {
                Some(b',') => at += 1,
                Some(b'}') => break,
                _ => return Err(Broken::new(at, "expected `,` or `}` behind a member")),
            }
        }
        self.at = at + 1;
        Ok(())
    }

    /// Moves behind the object at the cursor, whose members `taker` takes.
    fn taken_object(&mut self, depth: usize, taker: &mut impl TakeMembers<'a>) -> Result<Type, Broken> {
        self.enter(depth)?;
        self.each_member(depth, taker, |_, _| {})?;
        Ok(Type::Object)
    }

    /// Moves behind the key at the cursor and its colon; the key's text, and whether it has an escape.
    fn key(&mut self) -> Result<(&'a str, bool), Broken> {
        let at = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.broken("expected a key in double quotes"));
        }
        let escaped = self.string()?;
        let raw = &self.text[at + 1..self.at - 1];
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.broken("expected `:` behind a key"));
        }
        self.at += 1;
        Ok((raw, escaped))
    }

    /// Looks for a key that occurs twice among those of the innermost object.
    fn compare_keys(&mut self, first_key: usize) -> Result<(), Broken> {
        let key = |&(start, end, escaped): &(usize, usize, bool)| key_characters(&self.text[start..end], escaped);
        let twice = |later: &(usize, usize, bool)| Err(Broken::duplicate(later.0 - 1, &key(later)));
        let keys = &self.keys[first_key..];
        if keys.len() <= FEW_KEYS {
            for (i, later) in keys.iter().enumerate() {
                if keys[..i].iter().any(|earlier| key(earlier) == key(later)) {
                    return twice(later);
                }
            }
            return Ok(());
        }
        let mut sorted: Vec<_> = keys.iter().map(|place| (key(place), place.0, place)).collect();
        sorted.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => twice(pair[1].2),
            None => Ok(()),
        }
    }

    /// Moves behind the string at the cursor and tells whether it has an escape.
    #[inline]
    fn string(&mut self) -> Result<bool, Broken> {
        self.at += 1;
        self.at += plain_length(&self.bytes[self.at..]);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.rest_of_string()?;
        Ok(true)
    }

    /// Moves behind the string at whose first escape or fault the cursor is.
    fn rest_of_string(&mut self) -> Result<(), Broken> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.broken("a control character in a string")),
                None => return Err(self.broken("the text ends inside a string")),
            }
            self.at += plain_length(&self.bytes[self.at..]);
        }
    }

    fn escape(&mut self) -> Result<(), Broken> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            _ => Err(self.broken("an unknown escape in a string")),
        }
    }

    fn unicode_escape(&mut self) -> Result<(), Broken> {
        let lone = Broken { reason: Reason::InvalidUnicode, ..self.broken("a lone surrogate in a string") };
        let unit = self.code_unit()?;
        match unit {
            0xD800..=0xDBFF => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    return Err(lone);
                }
                match self.code_unit()? {
                    0xDC00..=0xDFFF => Ok(()),
                    _ => Err(lone),
                }
            }
            0xDC00..=0xDFFF => Err(lone),
            _ => Ok(()),
        }
    }

    /// Reads `\uXXXX`.
    fn code_unit(&mut self) -> Result<u32, Broken> {
        let hex = self.bytes.get(self.at + 2..self.at + 6).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let Some(hex) = hex else { return Err(self.broken("expected four hexadecimal digits behind \\u")) };
        self.at += 6;
        Ok(hex.iter().fold(0, |unit, &digit| unit * 16 + hex_value(digit)))
    }
}

/// Where the white space at `at`, if there is any, ends.
#[inline]
fn space_end(bytes: &[u8], at: usize) -> usize {
    // Most JSON from an API has none.
    if bytes.get(at).is_some_and(|byte| *byte <= b' ') { some_space_end(bytes, at) } else { at }
}

#[cold]
fn some_space_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Where the number at `at` ends, and whether it is an integer; or else where it lacks a digit.
#[inline]
fn number_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits_end(bytes, at)? };
    let whole = at;
    if bytes.get(at) == Some(&b'.') {
        at = digits_end(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let is_signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits_end(bytes, at + 1 + usize::from(is_signed))?;
    }
    Ok((at, at == whole))
}

#[inline]
fn digits_end(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    loop {
        let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { break at += few_digits(&bytes[at..]) };
        // Below the digits there is nothing but what wraps around.
        let above = u8x16::new(*block) - u8x16::splat(b'0');
        let digits = above.min(u8x16::splat(9)).simd_eq(above).to_bitmask();
        let count = digits.trailing_ones() as usize;
        at += count;
        if count < 16 {
            break;
        }
    }
    if at > start { Ok(at) } else { Err(at) }
}

/// How many digits come first, near the end of a dump.
#[cold]
fn few_digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn no_digit(at: usize) -> Broken {
    Broken::new(at, "expected a digit")
}

fn hex_value(digit: u8) -> u32 {
    (digit as char).to_digit(16).unwrap_or_default()
}

/// How many bytes come before the first quote, backslash or control character: as many at a time as most texts have.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(block) = bytes[length..].first_chunk() {
        let bits = special_bits(block);
        if bits != 0 {
            return length + bits.trailing_zeros() as usize;
        }
        length += block.len();
    }
    let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    let rest = &bytes[length..];
    length + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Which bytes are a quote, a backslash or a control character.
#[inline]
fn special_bits(block: &[u8; 32]) -> u32 {
    let block = u8x32::new(*block);
    let control = block.min(u8x32::splat(0x1f)).simd_eq(block);
    (control | block.simd_eq(u8x32::splat(b'"')) | block.simd_eq(u8x32::splat(b'\\'))).to_bitmask()
}

/// The characters of a key after unescaping.
#[must_use]
pub fn key_characters(raw: &str, escaped: bool) -> Cow<'_, str> {
    if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
}

/// The characters that a checked string's inner text stands for.
fn unescape(raw: &str) -> String {
    let mut characters = String::with_capacity(raw.len());
    unescape_to(raw, |piece| characters.push_str(piece));
    characters
}

/// As before, piece by piece.
fn unescape_to(mut raw: &str, mut push: impl FnMut(&str)) {
    loop {
        // It has neither quotes nor control characters but behind a backslash.
        let (plain, rest) = raw.split_at(plain_length(raw.as_bytes()));
        push(plain);
        if rest.is_empty() {
            return;
        }
        let (character, length) = unescape_one(rest.as_bytes());
        push(character.encode_utf8(&mut [0; 4]));
        raw = &rest[length..];
    }
}

/// The character of the escape that `bytes` starts with, and the escape's length.
fn unescape_one(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| bytes[at + 2..at + 6].iter().fold(0, |unit, &digit| unit * 16 + hex_value(digit));
    match bytes[1] {
        b'b' => ('\u{8}', 2),
        b'f' => ('\u{c}', 2),
        b'n' => ('\n', 2),
        b'r' => ('\r', 2),
        b't' => ('\t', 2),
        b'u' => {
            let first = unit(0);
            let (code, length) = match first {
                0xD800..=0xDBFF => (0x1_0000 + ((first - 0xD800) << 10) + (unit(6) - 0xDC00), 12),
                _ => (first, 6),
            };
            (char::from_u32(code).expect("surrogates were checked"), length)
        }
        other => (other as char, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Type, (Reason, usize)> {
        Reader::default().check(text).map(|value| value.kind).map_err(|broken| (broken.reason, broken.at))
    }

    #[test]
    fn faults_have_a_reason_and_a_place() {
        for (text, expect) in [
            (r#"{"a":}"#, (Reason::InvalidJson, 5)),
            (r#"{"a":1,}"#, (Reason::InvalidJson, 7)),
            ("[1 2]", (Reason::InvalidJson, 3)),
            ("\"a\tb\"", (Reason::InvalidJson, 2)),
            (r#""\ud83d""#, (Reason::InvalidUnicode, 1)),
            (r#""\ude00""#, (Reason::InvalidUnicode, 1)),
            (r#""\ud83d\u0061""#, (Reason::InvalidUnicode, 1)),
            (r#"{"x":{"a":1,"\u0061":2}}"#, (Reason::DuplicateKey, 12)),
            ("1 2", (Reason::InvalidJson, 2)),
            ("01", (Reason::InvalidJson, 1)),
        ] {
            assert_eq!(check(text), Err(expect), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(check(&nested(128)), Ok(Type::Array));
        assert_eq!(check(&nested(129)), Err((Reason::TooDeep, 128)));
    }

    #[test]
    fn many_keys_are_compared_too() {
        let keys: Vec<String> = (0..40).map(|i| format!("\"k{i}\":{i}")).collect();
        assert_eq!(check(&format!("{{{}}}", keys.join(","))), Ok(Type::Object));
        assert!(check(&format!("{{{},\"k7\":0}}", keys.join(","))).is_err());
    }

    #[test]
    fn characters_are_unescaped() {
        let mut reader = Reader::default();
        let value = reader.check(r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#).expect("valid");
        assert_eq!(value.characters().as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\té😀z"));
    }

    #[test]
    fn numbers_of_any_length_end_where_they_do() {
        for length in 1..50 {
            let digits = "7".repeat(length);
            for behind in ["", " ", &" ".repeat(40)] {
                for (tail, integer) in [("", true), (".5", false), (".55555555555555555", false), ("e3", false)] {
                    for sign in ["", "-"] {
                        let text = format!("{sign}{digits}{tail}{behind}");
                        assert_eq!(check(&text), Ok(Type::Number { integer }), "{text}");
                    }
                }
            }
            assert_eq!(check(&format!("{digits}x")), Err((Reason::InvalidJson, length)));
            assert_eq!(check(&format!("{digits}.x")), Err((Reason::InvalidJson, length + 1)));
        }
    }

    #[test]
    fn texts_of_any_length_are_unescaped() {
        let (mut reader, arena) = (Reader::default(), Bump::new());
        for before in 0..70 {
            for behind in [0, 1, 15, 40, 70] {
                let (before, behind) = ("a".repeat(before), "z".repeat(behind));
                let text = format!(r#""{before}\n\"{behind}""#);
                let value = reader.check(&text).expect("valid");
                assert_eq!(value.characters_in(&arena), Some(&*format!("{before}\n\"{behind}")));
                assert_eq!(value.characters().as_deref(), value.characters_in(&arena));
            }
        }
    }
}
