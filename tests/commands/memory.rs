//! What would take more memory than there is gets refused, unless that is wanted.

use crate::support::{TINY, complaint};

#[cfg(target_os = "linux")]
#[test]
fn what_takes_more_memory_than_is_free_is_refused_with_a_remedy() {
    // Terabytes of conditions; and a window that the method itself refuses once it is begun.
    let trace =
        ["trace", "--model", TINY, "--prompt", "Paris is the capital of", "--subject", "Paris"];
    let many = ["--samples", "1000000000", "--window", "0", "--kind", "mlp"];
    let args = [&trace[..], &many].concat();
    let refused = complaint(&args);
    for said in ["causal trace would take about", "are free", "--ignore-memory", "fewer"] {
        assert!(refused.contains(said), "{refused}");
    }
    let gone_on = complaint(&[&args[..], &["--ignore-memory"]].concat());
    assert!(gone_on.contains("window") && !gone_on.contains("--ignore-memory"), "{gone_on}");
}
