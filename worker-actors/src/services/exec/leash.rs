//! What a command started ends with its stream, and the Worker does not stop before it has.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::terminal::process_tree::ProcessTree;

/// The process trees that are being ended, each on a thread of its own.
#[derive(Clone, Debug, Default)]
pub struct Endings(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Endings {
    /// Waits until all trees are gone, which their grace and the kills after it bound. Blocks.
    pub fn wait(&self) {
        let begun = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for ending in begun {
            // A thread that died took nothing with it that could be done here.
            let _ = ending.join();
        }
    }

    fn begin(&self, tree: ProcessTree, grace: Duration) {
        let last_resort = tree.clone();
        let ending = thread::Builder::new()
            .name("exec-end".into())
            .spawn(move || tree.end(grace));
        let Ok(ending) = ending else {
            return last_resort.signal(Signal::SIGKILL);
        };
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|ending| !ending.is_finished());
        begun.push(ending);
    }
}

/// Ends the processes when it is dropped, on every path.
pub(super) struct Leash {
    pub(super) tree: ProcessTree,
    pub(super) grace: Duration,
    pub(super) endings: Endings,
}

impl Leash {
    /// Ends what there is of it, beside everything else.
    pub(super) fn let_go(&self) {
        self.endings.begin(self.tree.clone(), self.grace);
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.let_go();
    }
}
