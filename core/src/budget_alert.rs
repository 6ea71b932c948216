//! Telling a tenant that a budget went past one of its percentages.

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use insula_tenancy::{TELL_BUDGET_ALERT, budget};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Services;
use crate::webhook::{self, EventType};
use crate::worker::{Class, Failure, Job};

/// Tells the webhooks of one alert. Enqueued by the ledger, in the tenancy crate.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TellBudgetAlert {
    alert_id: Uuid,
}

#[async_trait]
impl Job for TellBudgetAlert {
    const KIND: &'static str = TELL_BUDGET_ALERT;
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some(self.alert_id.to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let mut tx = services.db.tenant(&lease.cx).await?;
        // Another job may have told it.
        if let Some(alert) = budget::take_alert(&mut tx, self.alert_id).await? {
            webhook::emit(&mut tx, EventType::BudgetAlert, alert).await?;
        }
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
