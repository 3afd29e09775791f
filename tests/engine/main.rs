//! What the engine promises, from files on disk to events: every room but the window and the
//! commands.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod averaged_facts;
#[cfg(test)]
mod averages;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod builtin_models;
#[cfg(test)]
mod bundled;
#[cfg(test)]
mod coarse_to_fine;
#[cfg(test)]
mod comparison;
#[cfg(test)]
mod corruptions;
#[cfg(test)]
mod decompositions;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod earlier;
#[cfg(test)]
mod edge_cut;
#[cfg(test)]
mod editing;
#[cfg(test)]
mod every_analysis;
#[cfg(test)]
mod experiment;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod figures_of_parts;
#[cfg(test)]
mod generation;
mod estimates;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod gradients;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod neurons;
#[cfg(test)]
mod noise_file;
#[cfg(test)]
mod patching;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod session;
mod support;
#[cfg(test)]
mod trace_difference;
mod trace_cell;
#[cfg(all(test, feature = "training"))]
mod training;
#[cfg(test)]
mod worker;
