//! One file per analysis: how its result is drawn.
