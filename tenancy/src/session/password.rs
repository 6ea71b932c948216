//! Passwords: argon2id with the parameters of the OWASP cheat sheet (19 MiB, two passes), which are the library's defaults.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::{Error, Result};

/// Fewest characters.
pub const SHORTEST: usize = 10;
/// Most. The estimate of strength looks at the first hundred.
pub const LONGEST: usize = 256;

/// Hashes that are computed at once: each takes memory and a core for some tens of milliseconds.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Nobody's: looked at where there is no password, so that an address that nobody has takes as long as one that somebody has.
static NOBODYS: LazyLock<String> = LazyLock::new(|| compute("nobody has this password").unwrap_or_default());

/// Whether a password may be chosen: long enough, and not one that a list of common ones, the person's own names or an easy
/// pattern leads to. Judged here, offline, by zxcvbn (Wheeler 2016), whose dictionaries come from passwords that leaked.
///
/// # Errors
/// [`Error::Invalid`] with the reason and what would be better.
pub fn check(password: &SecretString, names: &[&str]) -> Result<()> {
    let password = password.expose_secret();
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(Error::Invalid(format!(
            "must have {SHORTEST} to {LONGEST} characters"
        )));
    }
    let parts: Vec<&str> = names
        .iter()
        .flat_map(|name| name.split(['@', '.', ' ', '-', '_']).chain([*name]))
        .filter(|part| part.chars().count() > 2)
        .chain(["insula"])
        .collect();
    let judged = zxcvbn(password, &parts);
    if judged.score() >= Score::Three {
        return Ok(());
    }
    let feedback = judged.feedback();
    let warning = feedback.and_then(|feedback| feedback.warning());
    let warning = warning.map_or_else(
        || "It is easy to guess.".to_owned(),
        |warning| warning.to_string(),
    );
    let advice = feedback.into_iter().flat_map(|feedback| feedback.suggestions());
    let advice: Vec<String> = advice.map(ToString::to_string).collect();
    Err(Error::Invalid(
        format!("is too weak. {warning} {}", advice.join(" "))
            .trim()
            .to_owned(),
    ))
}

/// What is stored of a password.
///
/// # Errors
/// When the computation fails, which is our fault.
pub(super) async fn hash(password: SecretString) -> Result<String> {
    at_leisure(move || compute(password.expose_secret())).await?
}

/// Whether a password is the stored one. Without a stored one it takes as long to say no.
///
/// # Errors
/// When the computation fails, which is our fault.
pub(super) async fn verify(password: SecretString, stored: Option<String>) -> Result<bool> {
    at_leisure(move || {
        let known = stored.is_some();
        let stored = stored.as_deref().unwrap_or(&NOBODYS);
        let matches = PasswordHash::new(stored).is_ok_and(|stored| {
            let password = password.expose_secret().as_bytes();
            Argon2::default().verify_password(password, &stored).is_ok()
        });
        matches && known
    })
    .await
}

/// On a thread that may be busy for a while, and only so many of them.
async fn at_leisure<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = AT_ONCE.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    drop(permit);
    done.map_err(|error| Error::Unavailable(format!("hashing did not finish: {error}")))
}

fn compute(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| Error::Vault(format!("argon2: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_common_or_ones_own_is_refused_with_a_reason() {
        let names = ["ada.lovelace@example.com", "Ada Lovelace"];
        for weak in [
            "",
            "short",
            "password1234",
            "qwertyuiop",
            "1234567890",
            "aaaaaaaaaaaa",
            "lovelace2026",
            "adalovelace",
        ] {
            let refused = check(&weak.into(), &names).unwrap_err().to_string();
            assert!(
                !refused.contains("lovelace2026") && refused.len() > 20,
                "{refused}"
            );
        }
        assert!(check(&"x".repeat(300).into(), &names).is_err());
        for strong in [
            "correct horse battery staple",
            "vK9-mitre-ornament",
            "قطة تعزف العود ليلا",
        ] {
            check(&strong.into(), &names).unwrap();
        }
    }

    #[tokio::test]
    async fn only_the_password_itself_matches_and_nothing_matches_nothing() {
        let stored = hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, hash("correct horse".into()).await.unwrap(), "salted");
        assert!(
            verify("correct horse".into(), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(!verify("correct horsf".into(), Some(stored)).await.unwrap());
        assert!(!verify("nobody has this password".into(), None).await.unwrap());
        assert!(!verify("x".into(), Some("damaged".into())).await.unwrap());
    }
}
