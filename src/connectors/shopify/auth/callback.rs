//! The authorization code flow: where the merchant is sent, and what comes back.

use std::fmt;

use url::{Url, form_urlencoded};

use super::ShopDomain;
use crate::auth::{App, CallbackQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Mac, Secret};
use crate::time::{Entropy, Timestamp};
use crate::webhook::new_secret;

use super::exchange::Access;

/// How far the time of a callback may be off, either way (`hmac-validator.ts` of shopify-app-js).
const WINDOW_SECONDS: u64 = 90;
/// The parameters that are read: each may be there once.
const READ: [&str; 5] = ["shop", "state", "code", "timestamp", "hmac"];

/// Makes the nonce that ties a callback to the browser that began: keep it in a cookie or a session of that
/// browser, and give it to [`Callback::verify`].
///
/// # Errors
/// `State` where there are no random bytes.
pub fn new_state(entropy: &dyn Entropy) -> Result<Secret> {
    new_secret(entropy)
}

/// The address at which the merchant allows the app in its shop.
///
/// # Errors
/// `Config` where the redirect's address is not https, and not of this machine.
pub fn authorise_url(
    app: &App,
    shop: &ShopDomain,
    scopes: &[&str],
    redirect: &Url,
    state: &Secret,
    access: Access,
) -> Result<Url> {
    let local = redirect.host_str().is_some_and(|host| host == "localhost" || host == "127.0.0.1");
    if redirect.scheme() != "https" && !(redirect.scheme() == "http" && local) {
        return Err(Error::new(
            ErrorKind::Config,
            "redirect_unusable",
            "the merchant comes back to an address that begins with https://",
        )
        .with_remedy("give the address that stands in the app's settings"));
    }
    let mut url = shop.origin()?.join("admin/oauth/authorize")?;
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", app.client_id())
        .append_pair("scope", &scopes.join(","))
        .append_pair("redirect_uri", redirect.as_str())
        .append_pair("state", state.expose());
    if access == Access::Online {
        query.append_pair("grant_options[]", "per-user");
    }
    drop(query);
    Ok(url)
}

/// What a merchant's browser brought back and was verified: the shop, and the code to exchange.
#[derive(Clone)]
pub struct Authorised {
    shop: ShopDomain,
    code: Secret,
}

impl Authorised {
    /// The shop that allowed the app.
    #[must_use]
    pub fn shop(&self) -> &ShopDomain {
        &self.shop
    }

    pub(super) fn code(&self) -> &Secret {
        &self.code
    }
}

impl fmt::Debug for Authorised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorised").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// The query of a request that Shopify sent a browser to the app with. `Debug` shows none of it.
pub struct Callback<'a> {
    query: CallbackQuery<'a>,
}

impl<'a> Callback<'a> {
    /// Reads a query as it came: still encoded, without the question mark.
    ///
    /// # Errors
    /// `Auth` with code `callback_malformed` where it is too long, or has a parameter twice that is read.
    pub fn parse(query: &'a str) -> Result<Self> {
        Ok(Self { query: CallbackQuery::parse(query, &READ)? })
    }

    /// Checks all that tells a callback of Shopify from a forged, a replayed and a foreign one: the shop's domain,
    /// the state of this browser, the signature and the time.
    ///
    /// # Errors
    /// `Config` where the shop is none; `Auth` with one of the codes `callback_malformed`,
    /// `callback_state_wrong`, `callback_signature_wrong`, `callback_not_fresh`. None quotes the query.
    pub fn verify(&self, app: &App, state: &Secret, now: Timestamp) -> Result<Authorised> {
        let shop = self.must_be_signed(app, now)?;
        // An empty state would be that of a browser that never began.
        if state.is_empty() || Secret::new(self.get("state").unwrap_or_default()) != *state {
            return Err(wrong("callback_state_wrong", "the callback is not of the browser that began")
                .with_remedy("begin again in the same browser"));
        }
        let code = self.get("code").filter(|code| !code.is_empty()).ok_or_else(malformed)?;
        Ok(Authorised { shop, code: Secret::new(code) })
    }

    /// Checks a request without state and code, such as the first one that opens the app: the shop's domain, the
    /// signature and the time.
    ///
    /// # Errors
    /// As [`Callback::verify`].
    pub fn must_be_signed(&self, app: &App, now: Timestamp) -> Result<ShopDomain> {
        let shop = ShopDomain::new(self.get("shop").ok_or_else(malformed)?)?;
        let mac = self.get("hmac").and_then(Mac::from_hex).ok_or_else(forged)?;
        let keys = app.secrets();
        let mut signed = false;
        for text in self.signed_texts() {
            signed |= mac.is_of(text.as_bytes(), &keys)?;
        }
        if !signed {
            return Err(forged());
        }
        self.must_be_fresh(now)?;
        Ok(shop)
    }

    fn must_be_fresh(&self, now: Timestamp) -> Result<()> {
        let time = self.get("timestamp").filter(|time| {
            !time.is_empty() && time.len() <= 12 && time.bytes().all(|byte| byte.is_ascii_digit())
        });
        let time: i64 = time.and_then(|time| time.parse().ok()).ok_or_else(malformed)?;
        if time.abs_diff(now.unix_seconds()) > WINDOW_SECONDS {
            return Err(wrong("callback_not_fresh", "the callback's time is too far from now")
                .with_remedy("begin again; check this machine's clock"));
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    /// The texts that Shopify may have signed: all parameters but the signatures, sorted by name and encoded
    /// anew, so that it does not matter how they were encoded on the way.
    ///
    /// Its library changed in two places: a blank was a `+` and is `%20`, and the values of a name that comes
    /// several times (as `key[]`) stood apart and are joined by commas. Each of these texts leads back to the
    /// same parameters that are read, so all are taken.
    fn signed_texts(&self) -> Vec<String> {
        let mut sorted: Vec<(&str, &str)> =
            self.query.pairs().filter(|(key, _)| !matches!(*key, "hmac" | "signature")).collect();
        sorted.sort_by(|one, other| one.0.cmp(other.0));
        let mut joined: Vec<(&str, String)> = Vec::with_capacity(sorted.len());
        for (key, value) in &sorted {
            match joined.last_mut() {
                Some((last, values)) if last == key => {
                    values.push(',');
                    values.push_str(value);
                }
                _ => joined.push((key, (*value).to_owned())),
            }
        }
        let mut texts = Vec::with_capacity(4);
        for text in
            [encoded(joined.iter().map(|(key, value)| (*key, value.as_str()))), encoded(sorted.into_iter())]
        {
            // What is encoded has no plus of its own.
            texts.push(text.replace('+', "%20"));
            texts.push(text);
        }
        texts.dedup();
        texts
    }
}

impl fmt::Debug for Callback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Callback").field(&self.query).finish()
    }
}

fn encoded<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn malformed() -> Error {
    wrong("callback_malformed", "the request is no callback of Shopify")
}

fn forged() -> Error {
    wrong("callback_signature_wrong", "the callback is not signed with a secret of the app")
        .with_remedy("answer 401; check the client secret")
}

fn wrong(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Auth, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vector of Shopify's documentation: its secret, text and signature.
    const PUBLISHED: &str =
        "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&timestamp=1337178173";
    const PUBLISHED_MAC: &str = "4712bf92ffc2917d15a2f5a273e39f0116667419aa4b6ac0b3baaf26fa3c4d20";
    const TIME: i64 = 1_337_178_173;

    fn app() -> App {
        App::new("id", Secret::new("hush")).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn hex(text: &str, key: &str) -> String {
        let mac = Mac::of(text.as_bytes(), key.as_bytes()).unwrap();
        mac.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A query as Shopify sends it, signed over `text`.
    fn signed(text: &str) -> String {
        format!("{text}&hmac={}", hex(text, "hush"))
    }

    fn code(query: &str, state: &str, now: i64) -> String {
        let verified =
            Callback::parse(query).and_then(|callback| callback.verify(&app(), &Secret::new(state), at(now)));
        match verified {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                assert!(!format!("{error} {error:?}").contains("0907a61c"), "{error:?}");
                error.code().to_owned()
            }
        }
    }

    const GOOD: &str =
        "code=0907a61c&host=YWRtaW4%3D&shop=some-shop.myshopify.com&state=nonce-1&timestamp=1337178173";

    #[test]
    fn the_published_vector_verifies_in_any_order_and_no_other_does() {
        let signed_by = |query: &str| Callback::parse(query)?.must_be_signed(&app(), at(TIME));
        let query = format!("{PUBLISHED}&hmac={PUBLISHED_MAC}");
        assert_eq!(signed_by(&query).unwrap().as_str(), "some-shop.myshopify.com");
        let shuffled = format!(
            "timestamp=1337178173&hmac={PUBLISHED_MAC}&signature=any&shop=some-shop.myshopify.com&code=0907a61c0c8d55e99db179b68161bc00"
        );
        assert!(signed_by(&shuffled).is_ok());
        // Shopify's secret before a rotation, beside another one.
        let rotated = App::new("id", Secret::new("new")).unwrap().old_secret(Secret::new("hush"));
        assert!(Callback::parse(&query).unwrap().must_be_signed(&rotated, at(TIME)).is_ok());
        for other in [
            query.replace("0907", "0908"),
            query.replace("some-shop", "other-shop"),
            format!("x=1&{query}"),
            format!("{query}&extra=1"),
            query.replace("4712", "4713"),
            query.replace(PUBLISHED_MAC, &PUBLISHED_MAC.to_uppercase()),
            query.replace(PUBLISHED_MAC, ""),
            PUBLISHED.to_owned(),
        ] {
            let error = signed_by(&other).unwrap_err();
            assert_eq!(error.code(), "callback_signature_wrong", "{other}");
        }
    }

    #[test]
    fn state_time_and_shop_are_checked() {
        let good = signed(GOOD);
        assert_eq!(code(&good, "nonce-1", TIME), "ok");
        for (state, expected) in [
            ("nonce-2", "callback_state_wrong"),
            ("", "callback_state_wrong"),
            ("nonce-11", "callback_state_wrong"),
        ] {
            assert_eq!(code(&good, state, TIME), expected);
        }
        let stateless = signed("code=0907a61c&shop=some-shop.myshopify.com&timestamp=1337178173");
        assert_eq!(code(&stateless, "", TIME), "callback_state_wrong");
        for (off, expected) in [
            (90, "ok"),
            (-90, "ok"),
            (91, "callback_not_fresh"),
            (-91, "callback_not_fresh"),
            (9000, "callback_not_fresh"),
        ] {
            assert_eq!(code(&good, "nonce-1", TIME + off), expected, "{off}");
        }
        for time in [
            "",
            "1337178173.5",
            "Infinity",
            "-1",
            "+1337178173",
            "1e9",
            "0x4FB3A3FD",
            "%201337178173",
            "9".repeat(40).as_str(),
        ] {
            let query = signed(&GOOD.replace("1337178173", time));
            assert_eq!(code(&query, "nonce-1", TIME), "callback_malformed", "{time}");
        }
        let codeless = signed(&GOOD.replace("0907a61c", ""));
        assert_eq!(code(&codeless, "nonce-1", TIME), "callback_malformed");
        let timeless = signed(&GOOD.replace("&timestamp=1337178173", ""));
        assert_eq!(code(&timeless, "nonce-1", TIME), "callback_malformed");
        for shop in [
            "-a.myshopify.com",
            "a.b.myshopify.com",
            "https%3A%2F%2Fa.myshopify.com",
            "a.myshopify.com%2Fadmin",
            "a.myshopify.com%0A",
            "a%20.myshopify.com",
            "a.myshopify.com.evil.com",
            "evil.com",
            "",
        ] {
            let query = signed(&GOOD.replace("some-shop.myshopify.com", shop));
            assert_eq!(code(&query, "nonce-1", TIME), "shop_domain_invalid", "{shop}");
        }
        let codeless = signed(&GOOD.replace("code=0907a61c&", ""));
        assert_eq!(code(&codeless, "nonce-1", TIME), "callback_malformed");
    }

    #[test]
    fn values_stay_encoded_and_lists_are_signed_in_either_way() {
        // `=` of base64 is signed as %3D, and a raw one on the way is the same value.
        assert_eq!(code(&signed(GOOD).replace("YWRtaW4%3D", "YWRtaW4="), "nonce-1", TIME), "ok");
        let unencoded = GOOD.replace("%3D", "=");
        let wrong = format!("{GOOD}&hmac={}", hex(&unencoded, "hush"));
        assert_eq!(code(&wrong, "nonce-1", TIME), "callback_signature_wrong");
        let tail = "shop=some-shop.myshopify.com&state=nonce-1&timestamp=1337178173";
        for text in [
            format!("code=1&name=a+b&{tail}"),
            format!("code=1&name=a%20b&{tail}"),
            format!("code=1&ids%5B%5D=1&ids%5B%5D=2&{tail}"),
            format!("code=1&{tail}&zzz=%C3%A9%2B%26"),
        ] {
            assert_eq!(code(&signed(&text), "nonce-1", TIME), "ok", "{text}");
        }
        for (sent, text) in [
            ("ids%5B%5D=1&ids%5B%5D=2", "ids%5B%5D=1%2C2"),
            ("ids[]=1&ids[]=2", "ids%5B%5D=1&ids%5B%5D=2"),
            ("k=1&k=2", "k=1%2C2"),
            ("k=a b", "k=a%20b"),
        ] {
            let mac = hex(&format!("code=1&{text}&{tail}"), "hush");
            assert_eq!(code(&format!("code=1&{sent}&{tail}&hmac={mac}"), "nonce-1", TIME), "ok", "{sent}");
        }
    }

    #[test]
    fn what_is_read_may_be_there_once_and_a_query_is_bounded() {
        for name in READ {
            let query = format!("{}&{name}=x", signed(GOOD));
            assert_eq!(code(&query, "nonce-1", TIME), "callback_malformed", "{name}");
        }
        let long = signed(&format!("{GOOD}&x={}", "x".repeat(8 * 1024)));
        assert_eq!(code(&long, "nonce-1", TIME), "callback_malformed");
        let many = signed(&format!("{GOOD}{}", "&x=1".repeat(64)));
        assert_eq!(code(&many, "nonce-1", TIME), "callback_malformed");
        for odd in ["", "&&&", "=", "%", "hmac", "shop=%ff"] {
            assert_ne!(code(odd, "x", TIME), "ok");
        }
    }

    #[test]
    fn the_merchant_is_sent_to_its_own_shop() {
        let shop = ShopDomain::new("some-shop.myshopify.com").unwrap();
        let redirect = Url::parse("https://app.example/back?x=1").unwrap();
        let state = new_state(&crate::time::SystemEntropy).unwrap();
        let url = |access| {
            authorise_url(&app(), &shop, &["read_products", "write_products"], &redirect, &state, access)
                .unwrap()
        };
        let offline = url(Access::Offline);
        assert_eq!(
            offline.as_str(),
            format!(
                "https://some-shop.myshopify.com/admin/oauth/authorize?client_id=id&scope=read_products%2Cwrite_products&redirect_uri=https%3A%2F%2Fapp.example%2Fback%3Fx%3D1&state={}",
                state.expose()
            )
        );
        assert!(url(Access::Online).as_str().ends_with("&grant_options%5B%5D=per-user"));
        let plain = Url::parse("http://app.example/").unwrap();
        let error = authorise_url(&app(), &shop, &[], &plain, &state, Access::Offline).unwrap_err();
        assert_eq!(error.code(), "redirect_unusable");
    }
}
