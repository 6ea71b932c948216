-- Why: tenants see their background work: what each job is about, how far it is and why it failed, as it happens. And a
-- claim reads no more than it takes: with every due job of a kind and tenant contiguous in one index, it costs tenants
-- with work × free slots, whatever the length of the queue.
alter table jobs
  -- What the job works on, for those who ask for the jobs of a file. No references: a job outlives its subject.
  add column vector_store_id  uuid,
  add column file_id          uuid,
  -- How far it is. The stage is reset by each start.
  add column stage            text check (length(stage) between 1 and 64),
  add column progress_done    bigint check (progress_done >= 0),
  add column progress_total   bigint check (progress_total >= 0),
  -- The start of the present or last attempt.
  add column started_at       timestamptz,
  -- Why it failed, in words for the tenant; last_error is the operator's.
  add column reason           text,
  -- Whether its time has come: false from enqueueing for later, or from a failure, until a claim finds run_at in the
  -- past. What waits for its time is so kept out of the index that claims walk.
  add column due              boolean not null default true;

drop index jobs_ready;
create index jobs_ready on jobs (kind, tenant_id, priority desc, run_at, id) where state = 'ready' and due;
-- Without the rows that have no key, so that a planner without statistics cannot take it for an index of the queue.
drop index jobs_unique;
create unique index jobs_unique on jobs (tenant_id, kind, unique_key)
  where unique_key is not null and state in ('ready', 'running');
create index jobs_waiting on jobs (run_at) where state = 'ready' and not due;
create index jobs_created on jobs (tenant_id, created_at, id);
create index jobs_file on jobs (tenant_id, file_id) where file_id is not null;

-- A queue's rows change often: room for the new versions on the same page, and dead ones taken away early.
alter table jobs set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

grant delete on jobs to insula_tenant;
grant select (due) on jobs to insula_system;
grant update (due, started_at, stage, progress_done, progress_total) on jobs to insula_system;

-- Whoever watches a job hears of each change, on every server. The payload is the job's id and nothing else, because
-- notifications are visible database-wide.
create function notify_job_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('insula_job_changes', new.id::text);
  if new.state = 'ready' and new.due then
    perform pg_notify('insula_jobs', '');
  end if;
  return null;
end $$;
create trigger job_changed after update of state, due, stage, progress_done, progress_total on jobs
  for each row when ((old.state, old.due, old.stage, old.progress_done, old.progress_total)
                     is distinct from (new.state, new.due, new.stage, new.progress_done, new.progress_total))
  execute function notify_job_change();
