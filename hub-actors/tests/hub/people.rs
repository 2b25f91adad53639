//! People with accounts.

use crate::support::{Answer, TestHub};

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Somebody who signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// `leapmux=…`, as a browser sends it.
    pub(crate) cookie: String,
    pub(crate) username: String,
    pub(crate) user_id: String,
    /// The personal one.
    pub(crate) organisation_id: String,
}

impl Person {
    /// Asks as this person.
    pub(crate) async fn call(&self, hub: &TestHub, method: &str, json: &str) -> Answer {
        hub.call_with(method, json, &[("Cookie", &self.cookie)])
            .await
    }
}

impl TestHub {
    /// Gives the first admin the name `root` and [`PASSWORD`].
    pub(crate) async fn set_up(&self) -> Person {
        let json = format!(
            r#"{{"accessToken":"{}","username":"root","password":"{PASSWORD}"}}"#,
            self.token()
        );
        let answer = self.call("AccountService/SetUp", &json).await;
        self.person(&answer).await
    }

    /// Makes an account with [`PASSWORD`].
    pub(crate) async fn sign_up(&self, username: &str) -> Person {
        let json = format!(r#"{{"username":"{username}","password":"{PASSWORD}"}}"#);
        let answer = self.call("AccountService/SignUp", &json).await;
        self.person(&answer).await
    }

    /// Signs in with [`PASSWORD`] in one more browser.
    pub(crate) async fn sign_in(&self, username: &str) -> Person {
        let json = format!(r#"{{"username":"{username}","password":"{PASSWORD}"}}"#);
        let answer = self.call("AccountService/SignIn", &json).await;
        self.person(&answer).await
    }

    /// Whom an answer let in.
    pub(crate) async fn person(&self, answer: &Answer) -> Person {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.cookie();
        let headers = [("Cookie", cookie.as_str())];
        let who = self.call_with("AccountService/WhoAmI", "{}", &headers);
        let who = who.await.json();
        let text = |key: &str| who[key].as_str().unwrap().to_owned();
        Person {
            username: text("username"),
            user_id: text("userId"),
            organisation_id: text("organisationId"),
            cookie,
        }
    }
}
