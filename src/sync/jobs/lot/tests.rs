//! What the answers of a lot's lines come to.

use super::*;
use crate::model::{Entity, Platform, Product, Record};

fn entry(field: &FieldName, answers: &[FieldAnswer]) -> Entry<'static> {
    let target = RecordRef::new(Platform::new("p"), Entity::Product, "1");
    let guard = Record::Product(Box::new(Product::new(target.clone())));
    let mut entry = Entry {
        guarded: Guarded { target, guard, sent: Vec::new() },
        guarded_at: Duration::ZERO,
        answered_at: Duration::ZERO,
        answers: BTreeMap::new(),
        committed: BTreeSet::new(),
        splits: BTreeSet::new(),
        unsent: BTreeSet::new(),
    };
    for answer in answers {
        entry.fold(field, answer, Duration::ZERO);
    }
    entry
}

#[test]
fn of_the_lines_of_a_field_the_worst_answer_counts_and_only_behind_accepted_ones_a_further_line_goes() {
    let field = FieldName::new("attributes");
    let refused = FieldAnswer::Refused { code: "first".to_owned(), why: String::new() };
    let other = FieldAnswer::Refused { code: "second".to_owned(), why: String::new() };
    let unknown = FieldAnswer::Unknown { why: String::new() };
    let accepted = FieldAnswer::Accepted;
    for (answers, worst) in [
        (vec![&accepted, &accepted], &accepted),
        (vec![&accepted, &refused], &refused),
        (vec![&accepted, &unknown], &unknown),
        (vec![&refused, &accepted], &refused),
        (vec![&refused, &other], &refused),
        // A line that may have run counts for more than one that did not.
        (vec![&refused, &unknown], &unknown),
        (vec![&unknown, &accepted], &unknown),
        (vec![&unknown, &refused], &unknown),
    ] {
        let answers: Vec<FieldAnswer> = answers.into_iter().cloned().collect();
        let entry = entry(&field, &answers);
        assert_eq!(entry.answers.get(&field), Some(worst), "{answers:?}");
        assert!(entry.is_open(&FieldName::new("title")), "another field");
        let lines = vec![
            JobLine::new(0, vec![FieldName::new("title"), field.clone()], "{}", false),
            JobLine::new(0, vec![FieldName::new("title")], "{}", false),
        ];
        let (part, dropped) = open_lines(JobPart::new("kind", lines), &HashSet::new(), &[entry]);
        let open = if *worst == accepted { 2 } else { 1 };
        assert_eq!((part.lines.len(), dropped.len()), (open, 2 - open), "{answers:?}");
    }
}
