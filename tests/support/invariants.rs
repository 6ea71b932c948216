//! What holds after every fault: one query per promise, each finding who broke it.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};

use crate::eventually;

/// A promise, and the query that finds what breaks it.
const PROMISES: &[(&str, &str)] = &[
    (
        "a file has all its chunks once, numbered without gaps",
        "select f.vector_store_id || ' ' || f.file_id
         from vector_store_files f
         left join chunks c using (tenant_id, vector_store_id, file_id)
         group by f.tenant_id, f.vector_store_id, f.file_id, f.chunk_count
         having count(c.id) <> f.chunk_count or coalesce(min(c.ordinal), 0) <> 0
             or coalesce(max(c.ordinal), -1) <> f.chunk_count - 1",
    ),
    (
        // One in progress may have those of an earlier time, which are searched until the new ones are there.
        "a completed file has chunks, and one that failed or was cancelled has none",
        "select file_id::text from vector_store_files
         where status = 'completed' and chunk_count = 0 or status in ('failed', 'cancelled') and chunk_count > 0",
    ),
    (
        "a batch is finished when, and only when, none of its files is in progress",
        "select b.id::text from file_batches b
         where (b.finished_at is null) <> exists (
           select from vector_store_files f
           where f.tenant_id = b.tenant_id and f.batch_id = b.id and f.status = 'in_progress')",
    ),
    (
        "a file that is completed has taken the place of what it replaces",
        "select file_id::text from vector_store_files where status = 'completed' and replaces is not null",
    ),
    (
        "a file in progress has a job",
        "select f.file_id::text from vector_store_files f
         where f.status = 'in_progress' and not exists (
           select from jobs j where j.tenant_id = f.tenant_id and j.kind = 'ingest_file'
             and j.state in ('ready', 'running') and j.payload ->> 'file_id' = f.file_id::text
             and j.payload ->> 'vector_store_id' = f.vector_store_id::text)",
    ),
    (
        "a chunk has exactly one embedding, in its own store and by its store's model",
        "select c.id::text from chunks c
         join vector_stores s on s.tenant_id = c.tenant_id and s.id = c.vector_store_id
         left join {embeddings} e on e.tenant_id = c.tenant_id and e.chunk_id = c.id
           and e.vector_store_id = c.vector_store_id and e.embedding_model_id = s.embedding_model_id
         group by c.tenant_id, c.id having count(e.chunk_id) <> 1",
    ),
    (
        "a vector of another model than its store's belongs to a migration that has not cleaned up",
        "select e.chunk_id::text from {embeddings} e
         join vector_stores s on s.tenant_id = e.tenant_id and s.id = e.vector_store_id
         where e.embedding_model_id <> s.embedding_model_id and not exists (
           select from store_migrations m
           where m.tenant_id = e.tenant_id and m.vector_store_id = e.vector_store_id and m.cleaned_at is null
             and e.embedding_model_id in (m.from_model_id, m.to_model_id))",
    ),
    (
        "a migration under way has a job, and one that is over cleans up after itself",
        "select m.id::text from store_migrations m
         where m.status not in ('ready') and m.cleaned_at is null and not exists (
           select from jobs j where j.tenant_id = m.tenant_id and j.state in ('ready', 'running')
             and j.payload ->> 'migration_id' = m.id::text
             and j.kind = case when m.status in ('queued', 'embedding', 'comparing', 'rolling_back')
                               then 'migrate_store' else 'remove_vectors' end)",
    ),
    (
        "the hourly sums are those of the events",
        "with events as (
           select tenant_id, date_trunc('hour', started_at, 'UTC') as hour, endpoint, model,
                  coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key_id, count(*) as requests,
                  sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cost) as cost,
                  sum(latency_histogram(latency_us)) as latency
           from usage_events group by 1, 2, 3, 4, 5)
         select coalesce(e.model, h.model) from events e
         full join usage_hours h using (tenant_id, hour, endpoint, model, key_id)
         where (e.requests, e.input_tokens, e.output_tokens, e.cost, e.latency)
           is distinct from (h.requests, h.input_tokens, h.output_tokens, h.cost, h.latency)",
    ),
    (
        "the daily sums of each grain are those of the hours",
        "with hours as (
           select tenant_id, grain, date_trunc('day', hour, 'UTC') as day, case grain when 'key' then '' else endpoint end as endpoint,
                  case grain when 'key' then '' else model end as model,
                  case grain when 'model' then '00000000-0000-0000-0000-000000000000' else key_id end as key_id,
                  sum(requests) as requests, sum(failed) as failed, sum(cache_hits) as cache_hits,
                  sum(input_tokens) as input_tokens, sum(cached_tokens) as cached_tokens,
                  sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(cost) as cost,
                  sum(latency_us) as latency_us, sum(latency) as latency
           from usage_hours, unnest(array['all', 'model', 'key']) as grain group by 1, 2, 3, 4, 5, 6)
         select coalesce(h.model, d.model) || ' ' || grain from hours h
         full join usage_days d using (tenant_id, grain, day, endpoint, model, key_id)
         where (h.requests, h.failed, h.cache_hits, h.input_tokens, h.cached_tokens, h.output_tokens, h.reasoning_tokens,
                h.cost, h.latency_us, h.latency)
           is distinct from (d.requests, d.failed, d.cache_hits, d.input_tokens, d.cached_tokens, d.output_tokens,
                             d.reasoning_tokens, d.cost, d.latency_us, d.latency)",
    ),
    (
        "the sums by end user are those of the events that name one",
        "with events as (
           select tenant_id, date_trunc('day', started_at, 'UTC') as day, end_user, count(*) as requests,
                  count(*) filter (where outcome = 'failed') as failed, count(*) filter (where cache_hit) as cache_hits,
                  sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cost) as cost,
                  sum(latency_us) as latency_us, sum(latency_histogram(latency_us)) as latency
           from usage_events where end_user is not null group by 1, 2, 3)
         select coalesce(e.end_user, u.end_user) from events e full join usage_end_users u using (tenant_id, day, end_user)
         where (e.requests, e.failed, e.cache_hits, e.input_tokens, e.output_tokens, e.cost, e.latency_us, e.latency)
           is distinct from (u.requests, u.failed, u.cache_hits, u.input_tokens, u.output_tokens, u.cost, u.latency_us,
                             u.latency)",
    ),
    (
        "what is spent and what is set apart of a hard budget is within it",
        "select b.id::text from budgets b
         join budget_periods p on p.tenant_id = b.tenant_id and p.budget_id = b.id
         left join budget_slices s on s.tenant_id = p.tenant_id and s.budget_id = p.budget_id
           and s.subject = p.subject and s.starts_at = p.starts_at
         where b.hard group by b.tenant_id, b.id, b.amount, p.subject, p.starts_at, p.spent
         having p.spent + coalesce(sum(s.amount), 0) > b.amount",
    ),
    (
        "a batch of calls under way has a job",
        "select b.id::text from batches b
         where b.status in ('validating', 'in_progress', 'finalizing', 'cancelling') and not exists (
           select from jobs j where j.tenant_id = b.tenant_id and j.kind = 'run_batch' and j.state in ('ready', 'running')
             and j.payload ->> 'batch_id' = b.id::text)",
    ),
    (
        "the lines of a batch of calls are counted, and are in its files when it is over",
        "select b.id::text from batches b
         left join batch_lines l on l.tenant_id = b.tenant_id and l.batch_id = b.id
         group by b.tenant_id, b.id
         having case when b.status in ('completed', 'expired', 'cancelled') then count(l.line) <> 0
                else (count(*) filter (where l.status_code = 200), count(*) filter (where l.status_code <> 200))
                     is distinct from (b.completed::bigint, b.failed::bigint) end",
    ),
    (
        "a store's statistics are those of its chunks",
        "select s.id::text from vector_stores s
         left join chunks c on c.tenant_id = s.tenant_id and c.vector_store_id = s.id
         group by s.tenant_id, s.id, s.chunk_count, s.term_count
         having count(c.id) <> s.chunk_count or coalesce(sum(c.term_count), 0) <> s.term_count",
    ),
    (
        "a term's document frequency is the number of chunks that have it",
        "with counted as (
           select c.tenant_id, c.vector_store_id, split_part(pair, ':', 1)::int as term, count(*) as df
           from chunks c, string_to_table(trim(both '{}' from split_part(c.terms::text, '/', 1)), ',') as pair
           where pair <> '' group by 1, 2, 3)
         select coalesce(t.term, k.term)::text
         from term_stats t full join counted k using (tenant_id, vector_store_id, term)
         where t.df is distinct from k.df",
    ),
    (
        "a tenant's usage is that of its files and parts",
        "with stored as (
           select tenant_id, 1 as files, bytes from files union all select tenant_id, 0, bytes from upload_parts
           union all select tenant_id, 0, bytes from model_versions),
         counted as (select tenant_id, sum(files) as files, sum(bytes) as bytes from stored group by 1)
         select coalesce(u.tenant_id, c.tenant_id)::text
         from tenant_usage u full join counted c using (tenant_id)
         where coalesce(u.files, 0) <> coalesce(c.files, 0) or coalesce(u.bytes, 0) <> coalesce(c.bytes, 0)",
    ),
    (
        // The same hash as `insula audit verify` computes, by other means.
        "each entry of the audit log follows the one before it",
        "with chained as (
           select tenant_id, seq, hash,
                  row_number() over chain as place,
                  coalesce(lag(hash) over chain, decode(repeat('00', 32), 'hex')) as before,
                  int8send(16) || uuid_send(tenant_id) || int8send(8) || int8send(seq) || int8send(16) || uuid_send(id)
                  || int8send(8) || int8send((extract(epoch from created_at) * 1000000)::bigint)
                  || int8send(octet_length(event)) || convert_to(event, 'UTF8')
                  || int8send(octet_length(actor)) || convert_to(actor, 'UTF8')
                  || int8send(1) || decode(case when address is null then '00' else '01' end, 'hex')
                  || int8send(octet_length(coalesce(address, ''))) || convert_to(coalesce(address, ''), 'UTF8')
                  || int8send(octet_length(resource)) || convert_to(resource, 'UTF8')
                  || int8send(octet_length(details)) || convert_to(details, 'UTF8') as words
           from audit_logs window chain as (partition by tenant_id order by seq))
         select tenant_id || ' ' || seq from chained
         where seq <> place
            or hash <> sha256(int8send(14) || convert_to('insula audit 1', 'UTF8') || int8send(32) || before || words)",
    ),
    (
        "only a pending upload has parts, and only a completed one has a file",
        "select u.id::text from uploads u
         where u.status <> 'pending' and exists (
                 select from upload_parts p where p.tenant_id = u.tenant_id and p.upload_id = u.id)
            or u.status <> 'completed' and u.file_id is not null",
    ),
];

/// Checks every promise.
///
/// # Panics
/// Naming the promise that is broken and by whom.
pub async fn assert_invariants(owner: &PgPool) {
    let embeddings = all_embeddings(owner).await;
    for (promise, query) in PROMISES {
        let query = AssertSqlSafe(query.replace("{embeddings}", &embeddings));
        let broken: Vec<String> = sqlx::query_scalar(query)
            .fetch_all(owner)
            .await
            .unwrap_or_else(|error| panic!("{promise}: {error}"));
        assert!(broken.is_empty(), "broken: {promise}: {broken:?}");
    }
    // A rollback may still be on its way. No longer, though: after a while Postgres would end the transaction by itself.
    let settled = eventually("no connection stays inside a transaction", async || {
        let stuck: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and state like 'idle in transaction%'",
        )
        .fetch_one(owner)
        .await
        .expect("looking at sessions");
        (stuck == 0).then_some(())
    });
    let settled = tokio::time::timeout(Duration::from_secs(5), settled).await;
    assert!(
        settled.is_ok(),
        "broken: no connection stays inside a transaction"
    );
}

/// All vectors, whatever their length, as a table expression.
async fn all_embeddings(owner: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select 'select tenant_id, vector_store_id, embedding_model_id, chunk_id from ' || relname from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'p' and relname ~ '^embeddings_[0-9]+$'",
    )
    .fetch_all(owner)
    .await
    .expect("the tables of vectors");
    format!("({})", tables.join(" union all "))
}
