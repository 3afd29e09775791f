//! The ready files for Kubernetes in `docs/jobs`, as far as they can be tried without a cluster.

use std::fs;

use tempfile::TempDir;

use crate::support::{program, stdout};

/// The text between a key of the file and the end of its line.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().map(str::trim_start).find_map(|it| it.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no {key}")).trim()
}

/// Each pod carries out the file's own words with its own index; together they give the single run.
#[test]
fn the_pods_of_the_job_for_kubernetes_ask_all_facts() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let all: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../data/facts.json")).unwrap();
    fs::write(path("counterfact.json"), serde_json::to_string(&all[..12]).unwrap()).unwrap();
    let (spec, facts) = (path("spec.json"), path("counterfact.json"));
    stdout(&["attribute", "--by", "heads", "--facts", &facts, "--case", "1", "--save-spec", &spec]);

    let job = fs::read_to_string("docs/jobs/kubernetes.yaml").unwrap();
    let n_pods: usize = value(&job, "completions:").parse().unwrap();
    assert_eq!(value(&job, "completionMode:"), "Indexed");
    assert_eq!(value(&job, "value:"), format!("\"{n_pods}\""), "of JOB_COMPLETIONS");
    let args = value(&job, "args:")
        .trim_matches(['[', ']'])
        .replace("/data", dir.path().to_str().unwrap());
    let args: Vec<&str> = args.split(", ").collect();
    for index in 0..n_pods {
        let mut pod = program(&args);
        pod.env("JOB_COMPLETION_INDEX", index.to_string());
        let output = pod.env("JOB_COMPLETIONS", n_pods.to_string()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pod {index}: {told}");
    }
    let shards: Vec<String> =
        (1..=n_pods).map(|nth| path(&format!("shards/shard-{nth}-of-{n_pods}"))).collect();
    let shards: Vec<&str> = shards.iter().map(|it| &**it).collect();
    let (merged, whole) = (path("merged"), path("whole"));
    stdout(&[&["merge"][..], &shards, &["--out", &merged]].concat());
    stdout(&["sweep", &spec, "--facts", &facts, "--both-ways", "--out", &whole]);
    let population =
        |dir: &str| stdout(&["population", dir, "--draws", "50", "--permutations", "19"]);
    assert_eq!(population(&merged), population(&whole));
}
