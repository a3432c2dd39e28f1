//! The JSON object of `extra`, written again without what rules take out; everything else keeps its text.
//!
//! It was checked when the record was read, so what it is made of is known to be there.

use std::borrow::Cow;

use super::{Redactor, Rule, comparable};
use crate::model::json::{Type, Value};

/// Goes through an object once.
pub(super) struct Rewrite<'t> {
    redactor: &'t Redactor,
    /// What rules took out of columns.
    taken: &'t [(Cow<'t, str>, Rule)],
    text: &'t str,
    at: usize,
    out: String,
}

impl<'t> Rewrite<'t> {
    pub(super) fn new(redactor: &'t Redactor, taken: &'t [(Cow<'t, str>, Rule)], text: &'t str) -> Self {
        Self { redactor, taken, text, at: 0, out: String::with_capacity(text.len()) }
    }

    /// The object as the rules leave it; `None` when nothing is left.
    pub(super) fn run(mut self) -> Option<String> {
        let left = self.parts(self.redactor.others);
        (left > 0).then_some(self.out)
    }

    /// Writes the object or array that begins here; tells how many of its parts are left. A part has the rule of its name,
    /// else the one of what it is in.
    fn parts(&mut self, rule: Rule) -> usize {
        let is_object = self.peek() == b'{';
        self.copy(1);
        let mut left = 0;
        loop {
            let before = self.out.len();
            if left > 0 {
                self.out.push(',');
            }
            self.copy_space();
            if matches!(self.peek(), b'}' | b']') {
                break;
            }
            let own = if is_object { self.key().unwrap_or(rule) } else { rule };
            let stays = self.value(own);
            self.copy_space();
            if stays {
                left += 1;
            } else {
                self.out.truncate(before);
            }
            if self.peek() != b',' {
                break;
            }
            self.at += 1;
        }
        self.copy(1);
        left
    }

    /// Writes a key and its colon; tells the rule of that name.
    fn key(&mut self) -> Option<Rule> {
        let key = self.string();
        self.out.push_str(key);
        self.copy_space();
        self.copy(1);
        self.copy_space();
        self.redactor.members.get(&*characters(key)).copied()
    }

    /// Writes a value; whether it stays. What was written of one that does not is for the caller to take back.
    fn value(&mut self, rule: Rule) -> bool {
        let stays = rule != Rule::Drop;
        match self.peek() {
            b'{' | b'[' => {
                self.parts(rule);
                stays
            }
            b'"' => {
                let raw = self.string();
                let text = comparable(characters(raw), false);
                let own = if rule == Rule::Keep { self.rule_of(&text) } else { rule };
                self.put(raw, if text.is_empty() { None } else { self.redactor.token(&text, own) });
                own != Rule::Drop
            }
            first => {
                let raw = self.word();
                let is_number = first == b'-' || first.is_ascii_digit();
                self.put(raw, if is_number { self.redactor.token(raw, rule) } else { None });
                stays
            }
        }
    }

    /// The rule of the column that a text was taken out of.
    fn rule_of(&self, text: &str) -> Rule {
        self.taken.iter().find(|(plain, _)| plain == text).map_or(Rule::Keep, |(_, rule)| *rule)
    }

    fn put(&mut self, raw: &str, token: Option<String>) {
        match token {
            Some(token) => self.out.extend(["\"", &token, "\""]),
            None => self.out.push_str(raw),
        }
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    fn copy(&mut self, bytes: usize) {
        self.out.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    fn copy_space(&mut self) {
        let rest = &self.text[self.at..];
        self.copy(rest.len() - rest.trim_ascii_start().len());
    }

    /// The string here, quotes included.
    fn string(&mut self) -> &'t str {
        let (text, start) = (self.text, self.at);
        self.at += 1;
        while self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        &text[start..self.at]
    }

    /// The number, `true`, `false` or `null` here.
    fn word(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let end = rest.find([',', '}', ']', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

/// The characters of a string.
fn characters(raw: &str) -> Cow<'_, str> {
    let kind = Type::String { escaped: raw.contains('\\') };
    Value { raw, kind }.characters().unwrap_or(Cow::Borrowed(raw))
}
