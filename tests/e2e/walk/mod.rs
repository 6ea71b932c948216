//! Walks over every operation of the OpenAPI document. An operation that is added is walked by itself; one that these
//! walkers cannot call fails them until they are taught.

mod access;
mod idempotency;
mod isolation;
mod narrowed;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use insula::config::ServeArgs;
use insula_tests::{BagOfWords, Client, Setup, TestApp, eventually, model_file};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// What its query must have.
    query: Vec<String>,
    /// Whether it needs no key.
    pub(crate) public: bool,
    /// Whether the operator's keys open it too.
    pub(crate) shared: bool,
    body: Option<Body>,
    /// Whether it takes cursors.
    pub(crate) is_list: bool,
    /// Whether it takes an `Idempotency-Key`.
    pub(crate) is_repeatable: bool,
}

enum Body {
    Json(Value),
    /// With the name of the field that holds the file.
    Multipart(String),
}

/// The document, with its operations.
pub(crate) struct Document {
    json: Value,
    /// Those of tenants, shared with the operator or not, and the public ones.
    pub(crate) operations: Vec<Operation>,
    /// Those that take the operator's keys.
    pub(crate) of_operator: Vec<Operation>,
    /// Those about sessions: of people who are signed in, and of those who are about to be.
    pub(crate) of_people: Vec<Operation>,
}

/// Ids that an operation can name, by the parameter's name: one object of each kind.
pub(crate) type Ids = BTreeMap<&'static str, String>;

/// Names of parameters and fields that are ids.
pub(crate) const KINDS: &[&str] = &[
    "access_id",
    "alias",
    "api_key_id",
    "assistant_id",
    "audit_log_id",
    "batch_id",
    "budget_id",
    "chunk_id",
    "conversation_id",
    "event_id",
    "file_id",
    "item_id",
    "input_file_id",
    "invite_id",
    "job_id",
    "member_id",
    "migration_id",
    "model",
    "model_name",
    "model_version",
    "part_id",
    "previous_response_id",
    "provider_key_id",
    "request_batch_id",
    "request_log_id",
    "response_id",
    "source_id",
    "spare_upload_id",
    "upload_id",
    "usage_event_id",
    "vector_store_id",
    "webhook_id",
];

/// The model of the furnished stores; the document's example is another one.
const MODEL: &str = "bag-of-words";

/// A server with a worker, that knows [`MODEL`] besides the bootstrap's.
pub(crate) async fn two_models() -> TestApp {
    TestApp::with(Setup {
        models: vec![BagOfWords::new(MODEL)],
        judges: true,
        // Strangers knock at every operation.
        serve: ServeArgs {
            failed_attempts: 0,
            ..ServeArgs::default()
        },
        ..Setup::default()
    })
    .await
}

/// A call, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    /// The field of the file, if the body is multipart.
    multipart: Option<String>,
    /// Of the file in a multipart body.
    content: Cow<'static, [u8]>,
}

impl Document {
    pub(crate) async fn fetch(client: &Client) -> Self {
        let json = client.get("/openapi.json").await.ok();
        let (mut operations, mut of_operator, mut of_people) = (Vec::new(), Vec::new(), Vec::new());
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else {
                    panic!("{path}: {method}")
                };
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let content = operation["requestBody"]["content"].as_object();
                let body = content.map(|content| match content.iter().next().unwrap() {
                    (kind, value) if kind == "application/json" => Body::Json(value["schema"].clone()),
                    (kind, value) if kind == "multipart/form-data" => {
                        Body::Multipart(file_field(&json, &value["schema"]))
                    }
                    (kind, _) => panic!("{method} {path} takes {kind}: teach this walker to send it"),
                });
                let security = operation["security"].to_string();
                let sort = match security.as_str() {
                    r#"[{"operator_key":[]}]"# => &mut of_operator,
                    r#"[{"session":[]}]"# => &mut of_people,
                    "[{}]" if operation["tags"][0] == "sessions" => &mut of_people,
                    "null" | "[{}]" | r#"[{"api_key":[]},{"operator_key":[]}]"# => &mut operations,
                    other => panic!("{method} {path} needs {other}: teach this walker"),
                };
                let must = |parameter: &&Value| parameter["in"] == "query" && parameter["required"] == true;
                let query = parameters.iter().filter(must).map(|parameter| {
                    assert_eq!(
                        parameter["schema"]["type"], "integer",
                        "{path}: teach this walker"
                    );
                    format!("{}=1", parameter["name"].as_str().unwrap())
                });
                sort.push(Operation {
                    query: query.collect(),
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method,
                    path: path.clone(),
                    public: security == "[{}]",
                    shared: security.contains("api_key\""),
                    body,
                    is_list: parameters.iter().any(|parameter| parameter["name"] == "after"),
                    is_repeatable: parameters
                        .iter()
                        .any(|parameter| parameter["name"] == "Idempotency-Key"),
                });
            }
        }
        assert!(operations.len() >= 20, "the document was not read");
        // What ends an object comes after what needs it unfinished, and parts go before the whole.
        operations.sort_by_key(|operation| {
            let is = |verb: &str| operation.id.starts_with(verb);
            let depth = if is("delete_") { operation.path.len() } else { 0 };
            (is("cancel_") || is("complete_") || is("delete_"), Reverse(depth))
        });
        Self {
            json,
            operations,
            of_operator,
            of_people,
        }
    }

    /// A call of an operation that names these ids.
    pub(crate) fn call(&self, operation: &Operation, ids: &Ids) -> Call {
        let mut path = String::new();
        let mut rest = operation.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            let kind = match name {
                // Both end an upload, and each needs one.
                "upload_id" if operation.id == "cancel_upload" => "spare_upload_id",
                // There are batches of calls, and batches of files.
                "batch_id" if operation.path.starts_with("/v1/batches/") => "request_batch_id",
                name => name,
            };
            let id = ids
                .get(kind)
                .unwrap_or_else(|| panic!("{}: teach this walker an id for {name}", operation.id));
            path += before;
            path += id;
            rest = after;
        }
        path += rest;
        if !operation.query.is_empty() {
            path = format!("{path}?{}", operation.query.join("&"));
        }
        let body = match &operation.body {
            Some(Body::Json(schema)) => Some(self.sample(schema, "", ids).unwrap_or_else(|| json!({}))),
            _ => None,
        };
        let multipart = match &operation.body {
            Some(Body::Multipart(field)) => Some(field.clone()),
            _ => None,
        };
        Call {
            method: operation.method.clone(),
            path,
            body: body_of(operation).or(body),
            multipart,
            content: match operation.id.as_str() {
                "create_model_version" => model_file("add-1.onnx").to_vec().into(),
                _ => b"x".into(),
            },
        }
    }

    /// Which kinds of ids an operation names.
    pub(crate) fn kinds(&self, operation: &Operation) -> Vec<&'static str> {
        let marks: Ids = KINDS.iter().map(|kind| (*kind, format!("~{kind}~"))).collect();
        let call = self.call(operation, &marks);
        let text = format!("{} {}", call.path, call.body.unwrap_or_default());
        KINDS
            .iter()
            .copied()
            .filter(|kind| text.contains(&marks[kind]))
            .collect()
    }

    /// The smallest value that a schema allows, and every field besides in which an id can be named.
    fn sample(&self, schema: &Value, name: &str, ids: &Ids) -> Option<Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.sample(&self.json.pointer(&reference[1..])?.clone(), name, ids);
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let variant = variants.iter().find(|variant| variant["type"] != "null")?;
            return self.sample(variant, name, ids);
        }
        if let Some(values) = schema["enum"].as_array() {
            // Of all that may speak, only a user asks; of all roles, anybody may give the least.
            return values
                .iter()
                .find(|value| *value == "user" || *value == "viewer")
                .or(values.first())
                .cloned();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null")?.as_str()?,
            kind => kind.as_str()?,
        };
        match kind {
            "object" => Some(Value::Object(self.object(schema, ids))),
            "array" => self.sample(&schema["items"], name, ids).map(|item| json!([item])),
            "string" => Some(match id_of(name, ids) {
                // A model's name in a body may be an assistant's, which another story is about.
                Some(id) if name != "model" => json!(id),
                _ if !schema["example"].is_null() && name != "name" => schema["example"].clone(),
                _ => json!(format!("w{}", insula_tenancy::new_uuid().simple())),
            }),
            "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or(json!(1))),
            "boolean" => Some(json!(false)),
            _ => None,
        }
    }

    fn object(&self, schema: &Value, ids: &Ids) -> Map<String, Value> {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let wanted = required.contains(&name.as_str())
                || ["content", "role"].contains(&name.as_str())
                || self.names_ids(name, property, 0);
            if wanted && let Some(value) = self.sample(property, name, ids) {
                object.insert(name.clone(), value);
            }
        }
        object
    }

    /// Whether an id can be named somewhere in a property.
    fn names_ids(&self, name: &str, schema: &Value, depth: usize) -> bool {
        if depth > 6 {
            return false;
        }
        if name != "model"
            && KINDS
                .iter()
                .any(|kind| name == *kind || name == format!("{kind}s"))
        {
            return true;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self
                .json
                .pointer(&reference[1..])
                .unwrap_or_else(|| panic!("{reference}"));
            return self.names_ids("", target, depth + 1);
        }
        let variants = schema["oneOf"].as_array().into_iter().flatten();
        let properties = schema["properties"].as_object().into_iter().flatten();
        variants
            .chain(schema.get("items"))
            .any(|part| self.names_ids("", part, depth + 1))
            || properties
                .into_iter()
                .any(|(name, property)| self.names_ids(name, property, depth + 1))
    }
}

/// What operations are sent whose bodies no schema tells enough of: they are about the furnished model.
fn body_of(operation: &Operation) -> Option<Value> {
    let tensor = json!({"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]});
    match operation.id.as_str() {
        "predict" => Some(json!({"inputs": {"x": [[1, 2]]}})),
        "infer" | "infer_by_version" => Some(json!({"inputs": [tensor]})),
        "activate_model_version" => Some(json!({"version": 1})),
        _ => None,
    }
}

/// The field of a form that holds bytes.
fn file_field(document: &Value, schema: &Value) -> String {
    let form = match schema["$ref"].as_str() {
        Some(reference) => &document.pointer(&reference[1..]).unwrap()["properties"],
        None => &schema["properties"],
    };
    let mut fields = form.as_object().unwrap().iter();
    let found = fields.find(|(_, field)| field["format"] == "binary");
    found.expect("a multipart body without a file").0.clone()
}

fn id_of<'a>(name: &str, ids: &'a Ids) -> Option<&'a String> {
    ids.iter()
        .find(|(kind, _)| name == **kind || name == format!("{kind}s"))
        .map(|(_, id)| id)
}

impl Call {
    /// The same call with more in its query.
    pub(crate) fn with_query(&self, query: &str) -> Self {
        Self {
            path: format!(
                "{}{}{query}",
                self.path,
                if self.path.contains('?') { '&' } else { '?' }
            ),
            ..self.clone()
        }
    }

    /// The same call with another body.
    pub(crate) fn changed(&self) -> Self {
        let mut changed = self.clone();
        match &mut changed.body {
            Some(body) => body["another"] = json!("one"),
            // Of a model it is another one.
            None if self.content.len() > 1 => changed.content = model_file("add-2.onnx").to_vec().into(),
            None => changed.content = b"y".into(),
        }
        changed
    }

    pub(crate) fn request(&self, client: &Client) -> RequestBuilder {
        let request = client.request(self.method.clone(), &self.path);
        match (&self.body, &self.multipart) {
            (Some(body), _) => request.json(body),
            (None, Some(field)) => {
                let head = format!(
                    "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--b\r\n\
                     content-disposition: form-data; name=\"{field}\"; filename=\"w.txt\"\r\n\r\n",
                );
                request
                    .header("content-type", "multipart/form-data; boundary=b")
                    .body([head.as_bytes(), &self.content, b"\r\n--b--\r\n"].concat())
            }
            (None, None) => request,
        }
    }

    pub(crate) async fn send(&self, client: &Client) -> insula_tests::Answer {
        client.send(self.request(client)).await
    }
}

/// One object of each kind of a tenant, each with a word in it that nobody else may ever see.
pub(crate) async fn furnish(app: &TestApp, client: &Client, canary: &str) -> Ids {
    let file = client
        .upload(&format!("{canary}.txt"), format!("The word is {canary}."))
        .await;
    let store = json!({"name": canary, "embedding_model": MODEL});
    let store = client.post("/v1/vector_stores", store).await.ok()["id"].clone();
    let store = store.as_str().unwrap().to_owned();
    let attach = json!({"file_ids": [file], "attributes": {"word": canary}});
    let batch = client
        .post(&format!("/v1/vector_stores/{store}/file_batches"), attach)
        .await
        .ok();
    client.ready(&store).await;
    // One that is over, so that another can begin.
    let path = format!("/v1/insula/vector_stores/{store}");
    let migrate = json!({"model": "all-MiniLM-L6-v2", "auto_switch": false});
    let migration = client.post(&format!("{path}/migrate"), migrate).await.ok();
    let migration = migration["id"].as_str().unwrap().to_owned();
    let cancel = format!("{path}/migrations/{migration}/cancel");
    client.post(&cancel, json!({})).await.ok();
    let assistant = json!({
        "name": format!("{canary}-assistant"), "model": "insula/extractive", "instructions": canary,
        "vector_store_ids": [store],
    });
    let assistant = client.post("/v1/insula/assistants", assistant).await.ok();
    let alias = json!({"target_model": "insula/extractive"});
    let path = format!("/v1/insula/routes/{canary}-alias");
    client
        .send(client.request(Method::PUT, &path).json(&alias))
        .await
        .ok();
    let upload_id = upload(client, canary).await;
    let part = client.upload_part(&upload_id, b"x").await.ok();
    let provider_key = json!({"provider": canary, "key": format!("sk-{canary}-0123456789")});
    let provider_key = client.post("/v1/insula/provider_keys", provider_key).await.ok();
    let api_key = client
        .post("/v1/insula/api_keys", json!({"name": canary}))
        .await
        .ok();
    let budget = json!({"name": canary, "subject_kind": "tenant", "period": "day", "amount_usd": "1000"});
    let budget = client.post("/v1/insula/budgets", budget).await.ok();
    let source = json!({"vector_store_id": store, "url": format!("https://docs.example/{canary}")});
    let source = client.post("/v1/insula/sources", source).await.ok();
    let webhook = json!({
        "url": format!("https://hooks.example/{canary}"), "events": ["webhook.test"], "description": canary,
    });
    let webhook = client.post("/v1/insula/webhooks", webhook).await.ok()["id"].clone();
    let webhook = webhook.as_str().unwrap();
    let event = client
        .post(&format!("/v1/insula/webhooks/{webhook}/test"), json!({}))
        .await
        .ok();
    let conversation = json!({"user": canary, "items": [{"role": "user", "content": canary}]});
    let conversation = client.post("/v1/conversations", conversation).await.ok();
    let conversation = conversation["id"].as_str().unwrap().to_owned();
    let items = client
        .get(&format!("/v1/conversations/{conversation}/items"))
        .await
        .ok();
    let response = json!({"model": "insula/extractive", "input": canary, "user": canary});
    let previous = client.post("/v1/responses", response.clone()).await.ok();
    let response = client.post("/v1/responses", response).await.ok();
    let response = response["id"].as_str().unwrap().to_owned();
    let input_items = client
        .get(&format!("/v1/responses/{response}/input_items"))
        .await
        .ok();
    let (calls, request_batch) = request_batch(client, canary).await;
    let audit_log = client.get("/v1/organization/audit_logs?limit=1").await.ok();
    let (member, invite) = people(client, canary).await;
    let (model, version, activation) = own_model(client, canary).await;
    Ids::from([
        ("access_id", access(app, client, canary).await),
        ("member_id", member),
        ("invite_id", invite),
        ("input_file_id", calls),
        ("request_batch_id", request_batch),
        ("conversation_id", conversation),
        ("item_id", items["data"][0]["id"].as_str().unwrap().to_owned()),
        (
            "input_item_id",
            input_items["data"][0]["id"].as_str().unwrap().to_owned(),
        ),
        (
            "previous_response_id",
            previous["id"].as_str().unwrap().to_owned(),
        ),
        ("response_id", response),
        (
            "audit_log_id",
            audit_log["data"][0]["id"].as_str().unwrap().to_owned(),
        ),
        ("event_id", event["id"].as_str().unwrap().to_owned()),
        ("source_id", source["id"].as_str().unwrap().to_owned()),
        ("webhook_id", webhook.to_owned()),
        ("api_key_id", api_key["id"].as_str().unwrap().to_owned()),
        ("assistant_id", assistant["id"].as_str().unwrap().to_owned()),
        ("batch_id", batch["id"].as_str().unwrap().to_owned()),
        ("budget_id", budget["id"].as_str().unwrap().to_owned()),
        ("chunk_id", chunk_of(client, &store, &file).await),
        ("file_id", file),
        ("job_id", dead_job(client, canary).await),
        ("migration_id", migration),
        ("alias", format!("{canary}-alias")),
        ("model", format!("{canary}-assistant")),
        ("registered_model_id", model),
        ("model_name", format!("{canary}-model")),
        ("model_version", version),
        ("activation_id", activation),
        ("request_log_id", request_log(client, canary).await),
        ("part_id", part["id"].as_str().unwrap().to_owned()),
        ("provider_key_id", provider_key["id"].as_str().unwrap().to_owned()),
        ("spare_upload_id", upload(client, canary).await),
        ("upload_id", upload_id),
        ("usage_event_id", usage_event(client).await),
        ("vector_store_id", store),
    ])
}

/// A look of the operator's at the tenant's data.
async fn access(app: &TestApp, client: &Client, canary: &str) -> String {
    let runner = app.runner(&format!("{canary}-runner@example.com")).await;
    let path = format!("/v1/insula/operator/tenants/{}/access", client.tenant_id());
    let body = json!({"reason": format!("The word is {canary}.")});
    let access = runner.post(&path, body).await.ok();
    access["id"].as_str().unwrap().to_owned()
}

/// A member, and an invitation that is open.
async fn people(client: &Client, canary: &str) -> (String, String) {
    let page = client
        .member(
            &format!("{canary}@example.com"),
            "viewer",
            "three-gulls-and-a-kettle",
        )
        .await;
    let session = page.get("/v1/insula/session").await.ok();
    let body = json!({"email": format!("{canary}-next@example.com"), "role": "viewer"});
    let invite = client.post("/v1/insula/invites", body).await.ok();
    let text = |id: &Value| id.as_str().unwrap().to_owned();
    (text(&session["person"]["id"]), text(&invite["id"]))
}

/// A model of the tenant's own, whose first version answers. Its id, that of a version that can be deleted, and that of an
/// activation.
async fn own_model(client: &Client, canary: &str) -> (String, String, String) {
    let name = format!("{canary}-model");
    let spec = || json!({"description": canary});
    let model = json!({"name": name, "description": canary});
    let model = client.post("/v1/insula/models", model).await.ok();
    client.model_version(&name, "add-1.onnx", spec()).await.ok();
    client.activate(&name, 1).await.ok();
    let spare = client.model_version(&name, "add-2.onnx", spec()).await.ok();
    let path = format!("/v1/insula/models/{name}/activations");
    let activations = client.get(&path).await.ok();
    let text = |object: &Value| object["id"].as_str().unwrap().to_owned();
    (text(&model), text(&spare), text(&activations["data"][0]))
}

/// The first chunk of a file of a store.
pub(crate) async fn chunk_of(client: &Client, store: &str, file: &str) -> String {
    let path = format!("/v1/insula/vector_stores/{store}/files/{file}/chunks");
    let chunks = client.get(&path).await.ok();
    chunks["data"][0]["id"].as_str().unwrap().to_owned()
}

/// A file of calls, and a batch of them.
async fn request_batch(client: &Client, canary: &str) -> (String, String) {
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": canary}]});
    let line = json!({"custom_id": canary, "method": "POST", "url": "/v1/chat/completions", "body": body});
    let calls = client
        .upload_with(
            "calls.jsonl",
            line.to_string().as_bytes(),
            &[("purpose", "batch")],
        )
        .await
        .ok();
    let batch = json!({
        "input_file_id": calls["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": {"word": canary},
    });
    let batch = client.post("/v1/batches", batch).await.ok();
    let text = |object: &Value| object["id"].as_str().unwrap().to_owned();
    (text(&calls), text(&batch))
}

/// An upload of one byte, without its part.
async fn upload(client: &Client, canary: &str) -> String {
    let new = json!({"filename": canary, "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"});
    let upload = client.post("/v1/uploads", new).await.ok();
    upload["id"].as_str().unwrap().to_owned()
}

/// A job that can be retried: of a file without any text, in a store of its own.
async fn dead_job(client: &Client, canary: &str) -> String {
    let file = client.upload(&format!("{canary}-empty.txt"), "  ").await;
    let store = client.store(&format!("{canary}-empty"), &[&file]).await;
    client.ready(&store).await;
    let dead = client
        .get(&format!("/v1/insula/jobs?status=dead&file_id={file}"))
        .await
        .ok();
    dead["data"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no dead job: {dead}"))
        .to_owned()
}

/// A call that was logged.
async fn request_log(client: &Client, canary: &str) -> String {
    let on = client.request(Method::PUT, "/v1/insula/settings/request_logging");
    client.send(on.json(&json!({"enabled": true}))).await.ok();
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": canary}]});
    client.post("/v1/chat/completions", body).await.ok();
    eventually("the call is logged", async || {
        let logs = client.get("/v1/insula/request_logs").await.ok();
        logs["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

/// A call that was metered.
async fn usage_event(client: &Client) -> String {
    eventually("a call is recorded", async || {
        let events = client.get("/v1/insula/usage/events?limit=1").await.ok();
        events["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

/// Ids of the right form that belong to nobody.
pub(crate) fn nobodys() -> Ids {
    Ids::from([
        ("access_id", insula_tenancy::AccessId::generate().to_string()),
        ("erasure_id", insula_tenancy::ErasureId::generate().to_string()),
        (
            "assistant_id",
            insula_tenancy::AssistantId::generate().to_string(),
        ),
        ("audit_log_id", insula_tenancy::AuditLogId::generate().to_string()),
        ("project_id", insula_tenancy::TenantId::generate().to_string()),
        ("rate_limit_id", "rl-bm9ib2R5".to_owned()),
        ("alert_id", insula_tenancy::SpendAlertId::generate().to_string()),
        ("user_id", insula_tenancy::PersonId::generate().to_string()),
        ("member_id", insula_tenancy::PersonId::generate().to_string()),
        ("session_id", insula_tenancy::SessionId::generate().to_string()),
        ("invite_id", insula_tenancy::InviteId::generate().to_string()),
        (
            "admin_api_key_id",
            insula_tenancy::OperatorKeyId::generate().to_string(),
        ),
        ("api_key_id", insula_tenancy::KeyId::generate().to_string()),
        (
            "service_account_id",
            insula_tenancy::ServiceAccountId::generate().to_string(),
        ),
        ("batch_id", insula_tenancy::BatchId::generate().to_string()),
        ("budget_id", insula_tenancy::BudgetId::generate().to_string()),
        (
            "conversation_id",
            insula_tenancy::ConversationId::generate().to_string(),
        ),
        (
            "input_item_id",
            format!("msg_{}", insula_tenancy::new_uuid().simple()),
        ),
        ("item_id", format!("msg_{}", insula_tenancy::new_uuid().simple())),
        (
            "previous_response_id",
            insula_tenancy::ResponseId::generate().to_string(),
        ),
        ("response_id", insula_tenancy::ResponseId::generate().to_string()),
        ("plan_name", "nobodys-plan".to_owned()),
        ("chunk_id", insula_tenancy::ChunkId::generate().to_string()),
        ("event_id", insula_tenancy::EventId::generate().to_string()),
        ("file_id", insula_tenancy::FileId::generate().to_string()),
        ("input_file_id", insula_tenancy::FileId::generate().to_string()),
        (
            "request_batch_id",
            insula_tenancy::RequestBatchId::generate().to_string(),
        ),
        ("source_id", insula_tenancy::SourceId::generate().to_string()),
        ("webhook_id", insula_tenancy::WebhookId::generate().to_string()),
        ("job_id", insula_tenancy::JobId::generate().to_string()),
        (
            "migration_id",
            insula_tenancy::MigrationId::generate().to_string(),
        ),
        ("alias", "nobodys-alias".to_owned()),
        ("model", "nobodys-assistant".to_owned()),
        ("model_name", "nobodys-model".to_owned()),
        (
            "model_version",
            insula_tenancy::ModelVersionId::generate().to_string(),
        ),
        (
            "registered_model_id",
            insula_tenancy::RegisteredModelId::generate().to_string(),
        ),
        (
            "activation_id",
            insula_tenancy::ActivationId::generate().to_string(),
        ),
        ("part_id", insula_tenancy::PartId::generate().to_string()),
        (
            "request_log_id",
            insula_tenancy::RequestLogId::generate().to_string(),
        ),
        (
            "provider_key_id",
            insula_tenancy::ProviderKeyId::generate().to_string(),
        ),
        (
            "spare_upload_id",
            insula_tenancy::UploadId::generate().to_string(),
        ),
        ("upload_id", insula_tenancy::UploadId::generate().to_string()),
        (
            "usage_event_id",
            format!("req_{}", insula_tenancy::new_uuid().simple()),
        ),
        (
            "vector_store_id",
            insula_tenancy::VectorStoreId::generate().to_string(),
        ),
    ])
}
