//! Secrets that sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// A new one: `whsec_` and 32 random bytes in base64, as Standard Webhooks writes it.
pub(super) fn generate() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_have_the_standards_form_and_differ() {
        let (one, other) = (generate(), generate());
        let key = one.expose_secret().strip_prefix("whsec_").unwrap();
        assert_eq!(STANDARD.decode(key).unwrap().len(), 32);
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(!format!("{one:?}").contains(key));
    }
}
