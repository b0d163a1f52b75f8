//! Stage detect.
