//! BRAIN: a WebSocket message that came in fragments (RFC 6455, 5.4), within a bound.

use bytes::{Bytes, BytesMut};

/// Collects the fragments of one message.
#[derive(Debug)]
pub(crate) struct Assembly {
    limit: usize,
    begun: Option<BytesMut>,
}

/// One fragment.
#[derive(Debug)]
pub(crate) enum Fragment {
    /// Begins a message.
    First(Bytes),
    /// Goes on.
    Next(Bytes),
    /// Ends it.
    Last(Bytes),
}

/// The fragments do not fit together, or make too long a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFragment;

impl Assembly {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, begun: None }
    }

    /// The whole message, once its last fragment is here.
    pub(crate) fn add(&mut self, fragment: Fragment) -> Result<Option<Bytes>, BadFragment> {
        match fragment {
            Fragment::First(bytes) if self.begun.is_none() => {
                self.begun = Some(BytesMut::new());
                self.extend(&bytes)?;
                Ok(None)
            }
            Fragment::First(_) => Err(BadFragment),
            Fragment::Next(bytes) => self.extend(&bytes).map(|()| None),
            Fragment::Last(bytes) => {
                self.extend(&bytes)?;
                Ok(self.begun.take().map(BytesMut::freeze))
            }
        }
    }

    fn extend(&mut self, bytes: &Bytes) -> Result<(), BadFragment> {
        let begun = self.begun.as_mut().ok_or(BadFragment)?;
        if begun.len() + bytes.len() > self.limit {
            return Err(BadFragment);
        }
        begun.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn fragments_become_one_message() {
        let mut assembly = Assembly::new(6);
        assert_eq!(assembly.add(Fragment::First(bytes("ab"))), Ok(None));
        assert_eq!(assembly.add(Fragment::Next(bytes("cd"))), Ok(None));
        assert_eq!(
            assembly.add(Fragment::Last(bytes("ef"))),
            Ok(Some(bytes("abcdef")))
        );
        assert_eq!(assembly.add(Fragment::First(bytes(""))), Ok(None));
    }

    #[test]
    fn a_message_may_not_outgrow_its_bound() {
        let mut assembly = Assembly::new(3);
        assert_eq!(assembly.add(Fragment::First(bytes("ab"))), Ok(None));
        assert_eq!(assembly.add(Fragment::Last(bytes("cd"))), Err(BadFragment));
    }

    #[test]
    fn fragments_out_of_order_are_refused() {
        assert_eq!(
            Assembly::new(9).add(Fragment::Next(bytes("a"))),
            Err(BadFragment)
        );
        assert_eq!(
            Assembly::new(9).add(Fragment::Last(bytes("a"))),
            Err(BadFragment)
        );
        let mut assembly = Assembly::new(9);
        assert_eq!(assembly.add(Fragment::First(bytes("a"))), Ok(None));
        assert_eq!(assembly.add(Fragment::First(bytes("b"))), Err(BadFragment));
    }
}
