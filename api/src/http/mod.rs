//! What every route shares: extractors whose refusals speak the API's error shape, the error itself, and the
//! layers around the router.

mod answer_once;
mod body;
pub mod caching;
mod caller;
mod error;
mod gate;
mod json;
pub mod layers;
pub mod limits;
pub mod multipart;
mod once;
mod packed;
mod page;
mod path;
mod query;
mod request_id;
mod shape;
mod site;
pub mod validate;

pub use answer_once::answer_once;
pub use body::RawBody;
pub use caller::{AnyCaller, Caller, OperationId, Operator, Person, PresentedKey, Reader, Stranger};
pub use error::{ApiError, ApiResult, ErrorBody, ErrorObject, InferenceErrorBody};
pub use json::Json;
pub(crate) use json::parse as parse_json;
pub use multipart::Multipart;
pub use once::{IdempotencyHeader, Once, OnceJson, OnceKey};
pub use packed::packed;
pub use page::ListQuery;
pub use path::{Path, PathId};
pub use query::{FromQuery, Query, QueryParams};
pub use request_id::{RequestId, track};
pub use site::Site;
