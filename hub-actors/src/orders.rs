//! How many changes one user orders: within a time, and waiting at once. Changes wait for each other,
//! for the database has room for one that writes: whoever orders many may not be all who wait.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock,
    config::Quotas,
    error::{Quota, Refusal},
    limiter::{Limiter, Rate},
    notes::Author,
    store::audit::Actor,
    telemetry,
};

/// Orders of one user that are under way.
const AT_ONCE: u32 = 64;
/// One of them is done by then.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What users have ordered.
pub(crate) struct Orders {
    rate: Mutex<Limiter<String>>,
    under_way: Arc<Mutex<BTreeMap<String, u32>>>,
}

/// An order's place; it is free again when this is dropped.
pub(crate) struct Place {
    user: String,
    under_way: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Orders {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        Self {
            rate: Mutex::new(Limiter::new(Rate {
                burst: quotas.orders_burst.max(1),
                every: Duration::from_secs(1) / quotas.orders_per_second.max(1),
            })),
            under_way: Arc::default(),
        }
    }

    /// Counts a user's order; those of the operator, of Workers and of the Hub itself are few, and
    /// of strangers there are other limits.
    pub(crate) fn begin(&self, author: &Author) -> Result<Option<Place>, Refusal> {
        if author.actor != Actor::User || author.id.is_empty() {
            return Ok(None);
        }
        let place = self.place(&author.id).ok_or(AGAIN_AFTER);
        let counted = place.and_then(|place| {
            let mut rate = lock(&self.rate);
            rate.take(&author.id, clock::now()).map(|()| place)
        });
        counted.map(Some).map_err(|after| {
            telemetry::quota_refusal(Quota::Orders);
            Refusal::Quota(Quota::Orders, after)
        })
    }

    fn place(&self, user: &str) -> Option<Place> {
        let mut under_way = lock(&self.under_way);
        let count = under_way.entry(user.to_owned()).or_default();
        (*count < AT_ONCE).then(|| {
            *count += 1;
            Place {
                user: user.to_owned(),
                under_way: Arc::clone(&self.under_way),
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        match under_way.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(under_way.remove(&self.user)),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(actor: Actor, id: &str) -> Author {
        Author {
            actor,
            id: id.to_owned(),
            address: String::new(),
        }
    }

    fn orders(burst: u32) -> Orders {
        Orders::new(&Quotas {
            orders_burst: burst,
            orders_per_second: 1,
            ..Quotas::default()
        })
    }

    #[test]
    fn a_user_orders_so_often_and_others_are_not_slowed_down() {
        let (orders, ann) = (orders(3), author(Actor::User, "ann"));
        (0..3).for_each(|_| drop(orders.begin(&ann).unwrap()));
        let refused = orders.begin(&ann).err().unwrap();
        assert!(matches!(refused, Refusal::Quota(Quota::Orders, after) if !after.is_zero()));
        assert!(orders.begin(&author(Actor::User, "bob")).is_ok());
        for _ in 0..10 {
            assert!(orders.begin(&author(Actor::Operator, "ann")).is_ok());
        }
    }

    #[test]
    fn so_many_orders_of_a_user_are_under_way_and_leave_nothing_behind() {
        let (orders, ann) = (orders(1_000), author(Actor::User, "ann"));
        let mut held: Vec<_> = (0..AT_ONCE).map(|_| orders.begin(&ann).unwrap()).collect();
        assert!(orders.begin(&ann).is_err());
        held.pop();
        held.push(orders.begin(&ann).unwrap());
        assert!(orders.begin(&ann).is_err());
        drop(held);
        assert!(lock(&orders.under_way).is_empty());
    }
}
