//! JSON objects, and nothing that could be taken for one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// What is read of a JSON object only: a struct alone would be read of an array, too, by the order of its fields,
/// and take numbers and texts that nobody named.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Named(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde::Deserialize;

    use super::super::wire;
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Item<'a> {
        id: u64,
        #[serde(borrow)]
        name: Option<Cow<'a, str>>,
    }

    #[test]
    fn an_object_is_read_and_an_array_in_its_place_is_not() {
        let Object(item) = serde_json::from_str::<Object<Item<'_>>>(r#"{"x":[],"name":"a","id":7}"#).unwrap();
        assert_eq!((item.id, item.name), (7, Some(Cow::Borrowed("a"))));
        for text in [r#"[7,"a"]"#, "[7,null]", "[]", "7", "null", r#"{"id":7,"id":8}"#, "{}"] {
            assert!(serde_json::from_str::<Object<Item<'_>>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_is_read_of_objects_only() {
        assert_eq!(wire::ids(&r#"[{"id":7}]"#.into()).unwrap(), ["7".into()]);
        assert!(wire::ids(&"[[7]]".into()).is_err(), "the map would refuse the record");
    }
}
