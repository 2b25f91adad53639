//! Another name, another owner.

use schema::{
    ids::{UserId, WorkerId},
    wire::{
        RenameWorkerRequest, RenameWorkerResponse, TransferWorkerRequest, TransferWorkerResponse,
    },
};

use super::{Tie, departing::revoke_all, fields, spent, tie};
use crate::{
    asked::Asked,
    clock,
    error::{Fault, Field, Quota, Refusal, Unmet},
    notes::{About, Notes},
    store::{
        Connection,
        audit::Object,
        ledger::Reason,
        workers::{self, Worker},
    },
};

/// For its owner, and whoever looks after its organisation.
pub(crate) async fn rename_worker(
    asked: &Asked,
    request: RenameWorkerRequest,
) -> Result<RenameWorkerResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let id = WorkerId::parse(&request.worker_id).map_err(|_| Refusal::NotFound)?;
    fields::name(&request.name)?;
    let name = request.name.trim().to_owned();
    if name.is_empty() {
        return Err(Refusal::Malformed(Field::WorkerName));
    }
    let order = asked.state.order(asked.author(), move |conn, notes| {
        let worker = match tie(conn, &user, &id)? {
            None => return Ok(Err(Refusal::NotFound)),
            Some((_, Tie::Viewer)) => return Ok(Err(Refusal::Forbidden)),
            Some((worker, Tie::Owner | Tie::Admin)) => worker,
        };
        workers::rename(conn, &id, &name)?;
        note(notes, &worker, "worker.renamed");
        notes.tell(workers::viewers(conn, &worker)?, About::Worker(id.clone()));
        Ok(Ok(()))
    });
    order.await?;
    Ok(RenameWorkerResponse {})
}

/// For its owner alone, to another member of its organisation. The Worker itself keeps its old owner
/// until the person at its machine accepts the new one.
pub(crate) async fn transfer_worker(
    asked: &Asked,
    request: TransferWorkerRequest,
) -> Result<TransferWorkerResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let id = WorkerId::parse(&request.worker_id).map_err(|_| Refusal::NotFound)?;
    let to = UserId::parse(&request.user_id).map_err(|_| Refusal::Unmet(Unmet::NotMember))?;
    let quota = i64::from(asked.state.config.quotas.workers_per_user);
    let order = asked.state.order(asked.author(), move |conn, notes| {
        let worker = match tie(conn, &user, &id)? {
            None => return Ok(Err(Refusal::NotFound)),
            Some((_, Tie::Viewer | Tie::Admin)) => return Ok(Err(Refusal::Forbidden)),
            Some((worker, Tie::Owner)) => worker,
        };
        if let Err(refusal) = may_take(conn, &worker, &to, quota)? {
            return Ok(Err(refusal));
        }
        let mut viewers = workers::viewers(conn, &worker)?;
        viewers.insert(to.clone());
        workers::transfer(conn, &id, &to)?;
        revoke_all(conn, notes, &id, Reason::Transferred, clock::unix_ms())?;
        note(notes, &worker, "worker.transferred");
        notes.tell(viewers, About::Worker(id.clone()));
        Ok(Ok(()))
    });
    order.await?;
    Ok(TransferWorkerResponse {})
}

fn may_take(
    conn: &mut Connection,
    worker: &Worker,
    to: &UserId,
    quota: i64,
) -> Result<Result<(), Refusal>, Fault> {
    if worker.bundled {
        return Ok(Err(Refusal::Unmet(Unmet::Bundled)));
    }
    if worker.deregistering {
        return Ok(Err(Refusal::NotFound));
    }
    if worker.owner == *to {
        return Ok(Err(Refusal::Exists));
    }
    if workers::membership(conn, &worker.organisation, to)?.is_none() {
        return Ok(Err(Refusal::Unmet(Unmet::NotMember)));
    }
    if workers::count(conn, to)? >= quota {
        return Ok(Err(spent(Quota::Workers)));
    }
    Ok(Ok(()))
}

/// Writes down that it was done to a Worker.
pub(super) fn note(notes: &mut Notes, worker: &Worker, action: &'static str) {
    let place = Some(worker.organisation.as_str());
    notes.audit_in(place, action, Object::Worker, worker.id.as_str(), "");
}
