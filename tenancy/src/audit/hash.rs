//! The hash of an entry. What it is over is a format: entries of years ago have to verify.

use sha2::{Digest, Sha256};

use super::Entry;

pub(super) type Hash = [u8; 32];

/// The first words of every hash, to be changed with the format.
const FORMAT: &[u8] = b"insula audit 1";

/// SHA-256 over the format, the hash before, and each field with its length before it. An absent address is told from an
/// empty one.
pub(super) fn of(entry: &Entry, before: &[u8]) -> Hash {
    let Entry {
        tenant_id,
        seq,
        id,
        created_at,
        event,
        actor,
        address,
        resource,
        details,
        hash: _,
    } = entry;
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    add(FORMAT);
    add(before);
    add(tenant_id.uuid().as_bytes());
    add(&seq.to_be_bytes());
    add(id.uuid().as_bytes());
    add(&created_at.timestamp_micros().to_be_bytes());
    add(event.as_bytes());
    add(actor.as_bytes());
    add(&[u8::from(address.is_some())]);
    add(address.as_deref().unwrap_or_default().as_bytes());
    add(resource.as_bytes());
    add(details.as_bytes());
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::INSTALL;

    fn entry() -> Entry {
        Entry {
            tenant_id: INSTALL,
            seq: 1,
            id: uuid::Uuid::nil().into(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            event: "plan.updated".into(),
            actor: "console".into(),
            address: None,
            resource: "gold".into(),
            details: r#"{"id":"gold"}"#.into(),
            hash: Vec::new(),
        }
    }

    #[test]
    fn the_format_stays_as_it_is() {
        let hex: String = of(&entry(), &[0; 32])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "7164e9c3f06fe595057aff51664885a9563c495943c3a14b3a9da5aa6d4c30c6"
        );
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let whole = of(&entry(), &[0; 32]);
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.tenant_id = crate::TenantId::generate(),
            |entry| entry.seq = 2,
            |entry| entry.id = crate::AuditLogId::generate(),
            |entry| entry.created_at += chrono::TimeDelta::microseconds(1),
            |entry| entry.event.push('x'),
            |entry| entry.actor.push('x'),
            |entry| entry.address = Some(String::new()),
            |entry| {
                entry.actor = "consol".into();
                entry.address = Some("e".into());
            },
            |entry| entry.details = entry.details.replace("gold", "lead"),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut changed = entry();
            change(&mut changed);
            assert_ne!(of(&changed, &[0; 32]), whole, "change {at}");
        }
        assert_ne!(of(&entry(), &[1; 32]), whole);
    }
}
