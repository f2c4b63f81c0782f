//! Json by the letter of RFC 8259 and of PROTOCOL.md, slow and plain: what the real reader is compared with.

/// A value.
#[derive(Debug)]
pub(crate) enum Json {
    /// `true` or `false`.
    Bool(bool),
    Null,
    /// As it is written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    /// No two keys are equal.
    Object(Vec<(String, Json)>),
}

/// What the rules say of a line.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is one object.
    Line(Json),
    /// It is none, and why.
    Bad(&'static str),
    /// It has a number of which it is a matter of rounding whether there is a float for it.
    Unsure,
}

/// The largest integer of the wire.
const MAX_INTEGER: u64 = 9_007_199_254_740_991;

impl Json {
    pub(crate) fn read(line: &[u8]) -> Verdict {
        let Ok(text) = std::str::from_utf8(line) else { return Verdict::Bad("it is not UTF-8") };
        if !text.starts_with('{') {
            return Verdict::Bad("it begins with no brace");
        }
        let mut reader = Reader { rest: text, depth: 0, is_unsure: false };
        match reader.value() {
            _ if reader.is_unsure => Verdict::Unsure,
            Err(why) => Verdict::Bad(why),
            Ok(_) if !reader.is_at_end() => Verdict::Bad("something stands behind it"),
            Ok(value) => Verdict::Line(value),
        }
    }

    /// A field of an object that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !matches!(value, Self::Null))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub(crate) fn items(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// An integer as the wire has them: digits, up to 2^53-1.
    pub(crate) fn integer(&self) -> Option<u64> {
        let Self::Number(digits) = self else { return None };
        digits.parse().ok().filter(|number| *number <= MAX_INTEGER)
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
    is_unsure: bool,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn value(&mut self) -> Read<Json> {
        self.space();
        match self.rest.bytes().next() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.takes("true") => Ok(Json::Bool(true)),
            _ if self.takes("false") => Ok(Json::Bool(false)),
            _ if self.takes("null") => Ok(Json::Null),
            _ => Err("there is no value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Json>) -> Read<Json> {
        self.depth += 1;
        if self.depth > 16 {
            return Err("it is nested deeper than 16");
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Read<Json> {
        self.takes("{");
        let mut fields: Vec<(String, Json)> = Vec::new();
        if self.takes_sign("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            let key = self.text()?;
            if fields.iter().any(|(other, _)| *other == key) {
                return Err("a key stands twice");
            }
            if !self.takes_sign(":") {
                return Err("a key has no colon");
            }
            fields.push((key, self.value()?));
            if self.takes_sign("}") {
                return Ok(Json::Object(fields));
            }
            if !self.takes_sign(",") {
                return Err("an object goes on without a comma");
            }
        }
    }

    fn array(&mut self) -> Read<Json> {
        self.takes("[");
        let mut items = Vec::new();
        if self.takes_sign("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes_sign("]") {
                return Ok(Json::Array(items));
            }
            if !self.takes_sign(",") {
                return Err("an array goes on without a comma");
            }
        }
    }

    fn text(&mut self) -> Read<String> {
        if !self.takes("\"") {
            return Err("there is no string");
        }
        let mut text = String::new();
        loop {
            match self.char()? {
                '"' => return Ok(text),
                '\0'..='\u{1F}' => return Err("a string has a control character"),
                '\\' => text.push(self.escaped()?),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        Ok(match self.char()? {
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            c @ ('"' | '\\' | '/') => c,
            'u' => {
                let first = self.four_digits()?;
                let units = match first {
                    0xD800..=0xDBFF if self.takes("\\u") => vec![first, self.four_digits()?],
                    _ => vec![first],
                };
                let mut chars = char::decode_utf16(units);
                match (chars.next(), chars.next()) {
                    (Some(Ok(c)), None) => c,
                    _ => return Err("half a surrogate pair"),
                }
            }
            _ => return Err("there is no such escape"),
        })
    }

    fn four_digits(&mut self) -> Read<u16> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.rest = self.rest.get(4..).unwrap_or_default();
        number.ok_or("an escape has four digits")
    }

    fn number(&mut self) -> Read<Json> {
        let before = self.rest;
        self.takes("-");
        if !self.takes("0") && self.digits() == 0 {
            return Err("a number has a digit");
        }
        if self.takes(".") && self.digits() == 0 {
            return Err("a point has a digit behind it");
        }
        if self.takes("e") || self.takes("E") {
            let _ = self.takes("+") || self.takes("-");
            if self.digits() == 0 {
                return Err("an exponent has a digit");
            }
        }
        let number = &before[..before.len() - self.rest.len()];
        let size = number.parse::<f64>().map_or(f64::INFINITY, f64::abs);
        if size.is_infinite() {
            return Err("a number is too large");
        }
        self.is_unsure |= size > 1e307;
        Ok(Json::Number(number.into()))
    }

    fn digits(&mut self) -> usize {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.rest = &self.rest[count..];
        count
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        self.space();
        self.takes(sign)
    }

    fn char(&mut self) -> Read<char> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or("it ends too early");
        self.rest = chars.as_str();
        c
    }

    fn is_at_end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }
}
