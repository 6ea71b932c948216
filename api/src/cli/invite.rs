//! `insula invite`

use clap::{Args, ValueEnum};
use insula_tenancy::member::invite::{self, InvitedTo, LIFETIME};
use insula_tenancy::member::{OrganizationRole, Role};
use insula_tenancy::tenant;
use secrecy::ExposeSecret;
use serde_json::json;

use super::target::TargetArgs;

/// Invite somebody to the dashboard: as who runs the install, as a member of a tenant, or both
#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// The person's email address; nothing is sent to it
    email: String,
    /// The person is to run the install
    #[arg(long)]
    operator: bool,
    /// Name or id of a tenant that it is to be a member of
    #[arg(long, value_name = "TENANT", required_unless_present = "operator")]
    tenant: Option<String>,
    /// What it may do there
    #[arg(long, value_enum, default_value = "owner", requires = "tenant")]
    role: RoleArg,
    /// The address that people use, for the link
    #[arg(
        long,
        env = "INSULA_PUBLIC_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    public_url: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    Owner,
    Admin,
    Developer,
    Viewer,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Owner => Self::Owner,
            RoleArg::Admin => Self::Admin,
            RoleArg::Developer => Self::Developer,
            RoleArg::Viewer => Self::Viewer,
        }
    }
}

pub(super) async fn run(args: InviteArgs) -> anyhow::Result<()> {
    let mut tx = args.target.connect().await?.operator().await?;
    let mut to = Vec::new();
    if let Some(name) = &args.tenant {
        let found = tenant::find(&mut tx, name).await?;
        let found = found.ok_or_else(|| anyhow::anyhow!("there is no tenant '{name}'"))?;
        to.push(InvitedTo {
            tenant_id: found.id,
            role: args.role.into(),
        });
    }
    let role = if args.operator {
        OrganizationRole::Owner
    } else {
        OrganizationRole::Reader
    };
    let created = invite::create(&mut tx, &args.email, role, &to, LIFETIME).await?;
    tx.commit().await?;
    let link = link(&args.public_url, created.token.expose_secret());
    if args.target.json {
        println!(
            "{}",
            json!({"id": created.invite.id, "email": created.invite.email, "link": link})
        );
    } else {
        println!("{link}");
        eprintln!(
            "Send this link to {} within a week: whoever opens it chooses the password.",
            created.invite.email
        );
    }
    Ok(())
}

/// The page that accepts an invitation. What is behind `#` is never sent to a server, and so is in no log.
pub(crate) fn link(root: &str, token: &str) -> String {
    format!("{}/accept-invitation#{token}", root.trim_end_matches('/'))
}
