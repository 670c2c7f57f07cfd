//! The routes of metafields: of one resource, and of all of a kind, where pages go by cursor as well.

use super::errors::{Answer, Outcome, Problem, map};
use super::product::{date, id_of};
use super::query::{Paging, Params, Picked, wrong};
use super::state::{Metafield, State};
use crate::testkit::json::Json;

/// The most metafields of one resource and API account.
const LIMIT: usize = 250;
/// The most items of a batch. The documents name none.
const BATCH: usize = 10;
const SETS: &[&str] = &["app_only", "read", "write", "read_and_sf_access", "write_and_sf_access"];

/// Whose metafields a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) resource: &'static str,
    pub(super) id: u64,
}

impl State {
    fn owner_exists(&self, owner: Owner) -> bool {
        match owner.resource {
            "product" => self.products.contains_key(&owner.id),
            "brand" => self.brands.contains_key(&owner.id),
            "category" => self.categories.contains_key(&owner.id),
            "channel" => self.channels.contains_key(&owner.id),
            _ => self.products.values().any(|it| it.variants.iter().any(|row| id_of(row) == Some(owner.id))),
        }
    }

    /// The metafields of a kind that the caller may see: its own, and those of others that are not theirs alone.
    fn seen(&self, resource: &'static str) -> impl Iterator<Item = &Metafield> {
        self.metafields.values().filter(move |it| {
            let theirs = it.owner != self.settings.client_id;
            let closed = it.row.get("permission_set").and_then(Json::as_str) == Some("app_only");
            it.resource == resource && !(theirs && closed)
        })
    }
}

fn keeps(params: &Params, row: &Json) -> bool {
    let text = |key: &str| row.get(key).and_then(Json::as_str).unwrap_or_default();
    ["key", "namespace"].iter().all(|key| {
        params.get(key).is_none_or(|wanted| text(key) == wanted)
            && params.list(&format!("{key}:in")).is_none_or(|list| list.contains(&text(key)))
    })
}

/// `GET /catalog/RESOURCE/{id}/metafields`.
pub(super) fn list(state: &State, owner: Owner, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    if !state.owner_exists(owner) {
        return Err(Problem::not_found(owner.resource));
    }
    let rows = state.seen(owner.resource).filter(|it| it.resource_id == owner.id);
    let mut rows: Vec<&Json> = rows.map(|it| &it.row).filter(|row| keeps(params, row)).collect();
    if params.get("direction") == Some("desc") {
        rows.reverse();
    }
    paging.answer(state, params, rows, |row| picked.of(row, &["id"]))
}

/// `GET /catalog/RESOURCE/metafields`: by page, or by `after` and `before`, which `page` gives way to.
pub(super) fn all(state: &State, resource: &'static str, params: &Params) -> Outcome {
    let picked = Picked::read(params);
    let mut rows: Vec<&Json> =
        state.seen(resource).map(|it| &it.row).filter(|row| keeps(params, row)).collect();
    if params.get("direction") == Some("desc") {
        rows.reverse();
    }
    let paging = Paging::read(state, params, None)?;
    if params.get("after").is_none() && params.get("before").is_none() {
        return paging.answer(state, params, rows, |row| picked.of(row, &["id"]));
    }
    let limit = usize::try_from(params.number("limit")?.unwrap_or(50)).unwrap_or(usize::MAX);
    let at = |name: &str| -> Result<Option<usize>, Problem> {
        let Some(text) = params.get(name) else { return Ok(None) };
        let id = cursor_id(text).ok_or_else(|| wrong(name))?;
        Ok(rows.iter().position(|row| id_of(row) == Some(id)))
    };
    let from = at("after")?.map_or(0, |at| at + 1);
    let to = at("before")?.unwrap_or(rows.len());
    let from = if params.get("before").is_some() { to.saturating_sub(limit) } else { from };
    let page: Vec<&&Json> = rows.iter().skip(from).take(to.saturating_sub(from).min(limit)).collect();
    let cursor = |row: Option<&&&Json>| {
        row.and_then(|row| id_of(row)).map_or(Json::text(""), |id| Json::text(format!("c{id}")))
    };
    let (start, end) = (cursor(page.first()), cursor(page.last()));
    let mut links = Vec::new();
    if from + page.len() < rows.len() {
        links
            .push(("next", Json::text(format!("?limit={limit}&after={}", end.as_str().unwrap_or_default()))));
    }
    if from > 0 {
        links.push((
            "previous",
            Json::text(format!("?limit={limit}&before={}", start.as_str().unwrap_or_default())),
        ));
    }
    let pagination = Json::object([
        ("count", Json::from(page.len() as u64)),
        ("per_page", Json::from(limit as u64)),
        ("start_cursor", start),
        ("end_cursor", end),
        ("links", Json::object(links)),
    ]);
    let data: Vec<Json> = page.iter().map(|row| picked.of(row, &["id"])).collect();
    Ok(Answer::with_meta(Json::Array(data), Json::object([("cursor_pagination", pagination)])))
}

/// What a cursor stands for.
fn cursor_id(text: &str) -> Option<u64> {
    text.strip_prefix('c')?.parse().ok()
}

/// `GET .../metafields/{id}`.
pub(super) fn one(state: &State, owner: Owner, id: u64) -> Outcome {
    let found =
        state.seen(owner.resource).find(|it| it.resource_id == owner.id && id_of(&it.row) == Some(id));
    found.map(|it| Answer::data(it.row.clone())).ok_or_else(|| Problem::not_found("metafield"))
}

/// `POST .../metafields`.
pub(super) fn post(state: &mut State, owner: Owner, body: &Json) -> Outcome {
    if !state.owner_exists(owner) {
        return Err(Problem::not_found(owner.resource));
    }
    let id = add(state, owner, body)?;
    one(state, owner, id)
}

/// `PUT .../metafields/{id}`.
pub(super) fn put(state: &mut State, owner: Owner, id: u64, body: &Json) -> Outcome {
    one(state, owner, id)?;
    save(state, id, body)?;
    one(state, owner, id)
}

/// `DELETE .../metafields/{id}`.
pub(super) fn delete(state: &mut State, owner: Owner, id: u64) -> Outcome {
    one(state, owner, id)?;
    writable(state, id)?;
    state.metafields.remove(&id);
    state.fire_metafield("deleted", owner, id);
    Ok(Answer::empty(204))
}

/// `POST` and `PUT /catalog/RESOURCE/metafields`. What is refused is told in a list, under 422, beside what was saved.
pub(super) fn batch(state: &mut State, resource: &'static str, body: &Json, new: bool) -> Outcome {
    let Some(items) = body.as_array() else { return Err(Problem::new(400, "Input is invalid")) };
    if items.len() > BATCH {
        return Err(Problem::too_many(BATCH));
    }
    let (mut data, mut errors) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
        let done = if new {
            let owner = Owner { resource, id: item.get("resource_id").and_then(Json::as_id).unwrap_or(0) };
            if state.owner_exists(owner) {
                add(state, owner, item)
            } else {
                Err(Problem::not_found(resource))
            }
        } else if state.seen(resource).any(|it| id_of(&it.row) == Some(id)) {
            save(state, id, item).map(|()| id)
        } else {
            Err(Problem::not_found("metafield"))
        };
        match done {
            Ok(id) => data.extend(state.metafields.get(&id).map(|it| it.row.clone())),
            Err(problem) => {
                let text = problem.title.clone();
                let mut entry = problem.with_errors().json();
                entry.set("errors", map(&[(at.to_string(), text)]));
                errors.push(entry);
            }
        }
    }
    let (success, failed) = (data.len() as u64, errors.len() as u64);
    let meta = Json::object([
        ("total", Json::from(success + failed)),
        ("success", Json::from(success)),
        ("failed", Json::from(failed)),
    ]);
    let status = if errors.is_empty() { 200 } else { 422 };
    let entries = [("data", Json::Array(data)), ("errors", Json::Array(errors)), ("meta", meta)];
    Ok(Answer::new(status, Json::object(entries)))
}

/// `DELETE /catalog/RESOURCE/metafields`, with a list of ids.
pub(super) fn delete_batch(state: &mut State, resource: &'static str, body: &Json) -> Outcome {
    let wanted = super::product::ids(Some(body));
    let mut gone = Vec::new();
    for id in &wanted {
        let known = state.seen(resource).any(|it| id_of(&it.row) == Some(*id));
        if known && writable(state, *id).is_ok() {
            state.metafields.remove(id);
            gone.push(*id);
        }
    }
    let (total, success) = (wanted.len() as u64, gone.len() as u64);
    let meta = Json::object([
        ("total", Json::from(total)),
        ("success", Json::from(success)),
        ("failed", Json::from(total - success)),
    ]);
    Ok(Answer::with_meta(Json::ids(&gone), meta))
}

/// Adds a metafield of the caller; gives its id.
pub(super) fn add(state: &mut State, owner: Owner, body: &Json) -> Result<u64, Problem> {
    let text = |name: &str| body.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    check(body, true)?;
    let client = state.settings.client_id.clone();
    let same = |row: &Json, name: &str| row.get(name).and_then(Json::as_str) == Some(&text(name));
    let own: Vec<&Metafield> = state
        .metafields
        .values()
        .filter(|it| it.owner == client && it.resource == owner.resource && it.resource_id == owner.id)
        .collect();
    if own.iter().any(|it| same(&it.row, "namespace") && same(&it.row, "key")) {
        let text = "The combination of namespace and key must be unique.";
        return Err(Problem::new(409, text).at("key", text));
    }
    if own.len() >= LIMIT {
        return Err(Problem::new(422, "The resource has too many metafields").with(Vec::new()));
    }
    let id = state.take("metafield");
    let now = Json::text(date(state.now));
    let row = Json::object([
        ("id", Json::from(id)),
        ("key", Json::text(text("key"))),
        ("value", Json::text(text("value"))),
        ("namespace", Json::text(text("namespace"))),
        ("permission_set", Json::text(text("permission_set"))),
        ("resource_type", Json::text(owner.resource)),
        ("resource_id", Json::from(owner.id)),
        ("description", Json::text(text("description"))),
        ("date_created", now.clone()),
        ("date_modified", now),
        ("owner_client_id", Json::text(client.clone())),
    ]);
    state
        .metafields
        .insert(id, Metafield { resource: owner.resource, resource_id: owner.id, owner: client, row });
    state.fire_metafield("created", owner, id);
    Ok(id)
}

fn save(state: &mut State, id: u64, body: &Json) -> Result<(), Problem> {
    check(body, false)?;
    writable(state, id)?;
    let now = date(state.now);
    let Some(found) = state.metafields.get_mut(&id) else { return Err(Problem::not_found("metafield")) };
    for name in ["key", "value", "namespace", "permission_set", "description"] {
        if let Some(value) = body.get(name) {
            found.row.set(name, value.clone());
        }
    }
    found.row.set("date_modified", now);
    let owner = Owner { resource: found.resource, id: found.resource_id };
    state.fire_metafield("updated", owner, id);
    Ok(())
}

/// Others' metafields are writable where they say so.
fn writable(state: &State, id: u64) -> Result<(), Problem> {
    let Some(found) = state.metafields.get(&id) else { return Err(Problem::not_found("metafield")) };
    let open =
        found.row.get("permission_set").and_then(Json::as_str).is_some_and(|set| set.starts_with("write"));
    if found.owner == state.settings.client_id || open {
        return Ok(());
    }
    Err(Problem::new(403, "The metafield belongs to another API account.").with(Vec::new()))
}

fn check(body: &Json, new: bool) -> Result<(), Problem> {
    let mut errors = Vec::new();
    for (name, least, most) in
        [("key", 1, 64), ("namespace", 1, 64), ("value", 1, 65_535), ("description", 0, 255)]
    {
        let fits =
            |value: &Json| value.as_str().is_some_and(|it| (least..=most).contains(&it.chars().count()));
        let wrong = match body.get(name) {
            None if new && least > 0 => "error.path.missing",
            Some(value) if !fits(value) => "error.length",
            _ => continue,
        };
        errors.push((name.to_owned(), wrong.to_owned()));
    }
    let set = body.get("permission_set").and_then(Json::as_str);
    if set.map_or(new, |set| !SETS.contains(&set)) {
        errors.push(("permission_set".to_owned(), "error.expected.validenum".to_owned()));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}
