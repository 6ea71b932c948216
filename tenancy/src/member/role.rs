//! What members may do.

use crate::Scope;

/// What a member may do in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Everything, its members included.
    Owner,
    /// Everything but its owners.
    Admin,
    /// Use it: files, stores, models, keys of one's own.
    Developer,
    /// Look.
    Viewer,
}

impl Role {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    /// What somebody with this role may do, in the words of API keys.
    pub fn scopes(self) -> Vec<Scope> {
        let may = |scope: &&Scope| match self {
            Self::Owner | Self::Admin => true,
            Self::Developer => !ADMINISTRATION.contains(scope),
            Self::Viewer => is_look(**scope),
        };
        Scope::ALL.iter().filter(may).copied().collect()
    }

    /// Whether somebody with this role may give others that role, or take it from them: owners are made by owners.
    pub(super) fn may_deal_out(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other != Self::Owner,
            Self::Developer | Self::Viewer => false,
        }
    }
}

/// What is about the tenant rather than about its documents and models.
const ADMINISTRATION: &[Scope] = &[
    Scope::MembersWrite,
    Scope::ProviderKeysWrite,
    Scope::BudgetsWrite,
    Scope::GuardrailsWrite,
    Scope::UsageWrite,
    Scope::RequestLogsRead,
    Scope::AuditLogsRead,
    Scope::ExportRead,
];

/// Whether a scope shows what there is, and neither changes nor costs anything. What people wrote to models is not for
/// everybody who may look.
fn is_look(scope: Scope) -> bool {
    scope.as_str().ends_with(".read") && !ADMINISTRATION.contains(&scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_one_below_may_and_more() {
        let roles = [Role::Viewer, Role::Developer, Role::Admin];
        for pair in roles.windows(2) {
            let (less, more) = (pair[0].scopes(), pair[1].scopes());
            assert!(less.iter().all(|scope| more.contains(scope)) && less.len() < more.len());
        }
        assert_eq!(Role::Owner.scopes(), Scope::ALL);
        let viewer = Role::Viewer.scopes();
        assert!(viewer.contains(&Scope::VectorStoresRead) && !viewer.contains(&Scope::ChatWrite));
        assert!(!Role::Developer.scopes().contains(&Scope::MembersWrite));
    }

    #[test]
    fn owners_are_made_by_owners() {
        assert!(Role::Owner.may_deal_out(Role::Owner) && Role::Admin.may_deal_out(Role::Admin));
        assert!(!Role::Admin.may_deal_out(Role::Owner) && !Role::Developer.may_deal_out(Role::Viewer));
    }
}
