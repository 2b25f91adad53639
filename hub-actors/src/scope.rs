//! What a credential may be used for.

use std::fmt;

/// One thing that a token may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Looking at what the user may see.
    Read,
    /// Making and changing workspaces, layouts and shares.
    Workspaces,
    /// Registering and removing Workers.
    Workers,
    /// Making and changing organisations.
    Organisations,
    /// Opening channels.
    Channels,
}

impl Scope {
    /// Every one, in order.
    pub(crate) const ALL: [Self; 5] = [
        Self::Read,
        Self::Workspaces,
        Self::Workers,
        Self::Organisations,
        Self::Channels,
    ];

    /// The word in requests, rows and pages.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Workspaces => "workspaces",
            Self::Workers => "workers",
            Self::Organisations => "organisations",
            Self::Channels => "channels",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. Its text is their words, in order, with a space between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scopes(u8);

impl Scopes {
    /// All of them: a login's.
    pub(crate) const ALL: Self = Self(0b1_1111);

    /// The scopes of these words; `None` where one is no scope.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        words
            .into_iter()
            .try_fold(Self::default(), |Self(bits), word| {
                let scope = Scope::ALL.into_iter().find(|one| one.label() == word)?;
                Some(Self(bits | scope.bit()))
            })
    }

    /// Whether one is among them.
    pub(crate) const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of those that are among them.
    pub(crate) fn labels(self) -> impl Iterator<Item = &'static str> {
        let among = Scope::ALL.into_iter().filter(move |one| self.has(*one));
        among.map(Scope::label)
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, label) in self.labels().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{label}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_scopes_and_words_again() {
        let all = Scopes::parse(Scope::ALL.map(Scope::label));
        assert_eq!(all, Some(Scopes::ALL));
        let two = Scopes::parse(["channels", "read"]).unwrap();
        assert_eq!(two.to_string(), "read channels");
        assert!(two.has(Scope::Read) && !two.has(Scope::Workers));
        assert_eq!(Scopes::parse(["read", "everything"]), None);
        assert!(Scopes::parse([]).unwrap().is_empty());
    }
}
