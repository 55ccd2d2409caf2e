//! Requests that are under way for shards, by what they are for: one for each thing, however many wait for it.
//!
//! What began under an older configuration is no answer to what is asked under this one, and is not kept.

use std::collections::HashMap;

use crate::io::mailbox::Answer;

/// The digest of what a request is for.
pub(crate) type Key = [u8; 32];

/// Requests under way, whose outcome is a `T`.
pub(crate) struct Flights<T: Send + 'static> {
    flying: HashMap<(u64, Key), Flight<T>>,
    epoch: u64,
    most: usize,
}

struct Flight<T: Send + 'static> {
    to: Box<str>,
    waiting: Vec<Answer<T>>,
}

/// What a request takes along, and lands with.
pub(crate) struct Ticket {
    pub(crate) key: Key,
    /// The server or issuer that it is about.
    pub(crate) to: Box<str>,
    epoch: u64,
}

/// A request that has landed.
pub(crate) struct Landing<T: Send + 'static> {
    /// Whether it began under the configuration of now.
    pub(crate) is_current: bool,
    waiting: Vec<Answer<T>>,
}

impl<T: Clone + Send + 'static> Flights<T> {
    /// None yet, and at most `most` about each server or issuer.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            flying: HashMap::new(),
            epoch: 0,
            most,
        }
    }

    /// Nothing that is under way answers what is asked from now on.
    pub(crate) const fn begin_anew(&mut self) {
        self.epoch += 1;
    }

    /// Has `answer` wait for the request for `key`; gives it back if there is none.
    pub(crate) fn join(&mut self, key: &Key, answer: Option<Answer<T>>) -> Result<(), Option<Answer<T>>> {
        let Some(flight) = self.flying.get_mut(&(self.epoch, *key)) else {
            return Err(answer);
        };
        flight.waiting.extend(answer);
        Ok(())
    }

    /// Whether one more may begin about `to`.
    pub(crate) fn has_room(&self, to: &str) -> bool {
        self.flying.values().filter(|flight| *flight.to == *to).count() < self.most
    }

    /// Begins a request for `key`, which nothing under way is for.
    pub(crate) fn begin(&mut self, key: Key, to: &str, answer: Option<Answer<T>>) -> Ticket {
        let flight = Flight {
            to: to.into(),
            waiting: answer.into_iter().collect(),
        };
        self.flying.insert((self.epoch, key), flight);
        Ticket {
            key,
            to: to.into(),
            epoch: self.epoch,
        }
    }

    /// Ends the request of `ticket`.
    pub(crate) fn land(&mut self, ticket: &Ticket) -> Landing<T> {
        let flight = self.flying.remove(&(ticket.epoch, ticket.key));
        Landing {
            is_current: ticket.epoch == self.epoch,
            waiting: flight.map(|flight| flight.waiting).unwrap_or_default(),
        }
    }
}

impl<T: Clone + Send + 'static> Landing<T> {
    /// Tells everybody who waits.
    pub(crate) fn tell(self, told: &T) {
        for answer in self.waiting {
            answer.send(told.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];

    #[test]
    fn whoever_asks_for_the_same_waits_for_one_request() {
        let mut flights = Flights::<u8>::new(1);
        assert!(flights.join(&KEY, None).is_err());
        let ticket = flights.begin(KEY, "town", None);
        assert!(flights.join(&KEY, None).is_ok());
        assert!(flights.land(&ticket).is_current);
        assert!(flights.join(&KEY, None).is_err());
    }

    #[test]
    fn what_began_under_an_older_configuration_answers_nothing_of_this_one() {
        let mut flights = Flights::<u8>::new(2);
        let old = flights.begin(KEY, "town", None);
        flights.begin_anew();
        assert!(flights.join(&KEY, None).is_err());
        let new = flights.begin(KEY, "town", None);
        assert!(!flights.land(&old).is_current);
        assert!(
            flights.join(&KEY, None).is_ok(),
            "the old one landing ends the old one only"
        );
        assert!(flights.land(&new).is_current);
    }

    #[test]
    fn one_that_does_not_answer_leaves_room_for_all_others() {
        let mut flights = Flights::<u8>::new(1);
        let ticket = flights.begin(KEY, "silent", None);
        assert!(!flights.has_room("silent") && flights.has_room("town"));
        flights.land(&ticket);
        assert!(flights.has_room("silent"));
    }
}
