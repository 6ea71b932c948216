//! The doors to a database of the test's own.

use insula_tenancy::key::{self, NewKey};
use insula_tenancy::{
    Authenticator, Db, DbConfig, KeyId, Notifications, Scope, TenantContext, TenantId, tenant,
};
use insula_tests::{Database, FaultProxy};
use secrecy::ExposeSecret;
use sqlx::PgPool;

/// A node: a pool of connections, and an authenticator that follows the database.
pub(crate) struct Node {
    pub(crate) db: Db,
    pub(crate) authenticator: Authenticator,
    _notifications: Notifications,
}

/// A database with one node.
pub(crate) struct Door {
    pub(crate) database: Database,
    pub(crate) owner: PgPool,
    pub(crate) node: Node,
    pub(crate) proxy: Option<FaultProxy>,
}

/// A tenant with one key.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) key_id: KeyId,
    pub(crate) key: String,
    pub(crate) cx: TenantContext,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::with(4, false).await
    }

    /// With so many connections, and a proxy before Postgres if wanted.
    pub(crate) async fn with(connections: u32, proxied: bool) -> Self {
        let database = Database::create().await;
        let owner = database.owner().await;
        let proxy = if proxied {
            Some(FaultProxy::start(database.address()).await)
        } else {
            None
        };
        let node = node(&database, connections, proxy.as_ref()).await;
        Self {
            database,
            owner,
            node,
            proxy,
        }
    }

    /// Another server on the same database.
    pub(crate) async fn another_node(&self) -> Node {
        node(&self.database, 2, None).await
    }

    pub(crate) fn db(&self) -> &Db {
        &self.node.db
    }

    /// A tenant with a key that may do everything.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let mut tx = self.db().operator().await.unwrap();
        let id = tenant::create(&mut tx, name).await.unwrap().id;
        let created = key::create(&mut tx, id, &NewKey::all_scopes("test"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let key = created.key.expose_secret().to_owned();
        let cx = self.node.authenticator.authenticate(&key).await.unwrap();
        Tenant {
            id,
            key_id: created.id,
            key,
            cx,
        }
    }

    /// A key of a tenant.
    pub(crate) async fn key(&self, of: &Tenant, new: &NewKey) -> (KeyId, String) {
        let mut tx = self.db().operator().await.unwrap();
        let created = key::create(&mut tx, of.id, new).await.unwrap();
        tx.commit().await.unwrap();
        (created.id, created.key.expose_secret().to_owned())
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn as_owner(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.owner).await.unwrap();
    }
}

pub(crate) fn only(scope: Scope) -> NewKey {
    NewKey {
        name: "narrow".into(),
        scopes: vec![scope],
        expires_in: None,
    }
}

async fn node(database: &Database, connections: u32, proxy: Option<&FaultProxy>) -> Node {
    let mut url = database.app_url();
    if let Some(proxy) = proxy {
        url.set_ip_host(proxy.address().ip()).unwrap();
        url.set_port(Some(proxy.address().port())).unwrap();
    }
    let config = DbConfig {
        max_connections: connections,
        ..DbConfig::new(url.to_string().into())
    };
    let db = Db::connect(&config).await.unwrap();
    let notifications = Notifications::listen(&db).await.unwrap();
    let authenticator = Authenticator::new(db.clone(), &notifications);
    Node {
        db,
        authenticator,
        _notifications: notifications,
    }
}
