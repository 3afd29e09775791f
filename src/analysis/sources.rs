//! The publications that methods come from, each named once.

/// A publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// As a sentence names it: `Meng et al. 2022`.
    pub cited: &'static str,
    pub title: &'static str,

    /// Where it is read.
    pub url: &'static str,
}

macro_rules! sources {
    ($($name:ident: $cited:literal, $title:literal, $url:literal;)*) => {
        $(pub(super) const $name: &Source =
            &Source { cited: $cited, title: $title, url: $url };)*

        /// All that methods and figures refer to.
        pub const SOURCES: &[&Source] = &[$($name),*];
    };
}

sources! {
    ABNAR_2020: "Abnar & Zuidema 2020", "Quantifying Attention Flow in Transformers",
        "https://arxiv.org/abs/2005.00928";
    BERGLUND_2024: "Berglund et al. 2024",
        "The Reversal Curse: LLMs trained on “A is B” fail to learn “B is A”",
        "https://arxiv.org/abs/2309.12288";
    ELHAGE_2021: "Elhage et al. 2021", "A Mathematical Framework for Transformer Circuits",
        "https://transformer-circuits.pub/2021/framework/index.html";
    FERRANDO_2024: "Ferrando & Voita 2024",
        "Information Flow Routes: Automatically Interpreting Language Models at Scale",
        "https://arxiv.org/abs/2403.00824";
    GEIGER_2021: "Geiger et al. 2021", "Causal Abstractions of Neural Networks",
        "https://arxiv.org/abs/2106.02997";
    GEVA_2022: "Geva et al. 2022",
        "Transformer Feed-Forward Layers Build Predictions by Promoting Concepts in the Vocabulary Space",
        "https://arxiv.org/abs/2203.14680";
    GEVA_2023: "Geva et al. 2023",
        "Dissecting Recall of Factual Associations in Auto-Regressive Language Models",
        "https://arxiv.org/abs/2304.14767";
    HANNA_2024: "Hanna et al. 2024",
        "Have Faith in Faithfulness: Going Beyond Circuit Overlap When Finding Model Mechanisms",
        "https://arxiv.org/abs/2403.17806";
    HASE_2023: "Hase et al. 2023",
        "Does Localization Inform Editing? Surprising Differences in Causality-Based Localization vs. \
         Knowledge Editing in Language Models",
        "https://arxiv.org/abs/2301.04213";
    HEIMERSHEIM_2024: "Heimersheim & Nanda 2024", "How to use and interpret activation patching",
        "https://arxiv.org/abs/2404.15255";
    HOLTZMAN_2020: "Holtzman et al. 2020", "The Curious Case of Neural Text Degeneration",
        "https://arxiv.org/abs/1904.09751";
    KOBAYASHI_2020: "Kobayashi et al. 2020",
        "Attention is Not Only a Weight: Analyzing Transformers with Vector Norms",
        "https://arxiv.org/abs/2004.10102";
    KRAMAR_2024: "Kramár et al. 2024",
        "AtP*: An efficient and scalable method for localizing LLM behaviour to components",
        "https://arxiv.org/abs/2403.00745";
    MCGRATH_2023: "McGrath et al. 2023",
        "The Hydra Effect: Emergent Self-repair in Language Model Computations",
        "https://arxiv.org/abs/2307.15771";
    MENG_2022: "Meng et al. 2022", "Locating and Editing Factual Associations in GPT",
        "https://arxiv.org/abs/2202.05262";
    NANDA_2023: "Nanda 2023", "Attribution Patching: Activation Patching At Industrial Scale",
        "https://www.neelnanda.io/mechanistic-interpretability/attribution-patching";
    NOSTALGEBRAIST_2020: "nostalgebraist 2020", "interpreting GPT: the logit lens",
        "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens";
    OLSSON_2022: "Olsson et al. 2022", "In-context Learning and Induction Heads",
        "https://arxiv.org/abs/2209.11895";
    RIMSKY_2024: "Rimsky et al. 2024", "Steering Llama 2 via Contrastive Activation Addition",
        "https://arxiv.org/abs/2312.06681";
    SYED_2023: "Syed et al. 2023",
        "Attribution Patching Outperforms Automated Circuit Discovery",
        "https://arxiv.org/abs/2310.10348";
    TURNER_2023: "Turner et al. 2023",
        "Activation Addition: Steering Language Models Without Optimization",
        "https://arxiv.org/abs/2308.10248";
    VIG_2020: "Vig et al. 2020",
        "Causal Mediation Analysis for Interpreting Neural NLP: The Case of Gender Bias",
        "https://arxiv.org/abs/2004.12265";
    WANG_2022: "Wang et al. 2022",
        "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
        "https://arxiv.org/abs/2211.00593";
    ZHANG_2024: "Zhang & Nanda 2024",
        "Towards Best Practices of Activation Patching in Language Models: Metrics and Methods",
        "https://arxiv.org/abs/2309.16042";
}
