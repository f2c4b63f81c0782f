//! A json object read strictly: what serde's derives would let pass (duplicate keys, arrays for objects, deep nesting,
//! floats for integers) is refused, and each error names its field.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroize;

/// How deep objects and arrays may be nested, the line's own object included.
const MAX_DEPTH: usize = 16;

/// The largest integer of the wire.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The fields of one object. `null` means absent.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

#[derive(Debug)]
enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(u64),
    Flag(bool),
    Array(Vec<Value<'a>>),
    Object(Fields<'a>),
    /// A float, a negative number: nothing that a field of ours holds.
    Other,
}

impl<'a> Fields<'a> {
    /// Reads a whole line.
    pub(super) fn read(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        if !line.starts_with(b"{") {
            return Err(de::Error::custom("a line begins with {"));
        }
        // At once for the whole line, and not again for each of its strings.
        let line = core::str::from_utf8(line).map_err(|_| de::Error::custom("a line is UTF-8"))?;
        let mut json = serde_json::Deserializer::from_str(line);
        let value = Depth(MAX_DEPTH).deserialize(&mut json)?;
        json.end()?;
        match value {
            Value::Object(fields) => Ok(fields),
            _ => Err(de::Error::custom("a line is one json object")),
        }
    }

    /// A text, where it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is not a string")),
        }
    }

    /// A text that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, String> {
        self.text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// An integer, where it is there.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>, String> {
        self.get(name).map(|value| value.integer(name)).transpose()
    }

    /// True or false, where it is there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(_) => Err(format!("{name} is not true or false")),
        }
    }

    /// An array of texts; none where it is not there.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, String> {
        let wrong = || format!("{name} is not an array of strings");
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| item.text().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// An array of integers that must be there.
    pub(super) fn integers(&self, name: &str) -> Result<Vec<u64>, String> {
        match self.get(name) {
            None => Err(format!("{name} is missing")),
            Some(Value::Array(items)) => items.iter().map(|item| item.integer(name)).collect(),
            Some(_) => Err(format!("{name} is not an array of integers")),
        }
    }

    /// An object, where it is there.
    pub(super) fn object(&self, name: &str) -> Result<Option<&Fields<'a>>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(format!("{name} is not an object")),
        }
    }

    /// Overwrites a text, where it is a copy of what stands in the line.
    pub(super) fn wipe(&mut self, name: &str) {
        for (key, value) in &mut self.0 {
            if let Value::Text(Cow::Owned(text)) = value
                && key == name
            {
                text.zeroize();
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value<'a>> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!matches!(value, Value::Null)).then_some(value)
    }
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn integer(&self, name: &str) -> Result<u64, String> {
        match self {
            Self::Integer(number) if *number <= MAX_INTEGER => Ok(*number),
            _ => Err(format!("{name} is not an integer from 0 to 2^53-1")),
        }
    }
}

/// Reads a value that may hold this many levels of objects and arrays.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested deeper than 16"))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.into())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(depth)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let depth = self.deeper()?;
        let mut fields = Vec::with_capacity(FEW);
        while let Some(name) = access.next_key_seed(Key)? {
            fields.push((name, access.next_value_seed(depth)?));
        }
        if has_twins(&fields) {
            return Err(de::Error::custom("a key stands twice in one object"));
        }
        Ok(Value::Object(Fields(fields)))
    }
}

/// As many fields as a request has.
const FEW: usize = 8;

/// Whether two fields have the same name.
fn has_twins(fields: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    if fields.len() <= FEW {
        return fields.iter().enumerate().any(|(at, (name, _))| fields[..at].iter().any(|(other, _)| other == name));
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.array_windows().any(|[a, b]| a == b)
}

/// Reads a key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
}
