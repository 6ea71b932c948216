//! Who goes next among those that wait: everybody gets as much, however much they ask for.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use insula_tenancy::TenantId;

use super::queue::RequestId;

/// Whose turn it is: a tenant's, or that of one request of nobody in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Flow {
    /// A tenant.
    Tenant(TenantId),
    /// A request by itself.
    Request(RequestId),
}

/// Debts of those who have left that are kept before those that time has paid are forgotten.
const DEBTS: usize = 64;

/// An order by start-time fair queueing: everybody's turn advances by what they were served, and a newcomer's turn is `now`, which
/// follows those being served and advances by a fair share. Whoever leaves and comes back takes up the turn that it left with, so
/// that nothing is gained by asking in small pieces.
#[derive(Debug)]
pub(super) struct Turns<K> {
    order: BTreeSet<(u64, K)>,
    turns: HashMap<K, u64>,
    owed: HashMap<K, u64>,
    now: u64,
    /// How many shared what is being served.
    sharers: u64,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self {
            order: BTreeSet::new(),
            turns: HashMap::new(),
            owed: HashMap::new(),
            now: 0,
            sharers: 1,
        }
    }
}

impl<K: Copy + Ord + Hash> Turns<K> {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds a newcomer; who waits already stays in its place.
    pub(super) fn join(&mut self, key: K) {
        if !self.turns.contains_key(&key) {
            let turn = self.owed.remove(&key).unwrap_or(0).max(self.now);
            self.turns.insert(key, turn);
            self.order.insert((turn, key));
        }
    }

    /// Takes somebody out.
    pub(super) fn leave(&mut self, key: &K) {
        if let Some(turn) = self.turns.remove(key) {
            self.order.remove(&(turn, *key));
            if turn > self.now {
                self.owed.insert(*key, turn);
            }
        }
    }

    /// The first ones, in their order. What they are given is told by `serve`, and all of it together by `pass`.
    pub(super) fn next(&mut self, most: usize) -> Vec<K> {
        if let Some((turn, _)) = self.order.first() {
            self.now = self.now.max(*turn);
        }
        self.sharers = self.order.len() as u64 + 1;
        self.order.iter().take(most).map(|(_, key)| *key).collect()
    }

    /// Somebody was given so much.
    pub(super) fn serve(&mut self, key: &K, amount: usize) {
        if let Some(turn) = self.turns.get_mut(key) {
            self.order.remove(&(*turn, *key));
            *turn += amount as u64;
            self.order.insert((*turn, *key));
        }
    }

    /// So much was given in all since `next`.
    pub(super) fn pass(&mut self, amount: usize) {
        self.now += amount as u64 / self.sharers;
        if self.owed.len() > DEBTS {
            let now = self.now;
            self.owed.retain(|_, turn| *turn > now);
        }
    }
}
