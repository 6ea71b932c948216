//! The server refuses to start with a login that could go round row-level security.

use insula_tenancy::{Db, DbConfig, Error, new_uuid};
use sqlx::AssertSqlSafe;

use crate::door::Door;

/// Connects as a new role with these attributes, for which `more` was done, and tells what came of it.
async fn start_as(attributes: &str, more: &[&str]) -> Result<Db, Error> {
    let door = Door::open().await;
    let role = format!("insula_test_{}", new_uuid().simple());
    let password = new_uuid().simple().to_string();
    let run = async |statement: String| {
        sqlx::raw_sql(AssertSqlSafe(statement.clone()))
            .execute(&door.owner)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    };
    run(format!(
        "create role {role} login password '{password}' {attributes}"
    ))
    .await;
    for statement in more {
        run(statement.replace("ROLE", &role)).await;
    }
    let mut url = door.database.app_url();
    url.set_username(&role).unwrap();
    url.set_password(Some(&password)).unwrap();
    let started = Db::connect(&DbConfig::new(url.to_string().into())).await;
    if let Ok(db) = &started {
        db.close().await;
    }
    // Roles belong to the cluster and would outlive the database.
    run(format!("drop owned by {role}; drop role {role}")).await;
    started
}

async fn assert_refused(attributes: &str, more: &[&str], reason: &str) {
    match start_as(attributes, more).await {
        Err(Error::Refused(message)) => assert!(message.contains(reason), "{message}"),
        Err(other) => panic!("{attributes} {more:?}: {other}"),
        Ok(_) => panic!("{attributes} {more:?}: the server would have started"),
    }
}

#[tokio::test]
async fn a_plain_noinherit_login_may_start() {
    start_as("noinherit", &[]).await.unwrap();
}

#[tokio::test]
async fn a_superuser_is_refused() {
    assert_refused("noinherit superuser", &[], "is a superuser").await;
}

#[tokio::test]
async fn a_login_that_bypasses_row_level_security_is_refused() {
    assert_refused("noinherit bypassrls", &[], "has BYPASSRLS").await;
}

#[tokio::test]
async fn an_owner_is_refused() {
    assert_refused(
        "noinherit",
        &["create table mine (); alter table mine owner to ROLE"],
        "owns tables",
    )
    .await;
}

#[tokio::test]
async fn a_login_that_may_become_the_owner_is_refused() {
    assert_refused(
        "noinherit",
        &["grant insula_owner to ROLE with inherit false, set true"],
        "owner",
    )
    .await;
}

#[tokio::test]
async fn a_login_that_inherits_is_refused() {
    assert_refused("inherit", &[], "inherits privileges").await;
}

#[tokio::test]
async fn a_login_that_may_become_somebody_powerful_is_refused() {
    for power in ["superuser", "bypassrls"] {
        let name = format!("insula_test_power_{}", new_uuid().simple());
        let create = format!("create role {name} {power}; grant {name} to ROLE with inherit false, set true");
        let started = start_as("noinherit", &[&create]).await;
        let door = Door::open().await;
        sqlx::raw_sql(AssertSqlSafe(format!("drop role {name}")))
            .execute(&door.owner)
            .await
            .unwrap();
        assert!(
            matches!(started, Err(Error::Refused(_))),
            "a login that may become a {power} role would have started"
        );
    }
}

#[tokio::test]
async fn a_refusal_does_not_tell_the_password() {
    let door = Door::open().await;
    let mut url = door.database.app_url();
    url.set_password(Some("wrong-secret-password")).unwrap();
    let error = Db::connect(&DbConfig::new(url.to_string().into()))
        .await
        .unwrap_err();
    assert!(!format!("{error:?} {error}").contains("wrong-secret-password"));
}
