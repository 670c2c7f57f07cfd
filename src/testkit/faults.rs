//! The faults that a test orders from a server: which, on which requests, and how often.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exchange::Request;
use super::random::SeededRandom;
use crate::error::{Error, ErrorKind, Result};

/// The most targets whose bursts a seeded plan remembers; older ones are forgotten all at once.
const BURST_LIMIT: usize = 10_000;

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the request had its effect.
    Before,
    /// After the request had its effect; its real answer is lost.
    After,
}

/// Something that goes wrong between the caller and the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed without an answer, before or after the effect.
    Reset(When),
    /// Nothing is answered for that long, then the connection is closed; the handler never ran.
    Hang(Duration),
    /// The request has its effect, but half of the answer is sent and the connection is cut.
    Truncate,
    /// The request has its effect, but half of the answer's JSON is sent as if it were whole.
    Malformed,
    /// The request has no effect, and is answered by a web page with status 200.
    Html200,
    /// The request is answered by a web page with that status.
    Status {
        /// The status code, such as 502.
        code: u16,
        /// The `Retry-After` header in seconds.
        retry_after: Option<u64>,
        /// Whether the request had its effect.
        when: When,
    },
    /// The request has no effect, and is answered 429.
    TooMany {
        /// The `Retry-After` header in seconds.
        retry_after: Option<u64>,
    },
    /// The request is served, but that much later.
    Delay(Duration),
}

impl Fault {
    /// A status with a web page, before the effect and without `Retry-After`.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, when: When::Before }
    }

    /// A status with a web page, after the effect and without `Retry-After`.
    #[must_use]
    pub fn status_after(code: u16) -> Self {
        Self::Status { code, retry_after: None, when: When::After }
    }
}

type Predicate = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// One order: a fault, the requests that it strikes, and how often.
#[derive(Clone)]
#[must_use = "a rule does nothing until it is pushed to the faults of a server"]
pub struct FaultRule {
    fault: Fault,
    predicate: Option<Predicate>,
    skip: u64,
    times: u64,
}

impl FaultRule {
    /// Strikes the next request, once.
    pub fn new(fault: Fault) -> Self {
        Self { fault, predicate: None, skip: 0, times: 1 }
    }

    /// Strikes only the requests that `predicate` holds for; a second call narrows further.
    pub fn matching(mut self, predicate: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        let first = self.predicate.take();
        self.predicate = Some(Arc::new(move |request| {
            first.as_ref().is_none_or(|first| first(request)) && predicate(request)
        }));
        self
    }

    /// Strikes only requests with that verb, such as `PUT`.
    pub fn on_method(self, method: &str) -> Self {
        let method = method.to_owned();
        self.matching(move |request| request.method.as_str() == method)
    }

    /// Strikes only requests whose path contains that text.
    pub fn on_path(self, part: &str) -> Self {
        let part = part.to_owned();
        self.matching(move |request| request.path.contains(&part))
    }

    /// Lets that many matching requests pass first.
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes that many matching requests, one after the other.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }
}

impl fmt::Debug for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultRule")
            .field("fault", &self.fault)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// A seeded rate of faults, with a text form for the command line of an example.
///
/// The text is a comma list: `rate=0.1,kinds=reset+503+truncate,seed=7,burst=1`.
/// Kinds: `reset`, `reset-after`, `hang`, `truncate`, `malformed`, `html`, `delay`, `429`, and a status of
/// 500, 502, 503 or 504, each also with `-after`. More keys: `methods=GET+PUT` (default: all),
/// `delay_ms` (default 50), `hang_ms` (default 2000) and `retry_after` in seconds (default: none).
/// At most `burst` faults in a row strike the same verb and path, so that a retry makes progress;
/// 0 means no such bound.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSpec {
    per_mille: u64,
    kinds: Vec<Fault>,
    seed: u64,
    burst: u64,
    methods: Vec<String>,
}

impl FromStr for FaultSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut entries = HashMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) =
                part.split_once('=').ok_or_else(|| wrong(format!("expected key=value, got {part:?}")))?;
            if !KEYS.contains(&key) {
                return Err(wrong(format!("unknown key {key:?}, expected one of {}", KEYS.join(", "))));
            }
            if entries.insert(key, value).is_some() {
                return Err(wrong(format!("{key} occurs twice")));
            }
        }
        let number = |key: &'static str, default: Option<u64>| match entries.get(key) {
            Some(value) => value
                .parse::<u64>()
                .map(Some)
                .map_err(|_| wrong(format!("{key} must be a whole number, got {value:?}"))),
            None => Ok(default),
        };
        let rate = entries.get("rate").ok_or_else(|| wrong("rate is missing".to_owned()))?;
        let per_mille = parse_rate(rate)?;
        let retry_after = number("retry_after", None)?;
        let delay = Duration::from_millis(number("delay_ms", Some(50))?.unwrap_or(50).min(60_000));
        let hang = Duration::from_millis(number("hang_ms", Some(2000))?.unwrap_or(2000).min(600_000));
        let kinds = entries
            .get("kinds")
            .ok_or_else(|| wrong("kinds is missing".to_owned()))?
            .split('+')
            .map(|kind| parse_kind(kind, retry_after, delay, hang))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            per_mille,
            kinds,
            seed: number("seed", Some(0))?.unwrap_or(0),
            burst: number("burst", Some(1))?.unwrap_or(1),
            methods: entries
                .get("methods")
                .map(|list| list.split('+').map(str::to_ascii_uppercase).collect())
                .unwrap_or_default(),
        })
    }
}

const KEYS: [&str; 8] = ["rate", "kinds", "seed", "burst", "methods", "delay_ms", "hang_ms", "retry_after"];

fn parse_rate(text: &str) -> Result<u64> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
    let rate = rate.ok_or_else(|| wrong(format!("rate must be 0..=1, got {text:?}")))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate was checked to be 0..=1"
    )]
    Ok((rate * 1000.0).round() as u64)
}

fn parse_kind(kind: &str, retry_after: Option<u64>, delay: Duration, hang: Duration) -> Result<Fault> {
    let (name, when) = match kind.strip_suffix("-after") {
        Some(name) => (name, When::After),
        None => (kind, When::Before),
    };
    Ok(match (name, when) {
        ("reset", when) => Fault::Reset(when),
        ("hang", When::Before) => Fault::Hang(hang),
        ("truncate", When::Before) => Fault::Truncate,
        ("malformed", When::Before) => Fault::Malformed,
        ("html", When::Before) => Fault::Html200,
        ("delay", When::Before) => Fault::Delay(delay),
        ("429", When::Before) => Fault::TooMany { retry_after },
        ("500", when) => Fault::Status { code: 500, retry_after, when },
        ("502", when) => Fault::Status { code: 502, retry_after, when },
        ("503", when) => Fault::Status { code: 503, retry_after, when },
        ("504", when) => Fault::Status { code: 504, retry_after, when },
        _ => {
            return Err(wrong(format!(
                "unknown kind {kind:?}, expected reset, reset-after, hang, truncate, malformed, html, delay, \
                 429, 500, 502, 503, 504 or such a status with -after"
            )));
        }
    })
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, "faults_unreadable", message)
        .with_remedy("write it like rate=0.1,kinds=reset+503+truncate,seed=7,burst=1")
}

/// The faults of a server. Clones share them, so that a test orders faults while the server runs.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<FaultRule>,
    seeded: Option<Seeded>,
}

#[derive(Debug)]
struct Seeded {
    spec: FaultSpec,
    random: SeededRandom,
    rows: HashMap<String, u64>,
}

impl Faults {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule. Of several that match a request the first strikes; the others keep their counts.
    pub fn push(&self, rule: FaultRule) {
        self.plan().rules.push(rule);
    }

    /// Plays faults at a seeded rate, after the rules; a second call takes the first one's place.
    pub fn seed(&self, spec: FaultSpec) {
        let random = SeededRandom::new(spec.seed);
        self.plan().seeded = Some(Seeded { spec, random, rows: HashMap::new() });
    }

    /// Drops all rules and the rate.
    pub fn clear(&self) {
        *self.plan() = Plan::default();
    }

    /// The strikes that rules still owe; zero when all were played.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.plan().rules.iter().fold(0, |sum, rule| sum.saturating_add(rule.times))
    }

    pub(super) fn next_for(&self, request: &Request) -> Option<Fault> {
        let mut plan = self.plan();
        for rule in &mut plan.rules {
            if rule.times == 0 || !rule.predicate.as_ref().is_none_or(|predicate| predicate(request)) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.fault);
        }
        plan.seeded.as_mut().and_then(|seeded| seeded.next_for(request))
    }
}

impl Seeded {
    fn next_for(&mut self, request: &Request) -> Option<Fault> {
        let method = request.method.as_str();
        if !self.spec.methods.is_empty() && !self.spec.methods.iter().any(|name| name == method) {
            return None;
        }
        let struck = self.random.chance(self.spec.per_mille);
        let kind = self.random.pick(&self.spec.kinds).copied();
        if self.rows.len() >= BURST_LIMIT {
            self.rows.clear();
        }
        let row = self.rows.entry(format!("{method} {}", request.path)).or_default();
        if !struck || (self.spec.burst > 0 && *row >= self.spec.burst) {
            *row = 0;
            return None;
        }
        *row += 1;
        kind
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::exchange::Transport;
    use super::*;

    fn request(method: Method, path: &str) -> Request {
        Request::new(method, path, Transport::Plain)
    }

    #[test]
    fn a_rule_skips_strikes_and_is_spent() {
        let faults = Faults::default();
        faults.push(FaultRule::new(Fault::Truncate).on_method("PUT").on_path("/12").after(1).times(2));
        let put = request(Method::PUT, "/products/12");
        assert_eq!(faults.next_for(&request(Method::GET, "/products/12")), None);
        let played: Vec<_> = (0..4).map(|_| faults.next_for(&put)).collect();
        assert_eq!(played, [None, Some(Fault::Truncate), Some(Fault::Truncate), None]);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn a_seeded_rate_is_the_same_twice_and_keeps_to_its_burst() {
        let spec: FaultSpec = "rate=0.5,kinds=reset+503,seed=7,burst=1".parse().unwrap();
        let play = || {
            let faults = Faults::default();
            faults.seed(spec.clone());
            (0..50).map(|_| faults.next_for(&request(Method::GET, "/a"))).collect::<Vec<_>>()
        };
        let first = play();
        assert_eq!(first, play());
        assert!(first.iter().any(Option::is_some));
        assert!(first.windows(2).all(|pair| pair[0].is_none() || pair[1].is_none()));
    }

    #[test]
    fn an_unreadable_spec_names_what_is_wrong() {
        for (text, part) in [
            ("kinds=reset", "rate is missing"),
            ("rate=2,kinds=reset", "rate must be 0..=1"),
            ("rate=0.1,kinds=explode", "unknown kind"),
            ("rate=0.1,kinds=reset,what=1", "unknown key"),
            ("rate=0.1,kinds=reset,seed=x", "seed must be a whole number"),
            ("rate", "expected key=value"),
        ] {
            let error = text.parse::<FaultSpec>().unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
