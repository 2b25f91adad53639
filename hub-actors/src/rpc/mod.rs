//! Connect unary: the protocol's words for methods, codes and bodies, and the table of methods.
//!
//! <https://connectrpc.com/docs/protocol>, without streaming and without GET. The same functions
//! answer gRPC in `grpc.rs`.

use bytes::Bytes;
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use tonic::Code;

pub(crate) use self::methods::{BODY_MAX, Method};
use crate::{
    asked::{Asked, Cookie},
    error::{Field, Refusal},
};

mod methods;

/// The two forms of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// `application/json`: proto3 JSON; an unknown field is refused.
    Json,
    /// `application/proto`
    Proto,
}

impl Codec {
    /// The codec of a `Content-Type`; parameters other than UTF-8 are not ours.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let (essence, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
        let parameter = parameter.trim();
        let is_utf8 = parameter.is_empty() || parameter.eq_ignore_ascii_case("charset=utf-8");
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" if is_utf8 => Some(Self::Json),
            "application/proto" if parameter.is_empty() => Some(Self::Proto),
            _ => None,
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Proto => "application/proto",
        }
    }

    pub(crate) fn decode<T: Message + Default + DeserializeOwned>(
        self,
        body: Bytes,
    ) -> Result<T, Refusal> {
        let malformed = Refusal::Malformed(Field::Message);
        match self {
            Self::Json => serde_json::from_slice(&body).map_err(|_| malformed),
            Self::Proto => T::decode(body).map_err(|_| malformed),
        }
    }

    pub(crate) fn encode<T: Message + Serialize>(self, message: &T) -> Result<Bytes, Refusal> {
        match self {
            Self::Json => serde_json::to_vec(message)
                .map(Bytes::from)
                .map_err(|_| Refusal::Internal),
            Self::Proto => Ok(message.encode_to_vec().into()),
        }
    }
}

/// A call, once its headers are read.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) codec: Codec,
    pub(crate) asked: Asked,
    pub(crate) body: Bytes,
}

/// What goes back.
pub(crate) struct Reply {
    pub(crate) body: Bytes,
    pub(crate) cookie: Cookie,
}

/// Answers a call, unless its caller may not ask at all.
pub(crate) async fn answer(call: Call) -> Result<Reply, Refusal> {
    call.asked.meets(call.method.need())?;
    let body = methods::run(&call.asked, call.method, call.codec, call.body).await?;
    let cookie = call.asked.into_cookie();
    Ok(Reply { body, cookie })
}

/// Connect's name of a code.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "canceled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

/// The HTTP status that Connect gives to a code.
pub(crate) const fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart() {
        assert_eq!(Codec::of("application/json"), Some(Codec::Json));
        assert_eq!(
            Codec::of("Application/JSON; charset=UTF-8"),
            Some(Codec::Json)
        );
        assert_eq!(Codec::of("application/proto"), Some(Codec::Proto));
        for strange in [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "application/grpc",
            "application/connect+json",
        ] {
            assert_eq!(Codec::of(strange), None, "{strange}");
        }
    }

    #[test]
    fn every_method_is_found_by_its_own_name() {
        for method in Method::ALL {
            let (service, name) = method.name().split_once('/').unwrap();
            assert_eq!(Method::find(service, name), Some(*method));
        }
        assert_eq!(Method::find("leapmux.v1.AccountService", "whoami"), None);
    }

    #[test]
    fn an_unknown_json_field_is_refused() {
        let known = Codec::Json.decode::<schema::wire::WhoAmIRequest>(Bytes::from_static(b"{}"));
        assert!(known.is_ok());
        for text in ["{\"a\":1}", "", "[]", "null", "{", "1"] {
            let read = Codec::Json.decode::<schema::wire::WhoAmIRequest>(Bytes::from(text));
            assert!(read.is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_body_panic(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let _json = Codec::Json.decode::<schema::wire::RegisterRequest>(bytes.clone());
            let _proto = Codec::Proto.decode::<schema::wire::RegisterRequest>(bytes);
        }
    }
}
