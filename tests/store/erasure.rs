//! Removing tenants, below the API: what the role that removes can reach, and that no table is forgotten.

use std::collections::BTreeSet;

use insula_tenancy::erasure::{self, Requested};
use insula_tenancy::tenant;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::door::Door;
use crate::seed;

/// Tenants whose rows of a table the role that removes sees, when it is about to remove `tenant`.
async fn seen(connection: &mut PgConnection, tenant: Uuid, table: &str) -> Vec<Uuid> {
    let begin = format!("begin; set local role insula_eraser; set local insula.tenant_id = '{tenant}'");
    connection.execute(AssertSqlSafe(begin)).await.unwrap();
    let select = AssertSqlSafe(format!("select distinct tenant_id from {table}"));
    let seen = sqlx::query_scalar(select).fetch_all(&mut *connection).await;
    connection.execute("rollback").await.unwrap();
    seen.unwrap_or_else(|error| panic!("{table}: {error}"))
}

#[tokio::test]
async fn only_a_tenant_whose_removal_was_asked_for_can_be_removed() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let tables = seed::tables(&door.owner).await;
    for tenant in [&ada, &bob] {
        seed::seed(&door.owner, &tables, tenant.id).await;
    }
    let mut connection = PgConnection::connect(door.database.app_url().as_str())
        .await
        .unwrap();
    for table in &tables {
        for tenant in [&ada, &bob] {
            assert_eq!(
                seen(&mut connection, tenant.id.uuid(), &table.name).await,
                Vec::<Uuid>::new(),
                "{}",
                table.name
            );
        }
    }
    // Without a request nothing happens.
    assert_eq!(erasure::clear(door.db(), ada.id).await.unwrap(), 0);
    assert_eq!(erasure::clear_people(door.db(), ada.id).await.unwrap(), 0);

    let mut tx = door.db().operator().await.unwrap();
    tenant::set_suspended(&mut tx, ada.id, true).await.unwrap();
    let begun = erasure::request(&mut tx, ada.id, "ada").await.unwrap();
    assert!(matches!(begun, Requested::Begun(_)), "{begun:?}");
    tx.commit().await.unwrap();
    for table in &tables {
        let own = match table.name.as_str() {
            // Gone with the request.
            "tenant_data_keys" => vec![],
            _ => vec![ada.id.uuid()],
        };
        assert_eq!(
            seen(&mut connection, ada.id.uuid(), &table.name).await,
            own,
            "{}",
            table.name
        );
        assert_eq!(
            seen(&mut connection, bob.id.uuid(), &table.name).await,
            Vec::<Uuid>::new(),
            "{}",
            table.name
        );
    }
    assert!(erasure::clear_people(door.db(), ada.id).await.unwrap() > 0);
    assert!(erasure::clear(door.db(), ada.id).await.unwrap() > 0);
    for table in &tables {
        let count = format!(
            "select count(*) filter (where tenant_id = $1), count(*) filter (where tenant_id = $2) from {}",
            table.name
        );
        let (adas, bobs): (i64, i64) = sqlx::query_as(AssertSqlSafe(count))
            .bind(ada.id)
            .bind(bob.id)
            .fetch_one(&door.owner)
            .await
            .unwrap();
        assert_eq!((adas, bobs > 0), (0, true), "{}", table.name);
    }
}

#[tokio::test]
async fn every_table_of_tenants_is_on_the_list() {
    let door = Door::open().await;
    let tables = seed::tables(&door.owner).await;
    let there: BTreeSet<&str> = tables
        .iter()
        .map(|table| table.name.as_str())
        // Vectors go with their chunks: a table of theirs may be made at any time.
        .filter(|name| !name.starts_with("embeddings_"))
        .collect();
    let listed: BTreeSet<&str> = erasure::names().collect();
    assert_eq!(listed, there);
    assert_eq!(erasure::names().count(), listed.len(), "twice on the list");
}
