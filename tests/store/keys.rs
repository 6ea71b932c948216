//! API keys: good while they are good, refused on every node as soon as they are not.

use std::time::{Duration, Instant};

use insula_tenancy::key::{self, NewKey};
use insula_tenancy::{AccessError, Error, Scope, tenant};
use insula_tests::eventually;
use secrecy::ExposeSecret;

use crate::door::{Door, Node, only};

async fn state(node: &Node, key: &str) -> Result<(), AccessError> {
    match node.authenticator.authenticate(key).await {
        Ok(_) => Ok(()),
        Err(Error::Access(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_key_leads_to_its_own_tenant_with_its_own_scopes() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let (_, narrow) = door.key(&bob, &only(Scope::FilesRead)).await;
    let cx = door.node.authenticator.authenticate(&narrow).await.unwrap();
    assert_eq!(cx.tenant_id(), bob.id);
    assert_eq!(cx.require(Scope::FilesRead), Ok(()));
    assert_eq!(
        cx.require(Scope::FilesWrite),
        Err(AccessError::MissingScope(Scope::FilesWrite))
    );
    assert_eq!(ada.cx.tenant_id(), ada.id);
    assert!(Scope::ALL.iter().all(|scope| ada.cx.require(*scope).is_ok()));
}

#[tokio::test]
async fn what_is_no_key_is_refused_without_saying_why() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let bob = door.tenant("bob").await;
    // Ada's public id with Bob's secret, its checksum being right for neither.
    let (public, _) = ada.key.rsplit_once('_').unwrap();
    let (_, secret) = bob.key.rsplit_once('_').unwrap();
    for wrong in [
        format!("{public}_{secret}"),
        ada.key.to_uppercase(),
        "isk_".into(),
        String::new(),
        "\u{0}".into(),
    ] {
        assert_eq!(
            state(&door.node, &wrong).await,
            Err(AccessError::InvalidKey),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_every_node_within_a_second() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let other = door.another_node().await;
    for node in [&door.node, &other] {
        assert_eq!(state(node, &ada.key).await, Ok(()));
    }
    let mut tx = door.db().operator().await.unwrap();
    key::revoke(&mut tx, ada.key_id).await.unwrap();
    tx.commit().await.unwrap();
    let revoked = Instant::now();
    for node in [&door.node, &other] {
        eventually("the key is refused", async || {
            state(node, &ada.key).await.is_err().then_some(())
        })
        .await;
    }
    assert!(
        revoked.elapsed() < Duration::from_secs(1),
        "took {:?}",
        revoked.elapsed()
    );
    let mut tx = door.db().operator().await.unwrap();
    assert!(
        matches!(key::revoke(&mut tx, ada.key_id).await, Err(Error::Invalid(_))),
        "revoked twice"
    );
}

#[tokio::test]
async fn a_suspended_tenant_is_told_so_and_can_come_back() {
    let door = Door::open().await;
    let (ada, bob) = (door.tenant("ada").await, door.tenant("bob").await);
    let other = door.another_node().await;
    assert_eq!(state(&other, &ada.key).await, Ok(()));
    for (suspended, expected) in [(true, Err(AccessError::Suspended)), (false, Ok(()))] {
        let mut tx = door.db().operator().await.unwrap();
        tenant::set_suspended(&mut tx, ada.id, suspended).await.unwrap();
        tx.commit().await.unwrap();
        for node in [&door.node, &other] {
            eventually("it is known", async || {
                (state(node, &ada.key).await == expected).then_some(())
            })
            .await;
        }
        assert_eq!(
            state(&other, &bob.key).await,
            Ok(()),
            "the other tenant is not concerned"
        );
    }
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let new = NewKey {
        expires_in: Some(Duration::from_secs(2)),
        ..NewKey::all_scopes("short")
    };
    let (_, short) = door.key(&ada, &new).await;
    assert_eq!(state(&door.node, &short).await, Ok(()));
    eventually("it expires", async || {
        state(&door.node, &short).await.is_err().then_some(())
    })
    .await;
    assert_eq!(state(&door.node, &ada.key).await, Ok(()));
    let never = NewKey {
        expires_in: Some(Duration::ZERO),
        ..NewKey::all_scopes("never")
    };
    let mut tx = door.db().operator().await.unwrap();
    assert!(matches!(
        key::create(&mut tx, ada.id, &never).await,
        Err(Error::Invalid(_))
    ));
}

#[tokio::test]
async fn a_rotated_key_lives_through_its_grace_period_and_no_longer() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let (id, old) = door.key(&ada, &only(Scope::ModelsRead)).await;
    let mut tx = door.db().operator().await.unwrap();
    let new = key::rotate(&mut tx, id, Duration::from_secs(3600)).await.unwrap();
    assert!(
        matches!(
            key::rotate(&mut tx, id, Duration::ZERO).await,
            Err(Error::Invalid(_))
        ),
        "rotated twice"
    );
    tx.commit().await.unwrap();
    let new_key = new.key.expose_secret().to_owned();
    assert_eq!(state(&door.node, &old).await, Ok(()));
    let cx = door.node.authenticator.authenticate(&new_key).await.unwrap();
    assert_eq!(
        (
            cx.require(Scope::ModelsRead),
            cx.require(Scope::FilesRead).is_err()
        ),
        (Ok(()), true),
        "same scopes"
    );

    let mut tx = door.db().operator().await.unwrap();
    let newest = key::rotate(&mut tx, new.id, Duration::ZERO).await.unwrap();
    tx.commit().await.unwrap();
    eventually("it ends at once without grace", async || {
        state(&door.node, &new_key).await.is_err().then_some(())
    })
    .await;
    assert_eq!(state(&door.node, newest.key.expose_secret()).await, Ok(()));
}

#[tokio::test]
async fn use_is_noted_and_keys_are_listed_without_their_secret() {
    let door = Door::open().await;
    let ada = door.tenant("ada").await;
    let (unused, _) = door.key(&ada, &only(Scope::FilesRead)).await;
    let mut tx = door.db().operator().await.unwrap();
    let keys = key::list(&mut tx, ada.id).await.unwrap();
    let last_used = |id| keys.iter().find(|key| key.id == id).unwrap().last_used_at;
    assert!(last_used(ada.key_id).is_some(), "the door's own check is a use");
    assert_eq!(last_used(unused), None);
    let (_, secret) = ada.key.rsplit_once('_').unwrap();
    assert!(!format!("{keys:?}").contains(secret));
    let stored: i64 =
        sqlx::query_scalar("select count(*) from api_keys where api_keys::text like '%' || $1 || '%'")
            .bind(secret)
            .fetch_one(&door.owner)
            .await
            .unwrap();
    assert_eq!(stored, 0, "the secret is in the database");
}
