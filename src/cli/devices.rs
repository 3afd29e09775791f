use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::Machine;
use super::output::Output;
use super::progress::Bar;
use crate::model::{ComputeDevice, adapters, self_test};
use crate::task::{CancelToken, TaskCtx};

#[derive(Args)]
pub(super) struct Devices {
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
            return self.output.write(&json, &text);
        }

        let device = ComputeDevice::open(machine.device)?;
        let bar = Bar::new(machine, "Testing the device");
        let report = |progress| bar.set(progress);
        let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
        let verdict = self_test(&device, &ctx)?;
        bar.finish();
        _ = writeln!(text, "\n{device} compared with the CPU");
        for check in &verdict.checks {
            let mark = if check.is_passed() { "ok    " } else { "FAILED" };
            let error =
                check.error.map_or_else(|| "no number".to_owned(), |it| format!("{it:.1e}"));
            _ = writeln!(text, "  {mark}  {error:>9}  {}", check.name);
        }
        json["tested"] = json!({ "device": device.to_string(), "verdict": verdict });
        self.output.write(&json, &text)?;
        match verdict.failure() {
            Some(reason) => anyhow::bail!("{device} gives wrong numbers ({reason})"),
            None => Ok(()),
        }
    }
}
