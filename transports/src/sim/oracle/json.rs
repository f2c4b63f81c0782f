//! The oracle's own reading of json: small, strict, and nothing that the machines under test use.

use std::borrow::Cow;

/// A value. Of the line that it was read from it borrows what is written there as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(u64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// Few fields, each once, as they stand there.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a whole line.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { rest: std::str::from_utf8(line).ok()? };
        let value = reader.value()?;
        reader.skip();
        reader.rest.is_empty().then_some(value)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> Option<&[Self]> {
        match self.get(key)? {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        let spaces = self.rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.rest = &self.rest[spaces..];
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.skip();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self) -> Option<Json<'a>> {
        self.skip();
        match self.rest.as_bytes().first()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Json::Text),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            b'n' => self.take("null").map(|()| Json::Null),
            _ => {
                let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
                let (number, rest) = self.rest.split_at(digits);
                self.rest = rest;
                number.parse().ok().map(Json::Number)
            }
        }
    }

    fn object(&mut self) -> Option<Json<'a>> {
        let mut fields: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        self.take("{")?;
        if self.take("}").is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip();
            let key = self.string()?;
            self.take(":")?;
            let value = self.value()?;
            if fields.iter().any(|(other, _)| *other == key) {
                return None;
            }
            fields.push((key, value));
            if self.take("}").is_some() {
                return Some(Json::Object(fields));
            }
            self.take(",")?;
        }
    }

    fn array(&mut self) -> Option<Json<'a>> {
        let mut items = Vec::new();
        self.take("[")?;
        if self.take("]").is_some() {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.take("]").is_some() {
                return Some(Json::List(items));
            }
            self.take(",")?;
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let end = self.rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
            let (plain, rest) = self.rest.split_at(end);
            text += plain;
            let mut chars = rest.chars();
            if chars.next() == Some('"') {
                self.rest = chars.as_str();
                return Some(text);
            }
            let escape = chars.next()?;
            self.rest = chars.as_str();
            text.to_mut().push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits = self.rest.get(..4)?;
                    self.rest = &self.rest[4..];
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                '"' | '\\' | '/' => escape,
                _ => return None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whole_or_not_at_all() {
        let value = Json::read(br#"{"a":[1,{"b":"x\n\u00e9\""}],"c":null,"d":true,"e":{}}"#).unwrap();
        assert_eq!(value.list("a").unwrap()[0], Json::Number(1));
        assert_eq!(value.list("a").unwrap()[1].text("b"), Some("x\né\""));
        assert_eq!(value.get("c"), Some(&Json::Null));
        for wrong in ["", "{", "{}x", r#"{"a":1,"a":2}"#, r#"{"a":-1}"#, r#"{"a" 1}"#, r#"["#, r#"{"a":"\q"}"#] {
            assert_eq!(Json::read(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
