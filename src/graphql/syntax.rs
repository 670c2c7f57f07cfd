//! The part of the query language that our own documents use, read for their cost.

/// The longest document.
const MAX_BYTES: usize = 64 * 1024;
/// The deepest nesting of selections and values.
const MAX_DEPTH: usize = 32;
/// The most selections, fragments put in their places.
const MAX_SELECTIONS: usize = 8 * 1024;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
}

/// The one operation of a document, with its fragments in their places.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) name: Option<String>,
    /// The variables that sizes and conditions name.
    pub(super) variables: Vec<Variable>,
    pub(super) selections: Vec<Selection>,
}

#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) default: Option<Plain>,
}

/// A value that matters for the cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// A number, or the length of a list.
    Number(i64),
    Truth(bool),
}

/// A literal, or the place of a variable in the operation's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Is(Plain),
    Variable(usize),
}

#[derive(Debug, Clone)]
pub(super) enum Selection {
    Field(Field),
    Group(Group),
    /// A fragment by its name, until it is put in its place.
    Spread {
        name: String,
        conditions: Vec<Condition>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) size: Size,
    pub(super) conditions: Vec<Condition>,
    pub(super) selections: Vec<Selection>,
}

/// A fragment in its place.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The type that it is for.
    pub(super) on: Option<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) selections: Vec<Selection>,
}

/// How many there may be of what a field gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Size {
    One,
    /// `first` or `last`; where both are named, one of them is null.
    Page(Vec<Term>),
    /// `ids`: one for each.
    Ids(Term),
}

/// `@include` or `@skip`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) term: Term,
    pub(super) included_if: bool,
}

/// Why a document cannot be read: what was expected, and on which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) expected: &'static str,
    pub(super) line: usize,
}

/// Reads a document with one operation.
pub(super) fn parse(text: &str) -> Result<Operation, Fault> {
    let mut parser = Parser { text, at: 0, depth: 0, variables: Vec::new() };
    if text.len() > MAX_BYTES {
        return parser.fail("a document of at most 64 KiB");
    }
    let (mut operation, mut declared, mut fragments) = (None, Vec::new(), Vec::new());
    loop {
        match parser.next()? {
            Token::End => break,
            Token::Name("fragment") => fragments.push(parser.fragment()?),
            token => {
                if operation.is_some() {
                    return parser.fail("one operation");
                }
                operation = Some(parser.operation(token, &mut declared)?);
            }
        }
    }
    let Some((kind, name, selections)) = operation else {
        return parser.fail("an operation");
    };
    let mut left = MAX_SELECTIONS;
    let Some(selections) = expand(&selections, &fragments, 0, &mut left) else {
        return parser.fail("fragments that are there, do not name themselves, and are not too many");
    };
    let variables = parser
        .variables
        .into_iter()
        .map(|name| {
            let default = declared.iter().find(|(other, _)| *other == name).and_then(|(_, value)| *value);
            Variable { name, default }
        })
        .collect();
    Ok(Operation { kind, name, variables, selections })
}

/// Puts fragments in their places.
fn expand(
    from: &[Selection],
    fragments: &[(String, Group)],
    depth: usize,
    left: &mut usize,
) -> Option<Vec<Selection>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut expanded = Vec::with_capacity(from.len());
    for selection in from {
        *left = left.checked_sub(1)?;
        expanded.push(match selection {
            Selection::Field(field) => Selection::Field(Field {
                selections: expand(&field.selections, fragments, depth + 1, left)?,
                ..field.clone()
            }),
            Selection::Group(group) => Selection::Group(Group {
                selections: expand(&group.selections, fragments, depth + 1, left)?,
                ..group.clone()
            }),
            Selection::Spread { name, conditions } => {
                let (_, group) = fragments.iter().find(|(other, _)| other == name)?;
                Selection::Group(Group {
                    on: group.on.clone(),
                    conditions: conditions.clone(),
                    selections: expand(&group.selections, fragments, depth + 1, left)?,
                })
            }
        });
    }
    Some(expanded)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Whole(i64),
    /// A text, or a number that is not whole: neither matters.
    Other,
    Mark(u8),
    Spread,
    End,
}

/// A value of an argument, as far as it matters.
enum Value<'a> {
    Variable(&'a str),
    Plain(Plain),
    Other,
}

/// What a field's arguments or a directive's say of its cost.
#[derive(Default)]
struct Arguments {
    pages: Vec<Term>,
    ids: Option<Term>,
    condition: Option<Term>,
}

type Read = (Kind, Option<String>, Vec<Selection>);

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    variables: Vec<String>,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, expected: &'static str) -> Result<T, Fault> {
        let read = self.text.as_bytes().get(..self.at).unwrap_or_default();
        Err(Fault { expected, line: 1 + read.iter().filter(|byte| **byte == b'\n').count() })
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Passes over so many bytes at most as fit, and gives them.
    fn while_fits(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest().iter().take_while(|byte| fits(**byte)).count();
        let taken = self.text.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        taken
    }

    fn next(&mut self) -> Result<Token<'a>, Fault> {
        loop {
            self.while_fits(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b','));
            if self.rest().starts_with(b"#") {
                self.while_fits(|byte| byte != b'\n');
            } else if self.rest().starts_with("\u{feff}".as_bytes()) {
                self.at += 3;
            } else {
                break;
            }
        }
        let Some(first) = self.rest().first().copied() else {
            return Ok(Token::End);
        };
        Ok(match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                Token::Name(self.while_fits(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            b'-' | b'0'..=b'9' => {
                let number =
                    self.while_fits(|byte| matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'e' | b'E'));
                number.parse().map_or(Token::Other, Token::Whole)
            }
            b'"' => {
                self.string()?;
                Token::Other
            }
            b'.' if self.rest().starts_with(b"...") => {
                self.at += 3;
                Token::Spread
            }
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                self.at += 1;
                Token::Mark(first)
            }
            _ => return self.fail("a name, a value or a mark"),
        })
    }

    /// Passes over a text, or over a block of text.
    fn string(&mut self) -> Result<(), Fault> {
        let block: &[u8] = b"\"\"\"";
        let is_block = self.rest().starts_with(block);
        self.at += if is_block { 3 } else { 1 };
        loop {
            let rest = self.rest();
            match rest.first() {
                None => return self.fail("the end of a text"),
                Some(b'\\') if is_block => self.at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 },
                Some(b'\\') => self.at += 2,
                Some(b'"') if !is_block => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'"') if rest.starts_with(block) => {
                    self.at += 3;
                    return Ok(());
                }
                Some(b'\n') if !is_block => return self.fail("the end of a text"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn peek(&mut self) -> Result<Token<'a>, Fault> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    fn takes(&mut self, token: Token<'_>) -> Result<bool, Fault> {
        let at = self.at;
        let is_it = self.next()? == token;
        if !is_it {
            self.at = at;
        }
        Ok(is_it)
    }

    fn mark(&mut self, mark: u8, expected: &'static str) -> Result<(), Fault> {
        if self.takes(Token::Mark(mark))? { Ok(()) } else { self.fail(expected) }
    }

    fn name(&mut self, expected: &'static str) -> Result<&'a str, Fault> {
        match self.next()? {
            Token::Name(name) => Ok(name),
            _ => self.fail(expected),
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fail("a nesting of at most 32") } else { Ok(()) }
    }

    fn operation(
        &mut self,
        begun_by: Token<'a>,
        declared: &mut Vec<(String, Option<Plain>)>,
    ) -> Result<Read, Fault> {
        let kind = match begun_by {
            Token::Mark(b'{') => return Ok((Kind::Query, None, self.selections()?)),
            Token::Name("query") => Kind::Query,
            Token::Name("mutation") => Kind::Mutation,
            _ => return self.fail("a query, a mutation or a fragment"),
        };
        let name = match self.peek()? {
            Token::Name(_) => Some(self.name("a name")?.to_owned()),
            _ => None,
        };
        if self.takes(Token::Mark(b'('))? {
            while !self.takes(Token::Mark(b')'))? {
                self.mark(b'$', "a variable")?;
                let name = self.name("a variable's name")?.to_owned();
                self.mark(b':', "a variable's type")?;
                self.kind_of_variable()?;
                let default = if self.takes(Token::Mark(b'='))? { self.plain()? } else { None };
                self.directives()?;
                declared.push((name, default));
            }
        }
        self.directives()?;
        self.mark(b'{', "selections")?;
        Ok((kind, name, self.selections()?))
    }

    fn kind_of_variable(&mut self) -> Result<(), Fault> {
        self.deeper()?;
        if self.takes(Token::Mark(b'['))? {
            self.kind_of_variable()?;
            self.mark(b']', "the end of a list's type")?;
        } else {
            self.name("a type")?;
        }
        self.takes(Token::Mark(b'!'))?;
        self.depth -= 1;
        Ok(())
    }

    fn plain(&mut self) -> Result<Option<Plain>, Fault> {
        Ok(match self.value()? {
            Value::Plain(plain) => Some(plain),
            Value::Variable(_) | Value::Other => None,
        })
    }

    fn fragment(&mut self) -> Result<(String, Group), Fault> {
        let name = self.name("a fragment's name")?.to_owned();
        if self.name("`on`")? != "on" {
            return self.fail("`on`");
        }
        let on = Some(self.name("a type")?.to_owned());
        self.directives()?;
        self.mark(b'{', "selections")?;
        Ok((name, Group { on, conditions: Vec::new(), selections: self.selections()? }))
    }

    /// The selections up to their closing brace; the opening one has been read.
    fn selections(&mut self) -> Result<Vec<Selection>, Fault> {
        self.deeper()?;
        let mut selections = Vec::new();
        loop {
            selections.push(match self.next()? {
                Token::Mark(b'}') if !selections.is_empty() => break,
                Token::Spread => self.spread()?,
                Token::Name(name) => self.field(name)?,
                _ => return self.fail("a field or a fragment"),
            });
        }
        self.depth -= 1;
        Ok(selections)
    }

    fn spread(&mut self) -> Result<Selection, Fault> {
        let on = match self.peek()? {
            Token::Name("on") => {
                self.name("`on`")?;
                Some(self.name("a type")?.to_owned())
            }
            Token::Name(_) => {
                let name = self.name("a fragment's name")?.to_owned();
                return Ok(Selection::Spread { name, conditions: self.directives()? });
            }
            _ => None,
        };
        let conditions = self.directives()?;
        self.mark(b'{', "selections")?;
        Ok(Selection::Group(Group { on, conditions, selections: self.selections()? }))
    }

    fn field(&mut self, name: &'a str) -> Result<Selection, Fault> {
        // What stands before a colon is the field's name in the answer.
        let name = if self.takes(Token::Mark(b':'))? { self.name("a field's name")? } else { name };
        let arguments = self.arguments()?;
        let size = match (arguments.pages.is_empty(), arguments.ids) {
            (false, _) => Size::Page(arguments.pages),
            (true, Some(ids)) => Size::Ids(ids),
            (true, None) => Size::One,
        };
        let conditions = self.directives()?;
        let selections = if self.takes(Token::Mark(b'{'))? { self.selections()? } else { Vec::new() };
        Ok(Selection::Field(Field { name: name.to_owned(), size, conditions, selections }))
    }

    fn directives(&mut self) -> Result<Vec<Condition>, Fault> {
        let mut conditions = Vec::new();
        while self.takes(Token::Mark(b'@'))? {
            let name = self.name("a directive's name")?;
            if let (Some(term), "include" | "skip") = (self.arguments()?.condition, name) {
                conditions.push(Condition { term, included_if: name == "include" });
            }
        }
        Ok(conditions)
    }

    fn arguments(&mut self) -> Result<Arguments, Fault> {
        let mut arguments = Arguments::default();
        if !self.takes(Token::Mark(b'('))? {
            return Ok(arguments);
        }
        while !self.takes(Token::Mark(b')'))? {
            let name = self.name("an argument's name")?;
            self.mark(b':', "an argument's value")?;
            let value = self.value()?;
            if !matches!(name, "first" | "last" | "ids" | "if") {
                continue;
            }
            let term = match value {
                Value::Variable(name) => Term::Variable(self.variable(name)),
                Value::Plain(plain) => Term::Is(plain),
                Value::Other => continue,
            };
            match name {
                "ids" => arguments.ids = Some(term),
                "if" => arguments.condition = Some(term),
                _ => arguments.pages.push(term),
            }
        }
        Ok(arguments)
    }

    fn variable(&mut self, name: &str) -> usize {
        self.variables.iter().position(|other| other == name).unwrap_or_else(|| {
            self.variables.push(name.to_owned());
            self.variables.len() - 1
        })
    }

    fn value(&mut self) -> Result<Value<'a>, Fault> {
        self.deeper()?;
        let value = match self.next()? {
            Token::Mark(b'$') => Value::Variable(self.name("a variable's name")?),
            Token::Whole(number) => Value::Plain(Plain::Number(number)),
            Token::Name("true") => Value::Plain(Plain::Truth(true)),
            Token::Name("false") => Value::Plain(Plain::Truth(false)),
            Token::Name(_) | Token::Other => Value::Other,
            Token::Mark(b'[') => {
                let mut length = 0;
                while !self.takes(Token::Mark(b']'))? {
                    self.value()?;
                    length += 1;
                }
                Value::Plain(Plain::Number(length))
            }
            Token::Mark(b'{') => {
                while !self.takes(Token::Mark(b'}'))? {
                    self.name("a field's name")?;
                    self.mark(b':', "a field's value")?;
                    self.value()?;
                }
                Value::Other
            }
            Token::Mark(_) | Token::Spread | Token::End => return self.fail("a value"),
        };
        self.depth -= 1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> Fault {
        parse(text).unwrap_err()
    }

    #[test]
    fn an_operation_is_read_with_what_its_cost_depends_on() {
        let operation = parse(
            r#"
            # The page of a list.
            query Page($first: Int! = 50, $after: String, $ids: [ID!]! = ["a", "b"], $deep: Boolean = false) @x(a: 1) {
                list: items(first: $first, after: $after, query: "a \" } b", by: {kind: [A, B], n: -1.5e3}) {
                    nodes { id ...Part @include(if: $deep) ... on Thing @skip(if: true) { size } }
                }
                nodes(ids: $ids) { id } text(block: """ "quoted" \""" } """)
            }
            fragment Part on Item { name }
            "#,
        )
        .unwrap();
        assert_eq!((operation.kind, operation.name.as_deref()), (Kind::Query, Some("Page")));
        let variables: Vec<_> =
            operation.variables.iter().map(|variable| (variable.name.as_str(), variable.default)).collect();
        assert_eq!(
            variables,
            [
                ("first", Some(Plain::Number(50))),
                ("deep", Some(Plain::Truth(false))),
                ("ids", Some(Plain::Number(2)))
            ]
        );
        let Selection::Field(list) = &operation.selections[0] else { panic!("a field") };
        assert_eq!((list.name.as_str(), list.size.clone()), ("items", Size::Page(vec![Term::Variable(0)])));
        let Selection::Field(nodes) = &list.selections[0] else { panic!("a field") };
        let Selection::Group(part) = &nodes.selections[1] else { panic!("the fragment in its place") };
        assert_eq!((part.on.as_deref(), part.selections.len(), part.conditions.len()), (Some("Item"), 1, 1));
        assert_eq!(operation.selections.len(), 3);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        assert_eq!(fails("{ a }\n{ b }").line, 2);
        for text in [
            "",
            "fragment F on T { a }",
            "{}",
            "{ a",
            "{ a(",
            "{ a(b: ",
            "{ a(b: }",
            "{ ...F }",
            "query",
            "query (",
            "{ a(b: \"x) }",
            "{ a(b: \"\"\"x\"\") }",
            "\\",
            "{ é }",
            "subscription { a }",
            "{ a @ }",
            "{ a(b: \"x\\",
            "{ ...F } fragment F on T { ...F }",
            "query($a Int) { b }",
            "{ a: }",
            "{ .. }",
        ] {
            let fault = fails(text);
            assert!(!fault.expected.is_empty(), "{text}");
        }
    }

    #[test]
    fn depth_size_and_fragments_of_fragments_are_bounded() {
        fails(&("{ a ".repeat(40) + &"}".repeat(40)));
        fails(&format!("{{ a(b: {}1{}) }}", "[".repeat(40), "]".repeat(40)));
        fails(&format!("query(${}: {}I{}) {{ a }}", "v", "[".repeat(40), "]".repeat(40)));
        fails(&format!("{{ {} }}", "a ".repeat(40_000)));
        let mut doubling = "{ ...F0 } ".to_owned();
        for n in 0..30 {
            doubling += &format!("fragment F{n} on T {{ ...F{0} ...F{0} }} ", n + 1);
        }
        fails(&(doubling + "fragment F30 on T { a }"));
    }

    #[test]
    fn no_cut_or_changed_document_makes_the_reader_panic() {
        let text = "query Q($n: Int = 5) { a: list(first: $n, x: {y: [\"z\", 1.5]}) @include(if: true) \
                    { nodes { ...F ... on T { é: b } } } } fragment F on T { c(d: \"\"\"e\"\"\") }";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            drop(parse(&text[..end]));
            for mark in ["{", "\"", "(", "é", "\\", "..."] {
                drop(parse(&format!("{}{mark}{}", &text[..end], &text[end..])));
            }
        }
    }
}
