//! Every method, asked by everybody, is answered as `docs/access.md` says.

use std::{collections::BTreeMap, sync::atomic::AtomicUsize, sync::atomic::Ordering};

use serde_json::Value;

use super::{
    cast::{Cast, call},
    requests::{ABOUT_ONESELF, request},
    stage::Stage,
    table::{self, CALLERS},
    things::thing,
};
use crate::support::{Answer, Person};

/// How an answer is told apart from others. `ok` is said of whoever is not refused for who they are;
/// what the request says may still be wrong.
fn word(answer: &Answer) -> String {
    if answer.status == 200 {
        return "ok".to_owned();
    }
    let code = answer.json()["code"].as_str().unwrap_or("none").to_owned();
    match code.as_str() {
        "permission_denied" => "forbidden".to_owned(),
        "failed_precondition" | "resource_exhausted" => "ok".to_owned(),
        _ => code,
    }
}

/// There is no provider here to link an account of: tests/hub/oauth looks at this one.
const ELSEWHERE: &str = "AccountService/UnlinkAccount";

struct Matrix {
    cast: Cast,
    stages: AtomicUsize,
}

impl Matrix {
    /// A new stage, with what this method is asked about.
    async fn stage(&self, method: &str) -> (Stage, String) {
        let number = self.stages.fetch_add(1, Ordering::Relaxed);
        let stage = Stage::set(&self.cast, number).await;
        let thing = thing(method, &self.cast, &stage).await;
        (stage, thing)
    }

    fn person(&self, caller: &str) -> Option<&Person> {
        let cast = &self.cast;
        match caller {
            "anonymous" => None,
            "stranger" => Some(&cast.stranger),
            "member" => Some(&cast.member),
            "viewer" => Some(&cast.viewer),
            "editor" => Some(&cast.editor),
            "owner" => Some(&cast.owner),
            "organisation admin" => Some(&cast.admin),
            "hub admin" => Some(&cast.root),
            _ => panic!("nobody is a {caller}"),
        }
    }

    async fn ask(
        &self,
        method: &str,
        (stage, thing): &(Stage, String),
        who: Option<&Person>,
    ) -> Answer {
        let request = request(method, &self.cast, stage, thing, who);
        let cookie = who.map(|who| who.cookie.as_str());
        call(&self.cast.hub, cookie, method, &request).await
    }

    /// Somebody new in the place of a caller whose account would not be the same afterwards.
    async fn stand_in(&self, method: &str, stage: &Stage, who: &Person) -> Option<Person> {
        if !ABOUT_ONESELF.contains(&method) {
            return None;
        }
        let number = stage.number;
        let name = format!("new-{number}-{}", who.username);
        Some(self.cast.hub.sign_up(&name).await)
    }
}

#[tokio::test]
async fn every_method_answers_everybody_as_the_document_says() {
    let table = table::read();
    let all: Vec<String> = hub_actors::methods().map(str::to_owned).collect();
    let missing: Vec<_> = all.iter().filter(|one| !table.contains_key(*one)).collect();
    assert!(
        missing.is_empty(),
        "docs/access.md says nothing of {missing:?}"
    );
    let unknown: Vec<_> = table.keys().filter(|one| !all.contains(one)).collect();
    assert!(unknown.is_empty(), "docs/access.md speaks of {unknown:?}");

    let database = test_postgres::database();
    let cast = Cast::on_postgres(&database).await;
    let stages = AtomicUsize::new(0);
    let matrix = Matrix { cast, stages };
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (method, row) in &table {
        if method == ELSEWHERE {
            continue;
        }
        // Whoever is refused changes nothing, so the refused share a stage.
        let refused = matrix.stage(method).await;
        for caller in CALLERS {
            let expected = row
                .get(caller)
                .unwrap_or_else(|| panic!("{method} has no {caller}"));
            let own;
            let stage = if expected == "ok" && !reads(method) {
                own = matrix.stage(method).await;
                &own
            } else {
                &refused
            };
            let who = matrix.person(caller);
            let stand_in = match who {
                Some(who) => matrix.stand_in(method, &stage.0, who).await,
                None => None,
            };
            let answer = matrix.ask(method, stage, stand_in.as_ref().or(who)).await;
            asked += 1;
            let got = word(&answer);
            if got != *expected {
                wrong.push(format!(
                    "{method} by {caller}: {got}, not {expected}: {}",
                    answer.text()
                ));
            }
        }
    }
    println!("{asked} questions, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether a method changes nothing, so that a stage is as good after it as before.
fn reads(method: &str) -> bool {
    let name = method.split('/').nth(1).unwrap();
    ["List", "Get", "WhoAmI", "Verify", "Describe"]
        .iter()
        .any(|word| name.starts_with(word))
}

/// A login that ended is nobody, for every method.
#[tokio::test]
async fn a_revoked_login_is_nobody() {
    let database = test_postgres::database();
    let cast = Cast::on_postgres(&database).await;
    let stage = Stage::set(&cast, 0).await;
    let table = table::read();
    for (method, row) in &table {
        let request = request(
            method,
            &cast,
            &stage,
            &thing(method, &cast, &stage).await,
            None,
        );
        let answer = call(&cast.hub, Some(&cast.revoked), method, &request).await;
        assert_eq!(
            word(&answer),
            row["anonymous"],
            "{method}: {}",
            answer.text()
        );
    }
}

/// Where an id names a thing of somebody else, the answer is that for an id that names nothing.
#[tokio::test]
async fn a_stranger_learns_nothing_of_what_there_is() {
    let database = test_postgres::database();
    let cast = Cast::on_postgres(&database).await;
    let stage = Stage::set(&cast, 0).await;
    let mut compared = BTreeMap::new();
    for (method, row) in table::read() {
        // A certificate names its Worker as well: under another id it is none, whoever asks.
        if row["stranger"] != "not_found" || method == "WorkspaceService/PublishGrants" {
            continue;
        }
        let thing = thing(&method, &cast, &stage).await;
        let real = request(&method, &cast, &stage, &thing, Some(&cast.stranger));
        let nonsense = nonsense(&real);
        let cookie = Some(cast.stranger.cookie.as_str());
        let of_real = call(&cast.hub, cookie, &method, &real).await;
        let of_nonsense = call(&cast.hub, cookie, &method, &nonsense).await;
        assert_eq!(of_real.text(), of_nonsense.text(), "{method}");
        assert_eq!(of_real.status, of_nonsense.status, "{method}");
        compared.insert(method, ());
    }
    assert!(
        compared.len() > 20,
        "only {} methods hide anything",
        compared.len()
    );
}

/// The same request with other ids.
fn nonsense(request: &Value) -> Value {
    match request {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name.ends_with("Id") => {
                    let other: String = text
                        .chars()
                        .map(|c| if c == 'a' { 'b' } else { c })
                        .collect();
                    let other = other.replace(|c: char| c.is_ascii_digit(), "7");
                    (name.clone(), other.into())
                }
                other => (name.clone(), nonsense(other)),
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
