//! The queue: one worker per job, all times the database's, nobody starves.

use std::collections::BTreeMap;
use std::time::Duration;

use insula_tenancy::job::{self, Lease, Leaser, NewJob, Reason, Retry, Subject};
use insula_tenancy::{Actor, TenantId};
use serde_json::json;

use crate::door::{Door, Tenant};

const KIND: &str = "test";

fn job(n: usize) -> NewJob<'static> {
    NewJob {
        kind: KIND,
        payload: json!({ "n": n }),
        unique_key: None,
        priority: 0,
        max_attempts: 3,
        delay: Duration::ZERO,
        subject: Subject::default(),
    }
}

fn because(internal: &str) -> Reason<'_> {
    Reason {
        public: "It did not work.",
        internal,
    }
}

async fn enqueue(door: &Door, of: &Tenant, new: NewJob<'_>) {
    let mut tx = door.db().tenant(&of.cx).await.unwrap();
    job::enqueue(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lease_one(leaser: &Leaser) -> Option<Lease> {
    leaser.lease(&[KIND], 1).await.unwrap().pop()
}

async fn complete(door: &Door, lease: &Lease) -> Result<(), insula_tenancy::Error> {
    let mut tx = door.db().tenant(&lease.cx).await?;
    lease.complete(&mut tx).await?;
    tx.commit().await
}

/// As if the worker had been silent for too long.
async fn let_leases_run_out(door: &Door) {
    door.as_owner("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        .await;
}

async fn states(door: &Door) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as("select state, count(*) from jobs group by 1")
        .fetch_all(&door.owner)
        .await
        .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_job_exists_only_if_its_transaction_committed() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let mut tx = door.db().tenant(&ada.cx).await.unwrap();
    job::enqueue(&mut tx, job(1)).await.unwrap();
    drop(tx);
    assert!(lease_one(&Leaser::new(door.db().clone(), "w")).await.is_none());
}

#[tokio::test]
async fn a_lease_is_the_third_door_and_leads_to_the_tenant_of_the_row() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    // A payload that lies about its tenant.
    enqueue(
        &door,
        &ada,
        NewJob {
            payload: json!({"tenant_id": bob.id, "n": 7}),
            ..job(7)
        },
    )
    .await;
    let lease = lease_one(&Leaser::new(door.db().clone(), "w")).await.unwrap();
    assert_eq!(lease.cx.tenant_id(), ada.id);
    assert_eq!(lease.cx.actor(), Actor::Job(lease.id));
    let mut tx = door.db().tenant(&lease.cx).await.unwrap();
    assert_eq!(lease.payload(&mut tx).await.unwrap()["n"], 7);
    let mut other = door.db().tenant(&bob.cx).await.unwrap();
    assert!(
        lease.payload(&mut other).await.is_err(),
        "another tenant reads the payload"
    );
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_cannot_write() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let (first, second) = (
        Leaser::new(door.db().clone(), "1"),
        Leaser::new(door.db().clone(), "2"),
    );
    let stale = lease_one(&first).await.unwrap();
    assert!(lease_one(&second).await.is_none(), "leased twice");
    assert!(first.heartbeat(&stale).await.unwrap());
    let_leases_run_out(&door).await;
    let fresh = lease_one(&second).await.unwrap();
    assert_eq!((fresh.id, fresh.attempt), (stale.id, 2), "the crash was counted");

    assert!(!first.heartbeat(&stale).await.unwrap());
    assert!(complete(&door, &stale).await.is_err());
    let mut tx = door.db().tenant(&stale.cx).await.unwrap();
    assert!(stale.fail(&mut tx, because("late"), Retry::Never).await.is_err());
    assert!(stale.payload(&mut tx).await.is_err());
    drop(tx);
    first.release(&stale).await.unwrap();
    assert_eq!(
        states(&door).await,
        BTreeMap::from([("running".into(), 1)]),
        "releasing takes nothing away"
    );
    complete(&door, &fresh).await.unwrap();
    assert!(complete(&door, &fresh).await.is_err(), "completed twice");
    assert_eq!(states(&door).await, BTreeMap::from([("done".into(), 1)]));
}

#[tokio::test]
async fn what_a_fenced_worker_wrote_is_rolled_back_with_its_failed_completion() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    let stale = lease_one(&leaser).await.unwrap();
    let_leases_run_out(&door).await;
    let _fresh = lease_one(&leaser).await.unwrap();
    let mut tx = door.db().tenant(&stale.cx).await.unwrap();
    job::enqueue(
        &mut tx,
        NewJob {
            kind: "written by the stale worker",
            ..job(2)
        },
    )
    .await
    .unwrap();
    assert!(stale.complete(&mut tx).await.is_err());
    drop(tx);
    let written: i64 = sqlx::query_scalar("select count(*) from jobs where kind <> $1")
        .bind(KIND)
        .fetch_one(&door.owner)
        .await
        .unwrap();
    assert_eq!(written, 0);
}

#[tokio::test]
async fn crashes_use_attempts_up_and_then_the_job_is_handed_out_to_be_buried() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    for attempt in 1..=3 {
        let lease = lease_one(&leaser).await.unwrap();
        assert_eq!((lease.attempt, lease.exhausted), (attempt, false));
        assert_eq!(lease.is_last_attempt(), attempt == 3);
        let_leases_run_out(&door).await;
    }
    for _ in 0..2 {
        // Also if the one who buries dies.
        let lease = lease_one(&leaser).await.unwrap();
        assert!(lease.exhausted);
        let_leases_run_out(&door).await;
    }
    let lease = lease_one(&leaser).await.unwrap();
    let mut tx = door.db().tenant(&lease.cx).await.unwrap();
    lease
        .fail(&mut tx, because("died every time"), Retry::Never)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(states(&door).await, BTreeMap::from([("dead".into(), 1)]));
    let reason: String = sqlx::query_scalar("select last_error from jobs")
        .fetch_one(&door.owner)
        .await
        .unwrap();
    assert_eq!(reason, "died every time");
}

#[tokio::test]
async fn a_failed_job_waits_longer_each_time_and_the_wait_is_in_the_row() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    for attempt in 1..=3 {
        let lease = lease_one(&leaser).await.unwrap();
        assert_eq!(lease.attempt, attempt);
        let mut tx = door.db().tenant(&lease.cx).await.unwrap();
        lease
            .fail(&mut tx, because("not now"), Retry::Later)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (state, wait): (String, f64) =
            sqlx::query_as("select state, extract(epoch from run_at - now())::float8 from jobs")
                .fetch_one(&door.owner)
                .await
                .unwrap();
        if attempt == 3 {
            assert_eq!(state, "dead");
        } else {
            let base = f64::from(1 << attempt);
            assert_eq!(state, "ready");
            assert!(
                (0.5 * base - 0.5..=1.5 * base).contains(&wait),
                "attempt {attempt}: {wait} s"
            );
            assert!(lease_one(&leaser).await.is_none(), "leased before its time");
            door.as_owner("update jobs set run_at = now()").await;
        }
    }
}

#[tokio::test]
async fn a_released_job_is_as_if_it_had_not_been_started() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    for _ in 0..5 {
        let lease = lease_one(&leaser).await.unwrap();
        assert_eq!(lease.attempt, 1);
        leaser.release(&lease).await.unwrap();
    }
}

#[tokio::test]
async fn a_unique_key_waits_or_runs_once_per_tenant() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let unique = || NewJob {
        unique_key: Some("the one".into()),
        ..job(1)
    };
    enqueue(&door, &ada, unique()).await;
    enqueue(&door, &ada, unique()).await;
    enqueue(&door, &bob, unique()).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    let leases = leaser.lease(&[KIND], 10).await.unwrap();
    assert_eq!(leases.len(), 2);
    enqueue(&door, &ada, unique()).await;
    assert!(
        lease_one(&leaser).await.is_none(),
        "enqueued beside the one that runs"
    );
    for lease in &leases {
        complete(&door, lease).await.unwrap();
    }
    enqueue(&door, &ada, unique()).await;
    assert!(
        lease_one(&leaser).await.is_some(),
        "it may come again once it is done"
    );
}

#[tokio::test]
async fn leases_are_fair_and_capped_over_all_workers() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    for n in 0..20 {
        enqueue(&door, &ada, job(n)).await;
    }
    for n in 0..3 {
        enqueue(&door, &bob, job(n)).await;
    }
    let mut workers = [
        Leaser::new(door.db().clone(), "1"),
        Leaser::new(door.another_node().await.db, "2"),
    ];
    workers.iter_mut().for_each(|worker| worker.tenant_cap = 3);

    // Both ask at once, twice, for more than the cap allows.
    let (a, b) = tokio::join!(workers[0].lease(&[KIND], 2), workers[1].lease(&[KIND], 2));
    let mut leases = [a.unwrap(), b.unwrap()].concat();
    assert_eq!(
        count(&leases),
        BTreeMap::from([(ada.id, 2), (bob.id, 2)]),
        "the late tenant waits for nobody"
    );
    let (a, b) = tokio::join!(workers[0].lease(&[KIND], 10), workers[1].lease(&[KIND], 10));
    leases.extend([a.unwrap(), b.unwrap()].concat());
    assert_eq!(
        count(&leases),
        BTreeMap::from([(ada.id, 3), (bob.id, 3)]),
        "no more than the cap"
    );

    let done = leases
        .iter()
        .find(|lease| lease.cx.tenant_id() == ada.id)
        .unwrap();
    complete(&door, done).await.unwrap();
    assert_eq!(
        workers[1].lease(&[KIND], 10).await.unwrap().len(),
        1,
        "one ended, one may begin"
    );
}

#[tokio::test]
async fn priority_counts_within_a_tenant_and_kinds_are_kept_apart() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    for (n, priority) in [(1, 0), (2, 5), (3, -5)] {
        enqueue(&door, &ada, NewJob { priority, ..job(n) }).await;
    }
    let leaser = Leaser::new(door.db().clone(), "w");
    assert!(leaser.lease(&["another kind"], 10).await.unwrap().is_empty());
    let mut order = Vec::new();
    while let Some(lease) = lease_one(&leaser).await {
        let mut tx = door.db().tenant(&lease.cx).await.unwrap();
        order.push(lease.payload(&mut tx).await.unwrap()["n"].as_u64().unwrap());
        drop(tx);
        complete(&door, &lease).await.unwrap();
    }
    assert_eq!(order, [2, 1, 3]);
}

fn count(leases: &[Lease]) -> BTreeMap<TenantId, usize> {
    let mut counts = BTreeMap::new();
    for lease in leases {
        *counts.entry(lease.cx.tenant_id()).or_default() += 1;
    }
    counts
}
