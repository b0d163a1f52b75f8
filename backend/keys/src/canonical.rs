//! One text per value: JSON with keys sorted by their bytes, no white space, no duplicate keys.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a value has no canonical text, or a text is not canonical.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The value cannot be written as JSON, or the text is not JSON of this shape.
    #[error("the text is not JSON of the expected shape")]
    Json(#[from] serde_json::Error),
    /// The text is JSON, but not byte for byte its own canonical form.
    #[error("the text is not in canonical form")]
    NotCanonical,
}

/// Writes `value` as canonical JSON. A float that is not finite has no JSON form: it becomes `null`, which
/// no numeric field reads back.
pub fn to_canonical<T: Serialize>(value: &T) -> Result<String, Error> {
    let value = serde_json::to_value(value)?;
    let mut text = String::new();
    write(&value, &mut text)?;
    Ok(text)
}

/// Reads a `T` from text that must be byte-identical to its own canonical form, so that no two texts with
/// different digests mean the same. Verify signatures over the text before calling this.
pub fn parse_canonical<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let value: Value = serde_json::from_str(text)?;
    let mut again = String::with_capacity(text.len());
    write(&value, &mut again)?;
    if again != text {
        return Err(Error::NotCanonical);
    }
    Ok(serde_json::from_value(value)?)
}

/// Does not rely on the map type of serde_json, which a feature of another crate can change.
fn write(value: &Value, out: &mut String) -> Result<(), Error> {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push('{');
            for (i, (key, value)) in fields.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key)?);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        leaf => out.push_str(&serde_json::to_string(leaf)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_white_space_is_gone() {
        let text = to_canonical(&json!({"b": [1, 2.5, {"z": null, "a": true}], "a": "x\n\"é"})).unwrap();
        assert_eq!(text, r#"{"a":"x\n\"é","b":[1,2.5,{"a":true,"z":null}]}"#);
    }

    #[test]
    fn other_spellings_of_the_same_value_are_refused() {
        for text in [
            r#"{"a": 1}"#,
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1.50}"#,
            r#"{"a":"\u0061"}"#,
            "{\"a\":1}\n",
            r#"{"a":1e2}"#,
        ] {
            assert!(parse_canonical::<Value>(text).is_err(), "{text}");
        }
        assert!(parse_canonical::<Value>(r#"{"a":1.5,"b":1}"#).is_ok());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_is_its_own_canonical_form(value in values()) {
            let text = to_canonical(&value).unwrap();
            let back: Value = parse_canonical(&text).unwrap();
            prop_assert_eq!(to_canonical(&back).unwrap(), text);
        }
    }
}
