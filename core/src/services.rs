//! What the domain needs besides a transaction: models, blobs, a parser.

use std::collections::BTreeMap;
use std::sync::Arc;

use insula_tenancy::Db;
use insula_tenancy::meter::Meter;
use insula_tenancy::vault::Vault;

use crate::batch::{BatchSettings, Endpoints};
use crate::blob::BlobStore;
use crate::cache::{QueryEmbeddings, Responses};
use crate::guard::Policies;
use crate::ingest::Parser;
use crate::model::{Embedder, JudgeCard, Moderator, Reranker};
use crate::prediction::{Predictions, Runtime};
use crate::request_log::RequestLogs;
use crate::route::Routes;
use crate::search::{Accelerator, Recall};
use crate::search_analytics::Searches;
use crate::source::Fetcher;
use crate::webhook::Caller;
use crate::{Error, Result};

/// Everything slow or foreign, behind traits. Functions that take `&Services` may wait on a network or a model and
/// must not hold a transaction while they do.
#[derive(Clone)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// Secrets that tenants leave.
    pub vault: Vault,
    /// What every metered call goes through.
    pub meter: Meter,
    /// Embedding models.
    pub models: Models,
    /// Model names to who answers.
    pub routes: Routes,
    /// The bytes of files.
    pub blobs: Arc<dyn BlobStore>,
    /// Documents to text.
    pub parser: Arc<dyn Parser>,
    /// The web, for sources.
    pub fetcher: Arc<dyn Fetcher>,
    /// The web, for webhooks.
    pub caller: Arc<dyn Caller>,
    /// What each tenant wants done to its calls.
    pub policies: Policies,
    /// Answers that were given before.
    pub responses: Responses,
    /// Vectors of queries of late.
    pub query_embeddings: QueryEmbeddings,
    /// Vectors of stores that are searched often.
    pub accelerator: Accelerator,
    /// Compares some searches with what there was to find.
    pub recall: Recall,
    /// Takes what tenants want logged of their calls.
    pub request_logs: RequestLogs,
    /// Takes what was searched for.
    pub searches: Searches,
    /// What the lines of batches call.
    pub endpoints: Arc<dyn Endpoints>,
    /// What runs tenants' own models.
    pub runtime: Arc<dyn Runtime>,
    /// What they predicted of late.
    pub predictions: Predictions,
    /// How batches are worked off.
    pub batches: BatchSettings,
}

/// An embedder with its row in the database.
#[derive(Clone)]
pub struct RegisteredEmbedder {
    /// The model.
    pub embedder: Arc<dyn Embedder>,
    /// Its `embedding_models.id`.
    pub id: i32,
}

/// The embedding models of this install.
#[derive(Clone, Default)]
pub struct Models {
    embedders: BTreeMap<String, RegisteredEmbedder>,
    rerankers: BTreeMap<String, (JudgeCard, Arc<dyn Reranker>)>,
    moderators: BTreeMap<String, (JudgeCard, Arc<dyn Moderator>)>,
    default_embedder: Option<String>,
}

impl Models {
    /// Adds an embedder and gives it a row. The first one is the default for new vector stores.
    ///
    /// # Errors
    /// When the database knows the name with another vector length, or is away.
    pub async fn add_embedder(&mut self, db: &Db, embedder: Arc<dyn Embedder>) -> Result<()> {
        let card = embedder.card();
        let id = db.register_embedding_model(&card.id, card.dimensions).await?;
        let name = card.id.clone();
        self.default_embedder.get_or_insert_with(|| name.clone());
        self.embedders.insert(name, RegisteredEmbedder { embedder, id });
        Ok(())
    }

    /// The embedder of that name.
    pub fn find_embedder(&self, name: &str) -> Option<&RegisteredEmbedder> {
        self.embedders.get(name)
    }

    /// The embedder of a vector store, by the name of the store's model.
    ///
    /// # Errors
    /// [`Error::Internal`] when the model is not loaded here.
    pub fn embedder_of(&self, model: &str) -> Result<&Arc<dyn Embedder>> {
        let loaded = self.embedders.get(model).map(|registered| &registered.embedder);
        loaded.ok_or_else(|| Error::internal(format!("the model '{model}' is not loaded here")))
    }

    /// The embedder that new vector stores use unless they name one.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when no embedding model is loaded.
    pub fn default_embedder(&self) -> Result<&RegisteredEmbedder> {
        self.default_embedder
            .as_ref()
            .and_then(|name| self.embedders.get(name))
            .ok_or_else(|| Error::Overloaded {
                message: "No embedding model is loaded on this server.".into(),
                retry_after: std::time::Duration::from_secs(30),
            })
    }

    /// Adds a model that ranks documents.
    pub fn add_reranker(&mut self, card: JudgeCard, reranker: Arc<dyn Reranker>) {
        self.rerankers.insert(card.id.clone(), (card, reranker));
    }

    /// The model of that name that ranks documents.
    pub fn find_reranker(&self, name: &str) -> Option<&Arc<dyn Reranker>> {
        self.rerankers.get(name).map(|(_, reranker)| reranker)
    }

    /// Adds a model that finds what should not be in a text.
    pub fn add_moderator(&mut self, card: JudgeCard, moderator: Arc<dyn Moderator>) {
        self.moderators.insert(card.id.clone(), (card, moderator));
    }

    /// The model of that name that finds what should not be in a text.
    pub fn find_moderator(&self, name: &str) -> Option<&Arc<dyn Moderator>> {
        self.moderators.get(name).map(|(_, moderator)| moderator)
    }

    /// Names of the models that rank documents.
    pub fn reranker_ids(&self) -> Vec<String> {
        self.rerankers.keys().cloned().collect()
    }

    /// Names of the models that find what should not be in a text.
    pub fn moderator_ids(&self) -> Vec<String> {
        self.moderators.keys().cloned().collect()
    }

    /// The models that score texts.
    pub fn judges(&self) -> impl Iterator<Item = &JudgeCard> {
        let rerankers = self.rerankers.values().map(|(card, _)| card);
        rerankers.chain(self.moderators.values().map(|(card, _)| card))
    }

    /// All embedders by name.
    pub fn embedders(&self) -> impl Iterator<Item = (&str, &RegisteredEmbedder)> {
        self.embedders
            .iter()
            .map(|(name, embedder)| (name.as_str(), embedder))
    }
}
