//! The proof that an install works: a document is uploaded, searched and asked, over HTTP and with a key, as any client
//! would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

/// The vector store that the samples go into, and the assistant that answers from it.
const STORE: &str = "Getting started";
const ASSISTANT: &str = "guide";
const BOUNDARY: &str = "insula-demo-5f0c1d9a";

/// A client of a running server.
pub(super) struct Demo {
    http: reqwest::Client,
    root: String,
    authorization: String,
}

impl Demo {
    pub(super) fn new(root: &str, api_key: &str) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "talks to this very process, over loopback"
        )]
        let http = reqwest::Client::new();
        Self {
            http,
            root: root.to_owned(),
            authorization: format!("Bearer {api_key}"),
        }
    }

    /// Puts the samples into a vector store and makes an assistant that answers from it. Does nothing where that was
    /// done before.
    pub(super) async fn ingest(&self, samples: &[PathBuf]) -> Result<()> {
        let assistants = self.get("/v1/insula/assistants?limit=100").await?;
        if named(&assistants, ASSISTANT).is_some() {
            return Ok(());
        }
        let mut file_ids = Vec::new();
        for sample in samples {
            file_ids.push(self.upload(sample).await?);
        }
        let store = self
            .post(
                "/v1/vector_stores",
                &json!({ "name": STORE, "file_ids": file_ids }),
            )
            .await?;
        let store_id = text(&store, "id")?;
        self.wait_until_searchable(store_id, samples.len()).await?;
        self.post(
            "/v1/insula/assistants",
            &json!({ "name": ASSISTANT, "model": "insula/extractive", "vector_store_ids": [store_id] }),
        )
        .await?;
        Ok(())
    }

    /// Asks the assistant.
    pub(super) async fn ask(&self, question: &str) -> Result<Value> {
        let messages = json!([{ "role": "user", "content": question }]);
        let answer = self
            .post(
                "/v1/chat/completions",
                &json!({ "model": ASSISTANT, "messages": messages }),
            )
            .await?;
        Ok(answer["choices"][0]["message"].clone())
    }

    async fn upload(&self, path: &Path) -> Result<String> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace('"', "");
        let bytes = tokio::fs::read(path)
            .await
            .with_context(|| path.display().to_string())?;
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--{BOUNDARY}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(&bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let request = self
            .http
            .post(format!("{}/v1/files", self.root))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body);
        let file = self.send(request).await?;
        println!("  uploaded   {name} ({} kB)", bytes.len().div_ceil(1000));
        Ok(text(&file, "id")?.to_owned())
    }

    async fn wait_until_searchable(&self, store_id: &str, files: usize) -> Result<()> {
        let started = std::time::Instant::now();
        loop {
            let store = self.get(&format!("/v1/vector_stores/{store_id}")).await?;
            let counts = &store["file_counts"];
            if counts["failed"].as_i64() != Some(0) {
                let list = self
                    .get(&format!("/v1/vector_stores/{store_id}/files?filter=failed"))
                    .await?;
                bail!(
                    "a sample could not be ingested: {}",
                    list["data"][0]["last_error"]["message"]
                );
            }
            if counts["in_progress"].as_i64() == Some(0) {
                println!(
                    "  searchable {files} documents after {:.1} s\n",
                    started.elapsed().as_secs_f64()
                );
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.http.get(format!("{}{path}", self.root))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.root))
            .header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.header(AUTHORIZATION, &self.authorization).send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        if !status.is_success() {
            bail!("{status}: {}", body["error"]["message"]);
        }
        Ok(body)
    }
}

fn text<'a>(object: &'a Value, field: &str) -> Result<&'a str> {
    object[field]
        .as_str()
        .with_context(|| format!("the answer has no '{field}'"))
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list["data"].as_array()?.iter().find(|item| item["name"] == name)
}

/// Prints the answer with its sources.
pub(super) fn print_answer(question: &str, message: &Value) {
    println!("  Q: {question}");
    println!("  A: {}\n", message["content"].as_str().unwrap_or_default());
    let mut listed = Vec::new();
    for annotation in message["annotations"].as_array().into_iter().flatten() {
        let citation = &annotation["file_citation"];
        let source = (citation["passage"].clone(), citation["chunk_id"].clone());
        if listed.contains(&source) {
            continue;
        }
        println!(
            "     [{}] {}, characters {}–{}",
            citation["passage"],
            citation["filename"].as_str().unwrap_or_default(),
            citation["start"],
            citation["end"]
        );
        listed.push(source);
    }
    println!();
}

/// Prints where everything is and what to paste.
pub(super) fn print_addresses(root: &str, tenant: &str, api_key: &str, invitation: Option<&str>) {
    let dashboard = match invitation {
        Some(link) => {
            format!("{link}\n             (choose your password there; the link is good for a week)")
        }
        None => format!("{root}/"),
    };
    println!(
        r#"  Dashboard  {dashboard}
  API        {root}/v1        tenant '{tenant}'
  Docs       {root}/docs
  API key    {api_key}

  curl {root}/v1/chat/completions \
    -H "Authorization: Bearer {api_key}" -H "Content-Type: application/json" \
    -d '{{"model": "{ASSISTANT}", "messages": [{{"role": "user", "content": "How are tenants kept apart?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="{root}/v1", api_key="{api_key}")
  answer = client.chat.completions.create(
      model="{ASSISTANT}", messages=[{{"role": "user", "content": "How are tenants kept apart?"}}])
  print(answer.choices[0].message.content)

Ctrl-C stops everything. The next start keeps the data."#
    );
}
