//! HTML that we send is clean by an allow-list.

use crate::error::{Error, ErrorKind, Result};

/// What cleaning made of a piece of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HtmlVerdict {
    /// It may be sent as it is.
    Clean,
    /// It was changed: this may be sent.
    Cleaned(String),
}

/// The most passes: the second one settles what the first one unwrapped, and a third one sees that it did.
#[cfg(feature = "html")]
const MAX_PASSES: usize = 8;

/// Cleans HTML by an allow-list that shop platforms share: no scripts, styles, frames, event handlers or `javascript:` links; a bare `<`
/// becomes `&lt;`. Cleaning twice changes nothing more.
///
/// # Errors
/// `Unsupported` in a build without the feature `html`; `Rejected` where no number of passes settles it.
#[cfg(feature = "html")]
pub fn sanitise_html(html: &str) -> Result<HtmlVerdict> {
    // Left out is what WordPress takes off texts: a tag that the store drops would not read back.
    let mut builder = ammonia::Builder::default();
    builder
        .rm_tags(["bdi", "center", "data", "time", "wbr"])
        .rm_tag_attributes("a", ["hreflang"])
        .url_schemes(["http", "https", "mailto", "tel", "sms", "ftp"].into())
        .link_rel(None)
        .add_generic_attributes(["class"]);
    let mut clean = builder.clean(html).to_string();
    if clean == html {
        return Ok(HtmlVerdict::Clean);
    }
    // A tag that was taken off may have kept others apart that cannot stand in each other: they are read as
    // something else the next time.
    for _ in 1..MAX_PASSES {
        let again = builder.clean(&clean).to_string();
        if again == clean {
            return Ok(HtmlVerdict::Cleaned(clean));
        }
        clean = again;
    }
    Err(Error::new(
        ErrorKind::Rejected,
        "html_unsettled",
        "the HTML is other HTML each time that it is cleaned",
    )
    .with_remedy("send HTML whose tags are closed, and do not stand where they cannot"))
}

/// Refuses: without the feature `html` no HTML is sent.
///
/// # Errors
/// `Unsupported`, always.
#[cfg(not(feature = "html"))]
pub fn sanitise_html(_html: &str) -> Result<HtmlVerdict> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "html_unsupported",
        "this build cannot clean HTML, so it sends none",
    )
    .with_remedy("enable the feature html"))
}

#[cfg(feature = "html")]
#[cfg(test)]
mod tests {
    use super::*;

    fn clean(html: &str) -> String {
        match sanitise_html(html).unwrap() {
            HtmlVerdict::Clean => html.to_owned(),
            HtmlVerdict::Cleaned(clean) => clean,
        }
    }

    #[test]
    fn what_could_run_is_removed_and_a_bare_sign_is_escaped() {
        assert_eq!(clean("<p class=\"lead\">Warm &amp; dry</p>\n"), "<p class=\"lead\">Warm &amp; dry</p>\n");
        assert_eq!(clean("<p onclick=\"x()\">a<script>alert(1)</script></p>"), "<p>a</p>");
        assert_eq!(clean("<a href=\"javascript:x\">a</a>"), "<a>a</a>");
        assert_eq!(clean("5 < 6 and 7 > 3"), "5 &lt; 6 and 7 &gt; 3");
    }

    #[test]
    fn cleaning_is_a_fixed_point() {
        for html in [
            "<b>a",
            "<<b>>",
            "<math><mi><style><img src=x onerror=y>",
            "&nbsp;&eacute;",
            "a\u{0}b",
            "<p>a<object><p>b",
        ] {
            let once = clean(html);
            assert_eq!(clean(&once), once, "{html:?}");
        }
    }
}
