//! Whose Hub a data folder is: files that we make in somebody else's would be in the way of it.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use super::{OperatorError, name_for_sudo};
use crate::{folder, store::open::FILE};

/// Whether the Hub of this folder is ours.
pub(super) fn check_owner(folder: &Path) -> Result<(), OperatorError> {
    match other_owner(folder) {
        None => Ok(()),
        Some(owner) => Err(OperatorError::OtherOwner {
            path: folder.to_owned(),
            owner: name_for_sudo(owner),
        }),
    }
}

/// The user whose Hub it is, if that is somebody else.
pub(super) fn other_owner(folder: &Path) -> Option<u32> {
    let of = |path: &Path| std::fs::metadata(path).ok().map(|about| about.uid());
    let files = [FILE, folder::LOCK];
    let file = files.iter().find_map(|name| of(&folder.join(name)));
    judge(file, of(folder), nix::unistd::geteuid().as_raw())
}

const ROOT: u32 = 0;

/// The Hub's files say whose it is. A folder may be root's and a Hub's all the same: in a cluster the
/// root of a volume is, and the operating system says whether we may write there.
const fn judge(file: Option<u32>, folder: Option<u32>, me: u32) -> Option<u32> {
    match (file, folder) {
        (Some(owner), _) if owner != me => Some(owner),
        (None, Some(owner)) if owner != me && owner != ROOT => Some(owner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_say_whose_it_is_and_the_folder_where_there_are_none() {
        let (hub, other) = (65_532, 1_000);
        for (file, folder, me, wanted) in [
            // A volume of a cluster, before the first start and after it.
            (None, Some(ROOT), hub, None),
            (Some(hub), Some(ROOT), hub, None),
            (Some(hub), Some(ROOT), ROOT, Some(hub)),
            // A machine's own folder, and root who forgot sudo.
            (Some(hub), Some(hub), hub, None),
            (Some(hub), Some(hub), ROOT, Some(hub)),
            (None, Some(hub), ROOT, Some(hub)),
            (None, Some(other), hub, Some(other)),
            (Some(ROOT), Some(ROOT), ROOT, None),
            (Some(ROOT), Some(ROOT), hub, Some(ROOT)),
            (None, None, hub, None),
        ] {
            assert_eq!(judge(file, folder, me), wanted, "{file:?} {folder:?} {me}");
        }
    }
}
