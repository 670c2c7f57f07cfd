//! The contract of every connector, as rules that run over a stateful fake of its platform.
//!
//! The author of a connector implements [`ContractFixture`] over the fake and lets
//! [`contract_suite!`](crate::contract_suite) make one test a rule. The suite reads the capabilities: what is
//! claimed must be true, and what is not claimed must be refused. A rule that the capabilities leave nothing to check
//! of says so. `tests/wrong_connectors.rs` shows for each kind of flaw that the suite sees it.
//!
//! ```
//! use lily_connect::testkit::contract::RULES;
//!
//! for rule in RULES {
//!     eprintln!("{} {}", rule.id(), rule.name());
//! }
//! ```

mod batches;
mod certificate;
mod deletes;
mod engine;
mod fixture;
mod hooks;
mod jobs;
mod limits;
mod lists;
mod merge;
mod paging;
mod push;
mod reads;
mod violation;
mod walk;
mod writable;

use std::future::Future;
use std::pin::Pin;

pub use fixture::{ContractFixture, On, Received, Right, Strike, Trouble};
use violation::Claim;
pub use violation::{Checked, Outcome, Report, Violation};

type Checking<'f> = Pin<Box<dyn Future<Output = Outcome> + Send + 'f>>;

/// A rule: its name says the claim, its id is that of `docs/semantics.md`.
#[derive(Clone, Copy)]
pub struct ContractRule {
    claim: Claim,
    name: &'static str,
    check: for<'f> fn(&'f dyn ContractFixture, Claim) -> Checking<'f>,
}

impl ContractRule {
    /// The rule's id.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.claim.rule
    }

    /// The rule's name, which its test has too.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Checks it on a fresh store.
    ///
    /// # Errors
    /// The violation, where the connector breaks it.
    pub async fn check(&self, fixture: &dyn ContractFixture) -> Outcome {
        (self.check)(fixture, self.claim).await
    }
}

impl std::fmt::Debug for ContractRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ContractRule").field(&self.claim).finish()
    }
}

/// The one list of the rules: the table that runs them, and the macro that makes tests of them.
macro_rules! rules {
    ($d:tt $($room:ident::$name:ident, $id:literal, $text:literal;)*) => {
        /// All rules, in the order in which they run.
        pub static RULES: &[ContractRule] = &[$(ContractRule {
            claim: Claim { rule: $id, text: $text },
            name: stringify!($name),
            check: |fixture, claim| Box::pin($room::$name(fixture, claim)),
        }),*];

        /// Makes one `#[tokio::test]` of each rule of the contract.
        ///
        /// It takes an expression that gives a fresh [`ContractFixture`](crate::testkit::contract::ContractFixture);
        /// it is evaluated once a test, in an async block. The crate that calls it depends on tokio with its
        /// macros.
        #[macro_export]
        macro_rules! contract_suite {
            ($d fixture:expr) => {
                $(#[tokio::test]
                async fn $name() {
                    let fixture = $d fixture;
                    $d crate::testkit::contract::hold(stringify!($name), &fixture).await;
                })*
            };
        }
    };
}

rules! { $
    paging::every_id_is_listed, "R1",
        "the pages of a list hold every id of the store, once each";
    paging::no_cursor_comes_twice, "R4",
        "no cursor comes twice";
    paging::a_cursor_gives_the_same_page_again, "R2",
        "a cursor gives the same page again, so that a run can resume";
    paging::a_broken_answer_is_an_error_or_read_over, "R1",
        "a page behind a broken answer is an error or the whole page, never less";
    paging::an_empty_page_with_a_next_cursor_continues, "R4",
        "an empty page with a next cursor goes on";
    paging::pages_named_ahead_are_those_that_follow, "R3",
        "the pages named ahead are those that follow, in order";
    paging::a_given_count_is_exact, "R3",
        "a count is given where it is claimed, and is exact";
    paging::ids_ascend_where_claimed, "R3",
        "ids are numbers that ascend where that is claimed";
    paging::neighbouring_pages_share_a_record_where_claimed, "R3",
        "a page begins with the last record of the one before where that is claimed";
    paging::a_list_of_ids_has_the_same_ids, "R7",
        "a list of ids has the ids of the full list, and is refused where it is not claimed";
    paging::no_page_is_longer_than_asked_or_claimed, "CAPABILITIES",
        "a page holds no more records than asked for or claimed";
    reads::every_id_is_answered_or_missing, "R6",
        "each id of a list of any length is answered by a record or as missing, once";
    reads::a_deleted_record_is_missing, "R6",
        "a deleted record is answered as missing";
    reads::guard_and_verify_reads_give_what_is_stored, "W4",
        "a guard or verify read gives what is stored now";
    reads::a_delta_lists_what_changed_since, "R5",
        "a delta lists what changed at or after its time, not everything, and is refused where it is not claimed";
    reads::a_range_of_days_lists_these_days, "R1",
        "a range of days lists the records of these days and no others, and is refused where it is not claimed; a whole list is, too";
    reads::a_kind_that_is_not_claimed_is_refused, "CAPABILITIES",
        "a kind of record that is not claimed is refused as unsupported";
    reads::a_sound_store_has_no_error_findings, "CAPABILITIES",
        "a probe of a sound store finds no error and writes nothing";
    push::a_push_changes_exactly_its_fields, "W8",
        "a push changes its fields and nothing else";
    push::answers_come_once_a_patch_in_order, "P5",
        "a push is answered once a patch and once a field, in their order";
    push::a_field_that_is_not_claimed_is_refused, "CAPABILITIES",
        "a push of a field that is not claimed is refused whole, and nothing is sent";
    push::a_kind_without_writable_fields_is_not_written, "CAPABILITIES",
        "a push to a kind of record without writable fields is unsupported, and nothing is sent";
    push::a_write_without_an_answer_is_unknown_and_sent_once, "W2",
        "a write without an answer is Unknown and is never repeated blindly";
    push::a_refused_write_is_refused, "P5",
        "a write that the platform refuses is Refused with a code, and was sent once";
    push::nothing_is_sent_past_the_guard, "W3",
        "nothing is sent past guard_until, whatever made it wait";
    push::normalisers_are_fixed_points, "W5",
        "a field's normaliser is that of its tokens, and a fixed point";
    engine::planning_sends_no_write, "P1",
        "planning sends no write";
    engine::a_plan_rejects_a_field_that_is_not_claimed, "CAPABILITIES",
        "a plan rejects a field that is not claimed";
    engine::every_claimed_field_is_written_verified_and_undone, "U4",
        "each field claimed as writable is applied, read back, and undone as the plan said";
    engine::an_answer_is_not_believed_without_a_read, "W5",
        "an answer without an effect is never taken for applied";
    engine::a_lost_answer_is_settled_by_a_read, "W6",
        "a write without an answer is settled by what a later read finds";
    certificate::a_quiet_store_is_complete, "R1",
        "a pull of a quiet store is Complete where the platform offers a proof, else Unproven";
    certificate::a_page_that_fails_for_good_is_never_complete, "R1",
        "a pull with a page that fails for good is never Complete";
    certificate::one_broken_answer_loses_no_record, "R1",
        "a pull through a broken answer is Complete only with every record";
    certificate::records_that_slip_while_paging_are_found, "R7",
        "records that slip between pages are found by the sweep, or the pull is not Complete";
    deletes::a_deletion_is_missing_behind_a_delta, "R7",
        "a deleted record is missing behind a delta and by id, and comes as no record";
    merge::an_edit_between_plan_and_apply_is_stale, "P3",
        "an edit between plan and apply is PlanStale, under force too, and nothing is sent";
    merge::an_edit_between_pull_and_plan_is_seen, "V7",
        "an edit between pull and plan is EditedSince, and force shows what it overwrites";
    merge::a_removable_field_comes_back_absent, "U3",
        "a removable field that was absent is absent after an undo";
    merge::an_unavailable_field_is_rejected_by_name, "CAPABILITIES",
        "a field that is claimed as unavailable is rejected for its reason, and never sent";
    lists::other_entries_of_a_list_stay_in_order, "L3",
        "the entries of a list that a change does not name stay as they are, in order";
    lists::a_name_that_must_be_known_is_never_made, "L2",
        "a name that the store must know and does not is NameUnknown";
    lists::names_are_looked_up_one_by_one_in_order, "L2",
        "a look-up answers each name once, in order, and writes nothing";
    lists::what_is_shared_names_who_shows_it, "C1",
        "of what is shared, each record that shows it is named, one list a holder, in order";
    batches::no_patch_of_a_push_is_dropped, "P5",
        "each patch of a push is answered in its place, up to max_batch and beyond, and the answer is true";
    batches::one_refused_patch_leaves_the_others_true, "P5",
        "a patch that the platform refuses leaves the others of its push landed, and each answer is true";
    batches::a_lost_answer_to_several_patches_is_true, "W2",
        "a lost answer to several patches is told for each, is true, and repeats no write";
    jobs::a_write_job_answers_each_line_truly, "W6",
        "a write job is found by its name alone, writes what its lines say, and answers each once and truly";
    jobs::what_a_job_writes_is_verified_and_undone, "W3",
        "what is claimed to go by job goes so, guarded as it is claimed, and is read back and undone";
    limits::a_limit_is_waited_for, "LIMITS",
        "a read that is refused for a limit is repeated after the time that was asked for, or not at all";
    limits::two_calls_are_in_flight_at_most, "LIMITS",
        "two calls are in flight at most by default, whoever asks";
    limits::a_refused_credential_is_believed, "AUTH",
        "a refused credential is Auth after two requests at most, and a probe's error";
    limits::a_right_that_lacks_is_told, "AUTH",
        "a write without the right to is refused after two requests at most, and a probe tells it";
    hooks::a_delivery_is_verified_over_its_bytes, "H1",
        "a delivery is taken only as it was signed, by a secret of ours, and names its record";
    hooks::a_ping_queues_nothing, "H1",
        "a ping is a ping, and makes no job";
    hooks::subscriptions_are_made_listed_and_removed, "WEBHOOKS",
        "subscriptions are made, listed as they were made, and removed";
    hooks::healing_makes_what_is_dead_anew_and_leaves_what_is_not_ours, "WEBHOOKS",
        "healing makes dead subscriptions anew, once, and leaves those that are not its own";
    hooks::an_echo_is_swallowed_and_an_edit_is_not, "H2",
        "the echo of an own write is swallowed, and an edit right after it is handed on";
    certificate::credentials_are_never_shown, "SECRETS",
        "no credential is in any text of the connector or its errors";
}

/// Runs all rules, each on a fresh fixture.
pub async fn run_all<F, Made>(make: impl Fn() -> Made) -> Report
where
    F: ContractFixture,
    Made: Future<Output = F>,
{
    let mut report = Report::default();
    for rule in RULES {
        let fixture = make().await;
        report.add(rule.name, rule.check(&fixture).await);
    }
    report
}

/// Checks one rule by its name; the tests of [`contract_suite!`](crate::contract_suite) call it.
///
/// # Panics
/// Where the connector breaks the rule, with the violation's text, and where there is no such rule.
pub async fn hold(name: &str, fixture: &dyn ContractFixture) {
    match RULES.iter().find(|rule| rule.name == name) {
        None => panic!("the contract has no rule {name}"),
        Some(rule) => match rule.check(fixture).await {
            Ok(Checked::Held) => {}
            Ok(Checked::NotClaimed(why)) => eprintln!("{name}: nothing to check: {why}"),
            Err(violation) => panic!("{violation}"),
        },
    }
}
