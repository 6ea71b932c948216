//! A tenant that calls the server.

use std::net::SocketAddr;

use bytes::Bytes;
use insula_tenancy::TenantId;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{EventStream, PATIENCE, eventually};

/// One tenant with one key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    tenant_id: TenantId,
    key: String,
    /// The page that it is, and the session that the page has, if any.
    page: Option<Option<String>>,
}

/// What the server said.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
    what: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, tenant_id: TenantId, key: &str) -> Self {
        let http = insula_inference::http::client(Default::default()).expect("an HTTP client");
        Self {
            http,
            address,
            tenant_id,
            key: key.into(),
            page: None,
        }
    }

    /// A page of the server's, where nobody has signed in yet.
    pub fn page(&self) -> Self {
        Self {
            key: String::new(),
            page: Some(None),
            ..self.clone()
        }
    }

    /// The same page with the session that an answer gave or took.
    pub fn with_session_of(&self, answer: &Answer) -> Self {
        let given = answer.header("set-cookie").expect("a cookie").to_owned();
        let cookie = given.split(';').next().expect("a pair").to_owned();
        Self {
            page: Some((!cookie.ends_with('=')).then_some(cookie)),
            ..self.page()
        }
    }

    /// A page where somebody has signed in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Self {
        let page = self.page();
        let body = json!({"email": email, "password": password});
        let answer = page.post("/v1/insula/session", body).await;
        answer.ok();
        page.with_session_of(&answer)
    }

    /// Invites somebody with this client's rights, who accepts. The page where it has signed in.
    pub async fn member(&self, email: &str, role: &str, password: &str) -> Self {
        let body = json!({"email": email, "role": role});
        let invite = self.post("/v1/insula/invites", body).await.ok();
        let page = self.page();
        let body = json!({"token": invite["token"], "name": role, "password": password});
        let answer = page.post("/v1/insula/invitations/accept", body).await;
        answer.ok();
        page.with_session_of(&answer)
    }

    /// A client with the same key for another server.
    pub fn at(address: SocketAddr, of: &Client) -> Self {
        Self {
            address,
            ..of.clone()
        }
    }

    /// Whose key it is.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The server's address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same tenant with another key; the empty one sends none.
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.into(),
            ..self.clone()
        }
    }

    /// A request with the key, to be completed with a body or more headers.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, self.url(path)).timeout(PATIENCE);
        if let Some(session) = &self.page {
            // As browsers say it of what a page sends to where it came from.
            request = request.header("sec-fetch-site", "same-origin");
            if let Some(cookie) = session {
                request = request.header("cookie", cookie);
            }
        }
        if self.key.is_empty() {
            request
        } else {
            request.bearer_auth(&self.key)
        }
    }

    /// Sends a request and reads its answer whole.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self
            .http
            .execute(request)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert!(
            headers.contains_key("x-request-id"),
            "{what} was answered without a request id"
        );
        let bytes = response
            .bytes()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        Answer {
            status,
            headers,
            bytes,
            what,
        }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// `PUT` of JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// `POST` of bytes under a content type.
    pub async fn post_bytes(&self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", content_type);
        self.send(request.body(body.into())).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `POST` of JSON, whose answer comes as events. The status must be 200.
    pub async fn stream(&self, path: &str, body: Value) -> EventStream {
        self.events_of(self.request(Method::POST, path).json(&body)).await
    }

    /// `GET`, whose answer comes as events. The status must be 200.
    pub async fn events(&self, path: &str) -> EventStream {
        self.events_of(self.request(Method::GET, path)).await
    }

    async fn events_of(&self, request: RequestBuilder) -> EventStream {
        let request = request.build().expect("a request");
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self
            .http
            .execute(request)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let status = response.status();
        if status != 200 {
            panic!(
                "{what} gave {status}: {}",
                response.text().await.unwrap_or_default()
            );
        }
        EventStream::new(response)
    }

    /// Uploads a file with these form fields besides it.
    pub async fn upload_with(&self, filename: &str, content: &[u8], fields: &[(&str, &str)]) -> Answer {
        let body = form(fields, "file", filename, content);
        self.post_bytes("/v1/files", FORM, body).await
    }

    /// Adds a part to an upload.
    pub async fn upload_part(&self, upload: &str, content: &[u8]) -> Answer {
        let body = form(&[], "data", "part", content);
        self.post_bytes(&format!("/v1/uploads/{upload}/parts"), FORM, body)
            .await
    }

    /// Uploads a file to be searched. Its id.
    pub async fn upload(&self, filename: &str, content: impl AsRef<[u8]>) -> String {
        let answer = self
            .upload_with(filename, content.as_ref(), &[("purpose", "assistants")])
            .await;
        text(&answer.ok()["id"])
    }

    /// A vector store with these files attached, which are not read yet. Its id.
    pub async fn store(&self, name: &str, file_ids: &[&str]) -> String {
        let answer = self
            .post("/v1/vector_stores", json!({"name": name, "file_ids": file_ids}))
            .await;
        text(&answer.ok()["id"])
    }

    /// Waits until all files of a store have been read or could not be. The store.
    pub async fn ready(&self, store: &str) -> Value {
        eventually("the store's files are read", async || {
            let found = self.get(&format!("/v1/vector_stores/{store}")).await.ok();
            (found["status"] == "completed").then_some(found)
        })
        .await
    }

    /// A vector store with these texts, ready to be searched. The store's id, and those of its files.
    pub async fn library(&self, texts: &[(&str, &str)]) -> (String, Vec<String>) {
        let mut files = Vec::new();
        for (name, content) in texts {
            files.push(self.upload(name, content).await);
        }
        let store = self
            .store("library", &files.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        let counts = self.ready(&store).await["file_counts"].clone();
        assert_eq!(counts["completed"], texts.len(), "{counts}");
        (store, files)
    }

    /// Searches a store. The whole answer.
    pub async fn search(&self, store: &str, body: Value) -> Value {
        self.post(&format!("/v1/vector_stores/{store}/search"), body)
            .await
            .ok()
    }

    /// A connection for requests that no HTTP library would send.
    pub async fn raw(&self) -> RawConnection {
        RawConnection(TcpStream::connect(self.address).await.expect("connecting"))
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// The body of a success.
    ///
    /// # Panics
    /// If it is none.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json()
    }

    /// The error object of a refusal.
    ///
    /// # Panics
    /// If it is another status, not the envelope with all its keys, or has no request id.
    pub fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.error()
    }

    /// The error object, whatever the status.
    ///
    /// # Panics
    /// If it is not the envelope with exactly its keys, or has no request id.
    pub fn error(&self) -> Value {
        if self.what.contains(" /v2") {
            return self.inference_error();
        }
        let body = self.json();
        let error = body["error"]
            .as_object()
            .unwrap_or_else(|| panic!("not an error object: {self}"));
        let mut keys: Vec<&str> = error.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "message", "param", "type"], "{self}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{self}"
        );
        assert!(error["type"].is_string(), "{self}");
        assert!(error["code"].is_string() || error["code"].is_null(), "{self}");
        assert!(error["param"].is_string() || error["param"].is_null(), "{self}");
        assert_eq!(body.as_object().map(|body| body.len()), Some(1), "{self}");
        assert!(
            self.header("x-request-id")
                .is_some_and(|id| id.starts_with("req_")),
            "no request id: {self}"
        );
        assert!(
            self.header("content-type")
                .is_some_and(|kind| kind.starts_with("application/json")),
            "{self}"
        );
        body["error"].clone()
    }

    /// The Open Inference Protocol has a text in place of the object.
    fn inference_error(&self) -> Value {
        let body = self.json();
        let message = body["error"]
            .as_str()
            .unwrap_or_else(|| panic!("not an error: {self}"));
        assert_eq!(body, json!({"error": message}), "{self}");
        let (kind, code) = match self.status {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            403 => ("permission_error", None),
            _ => ("invalid_request_error", None),
        };
        json!({"message": message, "type": kind, "code": code, "param": null})
    }

    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.bytes);
        let shown: String = body.chars().take(2000).collect();
        write!(f, "{} gave {}: {shown}", self.what, self.status)
    }
}

/// A TCP connection to the server.
pub struct RawConnection(TcpStream);

impl RawConnection {
    /// Sends bytes as they are.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("writing");
    }

    /// Everything until the server closes.
    pub async fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut read)).await;
        reading
            .expect("the server did not close the connection")
            .expect("reading");
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// Content type of a [`form`].
const FORM: &str = "multipart/form-data; boundary=insula-test-boundary-7f3a";

/// A form of parts, each with its name, its file name and its bytes: its content type, and its body.
pub(crate) fn form_of(parts: &[(&str, Option<&str>, &[u8])]) -> (&'static str, Vec<u8>) {
    let boundary = "insula-test-boundary-7f3a";
    let mut body = Vec::new();
    for (name, filename, bytes) in parts {
        let filename = filename.map_or(String::new(), |filename| format!("; filename=\"{filename}\""));
        let head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{filename}\r\n\r\n");
        body.extend(head.bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    (FORM, body)
}

/// A form of text fields and a file.
fn form(fields: &[(&str, &str)], name: &str, filename: &str, content: &[u8]) -> Vec<u8> {
    let boundary = "insula-test-boundary-7f3a";
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(content);
    body.extend(format!("\r\n--{boundary}--\r\n").bytes());
    body
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}
