-- The roles of an Insula database. Roles belong to the cluster, not to one database, so they are made here, once,
-- by whoever may create roles, and not in a migration. Running this again changes nothing.
--
--   insula_owner     owns every table; used by `insula migrate` only
--   insula_app       what the server logs in as: owns nothing, may read nothing, inherits nothing
--   insula_tenant    one tenant's rows, by row-level security
--   insula_system    before there is a tenant: key lookup and job leasing, narrow columns of few tables
--   insula_operator  the operator's console: tenants and keys of the whole install, never their data
--   insula_eraser    removes a tenant's rows, and sees those of tenants whose removal was asked for
do $$
declare
  name text;
begin
  foreach name in array array['insula_owner', 'insula_tenant', 'insula_system', 'insula_operator',
                              'insula_eraser'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I nologin noinherit', name);
    end if;
  end loop;
  if not exists (select from pg_roles where rolname = 'insula_app') then
    create role insula_app login noinherit;
  end if;

  -- The last line of defence against a statement, a lock or a transaction that nobody waits for any more.
  alter role insula_app set statement_timeout = '30s';
  alter role insula_app set lock_timeout = '5s';
  alter role insula_app set idle_in_transaction_session_timeout = '15s';
  if current_setting('server_version_num')::int >= 170000 then
    alter role insula_app set transaction_timeout = '120s';
  end if;
  alter role insula_app set jit = off;
  alter role insula_app set max_parallel_workers_per_gather = 0;
end $$;

grant insula_tenant, insula_system, insula_operator, insula_eraser to insula_app with inherit false, set true;
