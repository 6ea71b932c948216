//! Which cryptography TLS uses.

/// Makes ring the process's provider. rustls takes none by itself where more than one could be meant, and would
/// panic at the first connection.
///
/// # Errors
/// When another provider is installed already.
pub fn install() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))
}
