//! A connection without a tenant.

use insula_tenancy::Db;

fn by_its_field(db: &Db) {
    let _ = &db.pool;
}

async fn as_the_system(db: &Db) {
    let _ = db.system().await;
}

fn by_its_address(db: &Db) -> &str {
    db.listener_url()
}

fn main() {}
