//! The commands that this program was built without: each says what is missing, and how to get it.

/// Defines a command that takes any arguments, so that it complains of what is missing and not of them.
/// `{}` in the complaint stands for the arguments.
macro_rules! without {
    ($module:ident::$name:ident, $complaint:expr) => {
        pub(super) mod $module {
            use std::ffi::OsString;

            use crate::cli::machine::Machine;

            #[derive(clap::Args, Default)]
            pub struct $name {
                #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
                pub(super) arguments: Vec<OsString>,
            }

            impl $name {
                pub fn run(&self, _machine: &Machine) -> anyhow::Result<()> {
                    let arguments = self.arguments.iter().map(|it| it.to_string_lossy());
                    let arguments = arguments.collect::<Vec<_>>().join(" ");
                    anyhow::bail!($complaint.replace("{}", &arguments))
                }
            }
        }
    };
}

#[cfg(not(feature = "gui"))]
without!(
    explore::Explore,
    "this factscope was built without a window; to open one, run `cargo run --release --features gui -- \
     explore {}`. All other commands need none"
);

#[cfg(not(feature = "gui"))]
impl explore::Explore {
    /// A session file, or the folder of a sweep.
    pub fn of_path(path: std::path::PathBuf) -> Self {
        let flag = if path.is_dir() { "--sweep" } else { "--session" };
        Self { arguments: vec![flag.into(), path.into()] }
    }
}

#[cfg(not(feature = "hub"))]
without!(
    get::Get,
    "this factscope was built without downloads; run `hf download {}`, or build it with `--features hub`"
);

#[cfg(not(feature = "parquet"))]
without!(
    recall::Recall,
    "this factscope was built without Parquet, which the facts of sweeps are; build it with `--features \
     parquet`"
);

/// The complaint of the commands that write and read the folders of sweeps.
#[cfg(not(feature = "parquet"))]
const NO_FOLDERS: &str = "this factscope was built without Parquet, in which sweeps are written; build it \
                          with `--features parquet`";

#[cfg(not(feature = "parquet"))]
without!(sweep::Sweep, super::NO_FOLDERS);

#[cfg(not(feature = "parquet"))]
without!(population::Population, super::NO_FOLDERS);

#[cfg(not(feature = "parquet"))]
without!(merge::Merge, super::NO_FOLDERS);

#[cfg(not(feature = "training"))]
without!(
    train::Train,
    "this factscope was built without training; to train, run `cargo run --release --features training -- \
     train {}`"
);
