//! What WordPress does to text: on the way in by its filter, on the way out for display.

/// Filters a text of a product on its way into the store: one level of backslashes goes, control
/// characters go, bare ampersands are escaped, and tags outside the list are removed while their inner
/// text stays.
#[must_use]
pub(super) fn filter_html(text: &str) -> String {
    let text = remove_controls(&strip_slashes(text));
    let text = escape_ampersands(&text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['<', '>']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix('>') {
            out.push_str("&gt;");
            rest = after;
        } else if from.starts_with("<!--") {
            let end = from.find("-->").map_or(from.len(), |at| at + 3);
            let (comment, after) = from.split_at(end);
            out.push_str(comment);
            rest = after;
        } else {
            // A bare `<` opens a tag up to the next `>` or the end, whatever stands between.
            let end = from.find('>').map_or(from.len(), |at| at + 1);
            let (tag, after) = from.split_at(end);
            out.push_str(&filter_tag(tag));
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Filters a name: as [`filter_html`], with blanks at both ends removed.
#[must_use]
pub(super) fn filter_name(text: &str) -> String {
    filter_html(text).trim().to_owned()
}

/// Filters a plain field such as an alt text: tags are stripped, a bare `<` is escaped, blanks collapse.
#[must_use]
pub(super) fn clean_field(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let is_tag = from
            .strip_prefix('<')
            .and_then(|from| from.chars().next())
            .is_some_and(|next| next.is_ascii_alphabetic() || next == '/' || next == '!');
        match from.find('>').filter(|_| is_tag) {
            Some(end) => rest = from.get(end + 1..).unwrap_or_default(),
            None => {
                out.push_str("&lt;");
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    // PHP's blanks are those of ASCII: others, such as the one that does not break, stay.
    let parts: Vec<&str> = out.split([' ', '\t', '\r', '\n']).filter(|part| !part.is_empty()).collect();
    remove_controls(&parts.join(" "))
}

/// Removes one level of backslashes.
#[must_use]
pub(super) fn strip_slashes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' { out.extend(characters.next()) } else { out.push(character) }
    }
    out
}

fn remove_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).collect()
}

/// Escapes each `&` that starts no character reference.
#[must_use]
pub(super) fn escape_ampersands(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        out.push_str(if starts_reference(from) { "&" } else { "&amp;" });
        rest = from.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn starts_reference(from: &str) -> bool {
    let Some(name) = from.strip_prefix('&').and_then(|from| from.split_once(';')).map(|(name, _)| name)
    else {
        return false;
    };
    match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()),
            None => (1..=7).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()),
        },
        None => (2..=31).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric()),
    }
}

/// The tags that stay. The real list is longer; these are the ones that product texts use.
const TAGS: [&str; 62] = [
    "a",
    "abbr",
    "article",
    "aside",
    "audio",
    "b",
    "big",
    "blockquote",
    "br",
    "button",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "video",
];

/// The attributes that stay, beside `data-*` and `aria-*`.
const ATTRIBUTES: [&str; 31] = [
    "align", "alt", "border", "cite", "class", "colspan", "controls", "datetime", "dir", "download",
    "height", "href", "id", "lang", "loading", "name", "open", "poster", "preload", "rel", "reversed",
    "role", "rowspan", "scope", "sizes", "src", "srcset", "start", "style", "target", "title",
];

/// The schemes that links keep.
const SCHEMES: [&str; 9] = ["http", "https", "mailto", "tel", "ftp", "sms", "news", "feed", "webcal"];

fn filter_tag(tag: &str) -> String {
    let inner = tag.trim_start_matches('<').trim_end_matches('>').trim();
    let (closing, inner) = match inner.strip_prefix('/') {
        Some(inner) => (true, inner.trim_start()),
        None => (false, inner),
    };
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(inner.len());
    let (name, attributes) = inner.split_at(end);
    if !TAGS.contains(&name.to_ascii_lowercase().as_str()) {
        return String::new();
    }
    if closing {
        return format!("</{name}>");
    }
    let self_closing = attributes.trim_end().ends_with('/');
    let mut out = format!("<{name}");
    for (key, value) in split_attributes(attributes.trim_end().trim_end_matches('/')) {
        let lower = key.to_ascii_lowercase();
        let known = ATTRIBUTES.contains(&lower.as_str())
            || ["data-", "aria-"].iter().any(|prefix| lower.starts_with(prefix));
        if !known {
            continue;
        }
        match value {
            None => out.push_str(&format!(" {key}")),
            Some(value) => {
                let value = if matches!(lower.as_str(), "href" | "src" | "cite" | "poster") {
                    remove_bad_scheme(&value)
                } else {
                    value
                };
                out.push_str(&format!(" {key}=\"{}\"", value.replace('"', "&quot;")));
            }
        }
    }
    out.push_str(if self_closing { " />" } else { ">" });
    out
}

fn split_attributes(text: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let after = after.trim_start();
        match after.strip_prefix('=') {
            None => {
                if !key.is_empty() {
                    found.push((key.to_owned(), None));
                }
                rest = after;
            }
            Some(after) => {
                let after = after.trim_start();
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (value, after) = match quote.and_then(|quote| after.get(1..)?.split_once(quote)) {
                    Some(split) => split,
                    None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
                };
                if !key.is_empty() {
                    found.push((key.to_owned(), Some(value.to_owned())));
                }
                rest = after.trim_start();
            }
        }
    }
    found
}

fn remove_bad_scheme(url: &str) -> String {
    let mut url = url.trim();
    while let Some((scheme, rest)) = url.split_once(':') {
        let scheme = scheme.trim().to_ascii_lowercase();
        let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
        if !is_scheme || SCHEMES.contains(&scheme.as_str()) {
            break;
        }
        url = rest;
    }
    url.to_owned()
}

/// Passes a text through simple versions of the filters that WordPress displays with.
///
/// Only what a connector must notice is carried: short codes run, bare text gets paragraphs, and quotes of
/// a short text turn typographic.
#[must_use]
pub(super) fn display(text: &str, quotes: Quotes) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = run_short_codes(text);
    let text = if quotes == Quotes::Typographic { typographic(&text) } else { text };
    paragraphs(&text)
}

/// Whether quotes turn typographic on display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Kept,
    Typographic,
}

fn run_short_codes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("[gallery") {
        let (before, from) = rest.split_at(at);
        let Some(end) = from.find(']') else { break };
        out.push_str(before);
        // A gallery of no post has no pictures, and shows nothing.
        let is_of_none = from.get(..end).is_some_and(|code| code.contains("id=\"0\""));
        if is_of_none {
            rest = from.get(end + 1..).unwrap_or_default();
            continue;
        }
        out.push_str("<div class='gallery'><figure class='gallery-item'>gallery of the post</figure></div>");
        rest = from.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn typographic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_tag = false;
    let mut before = ' ';
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ => {}
        }
        let opens = before.is_whitespace() || matches!(before, '(' | '>' | '[');
        match (character, in_tag, opens) {
            ('"', false, true) => out.push_str("&#8220;"),
            ('"', false, false) => out.push_str("&#8221;"),
            ('\'', false, true) => out.push_str("&#8216;"),
            ('\'', false, false) => out.push_str("&#8217;"),
            _ => out.push(character),
        }
        before = character;
    }
    out
}

const BLOCKS: [&str; 14] = [
    "<p",
    "<div",
    "<ul",
    "<ol",
    "<table",
    "<h1",
    "<h2",
    "<h3",
    "<h4",
    "<h5",
    "<h6",
    "<blockquote",
    "<pre",
    "<hr",
];

fn paragraphs(text: &str) -> String {
    let mut out = String::new();
    for block in text.replace("\r\n", "\n").split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        if BLOCKS.iter().any(|tag| block.starts_with(tag)) {
            out.push_str(block);
        } else {
            out.push_str(&format!("<p>{}</p>", block.replace('\n', "<br />\n")));
        }
        out.push('\n');
    }
    out
}

/// Makes a slug of a name: lower case, accents removed, words joined by dashes.
#[must_use]
pub(super) fn slug(name: &str) -> String {
    let plain = name.replace("&amp;", "").replace('&', "");
    let mut out = String::new();
    for character in plain.chars().flat_map(char::to_lowercase) {
        match fold(character) {
            Some(folded) => out.push_str(folded),
            None if character.is_ascii_alphanumeric() || character == '_' => out.push(character),
            None if character.is_whitespace() || matches!(character, '-' | '–' | '—' | '/') => {
                out.push('-')
            }
            None if !character.is_ascii() && character.is_alphanumeric() => {
                let mut bytes = [0u8; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("%{byte:02x}"));
                }
            }
            None => {}
        }
    }
    out.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The slug of a name in its own letters, without the percent-encoding that is stored.
#[must_use]
pub(super) fn readable_slug(name: &str) -> String {
    let query = format!("v={}", slug(name));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, v)| v.into_owned()).unwrap_or_default()
}

fn fold(character: char) -> Option<&'static str> {
    Some(match character {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'č' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ē' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ō' => "o",
        'ö' | 'ø' => "oe",
        'ù' | 'ú' | 'û' => "u",
        'ü' => "ue",
        'ß' => "ss",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_less_than_eats_up_to_the_next_greater_than() {
        assert_eq!(filter_html("5 < 6 and 7 > 3"), "5  3");
        assert_eq!(filter_html("5 &lt; 6"), "5 &lt; 6");
    }

    #[test]
    fn one_level_of_backslashes_is_removed() {
        assert_eq!(filter_html(r"C:\new"), "C:new");
        assert_eq!(filter_html(r"C:\\new"), r"C:\new");
    }

    #[test]
    fn ampersands_are_escaped_once() {
        assert_eq!(filter_name(" Salt & Pepper "), "Salt &amp; Pepper");
        assert_eq!(filter_name("Salt &amp; Pepper"), "Salt &amp; Pepper");
        assert_eq!(filter_name("a\u{0}b\u{7}c"), "abc");
    }

    #[test]
    fn tags_outside_the_list_go_and_their_text_stays() {
        assert_eq!(filter_html("<p>a</p><script>alert(1)</script>"), "<p>a</p>alert(1)");
        assert_eq!(filter_html("<style>p{}</style><iframe src=\"x\">in</iframe>"), "p{}in");
        assert_eq!(filter_html("<b onclick=\"x()\" class='k'>t</b>"), "<b class=\"k\">t</b>");
        assert_eq!(filter_html("<a href=\"javascript:alert(1)\">t</a>"), "<a href=\"alert(1)\">t</a>");
        assert_eq!(filter_html("<br/>x<br>"), "<br />x<br>");
    }

    #[test]
    fn alt_texts_lose_tags_and_escape_the_rest() {
        assert_eq!(clean_field("<b>x</b> 5 < 6"), "x 5 &lt; 6");
        assert_eq!(clean_field("html \"q\" & 5"), "html \"q\" & 5");
    }

    #[test]
    fn display_adds_paragraphs_quotes_and_runs_short_codes() {
        assert_eq!(display("one\n\ntwo", Quotes::Kept), "<p>one</p>\n<p>two</p>\n");
        assert_eq!(display("say \"hi\"", Quotes::Typographic), "<p>say &#8220;hi&#8221;</p>\n");
        assert!(display("[gallery ids=\"1\"]", Quotes::Kept).contains("class='gallery'"));
        assert_eq!(display("<p>a</p>", Quotes::Kept), "<p>a</p>\n");
    }

    #[test]
    fn slugs_are_folded() {
        assert_eq!(slug("Crème Brûlée & Co / 2"), "creme-brulee-co-2");
    }
}
