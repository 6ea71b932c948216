//! Which version answers, and who changed that. Each change is one transaction that holds the model's row: two that come at
//! once follow each other, and a call sees either the one or the other.

use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::{TenantContext, TenantTx};
use serde_json::json;

use super::store::{self, Change};
use super::{Alias, Aliases, Model, ModelRef, Version, VersionRef, actor, get, get_version, no_model};
use crate::{Error, Result};

/// How many versions that were production are remembered for the way back.
const MOST_BEFORE: usize = 50;

/// Whether a version passes the model's gate. Looked at again when it is activated.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::State`] with the code `gate_failed`.
pub async fn check_gate(tx: &mut TenantTx, model: &ModelRef, version: VersionRef) -> Result<Version> {
    let found = get(tx, model).await?;
    let version = get_version(tx, &ModelRef::Id(found.id), version).await?;
    if let Some(gate) = &found.settings.gate {
        gate.admit(version.version, &version.spec)?;
    }
    Ok(version)
}

/// Has a version answer: everybody, or so many in a hundred.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`]; [`Error::State`] with the code `gate_failed`, or `no_active_version` for a canary of
/// nothing.
pub async fn activate(
    tx: &mut TenantTx,
    cx: &TenantContext,
    model: &ModelRef,
    version: VersionRef,
    canary_percent: Option<i32>,
) -> Result<Model> {
    let mut locked = lock(tx, model).await?;
    let version = check_gate(tx, &ModelRef::Id(locked.id), version).await?.version;
    let before = locked.aliases;
    let change = match canary_percent {
        Some(percent) => {
            if !(1..=99).contains(&percent) {
                return Err(Error::invalid("canary_percent", "Must be from 1 to 99."));
            }
            match before.production {
                None => return Err(none_active(&locked.name)),
                Some(production) if production == version => {
                    return Err(Error::invalid(
                        "version",
                        format!("Version {version} is production: it answers everybody already."),
                    ));
                }
                Some(_) => {}
            }
            locked.aliases.canary = Some((version, percent));
            Change {
                alias: Alias::Canary,
                version: Some(version),
                canary_percent: Some(percent),
                replaced: before.canary.map(|(canary, _)| canary),
            }
        }
        None => {
            if let Some(production) = before.production.filter(|production| *production != version) {
                locked.before.push(production);
                let surplus = locked.before.len().saturating_sub(MOST_BEFORE);
                locked.before.drain(..surplus);
            }
            // The canary has become what it was tried for.
            locked.aliases.canary = before.canary.filter(|(canary, _)| *canary != version);
            locked.aliases.production = Some(version);
            Change {
                alias: Alias::Production,
                version: Some(version),
                canary_percent: None,
                replaced: before.production,
            }
        }
    };
    record(tx, cx, &locked, &change, Event::ModelActivated, before).await?;
    get(tx, &ModelRef::Id(locked.id)).await
}

/// Goes back: ends the canary if there is one, else production becomes what it was before.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::State`] with the code `nothing_to_roll_back`.
pub async fn roll_back(tx: &mut TenantTx, cx: &TenantContext, model: &ModelRef) -> Result<Model> {
    let mut locked = lock(tx, model).await?;
    let before = locked.aliases;
    let change = match before.canary {
        Some((canary, _)) => {
            locked.aliases.canary = None;
            Change::end_of_canary(canary)
        }
        None => {
            let version = locked.before.pop().ok_or_else(|| Error::State {
                message: format!(
                    "There is nothing to roll back: no other version of '{}' was production before.",
                    locked.name
                ),
                code: "nothing_to_roll_back",
            })?;
            locked.aliases.production = Some(version);
            Change {
                alias: Alias::Production,
                version: Some(version),
                canary_percent: None,
                replaced: before.production,
            }
        }
    };
    record(tx, cx, &locked, &change, Event::ModelRolledBack, before).await?;
    get(tx, &ModelRef::Id(locked.id)).await
}

/// Ends the canary. Without one nothing changes.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn end_canary(tx: &mut TenantTx, cx: &TenantContext, model: &ModelRef) -> Result<Model> {
    let mut locked = lock(tx, model).await?;
    let before = locked.aliases;
    if let Some((canary, _)) = before.canary {
        locked.aliases.canary = None;
        let change = Change::end_of_canary(canary);
        record(tx, cx, &locked, &change, Event::ModelRolledBack, before).await?;
    }
    get(tx, &ModelRef::Id(locked.id)).await
}

/// The answer where no version is production.
pub(crate) fn none_active(model: &str) -> Error {
    Error::State {
        message: format!("No version of '{model}' is active. Activate one, or name a version."),
        code: "no_active_version",
    }
}

async fn lock(tx: &mut TenantTx, model: &ModelRef) -> Result<store::Locked> {
    store::lock(tx, model).await?.ok_or_else(|| no_model(model))
}

async fn record(
    tx: &mut TenantTx,
    cx: &TenantContext,
    locked: &store::Locked,
    change: &Change,
    event: Event,
    before: Aliases,
) -> Result<()> {
    store::set_aliases(tx, locked).await?;
    store::insert_activation(tx, locked.id, &actor(cx), change).await?;
    let told = |aliases: Aliases| {
        let canary = aliases.canary;
        json!({
            "production": aliases.production,
            "canary": canary.map(|(version, _)| version),
            "canary_percent": canary.map(|(_, percent)| percent),
        })
    };
    let act = Act::new(event, locked.id).changed(told(before), told(locked.aliases));
    audit::record(tx, act).await?;
    Ok(())
}
