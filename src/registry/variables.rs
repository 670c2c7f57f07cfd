//! Variables, each by its name or as a file.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The largest file that a variable may name, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads variables, each by its name or as a file.
pub(super) struct Variables<'a>(pub(super) &'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    pub(super) fn required(&self, name: &'static str) -> Result<String> {
        self.optional(name)?.ok_or_else(|| {
            wrong(name, "variable_missing", "is not set")
                .with_remedy(format!("set {name}, or {name}_FILE to the path of a file that holds it"))
        })
    }

    /// The value; none where it is not set, or is set to nothing.
    pub(super) fn optional(&self, name: &'static str) -> Result<Option<String>> {
        let plain = (self.0)(name).filter(|value| !value.is_empty());
        let file = (self.0)(&format!("{name}_FILE")).filter(|value| !value.is_empty());
        let value = match (plain, &file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(wrong(name, "variable_twice", "is set both by itself and as a file")
                    .with_remedy(format!("unset {name} or {name}_FILE")));
            }
            (Some(value), None) => value.into_string().map_err(|_| not_text(name))?,
            (None, Some(path)) => {
                let path = Path::new(path);
                let text = String::from_utf8(read(name, path)?);
                text.map_err(|_| of_file(not_text(name), path))?
            }
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(match &file {
                Some(path) => {
                    let what = "names a file that holds nothing but blanks";
                    of_file(wrong(&format!("{name}_FILE"), "variable_empty", what), Path::new(path))
                }
                None => wrong(name, "variable_empty", "holds nothing but blanks"),
            });
        }
        Ok(Some(value.to_owned()))
    }

    /// Variables that go together: all of them, or none.
    #[cfg(any(feature = "ga4", feature = "magento", feature = "shopify"))]
    pub(super) fn together<const N: usize>(&self, names: [&'static str; N]) -> Result<Option<[String; N]>> {
        let mut values = Vec::with_capacity(N);
        for name in names {
            values.extend(self.optional(name)?.map(|value| (name, value)));
        }
        if values.is_empty() {
            return Ok(None);
        }
        if let Some(missing) = names.iter().find(|name| !values.iter().any(|(known, _)| known == *name)) {
            return Err(wrong(missing, "variable_missing", "is not set")
                .with_remedy(format!("{} go together", names.join(", "))));
        }
        let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
        Ok(values.try_into().ok())
    }

    #[cfg(any(feature = "bigcommerce", feature = "shopify"))]
    pub(super) fn share(&self, name: &'static str) -> Result<Option<f64>> {
        let Some(text) = self.optional(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(name, "variable_wrong", "must be a number such as 0.5"))
    }

    #[cfg(any(
        feature = "ga4",
        feature = "bigcommerce",
        feature = "magento",
        feature = "shopify",
        feature = "woocommerce"
    ))]
    pub(super) fn switch(&self, name: &'static str) -> Result<bool> {
        match self.optional(name)?.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(wrong(name, "variable_wrong", "must be 1 or 0")),
        }
    }
}

pub(super) fn read(name: &'static str, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= MAX_FILE_BYTES => Ok(bytes),
        Ok(_) => {
            Err(of_file(wrong(name, "variable_file_too_large", "names a file of more than 1 MiB"), path))
        }
        Err(error) => {
            Err(of_file(wrong(name, "variable_file_unreadable", "names a file that cannot be read"), path)
                .with_remedy("check the path, and the rights of the file")
                .with_source(error))
        }
    }
}

pub(super) fn not_text(name: &'static str) -> Error {
    wrong(name, "variable_not_text", "is no UTF-8 text")
}

pub(super) fn of_file(error: Error, path: &Path) -> Error {
    error.with_context("file", path.display().to_string())
}

pub(super) fn wrong(name: &str, code: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Config, code, format!("the variable {name} {what}"))
}

/// Names the variable of an error about a store's address.
#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
pub(super) fn in_address(error: Error, name: &'static str) -> Error {
    if error.code() == "origin_invalid" {
        error.with_remedy(format!("set {name} to the store's address, in the form https://shop.example"))
    } else {
        error
    }
}
