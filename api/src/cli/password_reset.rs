//! `insula password-reset`

use clap::Args;
use insula_tenancy::session::reset;
use secrecy::ExposeSecret;
use serde_json::json;

use super::target::TargetArgs;

/// Make a link with which somebody chooses a new password
#[derive(Debug, Args)]
pub(super) struct PasswordResetArgs {
    /// The person's email address; nothing is sent to it
    email: String,
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

pub(super) async fn run(args: PasswordResetArgs) -> anyhow::Result<()> {
    let mut tx = args.target.connect().await?.operator().await?;
    let made = reset::create(&mut tx, &args.email).await?;
    let made = made.ok_or_else(|| anyhow::anyhow!("nobody with the address '{}' is known", args.email))?;
    tx.commit().await?;
    let link = link(&args.public_url, made.token.expose_secret());
    if args.target.json {
        println!("{}", json!({"email": made.email, "link": link}));
    } else {
        println!("{link}");
        eprintln!(
            "Send this link to {} within the hour: whoever opens it chooses the password.",
            made.email
        );
    }
    Ok(())
}

/// The page that chooses a new password. What is behind `#` is never sent to a server, and so is in no log.
pub(crate) fn link(root: &str, token: &str) -> String {
    format!("{}/reset-password#{token}", root.trim_end_matches('/'))
}
