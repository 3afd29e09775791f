//! Every colour and font.
