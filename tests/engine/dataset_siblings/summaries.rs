//! Tables that tell about a dataset and hold none of its facts.

use super::{asked, refused};

/// What pandas prints of a table is not the table.
#[test]
fn a_summary_of_a_table_is_told_as_one() {
    let summary = "count,3,3,3\nunique,3,2,1\ntop,Norway,Oslo,The capital of {} is\nfreq,1,2,3\n";
    for names in [",subject,answer,template", "Unnamed: 0,subject,answer,template"] {
        refused(
            "facts.csv",
            format!("{names}\n{summary}"),
            &["how often a value occurs", "facts.csv"],
        );
    }
    let numbers = "count,3,3\nmean,1.5,2\nstd,1,1\nmin,1,1\n25%,1,1\n50%,2,2\n75%,2,3\nmax,3,3\n";
    refused("facts.csv", format!(",subject,answer\n{numbers}"), &["how often a value occurs"]);
    // An answer may be called so.
    let table = "subject,object,relation\ncount,Dracula,P50\nNorway,Oslo,P36\n";
    assert_eq!(asked("facts.csv", table).len(), 2);
}
