//! Limits: requests and tokens per minute, and calls at once, for a tenant, each of its keys and each model.
//!
//! Servers share a limit by taking slices of it from Postgres and admitting from those. What the servers took together
//! never exceeds the limit, so the sum is exact with any number of servers; slices get smaller as the limit comes near,
//! and what a server does not use it gives back, so that one cannot starve another. A minute begins with the first call
//! in it. While the database does not answer, a server admits from what it holds, and then a small share of its own.

mod permits;
mod plan;
mod policy;
mod share;
mod store;
mod window;

pub(crate) use permits::Permits;
pub use plan::{Plan, PlanLimit, assign_plan, delete_plan, list_plans, plan_of, put_plan};
pub use policy::{Limit, SubjectKind, TenantLimit, limits_of, model_limits, set_limit, set_limits};
pub(crate) use policy::{Policy, load};
pub use window::Standing;
pub(crate) use window::{Metric, Window};

use uuid::Uuid;

use crate::TenantId;

/// What a limit is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) tenant_id: TenantId,
    pub(crate) kind: SubjectKind,
    /// A key or a model; empty for the tenant.
    pub(crate) name: String,
}

impl Subject {
    pub(crate) fn tenant(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            kind: SubjectKind::Tenant,
            name: String::new(),
        }
    }

    pub(crate) fn key(tenant_id: TenantId, key_id: Uuid) -> Self {
        Self {
            tenant_id,
            kind: SubjectKind::Key,
            name: key_id.to_string(),
        }
    }

    pub(crate) fn model(tenant_id: TenantId, model: &str) -> Self {
        Self {
            tenant_id,
            kind: SubjectKind::Model,
            name: model.to_owned(),
        }
    }
}
