use std::collections::BTreeSet;

use insula_core::model::EmbedPurpose::{Bulk, Interactive};
use insula_tenancy::TenantId;
use proptest::prelude::*;

use super::*;

fn push(
    queue: &mut Queue<&'static str>,
    name: &'static str,
    tokens: &[usize],
    purpose: EmbedPurpose,
) -> RequestId {
    let texts = tokens.iter().map(|tokens| vec![7; *tokens]).collect();
    queue.push(texts, purpose.into(), name).expect("room")
}

fn push_of(queue: &mut Queue<&'static str>, tenant: TenantId, name: &'static str, tokens: &[usize]) {
    let texts = tokens.iter().map(|tokens| vec![7; *tokens]).collect();
    queue.push(texts, Interactive.of(tenant), name).expect("room");
}

/// The next batch: of each text the request's name and the place in it.
fn take(queue: &mut Queue<&'static str>) -> Vec<String> {
    let batch = queue.take();
    let name = |item: &Item| format!("{}{}", queue.requests[&item.request].reply, item.index);
    batch.iter().map(name).collect()
}

#[test]
fn longest_first_within_the_budget() {
    let mut queue = Queue::new(100, 1000);
    push(&mut queue, "a", &[10, 50, 48, 9], Bulk);
    assert_eq!(take(&mut queue), ["a1", "a2"]);
    assert_eq!(take(&mut queue), ["a0", "a3"]);
    assert!(queue.take().is_empty());
    assert!(!queue.has_work());
}

#[test]
fn a_text_above_the_budget_travels_alone() {
    let mut queue = Queue::new(100, 1000);
    push(&mut queue, "a", &[300, 20], Bulk);
    assert_eq!(take(&mut queue), ["a0"]);
    assert_eq!(take(&mut queue), ["a1"]);
}

#[test]
fn people_go_before_jobs_and_are_never_mixed_with_them() {
    let mut queue = Queue::new(100, 10_000);
    push(&mut queue, "job", &[10; 50], Bulk);
    queue.take();
    push(&mut queue, "person", &[10], Interactive);
    assert_eq!(take(&mut queue), ["person0"]);
    assert!(take(&mut queue)[0].starts_with("job"));
}

#[test]
fn a_newcomer_waits_for_one_batch_of_a_large_request_only() {
    let mut queue = Queue::new(100, 100_000);
    push(&mut queue, "large", &[50; 2000], Interactive);
    queue.take();
    queue.take();
    push(&mut queue, "new", &[50], Interactive);
    assert_eq!(take(&mut queue)[0], "new0");
}

#[test]
fn a_large_request_is_not_starved_by_newcomers() {
    let mut queue = Queue::new(100, 100_000);
    push(&mut queue, "large", &[100; 10], Interactive);
    let mut served = 0;
    for _ in 0..40 {
        push(&mut queue, "new", &[100], Interactive);
        served += usize::from(take(&mut queue)[0].starts_with("large"));
    }
    assert!(served >= 4, "{served} of 10 batches although there were 40");
}

#[test]
fn a_tenant_with_many_requests_gets_no_more_than_one_with_few() {
    let mut queue = Queue::new(100, 100_000);
    let (ada, bob) = (TenantId::generate(), TenantId::generate());
    for _ in 0..50 {
        push_of(&mut queue, ada, "ada", &[100]);
    }
    for _ in 0..5 {
        push_of(&mut queue, bob, "bob", &[100]);
    }
    let first: Vec<String> = (0..10).flat_map(|_| take(&mut queue)).collect();
    let of_bob = first.iter().filter(|name| name.starts_with("bob")).count();
    assert_eq!(of_bob, 5, "{first:?}");
}

#[test]
fn whoever_asks_one_by_one_is_served_as_whoever_asks_at_once() {
    let mut queue = Queue::new(100, 100_000);
    let (ada, bob) = (TenantId::generate(), TenantId::generate());
    push_of(&mut queue, ada, "ada", &[100; 30]);
    let mut of_bob = 0;
    push_of(&mut queue, bob, "bob", &[100]);
    for _ in 0..20 {
        // It asks again as soon as it has its answer.
        if take(&mut queue)[0].starts_with("bob") {
            of_bob += 1;
            push_of(&mut queue, bob, "bob", &[100]);
        }
    }
    assert!((9..=11).contains(&of_bob), "{of_bob} of 20");
}

#[test]
fn queries_of_several_callers_share_a_batch() {
    let mut queue = Queue::new(768, 1000);
    for name in ["a", "b", "c"] {
        push(&mut queue, name, &[12], Interactive);
    }
    assert_eq!(take(&mut queue), ["a0", "b0", "c0"]);
}

#[test]
fn very_different_lengths_are_not_padded_together() {
    let mut queue = Queue::new(768, 1000);
    push(&mut queue, "long", &[250], Interactive);
    push(&mut queue, "short", &[10], Interactive);
    assert_eq!(take(&mut queue), ["long0"]);
    assert_eq!(take(&mut queue), ["short0"]);
}

#[test]
fn answers_come_in_input_order_and_once() {
    let mut queue = Queue::new(100, 1000);
    let id = push(&mut queue, "a", &[1, 2], Bulk);
    assert!(queue.store(id, 1, vec![1.0]).is_none());
    assert_eq!(
        queue.store(id, 0, vec![0.0]),
        Some(("a", vec![vec![0.0], vec![1.0]]))
    );
    assert!(queue.store(id, 0, vec![0.0]).is_none());
}

#[test]
fn the_lanes_are_bounded_separately() {
    let mut queue = Queue::new(100, 100);
    push(&mut queue, "large", &[400], Bulk);
    assert_eq!(
        queue.push(vec![vec![7]], Bulk.into(), "x"),
        Err(Full { waiting: 400 })
    );
    push(&mut queue, "query", &[10], Interactive);
}

#[test]
fn a_cancelled_request_gives_its_room_back() {
    let mut queue = Queue::new(10, 100);
    let id = push(&mut queue, "a", &[10; 10], Bulk);
    let started = queue.take();
    assert_eq!(queue.remove(id), Some("a"));
    assert!(!queue.has_work());
    assert!(queue.room(100, Bulk).is_ok());
    assert!(queue.store(id, started[0].index, vec![0.0]).is_none());
}

proptest! {
    /// Whatever arrives, every text comes out exactly once, no batch of several exceeds the budget, and the
    /// counters return to zero.
    #[test]
    fn nothing_is_lost_or_doubled(
        requests in prop::collection::vec((prop::collection::vec(1usize..300, 1..40), any::<bool>(), 0u8..4), 1..20),
        budget in 1usize..1000,
    ) {
        let mut queue = Queue::new(budget, usize::MAX);
        let mut expected = BTreeSet::new();
        let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
        for (lengths, person, tenant) in &requests {
            let purpose = if *person { Interactive } else { Bulk };
            let work = EmbedWork { purpose, tenant: tenants.get(usize::from(*tenant)).copied() };
            let texts = lengths.iter().map(|tokens| vec![7; *tokens]).collect();
            let id = queue.push(texts, work, "r").expect("room");
            expected.extend((0..lengths.len()).map(|index| (id, index)));
        }
        while queue.has_work() {
            let batch = queue.take();
            prop_assert!(!batch.is_empty());
            let longest = batch.iter().map(Item::tokens).max().unwrap_or(0);
            prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
            for item in batch {
                prop_assert!(expected.remove(&(item.request, item.index)));
                queue.store(item.request, item.index, vec![1.0]);
            }
        }
        prop_assert!(expected.is_empty());
        prop_assert!(queue.requests.is_empty());
        prop_assert_eq!(queue.interactive.tokens + queue.bulk.tokens, 0);
    }
}
