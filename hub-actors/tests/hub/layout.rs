//! The layout of a workspace, as pages change it together.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use yrs::{
    Doc, Map as _, MapRef, ReadTxn as _, StateVector, Transact as _, Update,
    updates::{decoder::Decode as _, encoder::Encode as _},
};

use crate::{
    support::{Person, base64},
    tenancy::{Team, ask, code, heard, team, text, try_to, watch},
};

/// A page.
struct Page {
    doc: Doc,
    tabs: MapRef,
}

impl Page {
    fn new() -> Self {
        let doc = Doc::new();
        let tabs = doc.get_or_insert_map("tabs");
        Self { doc, tabs }
    }

    fn set(&self, key: &str, value: &str) {
        self.tabs.insert(&mut self.doc.transact_mut(), key, value);
    }

    fn get(&self, key: &str) -> Option<String> {
        let look = self.doc.transact();
        self.tabs
            .get(&look, key)
            .map(|value| value.to_string(&look))
    }

    fn request(&self, team: &Team, with_update: bool) -> serde_json::Value {
        let look = self.doc.transact();
        let update = look.encode_state_as_update_v1(&StateVector::default());
        json!({
            "workspaceId": team.desk,
            "stateVector": base64(&look.state_vector().encode_v1()),
            "update": if with_update { base64(&update) } else { String::new() },
        })
    }

    /// Pushes what is here and takes what is not.
    async fn sync(&self, team: &Team, who: &Person, with_update: bool) {
        let request = self.request(team, with_update);
        let answer = ask(&team.hub, who, "WorkspaceService/SyncLayout", request).await;
        let update = STANDARD.decode(text(&answer["update"])).unwrap();
        let update = Update::decode_v1(&update).unwrap();
        self.doc.transact_mut().apply_update(update).unwrap();
        let vector = STANDARD.decode(text(&answer["stateVector"])).unwrap();
        assert_eq!(
            StateVector::decode_v1(&vector).unwrap(),
            self.doc.transact().state_vector(),
            "the Hub says what it has"
        );
    }
}

#[tokio::test]
async fn two_pages_change_one_layout() {
    let team = team().await;
    team.share("ROLE_EDITOR").await;
    let mut watcher = watch(&team.hub, &team.bob).await;
    let (anns, bobs) = (Page::new(), Page::new());
    anns.set("a", "of ann");
    bobs.set("b", "of bob");
    anns.sync(&team, &team.ann, true).await;
    let told = heard(&mut watcher, "layoutChanged").await;
    assert_eq!(told["workspaceId"], team.desk.as_str());
    bobs.sync(&team, &team.bob, true).await;
    anns.sync(&team, &team.ann, false).await;
    for page in [&anns, &bobs] {
        assert_eq!(page.get("a").as_deref(), Some("of ann"));
        assert_eq!(page.get("b").as_deref(), Some("of bob"));
    }
}

#[tokio::test]
async fn pages_that_push_at_once_lose_nothing() {
    let team = team().await;
    let pages: Vec<_> = (0..6).map(|_| Page::new()).collect();
    for (at, page) in pages.iter().enumerate() {
        page.set(&format!("k{at}"), "here");
    }
    let pushes = pages.iter().map(|page| page.sync(&team, &team.ann, true));
    futures_util::future::join_all(pushes).await;
    let reader = Page::new();
    reader.sync(&team, &team.ann, false).await;
    for at in 0..6 {
        assert_eq!(reader.get(&format!("k{at}")).as_deref(), Some("here"));
    }
}

#[tokio::test]
async fn a_viewer_reads_and_does_not_write() {
    let team = team().await;
    team.share("ROLE_VIEWER").await;
    let (anns, bobs) = (Page::new(), Page::new());
    anns.set("a", "of ann");
    anns.sync(&team, &team.ann, true).await;
    bobs.sync(&team, &team.bob, false).await;
    assert_eq!(bobs.get("a").as_deref(), Some("of ann"));
    bobs.set("b", "of bob");
    let pushed = bobs.request(&team, true);
    let pushed = try_to(&team.hub, &team.bob, "WorkspaceService/SyncLayout", pushed).await;
    assert_eq!(code(&pushed), "permission_denied");
    let asked = bobs.request(&team, false);
    let asked = try_to(&team.hub, &team.eve, "WorkspaceService/SyncLayout", asked).await;
    assert_eq!(code(&asked), "not_found");
}

#[tokio::test]
async fn nonsense_is_refused_and_the_hub_goes_on() {
    let team = team().await;
    let mut nested = vec![1, 1, 1, 0, 8, 1, 1, b'a', 1];
    nested.extend(std::iter::repeat_n([117, 1], 30_000).flatten());
    let many = [1, 0xff, 0xff, 0xff, 0x7f, 1, 0].to_vec();
    for update in [b"nonsense".to_vec(), nested, many, vec![0; 70_000]] {
        let pushed = json!({ "workspaceId": team.desk, "update": base64(&update) });
        let pushed = try_to(&team.hub, &team.ann, "WorkspaceService/SyncLayout", pushed).await;
        assert_eq!(code(&pushed), "invalid_argument");
    }
    let page = Page::new();
    page.set("a", "still here");
    page.sync(&team, &team.ann, true).await;
}
