//! JSON against the schemas of `schema/`, in the few words of JSON Schema that they use.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// All of `schema/`, by file name.
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    pub fn read() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        let files = std::fs::read_dir(dir)
            .unwrap()
            .map(|file| file.unwrap().path());
        let schemas = files.filter(|file| file.extension().is_some_and(|is| is == "json"));
        let read = |file: std::path::PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (
                name,
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap(),
            )
        };
        Self(schemas.map(read).collect())
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> Vec<&str> {
        let kind = |schema: &Value| schema["properties"]["kind"]["const"].is_string();
        assert!(self.0.values().all(kind), "a schema without a kind");
        let kinds = self.0.values();
        kinds
            .filter_map(|schema| schema["properties"]["kind"]["const"].as_str())
            .collect()
    }

    /// What is wrong with `value`, whose envelope says which schema is its own.
    pub fn errors(&self, value: &Value) -> Vec<String> {
        let file = format!(
            "{}-{}.json",
            value["kind"].as_str().unwrap_or("?"),
            value["version"]
        );
        match self.0.get(&file) {
            Some(schema) => self.against(schema, value, &file, ""),
            None => vec![format!("no schema {file} for {value}")],
        }
    }

    /// The errors of a value against a schema of `file`. A word that is not known here is an error too.
    fn against(&self, schema: &Value, value: &Value, file: &str, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (word, argument) in schema.as_object().unwrap() {
            let fits = match word.as_str() {
                "$ref" => {
                    let (other, pointer) = argument.as_str().unwrap().split_once('#').unwrap();
                    let file = if other.is_empty() { file } else { other };
                    let target = self.0[file].pointer(pointer).unwrap();
                    found.extend(self.against(target, value, file, at));
                    true
                }
                "anyOf" => {
                    let mut ways = argument.as_array().unwrap().iter();
                    ways.any(|way| self.against(way, value, file, at).is_empty())
                }
                "properties" => {
                    for (key, schema) in argument.as_object().unwrap() {
                        if let Some(value) = value.get(key) {
                            found.extend(self.against(schema, value, file, &format!("{at}/{key}")));
                        }
                    }
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        found.extend(self.against(argument, item, file, &format!("{at}/{index}")));
                    }
                    true
                }
                word => fits(word, argument, schema, value),
            };
            if !fits {
                found.push(format!("{at}: {value} is not {word} {argument}"));
            }
        }
        found
    }
}

/// Whether `value` itself is what one word of a schema says.
fn fits(word: &str, argument: &Value, schema: &Value, value: &Value) -> bool {
    match word {
        "$schema" | "$id" | "title" | "description" | "$defs" => true,
        "type" => match argument {
            Value::Array(types) => types.iter().any(|kind| is(kind, value)),
            kind => is(kind, value),
        },
        "const" => argument == value,
        "enum" => argument.as_array().unwrap().contains(value),
        "minimum" => value
            .as_f64()
            .is_none_or(|v| v >= argument.as_f64().unwrap()),
        "pattern" => {
            assert_eq!(argument, "^[a-z][a-z0-9_]*$", "the one pattern");
            let text = value.as_str().unwrap_or_default();
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            text.bytes().all(word) && text.starts_with(|c: char| c.is_ascii_lowercase())
        }
        "required" => {
            let mut keys = argument.as_array().unwrap().iter();
            !value.is_object() || keys.all(|key| value.get(key.as_str().unwrap()).is_some())
        }
        "additionalProperties" => {
            assert_eq!(argument, false);
            let known = schema["properties"].as_object().unwrap();
            let known = |object: &serde_json::Map<String, Value>| {
                object.keys().all(|key| known.contains_key(key))
            };
            value.as_object().is_none_or(known)
        }
        word => panic!("the schema has a word that is not checked: {word}"),
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        kind => panic!("a type that is not checked: {kind}"),
    }
}
