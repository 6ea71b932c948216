//! What the schema promises, read from the catalogue: a table that is added tomorrow is checked tomorrow.

use sqlx::PgPool;

use crate::door::Door;

/// Tables that belong to no tenant, reviewed one by one.
const GLOBAL: [&str; 16] = [
    "_sqlx_migrations",
    "embedding_models",
    "erasures",
    "identities",
    "invites",
    "oidc_sign_ins",
    "operator_keys",
    "password_resets",
    "passwords",
    "people",
    "plan_limits",
    "plans",
    "servers",
    "sessions",
    "sign_in_attempts",
    "tenants",
];

/// Roles that the server can take.
const SERVING: &str = "('insula_app', 'insula_tenant', 'insula_system', 'insula_operator', 'insula_eraser')";

async fn names(owner: &PgPool, query: impl AsRef<str>) -> Vec<String> {
    let query = query.as_ref();
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
        .fetch_all(owner)
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"))
}

async fn assert_none(owner: &PgPool, what: &str, query: impl AsRef<str>) {
    let found = names(owner, query).await;
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[tokio::test]
async fn every_table_has_a_tenant_or_was_reviewed() {
    let door = Door::open().await;
    let without = names(
        &door.owner,
        "select relname::text from pg_class c
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'f')
           and not exists (select from pg_attribute a
                           where a.attrelid = c.oid and attname = 'tenant_id' and not attisdropped and attnotnull)
         order by 1",
    )
    .await;
    assert_eq!(without, GLOBAL);
    let schemas = names(
        &door.owner,
        "select nspname::text from pg_namespace
         where nspname not in ('public', 'pg_catalog', 'information_schema') and nspname not like 'pg\\_%'",
    )
    .await;
    assert!(
        schemas.is_empty(),
        "tables outside public are not walked: {schemas:?}"
    );
}

#[tokio::test]
async fn every_tenant_table_and_partition_forces_row_level_security() {
    let door = Door::open().await;
    assert_none(
        &door.owner,
        "without forced row-level security",
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
           and relname <> '_sqlx_migrations' and not (relrowsecurity and relforcerowsecurity)",
    )
    .await;
}

#[tokio::test]
async fn every_tenant_table_has_the_one_policy_with_both_halves() {
    let door = Door::open().await;
    let half = "(tenant_id = (NULLIF(current_setting(''insula.tenant_id''::text, true), ''''::text))::uuid)";
    assert_none(
        &door.owner,
        "without the tenant policy",
        format!(
            "select c.relname::text from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
               and (select count(*) from pg_policy p
                    where p.polrelid = c.oid and p.polroles = array['insula_tenant'::regrole::oid]
                      and p.polcmd = '*' and p.polpermissive
                      and pg_get_expr(p.polqual, p.polrelid) = '{half}'
                      and pg_get_expr(p.polwithcheck, p.polrelid) = '{half}') <> 1"
        ),
    )
    .await;
    let erase = "(tenant_id = erasing_tenant_id())";
    assert_none(
        &door.owner,
        "without the policy of removals",
        format!(
            "select c.relname::text from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
               and (select count(*) from pg_policy p
                    where p.polrelid = c.oid and p.polroles = array['insula_eraser'::regrole::oid]
                      and pg_get_expr(p.polqual, p.polrelid) = '{erase}'
                      and pg_get_expr(p.polwithcheck, p.polrelid) = '{erase}') <> 1"
        ),
    )
    .await;
    // Permissive policies add up: any other one is a way in.
    let others = names(
        &door.owner,
        "select p.polrelid::regclass || ' ' || p.polname || ' for ' || p.polcmd::text || ' to ' ||
                array_to_string(array(select r::regrole::text from unnest(p.polroles) r), ',')
         from pg_policy p
         where not (p.polname = 'tenant' and p.polcmd = '*' and p.polroles = array['insula_tenant'::regrole::oid])
           and not (p.polname = 'erase' and p.polroles = array['insula_eraser'::regrole::oid]
                    and p.polrelid <> 'erasures'::regclass)
         order by 1",
    )
    .await;
    let reviewed = [
        "api_keys operator for * to insula_operator",
        "api_keys system_read for r to insula_system",
        "api_keys system_use for w to insula_system",
        "audit_logs operator_read for r to insula_operator",
        "audit_logs operator_record for a to insula_operator",
        "budget_alerts system for * to insula_system",
        "budget_periods operator for r to insula_operator",
        "budget_periods operator_begin for a to insula_operator",
        "budget_periods system for * to insula_system",
        "budget_slices system for * to insula_system",
        "budgets operator for * to insula_operator",
        "budgets system_read for r to insula_system",
        "embedding_models everyone for r to -",
        "embedding_models system for * to insula_system",
        "erasures erase for * to insula_eraser",
        "erasures operator for * to insula_operator",
        "identities system for * to insula_system",
        "invite_projects operator for * to insula_operator",
        "invites operator for * to insula_operator",
        "jobs operator_read for r to insula_operator",
        "jobs system_lease for w to insula_system",
        "jobs system_read for r to insula_system",
        "limit_slices system for * to insula_system",
        "members operator for * to insula_operator",
        "members system_read for r to insula_system",
        "model_permissions operator for * to insula_operator",
        "oidc_sign_ins system for * to insula_system",
        "operator_keys operator for * to insula_operator",
        "operator_keys system_read for r to insula_system",
        "operator_keys system_use for w to insula_system",
        "password_resets operator for * to insula_operator",
        "password_resets system for * to insula_system",
        "passwords operator for * to insula_operator",
        "passwords system for * to insula_system",
        "people operator for * to insula_operator",
        "people system for * to insula_system",
        "plan_limits everyone for r to -",
        "plan_limits operator for * to insula_operator",
        "plans operator for * to insula_operator",
        "servers operator_read for r to insula_operator",
        "servers system for * to insula_system",
        "service_accounts operator for * to insula_operator",
        "sessions operator_end for d to insula_operator",
        "sessions operator_read for r to insula_operator",
        "sessions system for * to insula_system",
        "sessions tenant_read for r to insula_tenant",
        "sign_in_attempts system for * to insula_system",
        "tenant_accesses operator for * to insula_operator",
        "tenant_accesses system_read for r to insula_system",
        "tenant_data_keys operator_erase for d to insula_operator",
        "tenant_data_keys operator_read for r to insula_operator",
        "tenant_data_keys operator_rewrap for w to insula_operator",
        "tenant_limits operator for * to insula_operator",
        "tenant_plans operator for * to insula_operator",
        "tenant_quotas operator for * to insula_operator",
        "tenant_usage operator for r to insula_operator",
        "tenants operator for * to insula_operator",
        "tenants system for r to insula_system",
        "tenants tenant for r to insula_tenant",
        "usage_days system for * to insula_system",
        "usage_end_users system for * to insula_system",
        "usage_events operator_read for r to insula_operator",
        "usage_events system_read for r to insula_system",
        "usage_events system_record for a to insula_system",
        "usage_hours operator for r to insula_operator",
        "usage_hours system for * to insula_system",
        "vector_store_files operator_read for r to insula_operator",
    ];
    assert_eq!(others, reviewed);
}

#[tokio::test]
async fn keys_begin_with_the_tenant() {
    let door = Door::open().await;
    assert_none(
        &door.owner,
        "unique across tenants",
        "select i.indexrelid::regclass::text from pg_index i
         join pg_class c on c.oid = i.indrelid
         join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and i.indisunique and i.indkey[0] <> t.attnum",
    )
    .await;
    assert_none(
        &door.owner,
        "without a primary key",
        "select c.relname::text from pg_class c
         join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and not exists (select from pg_constraint p where p.conrelid = c.oid and p.contype = 'p')",
    )
    .await;
    assert_none(
        &door.owner,
        "foreign keys that may lead to another tenant",
        "select f.conrelid::regclass || ' ' || f.conname from pg_constraint f
         join pg_attribute t on t.attrelid = f.conrelid and t.attname = 'tenant_id'
         left join pg_attribute o on o.attrelid = f.confrelid and o.attname = 'tenant_id'
         where f.contype = 'f' and f.connamespace = 'public'::regnamespace
           and case when o.attnum is null
                    then f.confrelid not in ('tenants'::regclass, 'embedding_models'::regclass, 'plans'::regclass,
                                             'people'::regclass, 'invites'::regclass)
                      or f.confrelid = 'tenants'::regclass and f.conkey <> array[t.attnum]
                    else f.conkey[1] <> t.attnum or f.confkey[1] <> o.attnum end",
    )
    .await;
}

#[tokio::test]
async fn nothing_sees_with_its_owners_eyes() {
    let door = Door::open().await;
    assert_none(
        &door.owner,
        "views without security_invoker, and materialised views",
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace
           and (relkind = 'm' or relkind = 'v' and not coalesce(reloptions, '{}') @> '{security_invoker=true}')",
    )
    .await;
    assert_none(
        &door.owner,
        "security definer functions",
        "select p.oid::regprocedure::text from pg_proc p
         where p.prosecdef and p.pronamespace = 'public'::regnamespace",
    )
    .await;
    assert_none(
        &door.owner,
        "functions of ours that change the schema and that anybody may call",
        "select p.oid::regprocedure::text from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.prosrc like '%execute format%'
           and (p.proacl is null or exists (select from aclexplode(p.proacl) where grantee = 0))",
    )
    .await;
}

#[tokio::test]
async fn the_servers_roles_own_nothing_and_cannot_rise() {
    let door = Door::open().await;
    assert_none(
        &door.owner,
        "roles with powers",
        format!(
            "select rolname::text from pg_roles
             where rolname in {SERVING}
               and (rolsuper or rolbypassrls or rolinherit or rolcreaterole or rolcreatedb or rolreplication
                    or rolcanlogin <> (rolname = 'insula_app'))"
        ),
    )
    .await;
    assert_none(
        &door.owner,
        "owned",
        format!(
            "select c.oid::regclass::text from pg_class c join pg_roles r on r.oid = c.relowner
             where r.rolname in {SERVING}
             union all
             select p.oid::regprocedure::text from pg_proc p join pg_roles r on r.oid = p.proowner
             where r.rolname in {SERVING}
             union all
             select nspname::text from pg_namespace n join pg_roles r on r.oid = n.nspowner
             where r.rolname in {SERVING}"
        ),
    )
    .await;
    let memberships = names(
        &door.owner,
        format!(
            "select member::regrole || ' is ' || roleid::regrole || case when inherit_option then ' always' else '' end
                    || case when admin_option then ' and may pass it on' else '' end
             from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname in {SERVING} order by 1"
        ),
    )
    .await;
    let reviewed = [
        "insula_eraser",
        "insula_operator",
        "insula_system",
        "insula_tenant",
    ]
    .map(|role| format!("insula_app is {role}"));
    assert_eq!(memberships, reviewed);
}

#[tokio::test]
async fn no_grant_goes_round_row_level_security() {
    let door = Door::open().await;
    // TRUNCATE ignores policies; REFERENCES and TRIGGER see rows with somebody else's eyes.
    assert_none(
        &door.owner,
        "dangerous grants",
        "select c.relname || ' ' || a.privilege_type || ' to ' || a.grantee::regrole
         from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
           and a.grantee <> c.relowner and a.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')",
    )
    .await;
    assert_none(
        &door.owner,
        "grants to everybody, or to the login itself",
        "select c.relname || ' ' || a.privilege_type
         from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
           and a.grantee in (0, 'insula_app'::regrole)",
    )
    .await;
    assert_none(
        &door.owner,
        "partitions that can be reached beside their parent",
        "select c.relname || ' ' || a.privilege_type
         from pg_class c, aclexplode(c.relacl) a where c.relispartition and a.grantee <> c.relowner",
    )
    .await;
    let may_create: bool = sqlx::query_scalar(
        "select bool_or(has_schema_privilege(r, 'public', 'create'))
         from unnest(array['insula_app', 'insula_tenant', 'insula_system', 'insula_operator', 'insula_eraser']) r",
    )
    .fetch_one(&door.owner)
    .await
    .unwrap();
    assert!(!may_create, "a role that serves can create objects");
}

#[tokio::test]
async fn statements_and_transactions_of_the_server_have_an_end() {
    let door = Door::open().await;
    let settings = names(
        &door.owner,
        "select s from pg_db_role_setting d join pg_roles r on r.oid = d.setrole, unnest(d.setconfig) s
         where r.rolname = 'insula_app' order by 1",
    )
    .await;
    for name in [
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "statement_timeout",
        "transaction_timeout",
    ] {
        assert!(
            settings
                .iter()
                .any(|setting| setting.starts_with(&format!("{name}="))),
            "{name}: {settings:?}"
        );
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let door = Door::open().await;
    let migrations = "select version || ' ' || installed_on from _sqlx_migrations order by 1";
    let before = names(&door.owner, migrations).await;
    assert!(!before.is_empty());
    insula_tenancy::migrate(&door.database.owner_url(), None)
        .await
        .unwrap();
    assert_eq!(names(&door.owner, migrations).await, before);
}
