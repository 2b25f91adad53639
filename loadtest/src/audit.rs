//! BRAIN: whether what was sent on a channel came back, once and in order.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::AddAssign,
    time::Duration,
};

use serde::Serialize;

/// A message that is under way. Times from the beginning of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flight {
    /// When it should have been sent.
    pub(crate) intended: Duration,
    /// When it was.
    pub(crate) sent: Duration,
}

/// What became of all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Delivery {
    /// Handed to the channel.
    pub(crate) sent: u64,
    /// Came back, whenever.
    pub(crate) received: u64,
    /// Came back again.
    pub(crate) duplicated: u64,
    /// Came back after a later one.
    pub(crate) reordered: u64,
    /// Came back as something that was never sent.
    pub(crate) corrupted: u64,
    /// Never came back.
    pub(crate) lost: u64,
}

impl Delivery {
    /// Everything came back, once and in order.
    pub(crate) const fn is_perfect(&self) -> bool {
        self.sent == self.received
            && self.duplicated == 0
            && self.reordered == 0
            && self.corrupted == 0
            && self.lost == 0
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            received,
            duplicated,
            reordered,
            corrupted,
            lost,
        } = self;
        write!(f, "{sent} sent, {received} received, {duplicated} twice, ")?;
        write!(
            f,
            "{reordered} out of order, {corrupted} changed, {lost} lost"
        )
    }
}

impl AddAssign for Delivery {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.lost += other.lost;
    }
}

/// The books of one channel. Messages are numbered from 0.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    delivery: Delivery,
    /// Number of the first of `flights`.
    next_back: u64,
    flights: VecDeque<Flight>,
    /// Left behind by a later one.
    overtaken: BTreeMap<u64, Flight>,
}

impl Audit {
    /// Takes one on its way, and numbers it.
    pub(crate) fn sent(&mut self, flight: Flight) -> u64 {
        let number = self.delivery.sent;
        self.delivery.sent += 1;
        self.flights.push_back(flight);
        number
    }

    /// Something came back: the number that it names, if it names one.
    pub(crate) fn received(&mut self, number: Option<u64>) -> Option<Flight> {
        let Some(number) = number.filter(|number| *number < self.delivery.sent) else {
            self.delivery.corrupted += 1;
            return None;
        };
        if number < self.next_back {
            self.late(number)
        } else {
            self.in_order(number)
        }
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.flights.len() + self.overtaken.len()
    }

    /// The books as they stand; what is under way counts as lost.
    pub(crate) fn close(&self) -> Delivery {
        Delivery {
            lost: self.under_way() as u64,
            ..self.delivery
        }
    }

    fn late(&mut self, number: u64) -> Option<Flight> {
        let flight = self.overtaken.remove(&number);
        match flight {
            Some(_) => {
                self.delivery.received += 1;
                self.delivery.reordered += 1;
            }
            None => self.delivery.duplicated += 1,
        }
        flight
    }

    fn in_order(&mut self, number: u64) -> Option<Flight> {
        while self.next_back < number {
            let left_behind = self.flights.pop_front()?;
            self.overtaken.insert(self.next_back, left_behind);
            self.next_back += 1;
        }
        self.next_back += 1;
        self.delivery.received += 1;
        self.flights.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_sending(count: u64) -> Audit {
        let mut audit = Audit::default();
        for number in 0..count {
            let at = Duration::from_millis(number);
            assert_eq!(
                audit.sent(Flight {
                    intended: at,
                    sent: at
                }),
                number
            );
        }
        audit
    }

    #[test]
    fn once_and_in_order_is_perfect() {
        let mut audit = after_sending(3);
        for number in 0..3 {
            let flight = audit.received(Some(number)).expect("it was sent");
            assert_eq!(flight.sent, Duration::from_millis(number));
        }
        assert!(audit.close().is_perfect());
    }

    #[test]
    fn what_does_not_come_back_is_lost() {
        let mut audit = after_sending(3);
        audit.received(Some(0));
        audit.received(Some(2));
        assert_eq!(
            audit.close(),
            Delivery {
                sent: 3,
                received: 2,
                lost: 1,
                ..Delivery::default()
            }
        );
        assert!(!audit.close().is_perfect());
    }

    #[test]
    fn what_comes_back_twice_late_or_changed_is_told_apart() {
        let mut audit = after_sending(4);
        assert!(audit.received(Some(1)).is_some());
        assert!(audit.received(Some(1)).is_none());
        assert!(audit.received(Some(0)).is_some());
        assert!(audit.received(Some(0)).is_none());
        assert!(audit.received(Some(9)).is_none());
        assert!(audit.received(None).is_none());
        let expected = Delivery {
            sent: 4,
            received: 2,
            duplicated: 2,
            reordered: 1,
            corrupted: 2,
            lost: 2,
        };
        assert_eq!(audit.close(), expected);
    }

    #[test]
    fn the_books_of_channels_add_up() {
        let mut sum = after_sending(2).close();
        sum += after_sending(3).close();
        assert_eq!(
            sum,
            Delivery {
                sent: 5,
                lost: 5,
                ..Delivery::default()
            }
        );
    }
}
