//! `fileUpdate`: the alt text of files, which all products that show them share.

use super::errors::FieldError;
use super::resolve;
use super::state::State;
use super::value::{Args, Obj, Out, Read};
use super::write_product::{Mistake, user_errors};

/// The most characters of an alt text.
const ALT_LIMIT: usize = 512;

/// `fileUpdate`: all or nothing.
pub(super) fn update(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let files: Vec<Args> = args.list("files").iter().filter_map(|file| file.as_object().cloned()).collect();
    let payload = |files: Out, mistakes: &[Mistake]| {
        Out::record("FileUpdatePayload", vec![("files", files), user_errors("FilesUserError", mistakes)])
    };
    let mut found = Vec::new();
    let mut mistakes = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match check(state, file, at) {
            Ok(id) => found.push(id),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Ok(payload(Out::NULL, &mistakes));
    }
    let now = state.now;
    for (id, file) in found.iter().zip(&files) {
        if let Some(media) = state.media.get_mut(id)
            && let Some(alt) = file.given("alt")
        {
            media.alt = alt.filter(|alt| !alt.is_empty());
            media.updated_at = now;
        }
    }
    Ok(payload(Out::list(found.into_iter().map(Obj::Media)), &[]))
}

fn check(state: &State, file: &Args, at: usize) -> Result<u64, Mistake> {
    let index = at.to_string();
    let id = file.text("id").unwrap_or_default();
    let wrong = |name: &str, code: &'static str, message: String| {
        Err(Mistake::coded(&["files", &index, name], code, message))
    };
    let media = match resolve::node(state, id) {
        Some(Obj::Media(id)) => state.media.get(&id),
        _ => None,
    };
    let Some(media) = media else {
        let message = format!("File id {id} does not exist.");
        return Err(Mistake::coded(&["files"], "FILE_DOES_NOT_EXIST", message));
    };
    if media.locked {
        return wrong("id", "FILE_LOCKED", "The file is locked and cannot be changed now.".to_owned());
    }
    if media.status != "READY" {
        let message = "Non-ready files cannot be updated.".to_owned();
        return Err(Mistake::coded(&["files"], "NON_READY_STATE", message));
    }
    let alt = file.text("alt").unwrap_or_default();
    if alt.chars().count() > ALT_LIMIT {
        let message = "The alt value exceeds the maximum limit of 512 characters.".to_owned();
        return wrong("alt", "ALT_VALUE_LIMIT_EXCEEDED", message);
    }
    Ok(media.id)
}
