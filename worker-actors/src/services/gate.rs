//! BRAIN: who may call what.

use schema::wire::{self, RpcError};
use tonic::Code;

/// Everything that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `worker.info`
    WorkerInfo,
    /// `terminal.list`
    TerminalList,
    /// `terminal.watch`
    TerminalWatch,
    /// `terminal.open`
    TerminalOpen,
    /// `terminal.attach`
    TerminalAttach,
    /// `terminal.rename`
    TerminalRename,
    /// `terminal.close`
    TerminalClose,
    /// `exec`
    Exec,
    /// `devices.list`
    DevicesList,
    /// `devices.watch`
    DevicesWatch,
    /// `devices.approve`
    DevicesApprove,
    /// `devices.remove`
    DevicesRemove,
}

/// What a caller is, least first. An owner here is the Worker's, not a workspace's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Viewer,
    /// May type and open.
    Editor,
    /// May do everything.
    Owner,
}

impl Method {
    /// Name, method, the least role, and whether it is a stream: the whole gate.
    const ALL: [(&'static str, Self, Role, bool); 12] = [
        ("worker.info", Self::WorkerInfo, Role::Viewer, false),
        ("terminal.list", Self::TerminalList, Role::Viewer, false),
        ("terminal.watch", Self::TerminalWatch, Role::Viewer, true),
        ("terminal.open", Self::TerminalOpen, Role::Editor, false),
        ("terminal.attach", Self::TerminalAttach, Role::Viewer, true),
        ("terminal.rename", Self::TerminalRename, Role::Editor, false),
        ("terminal.close", Self::TerminalClose, Role::Editor, false),
        ("exec", Self::Exec, Role::Owner, true),
        ("devices.list", Self::DevicesList, Role::Owner, false),
        ("devices.watch", Self::DevicesWatch, Role::Owner, true),
        ("devices.approve", Self::DevicesApprove, Role::Owner, false),
        ("devices.remove", Self::DevicesRemove, Role::Owner, false),
    ];
}

impl Method {
    /// The longest request, in bytes. Only what starts a program may have to say more than a name.
    #[must_use]
    pub const fn longest(self) -> usize {
        match self {
            Self::TerminalOpen | Self::Exec => 2 << 20,
            Self::WorkerInfo
            | Self::TerminalList
            | Self::TerminalWatch
            | Self::TerminalAttach
            | Self::TerminalRename
            | Self::TerminalClose
            | Self::DevicesList
            | Self::DevicesWatch
            | Self::DevicesApprove
            | Self::DevicesRemove => 64 << 10,
        }
    }
}

/// The role that counts: the owner's everywhere, else that in the workspace which is named. An
/// owner of a workspace is an editor at a Worker that belongs to somebody else.
#[must_use]
pub fn role(is_owner: bool, in_workspace: Option<wire::Role>) -> Option<Role> {
    if is_owner {
        return Some(Role::Owner);
    }
    match in_workspace? {
        wire::Role::Unspecified => None,
        wire::Role::Viewer => Some(Role::Viewer),
        wire::Role::Editor | wire::Role::Owner => Some(Role::Editor),
    }
}

/// Lets a call through, or says why not.
///
/// # Errors
///
/// `unimplemented`, `permission denied`, or `invalid argument` for a stream where none belongs.
pub fn admit(name: &str, role: Option<Role>, opens_stream: bool) -> Result<Method, RpcError> {
    let known = Method::ALL.iter().find(|(known, ..)| *known == name);
    let Some((_, method, least, streams)) = known else {
        return Err(super::error(Code::Unimplemented, "no such method"));
    };
    if role.is_none_or(|role| role < *least) {
        return Err(super::error(
            Code::PermissionDenied,
            "your role does not allow this",
        ));
    }
    match (streams, opens_stream) {
        (true, true) | (false, false) => Ok(*method),
        (true, false) => Err(super::invalid("this method needs a stream")),
        (false, true) => Err(super::invalid("this method takes no stream")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, role: Option<Role>, stream: bool) -> Option<u32> {
        admit(name, role, stream).err().map(|error| error.code)
    }

    #[test]
    fn viewers_look_editors_type_and_owners_do_everything() {
        for (name, _, least, stream) in Method::ALL {
            for role in [Role::Viewer, Role::Editor, Role::Owner] {
                let expected = (role < least).then_some(7);
                assert_eq!(code(name, Some(role), stream), expected, "{name} {role:?}");
            }
            assert_eq!(code(name, None, stream), Some(7), "{name}");
        }
    }

    #[test]
    fn unknown_methods_and_misplaced_streams_are_refused() {
        assert_eq!(code("terminal.listen", Some(Role::Owner), false), Some(12));
        assert_eq!(code("", Some(Role::Owner), false), Some(12));
        assert_eq!(code("exec", Some(Role::Owner), false), Some(3));
        assert_eq!(code("worker.info", Some(Role::Owner), true), Some(3));
    }

    #[test]
    fn a_workspaces_owner_is_an_editor_at_anothers_worker() {
        assert_eq!(role(false, Some(wire::Role::Owner)), Some(Role::Editor));
        assert_eq!(role(false, Some(wire::Role::Viewer)), Some(Role::Viewer));
        assert_eq!(role(false, Some(wire::Role::Unspecified)), None);
        assert_eq!(role(false, None), None);
        assert_eq!(role(true, None), Some(Role::Owner));
    }
}
