//! How good rankings are.

/// Places that are looked at.
pub(crate) const AT: usize = 10;

/// Means over questions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quality {
    ndcg: f64,
    recall: f64,
    questions: usize,
}

impl Quality {
    /// Notes a ranking, best first, and what would have been right. Every right answer is as good as another.
    pub(crate) fn note(&mut self, ranking: &[usize], relevant: &[usize]) {
        let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let found = ranking
            .iter()
            .take(AT)
            .enumerate()
            .filter(|(_, document)| relevant.contains(document));
        let (mut sum, mut count) = (0.0, 0);
        for (place, _) in found {
            sum += gain(place);
            count += 1;
        }
        let ideal: f64 = (0..relevant.len().min(AT)).map(gain).sum();
        self.ndcg += sum / ideal;
        self.recall += f64::from(count) / relevant.len() as f64;
        self.questions += 1;
    }

    pub(crate) fn ndcg(&self) -> f64 {
        self.ndcg / self.questions.max(1) as f64
    }

    pub(crate) fn recall(&self) -> f64 {
        self.recall / self.questions.max(1) as f64
    }
}
