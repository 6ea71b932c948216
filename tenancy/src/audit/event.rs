//! What can be done, in OpenAI's words where it has them.

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that is logged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Event {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Event {
            /// The stored name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

events! {
    /// A tenant was made.
    ProjectCreated = "project.created",
    /// A tenant was named anew.
    ProjectUpdated = "project.updated",
    /// A tenant was suspended for good.
    ProjectArchived = "project.archived",
    /// A tenant was suspended.
    ProjectSuspended = "project.suspended",
    /// A suspended tenant was let in again.
    ProjectResumed = "project.resumed",
    /// A key was made.
    ApiKeyCreated = "api_key.created",
    /// A key got other scopes or another end.
    ApiKeyUpdated = "api_key.updated",
    /// A key was revoked.
    ApiKeyDeleted = "api_key.deleted",
    /// A key of the operator's was made.
    AdminApiKeyCreated = "admin_api_key.created",
    /// A key of the operator's was revoked.
    AdminApiKeyDeleted = "admin_api_key.deleted",
    /// A service account was made.
    ServiceAccountCreated = "service_account.created",
    /// A service account was changed.
    ServiceAccountUpdated = "service_account.updated",
    /// A service account was removed, and its keys with it.
    ServiceAccountDeleted = "service_account.deleted",
    /// A tenant got other limits of requests, tokens or calls at once.
    RateLimitUpdated = "rate_limit.updated",
    /// A plan was made or changed.
    PlanUpdated = "plan.updated",
    /// A plan was removed.
    PlanDeleted = "plan.deleted",
    /// A tenant may store another amount.
    QuotaUpdated = "quota.updated",
    /// A budget was made.
    BudgetCreated = "budget.created",
    /// A budget was changed, or the operator's budgets were replaced.
    BudgetUpdated = "budget.updated",
    /// A budget was removed.
    BudgetDeleted = "budget.deleted",
    /// A key for a provider was left, in place of another if there was one.
    ProviderKeyCreated = "provider_key.created",
    /// A key for a provider was removed.
    ProviderKeyDeleted = "provider_key.deleted",
    /// Guardrails were set.
    GuardrailsUpdated = "guardrails.updated",
    /// A model name got another meaning.
    RouteOverrideUpdated = "route_override.updated",
    /// A model name got its meaning back.
    RouteOverrideDeleted = "route_override.deleted",
    /// The logging of requests was changed.
    RequestLoggingUpdated = "request_logging.updated",
    /// What is searched for is kept, or is not any more.
    SearchAnalyticsUpdated = "search_analytics.updated",
    /// A model was made.
    ModelCreated = "model.created",
    /// A model was changed.
    ModelUpdated = "model.updated",
    /// A model was deleted with its versions.
    ModelDeleted = "model.deleted",
    /// A version of a model was made.
    ModelVersionCreated = "model_version.created",
    /// A version of a model was deleted.
    ModelVersionDeleted = "model_version.deleted",
    /// Another version of a model answers.
    ModelActivated = "model.activated",
    /// The version before answers again, or the canary ended.
    ModelRolledBack = "model.rolled_back",
    /// Usage is kept for another time.
    UsageRetentionUpdated = "usage_retention.updated",
    /// A tenant may name other models.
    ModelPermissionsUpdated = "model_permissions.updated",
    /// A tenant may name all models again.
    ModelPermissionsDeleted = "model_permissions.deleted",
    /// A person became a member.
    UserAdded = "user.added",
    /// A member got another role.
    UserUpdated = "user.updated",
    /// A person is no member any more.
    UserDeleted = "user.deleted",
    /// Somebody lacked the scope for what it tried.
    AccessDenied = "access.denied",
    /// A person was invited.
    InviteSent = "invite.sent",
    /// An invitation was accepted.
    InviteAccepted = "invite.accepted",
    /// An invitation was taken back.
    InviteDeleted = "invite.deleted",
    /// A link was made that chooses a person's password.
    PasswordResetCreated = "password_reset.created",
    /// A person has chosen a new password by a link.
    PasswordResetAccepted = "password_reset.accepted",
    /// Whoever runs the install may look at a tenant's data, for a while.
    OperatorAccessOpened = "operator_access.opened",
    /// It did.
    OperatorAccessUsed = "operator_access.used",
    /// It may not any more.
    OperatorAccessEnded = "operator_access.ended",
    /// All that a tenant has was downloaded.
    ExportDownloaded = "export.downloaded",
    /// A tenant is to be removed with all its data.
    TenantEraseRequested = "tenant.erase_requested",
    /// A tenant is gone, with all its data.
    TenantErased = "tenant.erased",
}
