//! The overrides of a connector's map, from the file that a variable names.

use std::path::PathBuf;

use super::variables::{Variables, of_file, read, wrong};
use crate::error::{Error, Result};
use crate::mapping::Overrides;

const MAPPING_FILE: &str = "LILY_MAPPING_FILE";

/// The file with the overrides, where the variable names one.
pub(super) struct Mapping(Option<PathBuf>);

impl Mapping {
    pub(super) fn file(variables: &Variables<'_>) -> Self {
        let path = (variables.0)(MAPPING_FILE).filter(|path| !path.is_empty());
        Self(path.map(PathBuf::from))
    }

    /// The overrides; none where no file is named.
    pub(super) fn overrides(&self) -> Result<Overrides> {
        let Some(path) = &self.0 else { return Ok(Overrides::default()) };
        let text = String::from_utf8(read(MAPPING_FILE, path)?);
        let text = text.map_err(|_| {
            of_file(wrong(MAPPING_FILE, "variable_not_text", "names a file that is no UTF-8 text"), path)
        })?;
        Overrides::parse(&text).map_err(|error| self.named(error))
    }

    /// Names the file of an error about overrides.
    pub(super) fn named(&self, error: Error) -> Error {
        match &self.0 {
            Some(file) if error.code().starts_with("override") => {
                of_file(error.with_context("variable", MAPPING_FILE), file)
            }
            _ => error,
        }
    }
}
