//! What a receipt says, in the one form that its digest is over: JSON with its keys in order and without spaces, as
//! `json.dumps(…, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` writes it too.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Erasure;

impl Erasure {
    /// The receipt as the API shows it, but for the digest.
    pub fn receipt(&self) -> Value {
        let billed: Vec<Value> = self
            .billed
            .iter()
            .map(|(month, billed)| {
                json!({
                    "month": month,
                    "requests": billed.requests,
                    "input_tokens": billed.input_tokens,
                    "output_tokens": billed.output_tokens,
                    "cost": billed.cost.dollars().to_string(),
                })
            })
            .collect();
        json!({
            "object": "insula.erasure",
            "id": self.id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "status": self.status(),
            "requested_by": self.requested_by,
            "requested_at": self.requested_at.timestamp(),
            "completed_at": self.completed_at.map(|time| time.timestamp()),
            "deleted": self.deleted,
            "billed": billed,
            "audit_head": self.audit_head.as_deref().map(hex),
        })
    }

    /// `running` or `completed`.
    pub fn status(&self) -> &'static str {
        match self.completed_at {
            Some(_) => "completed",
            None => "running",
        }
    }

    /// SHA-256 over the receipt.
    pub(super) fn compute_digest(&self) -> Vec<u8> {
        Sha256::digest(canonical(&self.receipt()).as_bytes()).to_vec()
    }
}

/// A value with all keys in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<_> = object.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pairs: Vec<String> = pairs
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(canonical).collect();
            format!("[{}]", values.join(","))
        }
        other => other.to_string(),
    }
}

/// Bytes as people compare them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::erasure::Billed;
    use crate::{ErasureId, Money, TenantId};

    #[test]
    fn the_form_of_a_receipt_stays_as_it_is() {
        let billed = Billed {
            requests: 2,
            input_tokens: 10,
            output_tokens: 3,
            cost: Money::from_nanos(12_340_000_000),
        };
        let receipt = Erasure {
            id: ErasureId::NIL,
            tenant_id: TenantId::NIL,
            name: "a\"b".into(),
            requested_by: "console".into(),
            requested_at: Default::default(),
            completed_at: Some(Default::default()),
            deleted: BTreeMap::from([("files".into(), 2), ("bytes".into(), 5)]),
            billed: BTreeMap::from([("2026-11".into(), billed)]),
            audit_head: Some(vec![0, 255]),
            digest: None,
        };
        let nil = "0".repeat(32);
        let expected = format!(
            r#"{{"audit_head":"00ff","billed":[{{"cost":"12.34","input_tokens":10,"month":"2026-11","output_tokens":3,"requests":2}}],"completed_at":0,"deleted":{{"bytes":5,"files":2}},"id":"erasure_{nil}","name":"a\"b","object":"insula.erasure","requested_at":0,"requested_by":"console","status":"completed","tenant_id":"proj_{nil}"}}"#
        );
        assert_eq!(canonical(&receipt.receipt()), expected);
        assert_eq!(receipt.compute_digest().len(), 32);
    }
}
