//! `factscope devices`: the graphics adapters, and whether one computes what the CPU does.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use crate::cli::machine::Machine;
use crate::cli::output::Output;
use crate::model::{ComputeDevice, adapters, self_test};

#[derive(Args)]
pub struct Devices {
    /// Compare the device of --device with the CPU now, whatever is remembered
    #[arg(long)]
    test: bool,

    #[command(flatten)]
    output: Output,
}

impl Devices {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let adapters = adapters();
        let mut text = format!("{}\n", ComputeDevice::cpu());
        for adapter in &adapters {
            let kind = format!("{:?}", adapter.kind).to_lowercase();
            _ = writeln!(text, "{adapter}, {kind}");
        }
        let mut json = json!({ "adapters": adapters });
        if !self.test {
            return self.output.write(machine, || Ok(json), || text);
        }

        let device = ComputeDevice::open(machine.device)?;
        let verdict = machine.watched("Testing the device", |task| self_test(&device, &task))?;
        _ = writeln!(text, "\n{device} compared with the CPU");
        for check in &verdict.checks {
            let mark = if check.is_passed() { "ok    " } else { "FAILED" };
            let error =
                check.error.map_or_else(|| "no number".to_owned(), |it| format!("{it:.1e}"));
            _ = writeln!(text, "  {mark}  {error:>9}  {}", check.name);
        }
        json["tested"] = json!({ "device": device.to_string(), "verdict": verdict });
        self.output.write(machine, || Ok(json), || text)?;
        match verdict.failure() {
            Some(reason) => anyhow::bail!("{device} gives wrong numbers ({reason})"),
            None => Ok(()),
        }
    }
}
