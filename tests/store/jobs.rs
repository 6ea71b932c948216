//! The queue: one worker per job, all times the database's, nobody starves.

use std::collections::BTreeMap;
use std::time::Duration;

use insula_tenancy::job::{self, Lease, Leaser, NewJob, Progress, Reason, Retry, Subject};
use insula_tenancy::{Actor, Error, TenantId};
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

#[tokio::test]
async fn progress_is_written_under_the_lease_and_forgotten_with_the_attempt() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let leaser = Leaser::new(door.db().clone(), "w");
    let lease = lease_one(&leaser).await.unwrap();
    let told = "select coalesce(stage, '-') || ' ' || coalesce(progress_done || '/' || progress_total, '-') from jobs";
    let told = async || {
        let told: String = sqlx::query_scalar(told).fetch_one(&door.owner).await.unwrap();
        told
    };
    let progress = Progress {
        stage: "embedding",
        done: 3,
        total: 7,
    };
    let mut tx = door.db().tenant_in_passing(&lease.cx).await.unwrap();
    lease.progress(&mut tx, progress).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told().await, "embedding 3/7");

    let_leases_run_out(&door).await;
    let fresh = lease_one(&leaser).await.unwrap();
    assert_eq!(told().await, "- -", "a new attempt begins at nothing");
    let mut tx = door.db().tenant(&lease.cx).await.unwrap();
    assert!(matches!(
        lease.progress(&mut tx, progress).await,
        Err(Error::LeaseLost)
    ));
    drop(tx);
    assert_eq!(told().await, "- -");
    complete(&door, &fresh).await.unwrap();
    let mut tx = door.db().tenant(&fresh.cx).await.unwrap();
    assert!(
        fresh.progress(&mut tx, progress).await.is_err(),
        "progress of a job that is done"
    );
}

#[tokio::test]
async fn within_a_stage_progress_is_news_twice_a_second_and_a_stage_always_is() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    enqueue(&door, &ada, job(1)).await;
    let lease = lease_one(&Leaser::new(door.db().clone(), "w")).await.unwrap();
    let never = Duration::from_secs(3600);
    assert!(lease.is_news("reading", never));
    assert!(!lease.is_news("reading", never));
    assert!(lease.is_news("writing", never));
    assert!(
        !lease.clone().is_news("writing", never),
        "a copy is the same lease"
    );
    assert!(lease.is_news("writing", Duration::ZERO));
}

#[tokio::test]
async fn work_of_another_class_neither_waits_nor_counts() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    for n in 0..5 {
        enqueue(&door, &ada, job(n)).await;
        enqueue(
            &door,
            &ada,
            NewJob {
                kind: "light",
                ..job(n)
            },
        )
        .await;
        enqueue(
            &door,
            &ada,
            NewJob {
                kind: "lighter",
                priority: n as i32,
                ..job(n)
            },
        )
        .await;
    }
    let mut leaser = Leaser::new(door.db().clone(), "w");
    leaser.tenant_cap = 3;
    assert_eq!(leaser.lease(&[KIND], 10).await.unwrap().len(), 3);
    let light = leaser.lease(&["light", "lighter"], 10).await.unwrap();
    let kinds: Vec<&str> = light.iter().map(|lease| lease.kind.as_str()).collect();
    assert_eq!(
        kinds, ["lighter"; 3],
        "kinds leased together share a cap and an order"
    );
    assert!(
        leaser.lease(&[KIND, "light"], 10).await.unwrap().is_empty(),
        "capped together"
    );
}

#[tokio::test]
async fn of_tenants_with_as_little_running_the_one_that_waited_longest_is_first() {
    let door = Door::open().await;
    let mut tenants = Vec::new();
    for name in ["ada", "bob", "cem"] {
        let tenant = door.tenant(name).await;
        for n in 0..3 {
            enqueue(&door, &tenant, job(n)).await;
        }
        tenants.push(tenant.id);
    }
    sqlx::query("update jobs set run_at = now() - interval '1 minute' where tenant_id = $1")
        .bind(tenants[1])
        .execute(&door.owner)
        .await
        .unwrap();
    let leaser = Leaser::new(door.db().clone(), "w");
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(lease_one(&leaser).await.unwrap().cx.tenant_id());
    }
    let round = [tenants[1], tenants[0], tenants[2]];
    assert_eq!(order, [round, round].concat());
}

/// Rows and index entries of the queue that Postgres has read so far.
async fn reads(door: &Door) -> i64 {
    let reads = "select (select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables where relname = 'jobs')::int8
                      + (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes where relname = 'jobs')::int8";
    sqlx::query_scalar(reads).fetch_one(&door.owner).await.unwrap()
}

#[tokio::test]
async fn a_claim_reads_what_it_may_take_and_not_the_queue() {
    const CLAIMS: i64 = 10;
    let door = Door::open().await;
    for n in 0..20 {
        door.tenant(&format!("small-{n}")).await;
    }
    door.tenant("big").await;
    // One tenant with most of it, much that is not due yet, and much that is done.
    door.as_owner(
        "insert into jobs (tenant_id, id, kind, payload, state, due, run_at)
         select t.id, gen_random_uuid(), 'test', '{}', s.state, s.due, now() + case when s.due then '0' else '1 hour' end::interval
         from tenants t cross join (values ('ready', true, 1), ('ready', false, 0.2), ('done', true, 0.5)) s (state, due, share)
         cross join lateral generate_series(1, case t.name when 'big' then 20000 * s.share else 50 * s.share end::int);
         select pg_stat_force_next_flush()",
    )
    .await;
    for statistics in ["select 1", "vacuum analyze jobs"] {
        door.as_owner(statistics).await;
        let before = reads(&door).await;
        let node = door.another_node().await;
        let mut leaser = Leaser::new(node.db.clone(), "w");
        leaser.tenant_cap = 2;
        for _ in 0..CLAIMS {
            assert_eq!(leaser.lease(&[KIND], 2).await.unwrap().len(), 2);
        }
        // A backend counts for all to see when it ends.
        node.db.close().await;
        let read = insula_tests::eventually("the claims are counted", async || {
            let read = reads(&door).await - before;
            (read > CLAIMS).then_some(read)
        })
        .await;
        // Of each of the 21 tenants two rows, where it is found and what runs already; of 30,000.
        assert!(
            read < CLAIMS * 300,
            "{read} rows for {CLAIMS} claims after {statistics:?}"
        );
        door.as_owner(
            "update jobs set state = 'ready', lease_token = null, lease_until = null where state = 'running'",
        )
        .await;
    }
}
