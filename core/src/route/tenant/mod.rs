//! What a tenant changes about the operator's routes: other names for models, models that are switched off, providers that are
//! not to be used, targets on this machine only.

mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::permission::{self, ModelPermissions};
use insula_tenancy::{TenantContext, TenantTx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Route, RouteFacts, RoutedEmbedder};
use crate::model::Embedder;
use crate::{Error, Result, Services, assistant};

/// The name under which an override is for all models.
pub const ALL_MODELS: &str = "*";

/// Most overrides of a tenant: all are read at once.
const MOST: i64 = 1000;

/// Most providers that an override can name.
const MOST_PROVIDERS: usize = 64;

/// Longest time that answers may be served from the cache.
const LONGEST_CACHE: Duration = Duration::from_secs(30 * 86_400);

/// What a tenant changes about one model name, or about [`ALL_MODELS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// The route that answers instead; `None`: the one of that name.
    pub target_model: Option<String>,
    /// The rest.
    pub settings: OverrideSettings,
}

/// What a tenant changes besides the name. Kept as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverrideSettings {
    /// The model does not exist for this tenant.
    pub disabled: bool,
    /// Only targets on this machine are called.
    pub local_only: bool,
    /// The only providers that are used; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// How long answers may be served from the response cache, in seconds; 0: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u64>,
}

/// All overrides of a tenant, and which models the operator lets it name.
#[derive(Debug, Default)]
pub struct Overrides {
    names: HashMap<String, Override>,
    permissions: ModelPermissions,
}

/// A model name as it is for one tenant.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Who answers.
    pub route: Arc<Route>,
    /// What the tenant's overrides say that rules may ask.
    pub facts: RouteFacts,
    /// How long answers may be served from the response cache.
    pub cache_ttl: Option<Duration>,
}

/// A route as a tenant sees it.
#[derive(Debug, Clone)]
pub struct EffectiveRoute {
    /// The name that the tenant's clients send.
    pub model: String,
    /// Who answers, and how.
    pub choice: Choice,
    /// What the tenant has changed, if anything.
    pub changed: Option<Override>,
}

impl Overrides {
    /// Who answers to a model name, given the operator's routes.
    fn choose(&self, model: &str, find: impl Fn(&str) -> Option<Arc<Route>>) -> Option<Choice> {
        let (all, own) = (self.names.get(ALL_MODELS), self.names.get(model));
        let name = own.and_then(|own| own.target_model.as_deref()).unwrap_or(model);
        // By the operator's name: what the tenant calls a model opens nothing.
        let route = find(name).filter(|route| self.permissions.permit(&route.name))?;
        let settings = || [own, all].into_iter().flatten().map(|change| &change.settings);
        if settings().any(|settings| settings.disabled) {
            return None;
        }
        let cache_ttl = match settings().find_map(|settings| settings.cache_ttl) {
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => route.cache_ttl,
        };
        Some(Choice {
            facts: self.facts(model),
            route,
            cache_ttl,
        })
    }

    /// What the tenant says about the targets of a model, and of all.
    fn facts(&self, model: &str) -> RouteFacts {
        let settings = || {
            let changes = [self.names.get(model), self.names.get(ALL_MODELS)];
            changes.into_iter().flatten().map(|change| &change.settings)
        };
        let providers = settings()
            .filter_map(|settings| settings.providers.as_ref())
            .cloned()
            // What either forbids is forbidden.
            .reduce(|some, others| some.into_iter().filter(|name| others.contains(name)).collect());
        RouteFacts {
            local_only: settings().any(|settings| settings.local_only),
            providers: providers.map(Into::into),
            ..RouteFacts::default()
        }
    }
}

/// Who answers to a model name for the caller's tenant. `None`: no route of the operator, and no other name of the tenant's for
/// one. Overrides are remembered for a second, so that a call costs no statement.
///
/// # Errors
/// When the database is away.
pub async fn find(services: &Services, cx: &TenantContext, model: &str) -> Result<Option<Choice>> {
    let overrides = overrides(services, cx).await?;
    Ok(overrides.choose(model, |name| services.routes.find(name)))
}

/// What rules may ask of a call to a model by the caller's tenant.
///
/// # Errors
/// When the database is away.
pub(crate) async fn facts(services: &Services, cx: &TenantContext, model: &str) -> Result<RouteFacts> {
    Ok(overrides(services, cx).await?.facts(model))
}

/// The embedder of that name, if the caller's tenant may name it; see [`find_loaded_embedder`].
///
/// # Errors
/// When the database is away.
pub async fn find_embedder(
    services: &Services,
    cx: &TenantContext,
    model: &str,
) -> Result<Option<Arc<dyn Embedder>>> {
    if !permits(services, cx, model).await? {
        return Ok(None);
    }
    find_loaded_embedder(services, cx, model).await
}

/// Whether the operator lets the caller's tenant name a model. What it has made with one before stays of use.
///
/// # Errors
/// When the database is away.
pub async fn permits(services: &Services, cx: &TenantContext, model: &str) -> Result<bool> {
    Ok(overrides(services, cx).await?.permissions.permit(model))
}

/// The embedder of that name, as the caller's tenant uses it: where the tenant keeps its data here or avoids providers, only
/// the servers that are left are asked. `None` when no such model is loaded.
///
/// # Errors
/// When the database is away.
pub(crate) async fn find_loaded_embedder(
    services: &Services,
    cx: &TenantContext,
    model: &str,
) -> Result<Option<Arc<dyn Embedder>>> {
    let registered = services.models.find_embedder(model).map(|found| &found.embedder);
    let Some(route) = services.routes.find(model).filter(|route| !route.is_chat()) else {
        return Ok(registered.cloned());
    };
    let facts = overrides(services, cx).await?.facts(model);
    if facts == RouteFacts::default() {
        return Ok(registered.cloned());
    }
    let routed = RoutedEmbedder::new(&services.routes, &route).map(|embedder| embedder.of(facts));
    Ok(routed.map(|embedder| Arc::new(embedder) as _))
}

/// The embedder of a vector store, by the name of the store's model; see [`find_loaded_embedder`].
///
/// # Errors
/// [`Error::Internal`] when the model is not loaded here; when the database is away.
pub async fn embedder_of(services: &Services, cx: &TenantContext, model: &str) -> Result<Arc<dyn Embedder>> {
    let found = find_loaded_embedder(services, cx, model).await?;
    found.ok_or_else(|| Error::internal(format!("the model '{model}' is not loaded here")))
}

async fn overrides(services: &Services, cx: &TenantContext) -> Result<Arc<Overrides>> {
    let cache = &services.routes.overrides;
    if let Some(found) = cache.get(&cx.tenant_id()).await {
        return Ok(found);
    }
    let read = async {
        let mut tx = services.db.tenant(cx).await?;
        let all = store::all(&mut tx).await?;
        let permissions = permission::own(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, Error>(Arc::new(Overrides {
            names: all.into_iter().collect(),
            permissions: permissions.unwrap_or_default(),
        }))
    };
    let read = cache.try_get_with(cx.tenant_id(), read).await;
    read.map_err(|error: Arc<Error>| match &*error {
        Error::Overloaded { message, retry_after } => Error::Overloaded {
            message: message.clone(),
            retry_after: *retry_after,
        },
        _ => Error::internal(error),
    })
}

/// All names that the tenant's clients can send: the operator's in their order, then the tenant's own.
///
/// # Errors
/// When the database is away.
pub async fn list(services: &Services, cx: &TenantContext) -> Result<Vec<EffectiveRoute>> {
    let overrides = overrides(services, cx).await?;
    let table = services.routes.table();
    let mut own: Vec<&String> = overrides
        .names
        .keys()
        .filter(|name| table.find(name).is_none())
        .collect();
    own.sort_unstable();
    let names = table.list().iter().map(|route| &*route.name);
    let names = names.chain(own.into_iter().map(String::as_str));
    let effective = |model: &str| {
        Some(EffectiveRoute {
            model: model.to_owned(),
            choice: overrides.choose(model, |name| table.find(name).cloned())?,
            changed: overrides.names.get(model).cloned(),
        })
    };
    Ok(names.filter_map(effective).collect())
}

/// Whether the tenant has given a name a meaning of its own.
///
/// # Errors
/// When the database is away.
pub async fn has_name(tx: &mut TenantTx, model: &str) -> Result<bool> {
    store::has_name(tx, model).await
}

/// Changes what a model name means for the tenant, in effect everywhere within a second. `change` gets what was set before, or
/// the defaults.
///
/// # Errors
/// [`Error::NotFound`] for a target that is no route; [`Error::Invalid`] for values out of range, or for a name that an assistant
/// has; whatever `change` refuses.
pub async fn set(
    services: &Services,
    cx: &TenantContext,
    model: &str,
    change: impl FnOnce(&mut Override) + Send,
) -> Result<Override> {
    check_name(model)?;
    let mut tx = services.db.tenant(cx).await?;
    let before = store::lock(&mut tx, model).await?;
    let mut changed = before.clone().unwrap_or_default();
    change(&mut changed);
    check(services, model, &changed)?;
    if assistant::find_by_name(&mut tx, model).await?.is_some() {
        let message = format!("'{}' is the name of an assistant.", shown(model));
        return Err(Error::invalid("model", message));
    }
    store::set(&mut tx, model, &changed).await?;
    if store::count(&mut tx).await? > MOST {
        return Err(Error::Conflict(format!("There can be at most {MOST} overrides.")));
    }
    let act = Act::new(Event::RouteOverrideUpdated, model);
    let act = act.changed(before.as_ref().map_or(Value::Null, told), told(&changed));
    audit::record(&mut tx, act).await?;
    tx.commit().await?;
    services.routes.overrides.invalidate(&cx.tenant_id()).await;
    Ok(changed)
}

/// Takes a change back. In effect everywhere within a second.
///
/// # Errors
/// [`Error::NotFound`] when nothing was changed.
pub async fn unset(services: &Services, cx: &TenantContext, model: &str) -> Result<()> {
    let mut tx = services.db.tenant(cx).await?;
    if !store::unset(&mut tx, model).await? {
        return Err(Error::not_found("override of a model", shown(model)));
    }
    audit::record(&mut tx, Act::new(Event::RouteOverrideDeleted, model)).await?;
    tx.commit().await?;
    services.routes.overrides.invalidate(&cx.tenant_id()).await;
    Ok(())
}

/// An override as the audit log tells it.
fn told(change: &Override) -> Value {
    json!({"target_model": change.target_model, "settings": change.settings})
}

fn check_name(model: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    if model == ALL_MODELS || (1..=128).contains(&model.len()) && model.chars().all(fine) {
        return Ok(());
    }
    Err(Error::invalid(
        "model",
        "A model's name has 1 to 128 ASCII letters, digits, '.', '_', ':', '/' and '-'.",
    ))
}

fn check(services: &Services, model: &str, change: &Override) -> Result<()> {
    let known = |name: &str| services.routes.find_chat(name).is_some();
    match &change.target_model {
        Some(_) if model == ALL_MODELS => {
            return Err(Error::invalid(
                "target_model",
                "All models cannot be answered by one.",
            ));
        }
        Some(target) if !known(target) => {
            return Err(Error::model_not_found(&shown(target)).about("target_model"));
        }
        None if model != ALL_MODELS && !known(model) => return Err(Error::model_not_found(&shown(model))),
        _ => {}
    }
    if services.models.find_embedder(model).is_some() {
        return Err(Error::invalid(
            "model",
            format!("'{model}' is the name of an embedding model."),
        ));
    }
    let settings = &change.settings;
    if let Some(providers) = &settings.providers {
        let table = services.routes.table();
        let serves = |name: &str| {
            let mut targets = table.list().iter().flat_map(|route| route.targets.iter());
            targets.any(|target| *target.provider == *name)
        };
        if providers.is_empty() || providers.len() > MOST_PROVIDERS {
            return Err(Error::invalid(
                "providers",
                format!("Name 1 to {MOST_PROVIDERS} providers."),
            ));
        }
        for (at, name) in providers.iter().enumerate() {
            if !serves(name) {
                let message = format!("No model is served by a provider named '{}'.", shown(name));
                return Err(Error::invalid(format!("providers[{at}]"), message));
            }
        }
    }
    if settings
        .cache_ttl
        .is_some_and(|ttl| ttl > LONGEST_CACHE.as_secs())
    {
        return Err(Error::invalid(
            "cache_ttl",
            format!("Must be at most {} seconds.", LONGEST_CACHE.as_secs()),
        ));
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use insula_tenancy::permission::PermissionMode;

    use super::super::testing::{answering, route};
    use super::*;

    fn settings(local_only: bool, providers: Option<&[&str]>) -> OverrideSettings {
        OverrideSettings {
            local_only,
            providers: providers.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            ..OverrideSettings::default()
        }
    }

    fn overrides(changes: &[(&str, Option<&str>, OverrideSettings)]) -> Overrides {
        let change = |(name, target, settings): &(&str, Option<&str>, OverrideSettings)| {
            let change = Override {
                target_model: target.map(str::to_owned),
                settings: settings.clone(),
            };
            ((*name).to_owned(), change)
        };
        Overrides {
            names: changes.iter().map(change).collect(),
            ..Overrides::default()
        }
    }

    fn find(name: &str) -> Option<Arc<Route>> {
        ["a", "b"]
            .contains(&name)
            .then(|| Arc::new(route(name, vec![answering(name)])))
    }

    #[test]
    fn names_lead_elsewhere_and_restrictions_add_up() {
        let changed = overrides(&[
            ("*", None, settings(true, Some(&["x", "y"]))),
            ("alias", Some("b"), settings(false, Some(&["y", "z"]))),
            ("gone", Some("nobody"), settings(false, None)),
        ]);
        let choice = changed.choose("alias", find).unwrap();
        assert_eq!(&*choice.route.name, "b");
        assert!(choice.facts.local_only, "what holds for all holds here");
        assert_eq!(
            choice.facts.providers.as_deref(),
            Some(["y".to_owned()].as_slice())
        );
        assert_eq!(&*changed.choose("a", find).unwrap().route.name, "a");
        assert!(changed.choose("gone", find).is_none() && changed.choose("c", find).is_none());
        let plain = Overrides::default().choose("a", find).unwrap();
        assert_eq!(plain.facts, RouteFacts::default());
    }

    #[test]
    fn a_model_that_is_not_permitted_has_no_other_name_either() {
        let mut changed = overrides(&[("alias", Some("b"), settings(false, None))]);
        changed.permissions = ModelPermissions {
            mode: PermissionMode::DenyList,
            models: vec!["b".into()],
        };
        assert!(changed.choose("alias", find).is_none() && changed.choose("b", find).is_none());
        assert!(changed.choose("a", find).is_some());
        changed.permissions.mode = PermissionMode::AllowList;
        assert!(changed.choose("alias", find).is_some() && changed.choose("a", find).is_none());
    }

    #[test]
    fn a_model_can_be_switched_off() {
        let off = OverrideSettings {
            disabled: true,
            ..OverrideSettings::default()
        };
        let changed = overrides(&[("a", None, off)]);
        assert!(changed.choose("a", find).is_none() && changed.choose("b", find).is_some());
    }
}
