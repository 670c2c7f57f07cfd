//! The index of the API, units, currency and the system's state.

use super::errors::ApiError;
use super::routes::renderer;
use super::state::State;
use super::{Answer, Call};
use crate::testkit::json::Json;

/// `GET /wp-json/`, which needs no key.
pub(super) fn index(state: &State, call: &Call<'_>) -> Answer {
    let settings = &state.settings;
    let namespaces = settings.namespaces.iter().map(|name| Json::text(name.clone())).collect();
    let hours = settings.utc_offset_seconds;
    let offset = if hours % 3600 == 0 {
        Json::Int(hours / 3600)
    } else {
        #[expect(clippy::cast_precision_loss, reason = "offsets are below a day of seconds")]
        Json::Float(hours as f64 / 3600.0)
    };
    let authorize = Json::text(format!("{}/wp-admin/authorize-application.php", call.home));
    let authentication = Json::object([(
        "application-passwords",
        Json::object([("endpoints", Json::object([("authorization", authorize)]))]),
    )]);
    Answer::ok(Json::object([
        ("name", Json::text(settings.name.clone())),
        ("description", Json::text("")),
        ("url", Json::text(call.home)),
        ("home", Json::text(call.home)),
        ("gmt_offset", offset),
        ("timezone_string", Json::text(settings.timezone.clone())),
        ("page_for_posts", Json::Int(0)),
        ("page_on_front", Json::Int(0)),
        ("show_on_front", Json::text("posts")),
        ("namespaces", Json::Array(namespaces)),
        ("authentication", authentication),
        ("routes", Json::object([("/", Json::object([("methods", Json::Array(vec![Json::text("GET")]))]))])),
    ]))
}

struct Unit {
    id: &'static str,
    label: &'static str,
    default: &'static str,
    options: &'static [&'static str],
}

const UNITS: [Unit; 2] = [
    Unit {
        id: "woocommerce_weight_unit",
        label: "Weight unit",
        default: "lbs",
        options: &["kg", "g", "lbs", "oz"],
    },
    Unit {
        id: "woocommerce_dimension_unit",
        label: "Dimensions unit",
        default: "in",
        options: &["m", "cm", "mm", "in", "yd"],
    },
];

/// `GET /settings/products/{id}`, for the two units.
pub(super) fn setting(state: &State, call: &Call<'_>, id: &str) -> Result<Answer, ApiError> {
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let Some(unit) = UNITS.iter().find(|unit| unit.id == id) else {
        return Err(ApiError::new(404, "rest_setting_setting_invalid", "Invalid setting."));
    };
    let value =
        if unit.id.contains("weight") { &state.settings.weight_unit } else { &state.settings.dimension_unit };
    let help = Json::text("The unit of the store's numbers.");
    let options = Json::object(unit.options.iter().map(|option| (*option, Json::text(*option))));
    let path = format!("settings/products/{id}");
    let verbs = ["GET", "POST", "PUT", "PATCH"];
    Ok(Answer::ok(Json::object([
        ("id", Json::text(unit.id)),
        ("label", Json::text(unit.label)),
        ("description", help.clone()),
        ("type", Json::text("select")),
        ("default", Json::text(unit.default)),
        ("options", options),
        ("tip", help),
        ("value", Json::text(value.clone())),
        ("group_id", Json::text("products")),
        ("_links", renderer(state, call).links(&path, "settings/products", &verbs, None)),
    ])))
}

/// `GET /data/currencies/current`.
pub(super) fn currency(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let code = state.settings.currency.as_str();
    let (name, symbol) = match code {
        "USD" => ("United States (US) dollar", "&#36;"),
        "EUR" => ("Euro", "&euro;"),
        "GBP" => ("Pound sterling", "&pound;"),
        "JPY" => ("Japanese yen", "&yen;"),
        _ => (code, code),
    };
    let path = format!("data/currencies/{code}");
    Ok(Answer::ok(Json::object([
        ("code", Json::text(code)),
        ("name", Json::text(name)),
        ("symbol", Json::text(symbol)),
        ("_links", renderer(state, call).links(&path, "data/currencies", &["GET"], None)),
    ])))
}

/// `GET /system_status`, cut to what names versions.
pub(super) fn system_status(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    Ok(Answer::ok(Json::object([
        (
            "environment",
            Json::object([
                ("home_url", Json::text(call.home)),
                ("site_url", Json::text(call.home)),
                ("version", Json::text("10.5.0")),
                ("wp_version", Json::text("6.9.7")),
            ]),
        ),
        ("settings", Json::object([("currency", Json::text(state.settings.currency.clone()))])),
    ])))
}
