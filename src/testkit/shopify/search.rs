//! The filter grammar of `query` arguments.
//!
//! `field:value`, comparators, quotes, `AND` (also implied), `OR`, `NOT` and `-`, brackets. An unknown field is
//! ignored, and told in `extensions.search`.

use std::cmp::Ordering;

use crate::testkit::json::Json;
use crate::time::Timestamp;

pub(super) const PRODUCT_FIELDS: &[&str] = &[
    "id",
    "updated_at",
    "created_at",
    "published_at",
    "status",
    "title",
    "handle",
    "vendor",
    "product_type",
    "tag",
    "gift_card",
    "published_status",
];
pub(super) const VARIANT_FIELDS: &[&str] =
    &["id", "product_id", "product_ids", "updated_at", "sku", "barcode", "product_status", "vendor", "title"];
pub(super) const COLLECTION_FIELDS: &[&str] = &["id", "updated_at", "title", "handle"];
pub(super) const EVENT_FIELDS: &[&str] = &["id", "action", "subject_type", "created_at"];
pub(super) const FILE_FIELDS: &[&str] = &["id", "updated_at", "created_at", "media_type", "status"];
pub(super) const BULK_FIELDS: &[&str] = &["id", "status", "type", "operation_type", "created_at"];
pub(super) const WEBHOOK_FIELDS: &[&str] = &["id", "created_at", "updated_at"];

/// What a field of an object holds, to be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(u64),
    Time(Timestamp),
    Text(String),
    /// A text that is searched for words.
    Words(String),
}

/// A note on a search whose terms were not all understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    path: &'static str,
    query: String,
    warnings: Vec<(String, String)>,
}

impl Note {
    pub(super) fn to_json(&self) -> Json {
        let warnings = self.warnings.iter().map(|(field, message)| {
            Json::object([("field", Json::text(field.clone())), ("message", Json::text(message.clone()))])
        });
        Json::object([
            ("path", Json::Array(vec![Json::text(self.path)])),
            ("query", Json::text(self.query.clone())),
            ("warnings", Json::Array(warnings.collect())),
        ])
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Term {
        field: String,
        comparator: Comparator,
        value: String,
    },
    /// A term that was ignored: it holds for everything.
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    Is,
    Above,
    From,
    Below,
    To,
}

/// A filter that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query(Option<Node>);

impl Query {
    /// Reads a filter; terms with unknown fields are noted.
    pub(super) fn parse(
        path: &'static str,
        text: Option<&str>,
        fields: &[&str],
        notes: &mut Vec<Note>,
    ) -> Self {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Self(None) };
        let mut parser = Parser { tokens: tokens(text), at: 0, fields, warnings: Vec::new(), depth: 0 };
        let node = parser.all();
        if !parser.warnings.is_empty() {
            notes.push(Note { path, query: text.to_owned(), warnings: parser.warnings });
        }
        Self(Some(node))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether an object matches, whose fields `values` gives.
    pub(super) fn matches(&self, values: &dyn Fn(&str) -> Vec<Value>) -> bool {
        self.0.as_ref().is_none_or(|node| node.matches(values))
    }
}

impl Node {
    fn matches(&self, values: &dyn Fn(&str) -> Vec<Value>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(values)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(values)),
            Self::Not(node) => !node.matches(values),
            Self::Ignored => true,
            Self::Term { field, comparator, value } => {
                values(field).iter().any(|found| compare(found, *comparator, value))
            }
        }
    }
}

fn compare(found: &Value, comparator: Comparator, wanted: &str) -> bool {
    let order = match found {
        Value::Number(number) => {
            let wanted = super::value::read_gid(wanted)
                .map_or_else(|| wanted.parse().ok(), |(_, number)| Some(number));
            wanted.map(|wanted: u64| number.cmp(&wanted))
        }
        Value::Time(time) => moment(wanted).map(|wanted| time.unix_millis().cmp(&wanted)),
        Value::Text(text) => {
            let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
            match wanted.strip_suffix('*') {
                Some(start) if text.starts_with(start) => Some(Ordering::Equal),
                _ => Some(text.cmp(&wanted)),
            }
        }
        Value::Words(text) => {
            let (text, wanted) = (text.to_lowercase(), wanted.trim_end_matches('*').to_lowercase());
            text.contains(&wanted).then_some(Ordering::Equal)
        }
    };
    order.is_some_and(|order| match comparator {
        Comparator::Is => order.is_eq(),
        Comparator::Above => order.is_gt(),
        Comparator::From => order.is_ge(),
        Comparator::Below => order.is_lt(),
        Comparator::To => order.is_le(),
    })
}

/// A moment in milliseconds; offsets are ignored, as the filter was seen to do.
fn moment(text: &str) -> Option<i64> {
    let civil = text.trim_end_matches('Z');
    let civil = civil.get(..19).unwrap_or(civil);
    let full = match civil.len() {
        10 => format!("{civil}T00:00:00Z"),
        19 => format!("{}Z", civil.replace(' ', "T")),
        _ => return None,
    };
    full.parse::<Timestamp>().ok().map(Timestamp::unix_millis)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(Option<String>, String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut letters = text.chars().peekable();
    let mut found = Vec::new();
    while let Some(letter) = letters.peek().copied() {
        match letter {
            letter if letter.is_whitespace() => {
                letters.next();
            }
            '(' => {
                letters.next();
                found.push(Token::Open);
            }
            ')' => {
                letters.next();
                found.push(Token::Close);
            }
            '-' => {
                letters.next();
                found.push(Token::Not);
            }
            _ => {
                let mut field = None;
                let mut word = String::new();
                let mut quoted = false;
                while let Some(letter) = letters.peek().copied() {
                    if letter.is_whitespace() || matches!(letter, '(' | ')') {
                        break;
                    }
                    letters.next();
                    match letter {
                        '\\' => word.extend(letters.next()),
                        '\'' | '"' => {
                            quoted = true;
                            while let Some(inner) = letters.next() {
                                match inner {
                                    '\\' => word.extend(letters.next()),
                                    inner if inner == letter => break,
                                    inner => word.push(inner),
                                }
                            }
                        }
                        ':' if field.is_none() && !quoted => field = Some(std::mem::take(&mut word)),
                        letter => word.push(letter),
                    }
                }
                found.push(match (field, word.as_str()) {
                    (None, "AND") if !quoted => Token::And,
                    (None, "OR") if !quoted => Token::Or,
                    (None, "NOT") if !quoted => Token::Not,
                    (field, _) => Token::Term(field, word),
                });
            }
        }
    }
    found
}

/// How deep brackets may go.
const DEPTH: usize = 32;

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    fields: &'a [&'a str],
    warnings: Vec<(String, String)>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// Terms that all must hold; `OR` binds stronger.
    fn all(&mut self) -> Node {
        let mut nodes = Vec::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Close => break,
                Token::And | Token::Or => self.at += 1,
                _ => nodes.push(self.any()),
            }
        }
        Node::All(nodes)
    }

    fn any(&mut self) -> Node {
        let first = self.one();
        let mut nodes = vec![first];
        while self.peek() == Some(&Token::Or) {
            self.at += 1;
            nodes.push(self.one());
        }
        if nodes.len() == 1 { nodes.pop().unwrap_or(Node::Ignored) } else { Node::Any(nodes) }
    }

    fn one(&mut self) -> Node {
        let Some(token) = self.peek().cloned() else { return Node::Ignored };
        self.at += 1;
        match token {
            Token::Not => Node::Not(Box::new(self.one())),
            Token::Open if self.depth < DEPTH => {
                self.depth += 1;
                let inner = self.all();
                self.depth -= 1;
                if self.peek() == Some(&Token::Close) {
                    self.at += 1;
                }
                inner
            }
            Token::Term(field, value) => self.term(field, value),
            Token::Open | Token::Close | Token::And | Token::Or => Node::Ignored,
        }
    }

    fn term(&mut self, field: Option<String>, value: String) -> Node {
        let Some(field) = field else {
            return Node::Term { field: "default".to_owned(), comparator: Comparator::Is, value };
        };
        if !self.fields.contains(&field.as_str()) {
            self.warnings.push((field, "Invalid search field for this query.".to_owned()));
            return Node::Ignored;
        }
        let comparators = [
            (">=", Comparator::From),
            ("<=", Comparator::To),
            (">", Comparator::Above),
            ("<", Comparator::Below),
        ];
        let found =
            comparators.iter().find_map(|(sign, comparator)| Some((value.strip_prefix(sign)?, *comparator)));
        let (value, comparator) = found.unwrap_or((value.as_str(), Comparator::Is));
        if value.is_empty() {
            self.warnings.push((field, "Input `` is not an accepted value.".to_owned()));
            return Node::Ignored;
        }
        let values: Vec<&str> = if comparator == Comparator::Is && field == "id" {
            value.split(',').collect()
        } else {
            vec![value]
        };
        let terms = values
            .into_iter()
            .map(|value| Node::Term { field: field.clone(), comparator, value: value.to_owned() })
            .collect();
        Node::Any(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, status: &str, id: u64) -> bool {
        let mut notes = Vec::new();
        let query = Query::parse("products", Some(text), PRODUCT_FIELDS, &mut notes);
        query.matches(&|field| match field {
            "status" => vec![Value::Text(status.to_owned())],
            "id" => vec![Value::Number(id)],
            "updated_at" => vec![Value::Time("2026-11-22T10:00:00Z".parse().unwrap())],
            _ => vec![Value::Words("Blue Jeans".to_owned())],
        })
    }

    #[test]
    fn terms_are_joined_as_the_platform_does() {
        assert!(matches("status:active id:>=5", "ACTIVE", 5));
        assert!(!matches("status:active id:>5", "ACTIVE", 5));
        assert!(matches("status:draft OR status:active AND id:5", "ACTIVE", 5));
        assert!(!matches("status:draft OR status:active AND id:6", "ACTIVE", 5));
        assert!(matches("NOT status:draft", "ACTIVE", 5));
        assert!(matches("-status:draft", "ACTIVE", 5));
        assert!(matches("updated_at:>='2026-11-22T10:00:00Z' jeans", "ACTIVE", 5));
        assert!(!matches("updated_at:>'2026-11-22T10:00:00Z'", "ACTIVE", 5));
        assert!(!matches("(status:draft OR id:7)", "ACTIVE", 5));
    }

    #[test]
    fn an_unknown_field_is_ignored_and_told() {
        let mut notes = Vec::new();
        let query = Query::parse("products", Some("name:blue status:active"), PRODUCT_FIELDS, &mut notes);
        assert!(query.matches(&|_| vec![Value::Text("active".to_owned())]));
        assert_eq!(notes[0].warnings[0].0, "name");
    }
}
