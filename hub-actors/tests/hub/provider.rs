//! A provider of sign-in to test against: OpenID Connect and GitHub's way, over real sockets and with
//! real signatures, honest unless it is told otherwise. It shares no code with the Hub.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) const CLIENT: &str = "leapmux-client";
pub(crate) const SECRET: &str = "s3cret-of-the-client:with a colon";

/// What is wrong with the ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    Nothing,
    Nonce,
    NoNonce,
    Audience,
    OneMoreAudience,
    Issuer,
    Expired,
    Unsigned,
    ClientSecret,
    OtherKey,
    ChangedClaims,
    NoIdToken,
    OtherIssuerInDiscovery,
    AccessTokenHash,
}

/// Whoever is signed in at the provider.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) subject: u64,
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) verified: bool,
}

struct Code {
    challenge: String,
    nonce: String,
    redirect_uri: String,
}

struct Inside {
    lie: Lie,
    person: Person,
    /// Whether the ID token tells the address, or only the account.
    email_in_token: bool,
    codes: BTreeMap<String, Code>,
    made: u32,
    refreshed: u32,
    /// How often it was asked what it is.
    described: u32,
    /// The name of the key that it signs with.
    key: &'static str,
    /// Whether refresh tokens are taken.
    refreshes: bool,
}

pub(crate) struct Provider {
    addr: SocketAddr,
    keys: EcdsaKeyPair,
    other: EcdsaKeyPair,
    inside: Mutex<Inside>,
}

impl Provider {
    #[expect(
        clippy::disallowed_methods,
        reason = "a provider of the test's own, gone with its runtime"
    )]
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Arc::new(Self {
            addr: listener.local_addr().unwrap(),
            keys: keys(),
            other: keys(),
            inside: Mutex::new(Inside {
                lie: Lie::Nothing,
                person: Person {
                    subject: 4_711,
                    name: "Ada.Lovelace",
                    email: "Ada@Example.org",
                    verified: true,
                },
                email_in_token: true,
                codes: BTreeMap::new(),
                made: 0,
                refreshed: 0,
                described: 0,
                key: "k",
                refreshes: true,
            }),
        });
        let serving = Arc::clone(&provider);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        provider
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub(crate) fn lies(&self, lie: Lie) {
        self.inside().lie = lie;
    }

    pub(crate) fn person(&self, change: impl FnOnce(&mut Person)) {
        change(&mut self.inside().person);
    }

    pub(crate) fn tells_only_by_account(&self) {
        self.inside().email_in_token = false;
    }

    pub(crate) fn takes_refresh_tokens(&self, takes: bool) {
        self.inside().refreshes = takes;
    }

    pub(crate) fn described(&self) -> u32 {
        self.inside().described
    }

    pub(crate) fn signs_with(&self, key: &'static str) {
        self.inside().key = key;
    }

    pub(crate) fn refreshed(&self) -> u32 {
        self.inside().refreshed
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut read = Vec::new();
        let (head, body) = loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
                if body.len() >= length {
                    break (head.to_owned(), body.to_owned());
                }
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let answer = self.answer(&head, &body);
        let _gone = stream.write_all(answer.as_bytes()).await;
    }

    fn answer(&self, head: &str, body: &str) -> String {
        let mut line = head.split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match (method, path) {
            ("GET", "/.well-known/openid-configuration") => ok(&self.description()),
            ("GET", "/jwks") => ok(&json!({ "keys": [jwk(self.inside().key, &self.keys)] })),
            ("GET", "/authorize" | "/login/oauth/authorize") => self.authorise(&form(query)),
            ("POST", "/token" | "/login/oauth/access_token") => self.token(head, &form(body)),
            ("GET", "/userinfo") if is_bearer(head) => ok(&self.account()),
            ("GET", "/api/v3/user") if is_bearer(head) => {
                let person = self.inside().person.clone();
                ok(&json!({ "id": person.subject, "login": person.name, "name": null }))
            }
            ("GET", "/api/v3/user/emails") if is_bearer(head) => {
                let person = self.inside().person.clone();
                ok(&json!([
                    { "email": "old@example.org", "primary": false, "verified": true },
                    { "email": person.email, "primary": true, "verified": person.verified },
                ]))
            }
            _ => status(404, &json!({})),
        }
    }

    fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer());
        self.inside().described += 1;
        let issuer = if self.inside().lie == Lie::OtherIssuerInDiscovery {
            "https://elsewhere.example".to_owned()
        } else {
            self.issuer()
        };
        json!({
            "issuer": issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "none", "HS256"],
        })
    }

    fn account(&self) -> Value {
        let person = self.inside().person.clone();
        json!({
            "sub": person.subject.to_string(),
            "email": person.email,
            "email_verified": person.verified,
        })
    }

    /// Whoever comes is signed in already and agrees.
    fn authorise(&self, asked: &BTreeMap<String, String>) -> String {
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut inside = self.inside();
        inside.made += 1;
        let code = format!("code-{}", inside.made);
        inside.codes.insert(
            code.clone(),
            Code {
                challenge: asked["code_challenge"].clone(),
                nonce: asked.get("nonce").cloned().unwrap_or_default(),
                redirect_uri: asked["redirect_uri"].clone(),
            },
        );
        let issuer = self.issuer().replace(':', "%3A").replace('/', "%2F");
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {}?code={code}&state={}&iss={issuer}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            asked["redirect_uri"], asked["state"]
        )
    }

    fn token(&self, head: &str, asked: &BTreeMap<String, String>) -> String {
        if !is_client(head) {
            return status(401, &json!({ "error": "invalid_client" }));
        }
        let refused = status(400, &json!({ "error": "invalid_grant" }));
        let mut inside = self.inside();
        if asked["grant_type"] == "refresh_token" {
            if !inside.refreshes || !asked["refresh_token"].starts_with("refresh-") {
                return refused;
            }
            inside.refreshed += 1;
            let made = inside.refreshed;
            return ok(&json!({
                "access_token": format!("access-again-{made}"), "token_type": "Bearer",
                "expires_in": 60, "refresh_token": format!("refresh-again-{made}"),
            }));
        }
        // A code is good once.
        let Some(code) = inside.codes.remove(&asked["code"]) else {
            return refused;
        };
        let verifier = digest::digest(&digest::SHA256, asked["code_verifier"].as_bytes());
        if URL_SAFE_NO_PAD.encode(verifier) != code.challenge
            || asked["redirect_uri"] != code.redirect_uri
        {
            return refused;
        }
        let access = "access-of-the-person";
        let mut answer = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": 60,
            "refresh_token": "refresh-of-the-person",
        });
        if inside.lie != Lie::NoIdToken {
            answer["id_token"] = self.id_token(&inside, &code.nonce, access).into();
        }
        ok(&answer)
    }

    #[expect(clippy::disallowed_methods, reason = "a token says what time it is")]
    fn id_token(&self, inside: &Inside, nonce: &str, access: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_secs();
        let hash = digest::digest(&digest::SHA256, access.as_bytes());
        let mut claims = json!({
            "iss": self.issuer(), "aud": CLIENT, "sub": inside.person.subject.to_string(),
            "iat": now, "exp": now + 300, "nonce": nonce,
            "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
            "preferred_username": inside.person.name,
        });
        if inside.email_in_token {
            claims["email"] = inside.person.email.into();
            claims["email_verified"] = inside.person.verified.into();
        }
        let mut head = json!({ "alg": "ES256", "kid": inside.key, "typ": "JWT" });
        match inside.lie {
            Lie::Nonce => claims["nonce"] = "another".into(),
            Lie::NoNonce => claims["nonce"] = Value::Null,
            Lie::Audience => claims["aud"] = "another".into(),
            Lie::OneMoreAudience => claims["aud"] = json!([CLIENT, "another"]),
            Lie::Issuer => claims["iss"] = "https://elsewhere.example".into(),
            Lie::Expired => claims["exp"] = (now - 1).into(),
            Lie::Unsigned => head = json!({ "alg": "none" }),
            Lie::ClientSecret => head = json!({ "alg": "HS256" }),
            Lie::AccessTokenHash => claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA".into(),
            Lie::Nothing
            | Lie::OtherKey
            | Lie::ChangedClaims
            | Lie::NoIdToken
            | Lie::OtherIssuerInDiscovery => {}
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let by = |keys: &EcdsaKeyPair| {
            let signature = keys.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            URL_SAFE_NO_PAD.encode(signature)
        };
        let signature = match inside.lie {
            Lie::Unsigned => String::new(),
            Lie::ClientSecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()))
            }
            Lie::OtherKey => by(&self.other),
            Lie::Nothing
            | Lie::Nonce
            | Lie::NoNonce
            | Lie::Audience
            | Lie::OneMoreAudience
            | Lie::Issuer
            | Lie::Expired
            | Lie::ChangedClaims
            | Lie::NoIdToken
            | Lie::OtherIssuerInDiscovery
            | Lie::AccessTokenHash => by(&self.keys),
        };
        if inside.lie == Lie::ChangedClaims {
            claims["sub"] = "1".into();
            return format!("{}.{}.{signature}", part(&head), part(&claims));
        }
        format!("{signed}.{signature}")
    }
}

fn keys() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

fn jwk(name: &str, keys: &EcdsaKeyPair) -> Value {
    // Uncompressed: 4, x, y.
    let (x, y) = keys.public_key().as_ref()[1..].split_at(32);
    json!({
        "kty": "EC", "crv": "P-256", "kid": name, "use": "sig", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn is_bearer(head: &str) -> bool {
    header(head, "authorization") == Some("Bearer access-of-the-person")
}

/// RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
fn is_client(head: &str) -> bool {
    let Some(basic) = header(head, "authorization").and_then(|text| text.strip_prefix("Basic "))
    else {
        return false;
    };
    let text = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
    let (id, secret) = text.split_once(':').unwrap();
    decoded(id) == CLIENT && decoded(secret) == SECRET
}

pub(crate) fn form(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn ok(body: &Value) -> String {
    status(200, body)
}

fn status(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
