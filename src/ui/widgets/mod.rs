//! Parts that views share.
