//! A model on a device, with named sites where activations can be read and changed.
//!
//! This is the only room that computes with tensors. `analysis` holds them; no other room sees one.

mod transformer;
mod norm;
mod matrix;
mod linear;
mod attention;
mod rotary;
mod mlp;
mod writer;
mod nonlinearity;
mod vocabulary;
mod indices;
mod cpu;
mod config;
mod family;
mod tensor_names;
mod size_of_shape;
mod site_size;
mod checkpoint;
mod finite;
mod number_check;
mod weights;
mod device;
mod cache;
mod row;
mod run;
mod again;
mod tap;
mod noise;
mod addition;
mod resume;
mod reading;
mod logit_watch;
mod backward;
mod held;
mod parts;
mod direct;
mod readers;
mod logit_direction;
mod frozen_norm;
mod nearest;
mod edited;
mod second_moment;
mod linalg;
mod factored;
mod processing;
mod circuits;
mod random;
mod self_test;

pub use attention::{capped, for_queries};
pub use backward::{Backward, Dropped, Objective};
pub use cache::{Activation, ActivationCache, Donors};
pub use checkpoint::{
    Checkpoint, Format, LoadError, NumberType, WEIGHT_ENDINGS, WeightMemory, is_weight_file,
};
pub use circuits::{Circuit, Composition, HeadCircuit, LayerFactors};
pub use config::{
    Biases, ModelConfig, NormChoice, NormPlaces, QkNorm, Scores, Unembedding, Window,
    WindowedLayers, Wiring,
};
pub use device::{
    Adapter, AdapterKind, ComputeDevice, DeviceChoice, DeviceError, UnknownDevice, adapters,
};
pub use direct::{Between, DirectPaths};
pub use family::Family;
pub use finite::NotFinite;
pub use frozen_norm::FrozenNorm;
pub use held::{Held, HeldOutput};
pub use logit_direction::LogitDirection;
pub use nearest::Closeness;
pub use nonlinearity::Nonlinearity;
pub use number_check::{NumberCheck, UnfitWeights};
pub use parts::{HeadInput, Receiver, Sender, UnknownPart};
pub use processing::{Processing, ProcessingStep, ReadsScores, UnknownProcessing};
pub use random::{FloatType, WriteError, write_random_checkpoint};
pub use reading::{Reading, Readout, Reference, TokenReading, Traffic, ask_tokens, log_sum_exp};
pub use resume::{BlockStep, Resume, Start, StartPoint};
pub use rotary::{Pairs, RotaryConfig, RotaryScaling};
pub use row::BatchRow;
pub use run::{Request, Run};
pub use second_moment::{SecondMoment, SecondMomentError};
pub use self_test::{Verdict, self_test};
pub use transformer::{DeviceFailed, Transformer};
