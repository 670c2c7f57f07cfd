//! Settings out of an environment, platform by platform.

use std::collections::HashMap;

use super::*;
use crate::error::ErrorKind;

const SECRET: &str = "cs_planted_5e1f";

fn config(pairs: &[(&str, &str)]) -> Result<ConnectorConfig> {
    let map: HashMap<String, OsString> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    ConnectorConfig::from_lookup(&|name| map.get(name).cloned())
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let error = config(pairs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    error.to_string()
}

#[test]
fn a_missing_or_unknown_platform_says_what_to_set() {
    assert!(refused(&[]).contains("LILY_CONNECTOR"));
    let unknown = refused(&[("LILY_CONNECTOR", SECRET)]);
    assert!(unknown.contains("[connector_unknown]") && unknown.contains("woocommerce"), "{unknown}");
    let unknown = refused(&[("LILY_CONNECTOR", "WooCommerce")]);
    assert!(unknown.contains("given=WooCommerce"), "{unknown}");
}

#[cfg(feature = "vault")]
#[test]
fn the_keys_of_a_vault_are_read_and_never_quoted() {
    let given = |value: &'static str| {
        vault_keys_from_lookup(&|name| (name == "LILY_VAULT_KEYS").then(|| value.into()))
    };
    assert!(vault_keys_from_lookup(&|_| None).unwrap().is_none());
    assert!(given("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().is_some());
    let error = given("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg").unwrap_err();
    assert!(error.to_string().contains("LILY_VAULT_KEYS") && !format!("{error:?}").contains("AAEC"));
}

#[cfg(not(feature = "woocommerce"))]
#[test]
fn a_platform_that_is_not_built_in_names_its_feature() {
    let text = refused(&[("LILY_CONNECTOR", "woocommerce")]);
    assert!(text.contains("feature woocommerce"), "{text}");
}

#[cfg(feature = "ga4")]
mod ga4 {
    use super::*;

    const USER: &str =
        r#"{"type":"authorized_user","client_id":"c","client_secret":"planted","refresh_token":"planted"}"#;

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let property = [("LILY_CONNECTOR", "ga4"), ("GA4_PROPERTY", "123")];
        property.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_property_is_read_by_a_file_of_ours_or_by_googles_own_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        std::fs::write(&path, USER).unwrap();
        let path = path.to_str().unwrap();
        for name in ["GA4_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"] {
            let read = config(&with(&[(name, path)])).unwrap();
            let ConnectorConfig::Ga4(property) = &read else { panic!("{read:?}") };
            assert_eq!(property.store().account.as_str(), "123");
            assert!(!format!("{read:?}").contains("planted"), "{read:?}");
        }
        let none = refused(&with(&[]));
        assert!(none.contains("GA4_CREDENTIALS_FILE") && none.contains("GOOGLE_APPLICATION"), "{none}");
        assert!(refused(&with(&[("GOOGLE_APPLICATION_CREDENTIALS", "no/such")])).contains("no/such"));
    }

    #[test]
    fn a_login_of_gclouds_is_found_where_gcloud_keeps_it_and_nothing_else_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let keep = |below: &str| {
            let folder = folder.path().join(below);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("application_default_credentials.json"), USER).unwrap();
        };
        let at = |below: &str| folder.path().join(below).to_str().unwrap().to_owned();
        let (home, own, data) = (at("home"), at("own"), at("data"));
        for (name, root, below) in [
            ("HOME", &home, "home/.config/gcloud"),
            ("CLOUDSDK_CONFIG", &own, "own"),
            ("APPDATA", &data, "data/gcloud"),
        ] {
            assert!(refused(&with(&[(name, root)])).contains("GA4_CREDENTIALS_FILE"));
            keep(below);
            assert!(matches!(config(&with(&[(name, root)])), Ok(ConnectorConfig::Ga4(_))), "{name}");
        }
        let other = [("GOOGLE_APPLICATION_CREDENTIALS", "no/such"), ("HOME", home.as_str())];
        assert!(refused(&with(&other)).contains("no/such"));
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        let file = ("GA4_CREDENTIALS", USER);
        for (more, named) in [
            (("GA4_MEASUREMENT_ID", "G-1"), "GA4_API_SECRET"),
            (("GA4_API_SECRET", SECRET), "GA4_MEASUREMENT_ID"),
            (("GA4_ITEM_IDS", "ean"), "GA4_ITEM_IDS"),
            (("GA4_SEARCH_LANDINGS", "yes please"), "GA4_SEARCH_LANDINGS"),
            (("GA4_DATA_URL", "analytics"), "GA4_DATA_URL"),
            (("GA4_TOKEN_URL", "token"), "token endpoint"),
        ] {
            let text = refused(&with(&[file, more]));
            assert!(text.contains(named), "{text}");
        }
        let odd = refused(&[("LILY_CONNECTOR", "ga4"), ("GA4_PROPERTY", "G-ABC"), file]);
        assert!(odd.contains("variable=GA4_PROPERTY"), "{odd}");
        let odd = config(&with(&[("GA4_CREDENTIALS", r#"{"type":"external_account"}"#)])).unwrap_err();
        assert_eq!(odd.kind(), ErrorKind::Unsupported);
        let odd = odd.to_string();
        assert!(odd.contains("external_account") && odd.contains("variable=GA4_CREDENTIALS_FILE"), "{odd}");
        for form in ["sku", "variant_id", "product_id", "shopify_feed"] {
            assert!(config(&with(&[file, ("GA4_ITEM_IDS", form)])).is_ok(), "{form}");
        }
    }
}

#[cfg(feature = "magento")]
mod magento {
    use super::*;

    const STORE: [(&str, &str); 2] =
        [("LILY_CONNECTOR", "magento"), ("MAGENTO_URL", "https://shop.example/eu")];
    const SIGNED: [(&str, &str); 4] = [
        ("MAGENTO_CONSUMER_KEY", "ck_planted_77"),
        ("MAGENTO_CONSUMER_SECRET", SECRET),
        ("MAGENTO_TOKEN", "t_planted_78"),
        ("MAGENTO_TOKEN_SECRET", SECRET),
    ];
    const TOKEN: (&str, &str) = ("MAGENTO_ACCESS_TOKEN", SECRET);

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        STORE.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_store_is_read_by_each_kind_of_credentials_and_shows_no_secret() {
        let cloud = [
            ("MAGENTO_IMS_CLIENT_ID", "client"),
            ("MAGENTO_IMS_CLIENT_SECRET", SECRET),
            ("MAGENTO_IMS_ORG_ID", "org"),
        ];
        for credentials in [&[TOKEN][..], &SIGNED, &cloud] {
            let read = config(&with(credentials)).unwrap();
            let ConnectorConfig::Magento(store) = &read else { panic!("{read:?}") };
            assert_eq!(store.store().account.as_str(), "shop.example/eu");
            for planted in [SECRET, "ck_planted_77", "t_planted_78"] {
                assert!(!format!("{read:?}").contains(planted), "{read:?}");
            }
        }
    }

    #[test]
    fn a_secret_is_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, format!("{SECRET}\n")).unwrap();
        let path = path.to_str().unwrap();
        let mut signed = with(&SIGNED[..3]);
        signed.push(("MAGENTO_TOKEN_SECRET_FILE", path));
        assert!(config(&signed).is_ok());
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        let none = refused(&STORE);
        assert!(none.contains("MAGENTO_ACCESS_TOKEN") && none.contains("MAGENTO_TOKEN_SECRET"), "{none}");
        assert!(refused(&with(&SIGNED[..3])).contains("the variable MAGENTO_TOKEN_SECRET is not set"));
        let both = refused(&with(&[TOKEN, SIGNED[0], SIGNED[1], SIGNED[2], SIGNED[3]]));
        assert!(both.contains("[variables_contradictory]"), "{both}");
        let odd = refused(&with(&[TOKEN, ("MAGENTO_STORE_VIEW", "de/at")]));
        assert!(odd.contains("variable=MAGENTO_STORE_VIEW"), "{odd}");
        let odd = refused(&with(&[TOKEN, ("MAGENTO_CREATE_OPTIONS", "yes")]));
        assert!(odd.contains("MAGENTO_CREATE_OPTIONS must be 1 or 0"), "{odd}");
        let text = refused(&[STORE[0], ("MAGENTO_URL", "shop.example"), TOKEN]);
        assert!(text.contains("MAGENTO_URL"), "{text}");
    }
}

#[cfg(feature = "bigcommerce")]
mod bigcommerce {
    use super::*;

    const STORE: [(&str, &str); 2] =
        [("LILY_CONNECTOR", "bigcommerce"), ("BIGCOMMERCE_STORE_HASH", "abc123")];
    const TOKEN: (&str, &str) = ("BIGCOMMERCE_ACCESS_TOKEN", SECRET);

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        STORE.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_store_is_read_and_shows_no_secret() {
        let read = config(&with(&[TOKEN, ("BIGCOMMERCE_CLIENT_SECRET", SECRET)])).unwrap();
        let ConnectorConfig::BigCommerce(store) = &read else { panic!("{read:?}") };
        assert_eq!(store.store().account.as_str(), "abc123");
        assert!(!format!("{read:?}").contains(SECRET), "{read:?}");
    }

    #[test]
    fn each_variable_is_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (hash, token) = (file("hash", "abc123"), file("token", SECRET));
        let (secret, url) = (file("secret", SECRET), file("url", "https://api.example"));
        let all = [
            STORE[0],
            ("BIGCOMMERCE_STORE_HASH_FILE", hash.as_str()),
            ("BIGCOMMERCE_ACCESS_TOKEN_FILE", token.as_str()),
            ("BIGCOMMERCE_CLIENT_SECRET_FILE", secret.as_str()),
            ("BIGCOMMERCE_URL_FILE", url.as_str()),
        ];
        let read = config(&all).unwrap();
        assert!(!format!("{read:?}").contains(SECRET), "{read:?}");
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        assert!(refused(&STORE).contains("BIGCOMMERCE_ACCESS_TOKEN"));
        assert!(refused(&[STORE[0], TOKEN]).contains("BIGCOMMERCE_STORE_HASH"));
        let odd = refused(&[STORE[0], ("BIGCOMMERCE_STORE_HASH", "Not A Hash"), TOKEN]);
        assert!(odd.contains("variable=BIGCOMMERCE_STORE_HASH"), "{odd}");
        assert!(refused(&with(&[TOKEN, ("BIGCOMMERCE_URL", "api.example")])).contains("BIGCOMMERCE_URL"));
        for share in ["half", "0", "1.5", "NaN"] {
            assert!(
                refused(&with(&[TOKEN, ("BIGCOMMERCE_QUOTA_SHARE", share)]))
                    .contains("BIGCOMMERCE_QUOTA_SHARE"),
                "{share}"
            );
        }
        assert!(config(&with(&[TOKEN, ("BIGCOMMERCE_METAFIELDS", "lily,Warehouse Locations")])).is_ok());
        let odd = refused(&with(&[TOKEN, ("BIGCOMMERCE_METAFIELDS", "lily,")]));
        assert!(odd.contains("variable=BIGCOMMERCE_METAFIELDS"), "{odd}");
        let odd = refused(&with(&[TOKEN, ("BIGCOMMERCE_WRITE_SLUGS", "yes")]));
        assert!(odd.contains("BIGCOMMERCE_WRITE_SLUGS must be 1 or 0"), "{odd}");
    }
}

#[cfg(feature = "shopify")]
mod shopify {
    use super::*;

    const SHOP: [(&str, &str); 2] =
        [("LILY_CONNECTOR", "shopify"), ("SHOPIFY_SHOP", "some-shop.myshopify.com")];
    const TOKEN: (&str, &str) = ("SHOPIFY_ACCESS_TOKEN", SECRET);
    const APP: [(&str, &str); 2] = [("SHOPIFY_CLIENT_ID", "an-app"), ("SHOPIFY_CLIENT_SECRET", SECRET)];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        SHOP.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_store_is_read_by_token_or_by_app_and_shows_no_secret() {
        for credentials in [&[TOKEN][..], &APP] {
            let read = config(&with(credentials)).unwrap();
            let ConnectorConfig::Shopify(store) = &read else { panic!("{read:?}") };
            assert_eq!(store.store().account.as_str(), "some-shop.myshopify.com");
            assert!(!format!("{read:?}").contains(SECRET), "{read:?}");
        }
    }

    #[test]
    fn a_secret_is_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, format!("{SECRET}\n")).unwrap();
        let path = path.to_str().unwrap();
        assert!(config(&with(&[("SHOPIFY_ACCESS_TOKEN_FILE", path)])).is_ok());
        assert!(config(&with(&[APP[0], ("SHOPIFY_CLIENT_SECRET_FILE", path)])).is_ok());
        let twice = with(&[APP[0], APP[1], ("SHOPIFY_CLIENT_SECRET_FILE", path)]);
        assert!(refused(&twice).contains("SHOPIFY_CLIENT_SECRET_FILE"));
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        let shopless = [("LILY_CONNECTOR", "shopify"), TOKEN];
        assert!(refused(&shopless).contains("SHOPIFY_SHOP"));
        let none = refused(&SHOP);
        assert!(none.contains("SHOPIFY_ACCESS_TOKEN") && none.contains("SHOPIFY_CLIENT_ID"), "{none}");
        assert!(refused(&with(&APP[..1])).contains("the variable SHOPIFY_CLIENT_SECRET is not set"));
        assert!(refused(&with(&APP[1..])).contains("the variable SHOPIFY_CLIENT_ID is not set"));
        let both = refused(&with(&[TOKEN, APP[0], APP[1]]));
        assert!(both.contains("[variables_contradictory]") && both.contains("SHOPIFY_CLIENT_ID"), "{both}");
        let part = refused(&with(&[TOKEN, APP[1]]));
        assert!(part.contains("[variables_contradictory]"), "{part}");
        let odd = refused(&with(&[("SHOPIFY_CLIENT_ID", "an app"), APP[1]]));
        assert!(odd.contains("variable=SHOPIFY_CLIENT_ID"), "{odd}");
        for share in ["half", "0", "1.5", "NaN"] {
            assert!(
                refused(&with(&[TOKEN, ("SHOPIFY_BUDGET_SHARE", share)])).contains("SHOPIFY_BUDGET_SHARE"),
                "{share}"
            );
        }
        let odd = refused(&with(&[TOKEN, ("SHOPIFY_WRITE_SLUGS", "yes")]));
        assert!(odd.contains("SHOPIFY_WRITE_SLUGS must be 1 or 0"), "{odd}");
        let mut odd = with(&[TOKEN, ("SHOPIFY_URL", "shop.example")]);
        let text = refused(&odd);
        assert!(text.contains("SHOPIFY_URL"), "{text}");
        odd = vec![SHOP[0], ("SHOPIFY_SHOP", "shop.example"), TOKEN];
        let text = refused(&odd);
        assert!(text.contains("variable=SHOPIFY_SHOP"), "{text}");
    }
}

#[cfg(feature = "woocommerce")]
mod woocommerce {
    use super::*;

    const STORE: [(&str, &str); 3] = [
        ("LILY_CONNECTOR", "woocommerce"),
        ("WOOCOMMERCE_URL", "https://shop.example/eu"),
        ("WOOCOMMERCE_KEY", "ck_planted_77"),
    ];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        STORE.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_store_is_read_and_shows_no_secret() {
        let all = with(&[("WOOCOMMERCE_SECRET", SECRET)]);
        let read = config(&all).unwrap();
        let ConnectorConfig::WooCommerce(store) = &read else { panic!("{read:?}") };
        assert_eq!(store.store().account.as_str(), "shop.example/eu");
        assert!(!format!("{read:?}").contains(SECRET), "{read:?}");
    }

    #[test]
    fn what_may_be_written_is_switched_on_by_1_alone() {
        for name in ["WOOCOMMERCE_WRITE_SLUGS", "WOOCOMMERCE_WRITE_IDENTIFIERS"] {
            let read = |value: &'static str| with(&[("WOOCOMMERCE_SECRET", SECRET), (name, value)]);
            let shown = |value| format!("{:?}", config(&read(value)).unwrap());
            assert_ne!(shown("1"), shown("0"), "{name}");
            let odd = refused(&read("yes"));
            assert!(odd.contains(&format!("{name} must be 1 or 0")), "{odd}");
        }
    }

    #[test]
    fn a_value_is_read_from_a_file_and_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, format!(" {SECRET}\r\n")).unwrap();
        let path = path.to_str().unwrap();
        assert!(config(&with(&[("WOOCOMMERCE_SECRET_FILE", path)])).is_ok());

        let twice = with(&[("WOOCOMMERCE_SECRET", SECRET), ("WOOCOMMERCE_SECRET_FILE", path)]);
        assert!(refused(&twice).contains("WOOCOMMERCE_SECRET_FILE"));
        let missing = with(&[("WOOCOMMERCE_SECRET_FILE", "no/such/file")]);
        assert!(refused(&missing).contains("[variable_file_unreadable]"));
        std::fs::write(path, " \n").unwrap();
        let empty = with(&[("WOOCOMMERCE_SECRET_FILE", path)]);
        let text = refused(&empty);
        assert!(text.contains("[variable_empty]") && text.contains(path), "{text}");
        assert!(text.contains("WOOCOMMERCE_SECRET_FILE"), "{text}");
    }

    #[cfg(feature = "overrides")]
    #[test]
    fn overrides_of_the_map_are_read_from_a_file_and_their_errors_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mapping.toml");
        let path = file.to_str().unwrap();
        let all = with(&[("WOOCOMMERCE_SECRET", SECRET), ("LILY_MAPPING_FILE", path)]);
        std::fs::write(&file, "[[product]]\nfield = \"gtin\"\nfrom = \"/ean\"\n").unwrap();
        let read = config(&all).unwrap();
        let ConnectorConfig::WooCommerce(store) = &read else { panic!("{read:?}") };
        assert!(!store.mapping().is_empty());
        // What the text alone shows, what the connector's map shows, and what is no TOML.
        for (text, line) in [
            ("\n[[product]]\nfield = \"ean\"\n", "line=3"),
            ("[[product]]\nfield = \"gtin\"\nfrom = \"/name\"\n", "line=3"),
            ("\n\n\n[[product]\n", "line=4"),
        ] {
            std::fs::write(&file, text).unwrap();
            let shown = refused(&all);
            assert!(shown.contains(path) && shown.contains(line), "{shown}");
            assert!(shown.contains("LILY_MAPPING_FILE"), "{shown}");
        }
        std::fs::write(&file, [0xff]).unwrap();
        assert!(refused(&all).contains("no UTF-8"));
        let missing = with(&[("WOOCOMMERCE_SECRET", SECRET), ("LILY_MAPPING_FILE", "no/such/file")]);
        assert!(refused(&missing).contains("LILY_MAPPING_FILE"));
    }

    #[cfg(not(feature = "overrides"))]
    #[test]
    fn a_build_without_overrides_does_not_pass_over_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mapping.toml");
        std::fs::write(&file, "").unwrap();
        let all = with(&[("WOOCOMMERCE_SECRET", SECRET), ("LILY_MAPPING_FILE", file.to_str().unwrap())]);
        let error = config(&all).unwrap_err();
        assert!(error.to_string().contains("enable the feature overrides"), "{error}");
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        assert!(refused(&STORE).contains("WOOCOMMERCE_SECRET"));
        let odd = with(&[("WOOCOMMERCE_SECRET", SECRET), ("LILY_ALLOW_PRIVATE_HOSTS", "yes")]);
        assert!(refused(&odd).contains("LILY_ALLOW_PRIVATE_HOSTS must be 1 or 0"));
        let odd = with(&[("WOOCOMMERCE_SECRET", SECRET), ("WOOCOMMERCE_SEO_PLUGIN", "all_in_one")]);
        assert!(refused(&odd).contains("must be yoast or rank_math"));
        let odd = with(&[("WOOCOMMERCE_SECRET", SECRET), ("WOOCOMMERCE_KEY_IN_QUERY", "yes")]);
        assert!(refused(&odd).contains("WOOCOMMERCE_KEY_IN_QUERY must be never"));
        for good in ["never", "when_stripped", "always"] {
            let all = with(&[("WOOCOMMERCE_SECRET", SECRET), ("WOOCOMMERCE_KEY_IN_QUERY", good)]);
            assert!(config(&all).is_ok(), "{good}");
        }
        let mut bare = with(&[("WOOCOMMERCE_SECRET", SECRET)]);
        bare.retain(|(name, _)| *name != "WOOCOMMERCE_URL");
        bare.push(("WOOCOMMERCE_URL", "shop.example"));
        let text = refused(&bare);
        assert!(text.contains("WOOCOMMERCE_URL") && text.contains("https://shop.example"), "{text}");
    }
}

#[test]
fn an_extra_authority_that_is_none_is_refused_by_name() {
    let error = runtime_from_lookup(&|_| Some("no/such/file".into())).unwrap_err();
    assert!(error.to_string().contains("LILY_EXTRA_CA_FILE"), "{error}");
    assert!(runtime_from_lookup(&|_| None).is_ok());
}
