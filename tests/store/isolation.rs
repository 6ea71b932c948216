//! Every table × every statement × another tenant, no tenant, a wrong tenant.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::door::{Door, Tenant};
use crate::seed::{self, Rows, Table};

/// What became of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It ran, and touched so many rows.
    Rows(u64),
    /// Postgres refused it, with this SQLSTATE.
    Refused(String),
}

/// Not allowed: by a missing grant, or by a policy's check.
const FORBIDDEN: &str = "42501";

impl Outcome {
    fn touched_nothing(&self) -> bool {
        matches!(self, Self::Rows(0)) || matches!(self, Self::Refused(code) if code == FORBIDDEN)
    }
}

/// Runs a statement in a savepoint, so that a refusal does not end the transaction.
async fn attempt(connection: &mut PgConnection, statement: &str) -> Outcome {
    connection.execute("savepoint attempt").await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut *connection)
        .await;
    connection.execute("rollback to savepoint attempt").await.unwrap();
    match done {
        Ok(done) => Outcome::Rows(done.rows_affected()),
        Err(error) => {
            let database = error
                .as_database_error()
                .unwrap_or_else(|| panic!("{statement}: {error}"));
            let code = database.downcast_ref::<PgDatabaseError>().code();
            // Any other refusal (a syntax error, say) would be a test that tests nothing.
            assert!([FORBIDDEN, "22P02"].contains(&code), "{statement}: {error}");
            Outcome::Refused(code.to_owned())
        }
    }
}

/// Statements that would read, change or make rows of the tenant whose rows these are.
fn attacks(table: &Table, rows: &Rows) -> Vec<String> {
    let name = &table.name;
    let row = &rows[name];
    let tenant = &row["tenant_id"];
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    let values: Vec<&str> = row.values().map(String::as_str).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    vec![
        format!("select tenant_id from {name} where tenant_id = {tenant}"),
        format!("select 1 from {name} where tenant_id = {tenant} for update"),
        format!("insert into {name} ({columns}) values ({values})"),
        format!(
            "insert into {name} ({columns}) values ({values}) on conflict do nothing returning tenant_id"
        ),
        format!("update {name} set tenant_id = tenant_id where tenant_id = {tenant} returning tenant_id"),
        format!("delete from {name} where tenant_id = {tenant} returning tenant_id"),
        format!(
            "merge into {name} t using (select {tenant} as tenant) s on t.tenant_id = s.tenant
             when matched then delete"
        ),
    ]
}

#[tokio::test]
async fn another_tenants_rows_can_be_neither_seen_nor_touched_nor_made() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let tables = seed::tables(&door.owner).await;
    assert!(tables.len() >= 10, "the catalogue was not read");
    let adas = seed::seed(&door.owner, &tables, ada.id).await;
    let bobs = seed::seed(&door.owner, &tables, bob.id).await;

    let mut tx = door.db().tenant(&bob.cx).await.unwrap();
    for table in &tables {
        for statement in attacks(table, &adas) {
            let outcome = attempt(&mut tx, &statement).await;
            assert!(outcome.touched_nothing(), "{statement}: {outcome:?}");
        }
        // This names no tenant and knows no policy: only a missing grant can stop it.
        let truncated = attempt(&mut tx, &format!("truncate {} cascade", table.name)).await;
        assert_eq!(
            truncated,
            Outcome::Refused(FORBIDDEN.into()),
            "truncate {}",
            table.name
        );
        let copied = copy_out(&door, &bob, &table.name).await;
        assert!(
            !copied.contains(&ada.id.uuid().to_string()),
            "{} can be copied",
            table.name
        );
        // Giving one's own row away is the other half of the check.
        let (own, foreign) = (&bobs[&table.name]["tenant_id"], &adas[&table.name]["tenant_id"]);
        let giving = format!(
            "update {} set tenant_id = {foreign} where tenant_id = {own}",
            table.name
        );
        let outcome = attempt(&mut tx, &giving).await;
        assert_eq!(outcome, Outcome::Refused(FORBIDDEN.into()), "{giving}");
    }
}

/// What `copy … to stdout` gives a tenant, on a connection of its own, because a refusal ends it. Empty if refused.
async fn copy_out(door: &Door, tenant: &Tenant, table: &str) -> String {
    let mut connection = PgConnection::connect(door.database.app_url().as_str())
        .await
        .unwrap();
    let begin = format!(
        "begin; set local role insula_tenant; set local insula.tenant_id = '{}'",
        tenant.id.uuid()
    );
    connection.execute(AssertSqlSafe(begin)).await.unwrap();
    let copied = match connection.copy_out_raw(&format!("copy {table} to stdout")).await {
        Ok(parts) => parts.try_collect::<Vec<_>>().await,
        Err(error) => Err(error),
    };
    match copied {
        Ok(parts) => String::from_utf8_lossy(&parts.concat()).into_owned(),
        Err(error) => {
            assert_eq!(
                error.as_database_error().unwrap().code().as_deref(),
                Some(FORBIDDEN),
                "{error}"
            );
            String::new()
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_exactly_its_own_rows_where_it_may_look_at_all() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let tables = seed::tables(&door.owner).await;
    for tenant in [&ada, &bob] {
        seed::seed(&door.owner, &tables, tenant.id).await;
    }
    for tenant in [&ada, &bob] {
        let mut tx = door.db().tenant(&tenant.cx).await.unwrap();
        for table in &tables {
            let statement = AssertSqlSafe(format!("select distinct tenant_id from {}", table.name));
            let seen: Vec<uuid::Uuid> = sqlx::query_scalar(statement).fetch_all(&mut *tx).await.unwrap();
            assert_eq!(seen, [tenant.id.uuid()], "{}", table.name);
        }
    }
}

#[tokio::test]
async fn generic_plans_of_prepared_statements_keep_tenants_apart() {
    // From its sixth execution a prepared statement may get a plan that is made without knowing the tenant.
    let door = Door::with(1, false).await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let tables = seed::tables(&door.owner).await;
    for tenant in [&ada, &bob] {
        seed::seed(&door.owner, &tables, tenant.id).await;
    }
    for tenant in [&ada, &bob, &ada] {
        for _ in 0..12 {
            let mut tx = door.db().tenant(&tenant.cx).await.unwrap();
            let seen: Vec<uuid::Uuid> =
                sqlx::query_scalar("select tenant_id from vector_stores where name <> $1")
                    .bind("no such name")
                    .fetch_all(&mut *tx)
                    .await
                    .unwrap();
            assert_eq!(seen, [tenant.id.uuid()]);
        }
    }
}

#[tokio::test]
async fn without_a_good_tenant_nothing_is_seen() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let tables = seed::tables(&door.owner).await;
    seed::seed(&door.owner, &tables, ada.id).await;
    let partitions: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relispartition and relkind = 'r'",
    )
    .fetch_all(&door.owner)
    .await
    .unwrap();
    assert!(!partitions.is_empty());

    let url = door.database.app_url();
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    connection
        .execute("begin; set local role insula_tenant")
        .await
        .unwrap();
    // Never set; set to what a commit leaves; set to what is no tenant.
    let zero = uuid::Uuid::nil();
    for setting in ["", "''", "'garbage'", &format!("'{zero}'")] {
        if !setting.is_empty() {
            let set = format!("set local insula.tenant_id = {setting}");
            connection.execute(AssertSqlSafe(set)).await.unwrap();
        }
        for name in tables
            .iter()
            .map(|table| &table.name)
            .chain(&partitions)
            .chain([&"tenants".to_owned()])
        {
            let outcome = attempt(&mut connection, &format!("select 1 from {name} limit 1")).await;
            let fine = match setting {
                "'garbage'" => matches!(outcome, Outcome::Refused(_)),
                _ => outcome.touched_nothing(),
            };
            assert!(fine, "{name} with {setting:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn no_role_can_look_further_than_it_has_to() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let tables = seed::tables(&door.owner).await;
    seed::seed(&door.owner, &tables, ada.id).await;
    let all: BTreeSet<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')",
    )
    .fetch_all(&door.owner)
    .await
    .unwrap()
    .into_iter()
    .collect();

    // What each role may read of each table; everything else is refused to it.
    let readable: [(&str, &[(&str, &str)]); 3] = [
        ("insula_app", &[]),
        (
            "insula_system",
            &[
                (
                    "api_keys",
                    "tenant_id, id, public_id, secret_sha256, scopes, expires_at, revoked_at, last_used_at, token_key, \
                     vector_store_ids",
                ),
                ("embedding_models", "id, name, dimensions"),
                (
                    "jobs",
                    "tenant_id, id, kind, state, priority, run_at, attempt, max_attempts, lease_token, lease_until, \
                     worker, due",
                ),
                (
                    "operator_keys",
                    "id, public_id, secret_sha256, expires_at, revoked_at, last_used_at",
                ),
                ("budget_alerts", "tenant_id, id, budget_id, created_at, told_at"),
                (
                    "budget_periods",
                    "tenant_id, budget_id, subject, starts_at, spent",
                ),
                (
                    "budget_slices",
                    "tenant_id, budget_id, subject, starts_at, server_id, amount, expires_at",
                ),
                (
                    "budgets",
                    "tenant_id, id, subject_kind, subject, period, amount, alert_at",
                ),
                ("limit_slices", "server_id, expires_at"),
                ("servers", "id, started_at, seen_at"),
                ("identities", "issuer, subject, person_id, created_at"),
                ("members", "tenant_id, person_id, role"),
                ("oidc_sign_ins", "state_sha256, nonce, verifier, created_at"),
                ("passwords", "person_id, hash, changed_at"),
                ("people", "id, email, name, role, language"),
                (
                    "sessions",
                    "id, person_id, token_sha256, current_tenant, address, user_agent, created_at, last_seen_at, \
                     expires_at",
                ),
                ("sign_in_attempts", "subject, attempts, last_at"),
                (
                    "usage_events",
                    "tenant_id, started_at, key_id, end_user, endpoint, model, outcome, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, cache_hit",
                ),
                (
                    "usage_hours",
                    "tenant_id, hour, endpoint, model, key_id, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, latency",
                ),
                (
                    "usage_days",
                    "tenant_id, grain, day, endpoint, model, key_id, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, latency",
                ),
                (
                    "usage_end_users",
                    "tenant_id, day, end_user, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, latency",
                ),
                ("tenants", "id, name, status, title, erased_at"),
                ("password_resets", "person_id"),
                (
                    "tenant_accesses",
                    "tenant_id, id, person_id, reason, expires_at, ended_at",
                ),
            ],
        ),
        (
            "insula_operator",
            &[
                (
                    "api_keys",
                    "tenant_id, id, name, public_id, scopes, created_at, expires_at, revoked_at, last_used_at, \
                     rotated_to, service_account_id, vector_store_ids, requests_per_minute, tokens_per_minute, \
                     concurrency",
                ),
                (
                    "audit_logs",
                    "tenant_id, seq, id, created_at, event, actor, address, resource, details, hash",
                ),
                (
                    "operator_keys",
                    "id, name, public_id, created_at, expires_at, revoked_at, last_used_at",
                ),
                ("invite_projects", "tenant_id, invite_id, role"),
                (
                    "jobs",
                    "tenant_id, id, kind, state, run_at, attempt, max_attempts, created_at, finished_at, started_at, due",
                ),
                ("passwords", "person_id"),
                ("servers", "id, started_at, seen_at"),
                ("sessions", "id, person_id, current_tenant, last_seen_at"),
                (
                    "invites",
                    "id, email, role, token_sha256, created_at, expires_at, accepted_at",
                ),
                ("members", "tenant_id, person_id, role, created_at"),
                ("model_permissions", "tenant_id, mode, models, updated_at"),
                ("people", "id, email, name, role, created_at, language"),
                ("service_accounts", "tenant_id, id, name, role, created_at"),
                ("tenant_data_keys", "tenant_id, master_key_id, wrapped"),
                (
                    "usage_events",
                    "tenant_id, started_at, key_id, endpoint, model, input_tokens, cached_tokens, output_tokens, cost",
                ),
                ("vector_store_files", "tenant_id, usage_bytes"),
                ("tenant_quotas", "tenant_id, max_files, max_bytes, max_chunks"),
                ("tenant_usage", "tenant_id, files, bytes"),
                (
                    "budget_periods",
                    "tenant_id, budget_id, subject, starts_at, spent",
                ),
                (
                    "budgets",
                    "tenant_id, id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at, \
                     purpose, notification",
                ),
                (
                    "plan_limits",
                    "plan, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency",
                ),
                ("plans", "name, created_at"),
                (
                    "tenant_limits",
                    "tenant_id, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency",
                ),
                ("tenant_plans", "tenant_id, plan"),
                (
                    "usage_hours",
                    "tenant_id, hour, endpoint, model, key_id, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, latency",
                ),
                (
                    "tenants",
                    "id, name, status, created_at, title, archived_at, erasing_at, erased_at",
                ),
                (
                    "erasures",
                    "id, of_tenant, name, requested_by, created_at, completed_at, deleted, billed, audit_head, digest",
                ),
                (
                    "password_resets",
                    "person_id, token_sha256, created_at, expires_at",
                ),
                (
                    "tenant_accesses",
                    "tenant_id, id, person_id, reason, opened_by, created_at, expires_at, ended_at, ended_by",
                ),
            ],
        ),
    ];
    for (role, reviewed) in readable {
        for table in &all {
            let granted: Vec<String> = sqlx::query(
                "select attname::text from pg_attribute
                 where attrelid = $2::regclass and attnum > 0 and not attisdropped
                   and has_column_privilege($1, attrelid, attnum, 'select')
                 order by attnum",
            )
            .bind(role)
            .bind(table)
            .fetch_all(&door.owner)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.get(0))
            .collect();
            let expected = reviewed
                .iter()
                .find(|(name, _)| name == table)
                .map_or("", |(_, columns)| columns);
            assert_eq!(granted.join(", "), expected, "what {role} may read of {table}");
        }
    }
}
