//! `/v1/insula/operator/…`: the install, for whoever runs it. These take the operator's keys and no tenant's.

pub mod accesses;
pub mod budgets;
pub mod erasures;
pub mod health;
pub mod jobs;
pub mod limits;
pub mod people;
pub mod prices;
pub mod routes;
pub mod tenants;
