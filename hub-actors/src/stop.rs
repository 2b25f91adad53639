//! Why work in the database goes no further, in one type, so that `?` serves for both.

use std::time::Duration;

use crate::{
    error::{Fault, Quota, Refusal},
    telemetry,
};

/// The caller is told, or we are.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The caller's doing.
    Refused(Refusal),
    /// Ours.
    Fault(Fault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<diesel::result::Error> for Stop {
    fn from(error: diesel::result::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// The same, as [`State::order`](crate::state::State::order) and the store want it.
pub(crate) fn sorted<T>(done: Result<T, Stop>) -> Result<Result<T, Refusal>, Fault> {
    match done {
        Ok(answer) => Ok(Ok(answer)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// A quota is used up, and nothing but somebody's decision makes room.
pub(crate) fn quota(quota: Quota) -> Refusal {
    telemetry::quota_refusal(quota);
    Refusal::Quota(quota, ROOM_AFTER)
}

/// Room comes when somebody makes some.
const ROOM_AFTER: Duration = Duration::from_secs(60);
