-- Why: whoever runs the install sees what waits, what runs and what has failed for good, over all tenants, and sets the last
-- going again. Of a job it sees what kind it is and how it ended; what it is about stays the tenant's.
create policy operator_read on jobs for select to insula_operator using (true);
grant select (tenant_id, id, kind, state, due, attempt, max_attempts, run_at, created_at, started_at, finished_at)
  on jobs to insula_operator;
create policy operator_read on servers for select to insula_operator using (true);
grant select on servers to insula_operator;
create index jobs_dead on jobs (created_at, id) where state = 'dead';
