//! BRAIN: where somebody may be sent who has come back from a provider.

/// Longer targets are cut down to the front page.
const LENGTH_MAX: usize = 1_024;

/// A path of this Hub's page; anything else is `/`.
///
/// A browser takes `//host` and `/\host` for another host, and drops tabs and line ends before it
/// looks. So only what can stand in a path as it is passes, and no second slash in front.
pub(crate) fn safe_target(asked: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"\"'<>`{}|^"#.contains(&byte);
    let is_path = asked.starts_with('/')
        && !asked.starts_with("//")
        && asked.len() <= LENGTH_MAX
        && asked.bytes().all(is_plain)
        // Back into the dance.
        && !asked.starts_with("/oauth/");
    if is_path { asked } else { "/" }
}

/// The target, with a word for the page about why it did not work.
pub(crate) fn with_refusal(target: &str, word: &str) -> String {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let joint = if path.contains('?') { '&' } else { '?' };
    let hash = if fragment.is_empty() { "" } else { "#" };
    format!("{path}{joint}oauth_error={word}{hash}{fragment}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_path_of_this_page_is_a_target() {
        for good in [
            "/",
            "/workspaces/s_1?tab=2&a=b#c",
            "/a//b",
            "/%2F%2Fevil.example",
            "/a:b@c",
        ] {
            assert_eq!(safe_target(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " /",
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a\"><script>",
            "/\u{a0}",
            "/\u{ff0f}evil.example",
            "/oauth/start/p_1",
            "/a\0",
        ] {
            assert_eq!(safe_target(bad), "/", "{bad:?}");
        }
        assert_eq!(safe_target(&format!("/{}", "a".repeat(2_000))), "/");
    }

    #[test]
    fn a_refusal_stands_in_the_query() {
        assert_eq!(with_refusal("/", "denied"), "/?oauth_error=denied");
        assert_eq!(with_refusal("/a?b=c#d", "x"), "/a?b=c&oauth_error=x#d");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_leads_back_here(asked in "[/\\\\ -~\t\r\n]{0,40}") {
            let here = openidconnect::url::Url::parse("https://hub.example/oauth/callback").unwrap();
            let target = here.join(safe_target(&asked)).unwrap();
            prop_assert_eq!(target.origin(), here.origin());
        }
    }
}
