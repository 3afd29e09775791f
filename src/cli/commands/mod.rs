//! The list of all commands, in the order of `--help`: a file for each, which knows no other.

use std::path::PathBuf;

use clap::Subcommand;

use super::inquiry::Asking;
use super::machine::Machine;

#[cfg(feature = "gui")]
mod explore;
mod predict;
mod trace;
mod average;
mod bench;
mod atp;
mod attribute;
mod lens;
mod attention;
mod heads;
mod norms;
mod contributions;
mod circuit;
mod compose;
mod ablate;
mod knockout;
mod cut;
mod compare;
mod edit;
mod steer;
mod generate;
mod run;
#[cfg(feature = "parquet")]
mod recall;
#[cfg(feature = "parquet")]
mod sweep;
#[cfg(feature = "parquet")]
mod population;
#[cfg(feature = "parquet")]
mod merge;
mod patch;
mod path_patch;
mod atp_star;
mod eap;
mod localise;
mod session;
mod report;
mod verify;
mod serve;
mod model;
#[cfg(feature = "hub")]
mod get;
#[cfg(feature = "training")]
mod train;
mod devices;
mod licences;
mod published;
#[cfg(not(all(feature = "gui", feature = "hub", feature = "parquet", feature = "training")))]
mod without;

#[cfg(not(feature = "gui"))]
use without::explore;
#[cfg(not(feature = "hub"))]
use without::get;
#[cfg(not(feature = "training"))]
use without::train;
#[cfg(not(feature = "parquet"))]
use without::{merge, population, recall, sweep};

pub(super) use session::session_file;

/// The flags of each command; each runs by itself.
macro_rules! commands {
    ($($(#[$about:meta])* $name:ident($flags:ty),)*) => {
        #[derive(Subcommand)]
        pub enum Command {
            $($(#[$about])* $name($flags),)*
        }

        impl Command {
            pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
                match self { $(Self::$name(it) => it.run(machine),)* }
            }
        }
    };
}

commands! {
    /// Open the window
    Explore(explore::Explore),

    /// What the model says next
    Predict(Asking<predict::Predict>),

    /// Causal trace of a fact (Meng et al. 2022)
    Trace(Asking<trace::Trace>),

    /// Causal traces of many facts, averaged by what each token is to its prompt (Meng et al. 2022,
    /// figure 2)
    Average(Asking<average::Average>),

    /// The same trace under several corruptions, and how alike the maps are (Zhang & Nanda 2024)
    Bench(Asking<bench::Bench>),

    /// Estimate a causal trace from one gradient (attribution patching)
    Atp(Asking<atp::Atp>),

    /// Split the answer's logit by layer component, head, neuron or source token
    Attribute(Asking<attribute::Attribute>),

    /// What the model would say after each layer
    Lens(Asking<lens::Lens>),

    /// Where one attention head looks
    Attention(Asking<attention::Attention>),

    /// What kind of head each head is, by where it looks
    Heads(Asking<heads::Heads>),

    /// How long the residual stream is, and what each layer adds
    Norms(Asking<norms::Norms>),

    /// Which tokens and parts a prediction came through (Ferrando & Voita 2024)
    Contributions(Asking<contributions::Contributions>),

    /// What one head reads and writes by its weights alone
    Circuit(Asking<circuit::Circuit>),

    /// Which heads are wired to read what which earlier heads write
    Compose(Asking<compose::Compose>),

    /// What the answer loses without each head, MLP or layer
    Ablate(Asking<ablate::Ablate>),

    /// Where attention must be cut for the answer to get lost (Geva et al. 2023)
    Knockout(Asking<knockout::Knockout>),

    /// What the answer loses without the ways by which some tokens look at others, all cut at once
    Cut(Asking<cut::Cut>),

    /// A fact beside its inverse: is each recalled, and in the same place?
    Compare(Asking<compare::Compare>),

    /// Give the model another answer to a fact (ROME, Meng et al. 2022), and see what it reaches
    Edit(Asking<edit::Edit>),

    /// Add a direction to the residual stream, and see what the model says
    Steer(Asking<steer::Steer>),

    /// What the model writes after a text
    Generate(Asking<generate::Generate>),

    /// Do what a file says: any analysis, as `--save-spec` of its command writes it
    Run(run::Run),

    /// Which facts of a dataset the model knows, in which words
    Recall(recall::Recall),

    /// Ask what such a file asks of each fact of a dataset, into a folder of Parquet files
    Sweep(sweep::Sweep),

    /// What the facts of a sweep have in common: means, intervals, differences
    Population(population::Population),

    /// Put the shards of a sweep together into one folder
    Merge(merge::Merge),

    /// Give a prompt the activations of another, such as the inverse of its fact
    Patch(Asking<patch::Patch>),

    /// Which heads and MLPs tell the logits, a head or an MLP what they do (Wang et al. 2022)
    PathPatch(Asking<path_patch::PathPatch>),

    /// Which queries, keys, values and MLPs matter, from gradients (`AtP*`, Kramár et al. 2024)
    AtpStar(Asking<atp_star::AtpStar>),

    /// Which part tells which, from gradients (EAP, EAP-IG)
    Eap(Asking<eap::Eap>),

    /// Score methods by whether they name the layer that a fact was planted in
    Localise(localise::Localise),

    /// What a session file of the window holds
    Session(session::SessionArgs),

    /// Write what session files hold as one page of HTML: figures, settings, sources and hashes
    Report(report::Report),

    /// Compute the numbers of exported pictures anew, and say which differ
    Verify(verify::Verify),

    /// Answer the requests of another program, which ask what these commands ask
    Serve(serve::Serve),

    /// Look at a model folder, or make a random one
    #[command(subcommand)]
    Model(model::Model),

    /// Download a model from Hugging Face's hub, or see which there are
    Get(get::Get),

    /// Train the built-in model anew from the facts of the program
    Train(train::Train),

    /// List the graphics adapters, or test one
    Devices(devices::Devices),

    /// The licences of the packages that the program is made of
    Licences(licences::Licences),
}

impl Command {
    /// Whether another program can ask for the command: it opens no window and serves nobody itself.
    pub fn is_served(&self) -> bool {
        !matches!(self, Self::Explore(_) | Self::Serve(_))
    }

    /// What happens without a command.
    pub fn window(session: Option<PathBuf>) -> Self {
        Self::Explore(session.map(explore::Explore::of_path).unwrap_or_default())
    }
}
