//! GPT-2 with named places where activations can be read and changed.
//!
//! The only room that knows how tensors are computed; `analysis` holds them, nobody else sees one.

mod backward;
mod cache;
mod checkpoint;
mod circuits;
mod config;
mod cpu;
mod device;
mod edited;
mod direct;
mod factored;
mod gpt2;
mod held;
mod layers;
mod linalg;
mod logit_direction;
mod nearest;
mod noise;
mod number_check;
mod processing;
mod random;
mod readers;
mod reading;
mod resume;
mod run;
mod second_moment;
mod self_test;
mod tap;
mod vocabulary;
mod weights;

pub use backward::{Backward, Dropped, Objective};
pub use cache::{Activation, ActivationCache, Donors};
pub use checkpoint::{Checkpoint, LoadError};
pub use circuits::{CircuitKind, Composition, HeadCircuit, LayerFactors};
pub use config::{Gpt2Config, Unembedding};
pub use device::{
    Adapter, AdapterKind, ComputeDevice, DeviceChoice, DeviceError, UnknownDevice, adapters,
};
pub use direct::{DirectPaths, Mlps, Writer};
pub use gpt2::Gpt2;
pub use held::{Held, HeldOutput};
pub use logit_direction::LogitDirection;
pub use nearest::Closeness;
pub use number_check::{NotFinite, NumberCheck};
pub use processing::{Processing, ProcessingStep, UnknownProcessing};
pub use random::{WriteError, write_random_checkpoint};
pub use reading::{
    DeviceFailed, Reading, Readout, Reference, TokenReading, Traffic, ask_tokens, log_sum_exp,
};
pub use resume::{Part, Place, Resume, Start};
pub use run::{Request, Row, Run};
pub use second_moment::{SecondMoment, SecondMomentError};
pub use self_test::{Verdict, self_test};
