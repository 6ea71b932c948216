//! A row per tenant in every table, made by looking at the catalogue, so that a new table is covered by itself.

use std::collections::BTreeMap;

use insula_tenancy::{TenantId, new_uuid};
use sqlx::{AssertSqlSafe, PgPool, Row};

/// A person, and an invitation: of no tenant.
const SOMEBODY: uuid::Uuid = uuid::Uuid::max();

/// A table with `tenant_id`, partitions excluded.
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<Column>,
    parents: Vec<Parent>,
}

struct Column {
    name: String,
    kind: String,
    /// The first of the values that a constraint allows, as SQL.
    choice: Option<String>,
}

/// A foreign key: these columns are those of that table.
struct Parent {
    table: String,
    columns: Vec<(String, String)>,
}

/// Which values the rows of a tenant have, by table and column, as SQL.
pub(crate) type Rows = BTreeMap<String, BTreeMap<String, String>>;

impl Table {
    /// An insert of a row of `tenant`, whose parents are `rows`.
    pub(crate) fn insert(&self, tenant: TenantId, rows: &Rows) -> (String, BTreeMap<String, String>) {
        let mut values = BTreeMap::new();
        for column in &self.columns {
            values.insert(column.name.clone(), column.value(&self.name, tenant));
        }
        for parent in &self.parents {
            // A table without tenants has rows already; a reference to oneself may stay empty.
            let Some(row) = rows.get(&parent.table) else {
                continue;
            };
            for (own, theirs) in &parent.columns {
                if values.contains_key(own) {
                    values.insert(own.clone(), row[theirs].clone());
                }
            }
        }
        let names: Vec<&str> = values.keys().map(String::as_str).collect();
        let literals: Vec<&str> = values.values().map(String::as_str).collect();
        let statement = format!(
            "insert into {} ({}) values ({})",
            self.name,
            names.join(", "),
            literals.join(", ")
        );
        (statement, values)
    }
}

impl Column {
    fn value(&self, table: &str, tenant: TenantId) -> String {
        let fresh = new_uuid();
        match self.kind.as_str() {
            _ if self.name == "tenant_id" => format!("'{}'::uuid", tenant.uuid()),
            _ if self.choice.is_some() => self.choice.clone().unwrap(),
            // Refers to a table without tenants.
            "text" if self.name == "plan" => "'seed'".into(),
            "uuid" if ["person_id", "invite_id"].contains(&self.name.as_str()) => {
                format!("'{SOMEBODY}'::uuid")
            }
            "uuid" => format!("'{fresh}'::uuid"),
            "text" => format!("'canary-{}'", fresh.simple()),
            "text[]" => "array['canary']".into(),
            "bytea" => format!("sha256('{fresh}')"),
            "integer" | "bigint" | "smallint" | "double precision" => "1".into(),
            "boolean" => "true".into(),
            "jsonb" => "'{}'".into(),
            "timestamp with time zone" => "now()".into(),
            "halfvec" => "'[1]'".into(),
            "vector(40)" => "array_fill(1, array[40])::vector".into(),
            vector if vector.starts_with("halfvec(") => {
                let dimensions = vector.trim_start_matches("halfvec(").trim_end_matches(')');
                format!("array_fill(1, array[{dimensions}])::real[]::vector::{vector}")
            }
            other => panic!(
                "{table}.{} is of type {other}: teach this generator to make one",
                self.name
            ),
        }
    }
}

/// All tables with a tenant, parents before their children.
pub(crate) async fn tables(owner: &PgPool) -> Vec<Table> {
    let names: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         order by 1",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let mut waiting = Vec::new();
    for name in names {
        let (columns, parents) = (columns(owner, &name).await, parents(owner, &name).await);
        waiting.push(Table {
            name,
            columns,
            parents,
        });
    }
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        let (free, blocked): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|table: &Table| {
            let known = |parent: &Parent| ordered.iter().any(|table| table.name == parent.table);
            table
                .parents
                .iter()
                .all(|parent| known(parent) || parent.table == table.name)
        });
        assert!(blocked.len() < before, "tables refer to each other in a circle");
        ordered.extend(free);
        waiting = blocked;
    }
    ordered
}

/// Columns that an insert has to give: not null, without default, not generated; and the tenant.
async fn columns(owner: &PgPool, table: &str) -> Vec<Column> {
    sqlx::query(
        "select attname::text, format_type(atttypid, atttypmod),
                (select substring(pg_get_constraintdef(c.oid) from $$= ANY [(]+ARRAY[[]('[^']*'::text)$$)
                 from pg_constraint c where c.conrelid = attrelid and c.contype = 'c' and c.conkey = array[attnum]
                 limit 1)
         from pg_attribute
         where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = ''
           and (attname = 'tenant_id' or attnotnull and not atthasdef)
         order by attnum",
    )
    .bind(table)
    .fetch_all(owner)
    .await
    .unwrap()
    .into_iter()
    .map(|row| Column {
        name: row.get(0),
        kind: row.get(1),
        choice: row.get(2),
    })
    .collect()
}

/// References to other tables with tenants, whose rows have to be there first.
async fn parents(owner: &PgPool, table: &str) -> Vec<Parent> {
    sqlx::query(
        "select c.confrelid::regclass::text,
                array(select attname::text from unnest(c.conkey) with ordinality k (n, i)
                      join pg_attribute on attrelid = c.conrelid and attnum = n order by i),
                array(select attname::text from unnest(c.confkey) with ordinality k (n, i)
                      join pg_attribute on attrelid = c.confrelid and attnum = n order by i)
         from pg_constraint c
         where c.contype = 'f' and c.conrelid = $1::regclass and c.conparentid = 0
           and exists (select from pg_attribute where attrelid = c.confrelid and attname = 'tenant_id')",
    )
    .bind(table)
    .fetch_all(owner)
    .await
    .unwrap()
    .into_iter()
    .map(|row| {
        let (own, theirs): (Vec<String>, Vec<String>) = (row.get(1), row.get(2));
        Parent {
            table: row.get(0),
            columns: own.into_iter().zip(theirs).collect(),
        }
    })
    .collect()
}

/// Puts a row of `tenant` into every table.
pub(crate) async fn seed(owner: &PgPool, tables: &[Table], tenant: TenantId) -> Rows {
    sqlx::query(
        "insert into embedding_models (name, dimensions) values ('seed', 384) on conflict do nothing",
    )
    .execute(owner)
    .await
    .unwrap();
    sqlx::query("insert into plans (name) values ('seed') on conflict do nothing")
        .execute(owner)
        .await
        .unwrap();
    sqlx::query(
        "insert into people (id, email, role) values ($1, 'seed@example.com', 'reader') on conflict do nothing",
    )
    .bind(SOMEBODY)
    .execute(owner)
    .await
    .unwrap();
    sqlx::query(
        "insert into invites (id, email, role, token_sha256, expires_at)
         values ($1, 'seed@example.com', 'reader', sha256('seed'), now()) on conflict do nothing",
    )
    .bind(SOMEBODY)
    .execute(owner)
    .await
    .unwrap();
    let mut rows = Rows::new();
    for table in tables {
        let (mut statement, values) = table.insert(tenant, &rows);
        if ["audit_logs", "tenant_usage"].contains(&table.name.as_str()) {
            // Its making, or a trigger, has made one.
            statement += " on conflict do nothing";
        }
        let done = sqlx::raw_sql(AssertSqlSafe(statement.clone()))
            .execute(owner)
            .await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        rows.insert(table.name.clone(), values);
    }
    rows
}
