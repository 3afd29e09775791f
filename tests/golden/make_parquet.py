"""Write tests/fixtures/checked.parquet: two facts in pages with checksums, which Rust's writer leaves out.

Needs pyarrow.
"""

from pathlib import Path

import pyarrow
from pyarrow import parquet

PATH = Path(__file__).resolve().parents[1] / "fixtures" / "checked.parquet"

FACTS = {
    "subject": ["Norway", "Egypt"],
    "object": ["Oslo", "Cairo"],
    "template": ["The capital of {} is"] * 2,
}

# Each name stands in the file once, so that a test can change it.
parquet.write_table(
    pyarrow.table(FACTS),
    PATH,
    write_page_checksum=True,
    compression="none",
    use_dictionary=False,
    write_statistics=False,
    store_schema=False,
)
