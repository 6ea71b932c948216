//! Text mechanics: chunks, terms, languages, sentences.
