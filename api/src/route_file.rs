//! The operator's `routes.toml` in a running server: read at the start, and again when the operator says so.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use insula_core::chat::extractive::Extractive;
use insula_core::model::{ChatModel, Embedder, TokenCounter};
use insula_core::route;
use insula_inference::routes::{BuildError, Parts, Routes as RouteFile, RoutesError};

/// Why routes cannot be used. The message names the line and the field, and quotes nothing that could be a key.
#[derive(Debug, thiserror::Error)]
pub enum RouteSourceError {
    /// The file is wrong or not there.
    #[error(transparent)]
    File(#[from] RoutesError),
    /// A provider cannot be used.
    #[error(transparent)]
    Provider(#[from] BuildError),
    /// Reading was given up, because the server stops.
    #[error("the server stops")]
    Stopped,
}

/// What came of reading the file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Names of all routes, in the operator's order.
    pub models: Vec<String>,
}

/// Where routes come from.
pub struct RouteSource {
    path: Option<PathBuf>,
    extractive: Arc<dyn ChatModel>,
    counter: Arc<dyn TokenCounter>,
    /// Held while the file is read, so that the later of two reloads wins.
    reading: Mutex<()>,
}

/// Counts as an embedding model does, or words.
struct Counter(Option<Arc<dyn Embedder>>);

impl TokenCounter for Counter {
    fn count(&self, text: &str) -> usize {
        match &self.0 {
            Some(embedder) => embedder.counter().count(text),
            None => text.split_whitespace().count(),
        }
    }
}

impl RouteSource {
    /// Routes from a file, or only what is built in. The extractive model compares sentences by meaning with `embedder`.
    pub fn new(path: Option<PathBuf>, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self {
            path,
            extractive: Arc::new(Extractive::new(embedder.clone())),
            counter: Arc::new(Counter(embedder)),
            reading: Mutex::default(),
        }
    }

    /// Reads the file and makes routes of it. Keys of providers come from the environment of this process, which nobody can
    /// change from outside: a new key needs a new process.
    ///
    /// # Errors
    /// With the line that is wrong.
    pub fn read(&self) -> Result<Vec<route::Route>, RouteSourceError> {
        Ok(self.build(&self.file()?)?)
    }

    /// Reads the file again and replaces the routes, if it is right and its embedding models are those that the server was
    /// started with.
    ///
    /// # Errors
    /// With the line that is wrong; the routes then stay as they are.
    pub fn reload(&self, routes: &route::Routes) -> Result<Reloaded, RouteSourceError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file()?;
        file.check_embeddings(&routes.list())?;
        routes.replace(self.build(&file)?);
        let models = routes.list().iter().map(|route| route.name.to_string()).collect();
        Ok(Reloaded { models })
    }

    fn file(&self) -> Result<RouteFile, RoutesError> {
        match &self.path {
            Some(path) => RouteFile::from_file(path),
            None => Ok(RouteFile::builtin()),
        }
    }

    fn build(&self, file: &RouteFile) -> Result<Vec<route::Route>, BuildError> {
        file.build(&Parts {
            extractive: Arc::clone(&self.extractive),
            extractive_counter: Arc::clone(&self.counter),
            variable: &|name| std::env::var(name).ok(),
        })
    }
}
