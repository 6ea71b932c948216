//! All routes, and replacing them while calls are under way.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use insula_tenancy::TenantId;
use moka::future::Cache;

use super::tenant::Overrides;
use super::{Route, RouteKind, Ways};

/// How long a tenant's overrides may be served from memory.
const OVERRIDES_FOR: Duration = Duration::from_secs(1);
const TENANTS_REMEMBERED: u64 = 100_000;

/// The routes of one moment, by name and in the operator's order.
#[derive(Debug, Default)]
pub struct Table {
    by_name: HashMap<Arc<str>, Arc<Route>>,
    in_order: Vec<Arc<Route>>,
}

impl Table {
    /// A table of these routes. A later route takes over the name of an earlier one; names of fallbacks and detours that do not
    /// exist are left out.
    pub fn new(routes: Vec<Route>) -> Self {
        let mut bare: BTreeMap<Arc<str>, Arc<Route>> = BTreeMap::new();
        let mut order: Vec<Arc<str>> = Vec::with_capacity(routes.len());
        for route in routes {
            if !bare.contains_key(&route.name) {
                order.push(Arc::clone(&route.name));
            }
            bare.insert(Arc::clone(&route.name), Arc::new(route));
        }
        let in_order: Vec<Arc<Route>> = order
            .iter()
            .filter_map(|name| bare.get(name))
            .map(|route| resolve(route, &bare))
            .collect();
        let by_name = in_order
            .iter()
            .map(|route| (Arc::clone(&route.name), Arc::clone(route)))
            .collect();
        Self { by_name, in_order }
    }

    /// The route of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_name.get(name)
    }

    /// Whether there are embedding models that cost money.
    pub fn sells_embeddings(&self) -> bool {
        self.in_order
            .iter()
            .any(|route| matches!(route.kind, RouteKind::Embeddings(_)) && !route.is_free())
    }

    /// All routes in the operator's order.
    pub fn list(&self) -> &[Arc<Route>] {
        &self.in_order
    }

    /// These routes with the health that their targets have here.
    fn hand_on(&self, routes: &mut [Route]) {
        let known: HashMap<_, _> = self
            .in_order
            .iter()
            .flat_map(|route| &*route.targets)
            .map(|target| (Arc::clone(&target.origin), Arc::clone(&target.health)))
            .collect();
        let mut healths = known;
        for route in routes {
            let targets = route.targets.iter().cloned().map(|mut target| {
                let health = healths.entry(Arc::clone(&target.origin));
                target.health = Arc::clone(health.or_insert_with(|| Arc::clone(&target.health)));
                target
            });
            route.targets = targets.collect();
        }
    }
}

type Bare = BTreeMap<Arc<str>, Arc<Route>>;

/// The routes of these names, and those that follow from them in turn, each once and never `of` itself.
fn chain(of: &Route, next: impl Fn(&Route) -> &[Arc<str>], bare: &Bare) -> Vec<Arc<Route>> {
    fn follow(
        route: &Route,
        next: &impl Fn(&Route) -> &[Arc<str>],
        bare: &Bare,
        seen: &mut Vec<Arc<str>>,
        found: &mut Vec<Arc<Route>>,
    ) {
        for name in next(route) {
            if let Some(route) = bare.get(name)
                && !seen.contains(name)
            {
                seen.push(Arc::clone(name));
                found.push(Arc::clone(route));
                follow(route, next, bare, seen, found);
            }
        }
    }
    let (mut seen, mut found) = (vec![Arc::clone(&of.name)], Vec::new());
    follow(of, &next, bare, &mut seen, &mut found);
    found
}

fn resolve(route: &Arc<Route>, bare: &Bare) -> Arc<Route> {
    let ways = |of: &Route| Ways {
        detours: Vec::new(),
        fallbacks: chain(of, |route| &route.fallbacks, bare),
        larger: chain(of, |route| &route.context_window_fallbacks, bare),
    };
    let resolved = |of: &Route| Route {
        ways: ways(of),
        ..of.clone()
    };
    let mut whole = resolved(route);
    let (detours, ends) = route
        .detours
        .iter()
        .filter_map(|detour| {
            let end = bare.get(&detour.to)?;
            Some((detour.clone(), Arc::new(resolved(end))))
        })
        .unzip();
    whole.detours = detours;
    whole.ways.detours = ends;
    Arc::new(whole)
}

/// The routes of this server. Clones share them; a call keeps the route that it has found.
#[derive(Clone)]
pub struct Routes {
    table: Arc<ArcSwap<Table>>,
    pub(super) overrides: Cache<TenantId, Arc<Overrides>>,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Routes {
    /// These routes.
    pub fn new(routes: Vec<Route>) -> Self {
        let new = Self {
            table: Arc::new(ArcSwap::from_pointee(Table::default())),
            overrides: Cache::builder()
                .max_capacity(TENANTS_REMEMBERED)
                .time_to_live(OVERRIDES_FOR)
                .build(),
        };
        new.replace(routes);
        new
    }

    /// The route of that name.
    pub fn find(&self, name: &str) -> Option<Arc<Route>> {
        self.table.load().find(name).cloned()
    }

    /// The route of that name, if it answers conversations.
    pub fn find_chat(&self, name: &str) -> Option<Arc<Route>> {
        self.find(name).filter(|route| route.is_chat())
    }

    /// All routes in the operator's order.
    pub fn list(&self) -> Vec<Arc<Route>> {
        self.table.load().list().to_vec()
    }

    /// The routes of this moment.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Replaces all routes at once. Calls under way keep theirs; a target that is in both keeps its health.
    pub fn replace(&self, mut routes: Vec<Route>) {
        self.table.load().hand_on(&mut routes);
        self.table.store(Arc::new(Table::new(routes)));
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.table.load()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answering, route};
    use super::super::{Condition, Cooldown, Detour};
    use super::*;

    fn names(routes: &[Arc<Route>]) -> Vec<&str> {
        routes.iter().map(|route| &*route.name).collect()
    }

    fn with_fallbacks(name: &str, fallbacks: &[&str]) -> Route {
        Route {
            fallbacks: fallbacks.iter().map(|name| (*name).into()).collect(),
            ..route(name, vec![answering(name)])
        }
    }

    #[test]
    fn chains_are_followed_once_and_circles_end() {
        let table = Table::new(vec![
            with_fallbacks("a", &["b", "nobody"]),
            with_fallbacks("b", &["c", "a"]),
            with_fallbacks("c", &["b"]),
            with_fallbacks("d", &[]),
        ]);
        let find = |name| table.find(name).unwrap();
        assert_eq!(names(&find("a").ways.fallbacks), ["b", "c"]);
        assert_eq!(names(&find("c").ways.fallbacks), ["b", "a"]);
        assert!(find("d").ways.fallbacks.is_empty());
        assert_eq!(names(table.list()), ["a", "b", "c", "d"]);
        assert!(table.find("nobody").is_none());
    }

    #[test]
    fn a_detour_brings_its_own_fallbacks() {
        let to = |name: &str| Detour {
            condition: Condition::default(),
            to: name.into(),
        };
        let mut a = with_fallbacks("a", &[]);
        a.detours = vec![to("nobody"), to("b")];
        let table = Table::new(vec![a, with_fallbacks("b", &["c"]), with_fallbacks("c", &[])]);
        let a = table.find("a").unwrap();
        assert_eq!((a.detours.len(), names(&a.ways.detours)), (1, vec!["b"]));
        assert_eq!(names(&a.ways.detours[0].ways.fallbacks), ["c"]);
    }

    #[test]
    fn a_later_route_takes_over_a_name() {
        let table = Table::new(vec![
            route("a", vec![answering("old")]),
            route("b", vec![answering("b")]),
            route("a", vec![answering("new")]),
        ]);
        assert_eq!(names(table.list()), ["a", "b"]);
        assert_eq!(&*table.find("a").unwrap().targets[0].name, "new");
    }

    #[test]
    fn what_is_unchanged_keeps_its_health_and_what_runs_keeps_its_route() {
        let routes = Routes::new(vec![
            route("a", vec![answering("x")]),
            route("b", vec![answering("x"), answering("y")]),
        ]);
        let before = routes.find("a").unwrap();
        let tired = Cooldown {
            failures: 1,
            rest: Duration::from_secs(9),
        };
        let now = super::super::now();
        before.targets[0].health.fail(now, tired, false, None);
        assert!(
            !routes.find("b").unwrap().targets[0].health.is_open(now),
            "the same server behind another name"
        );
        routes.replace(vec![route("b", vec![answering("x"), answering("z")])]);
        assert!(routes.find("a").is_none() && *before.name == *"a");
        let after = routes.find("b").unwrap();
        assert!(!after.targets[0].health.is_open(now) && after.targets[1].health.is_open(now));
    }
}
