//! Stage verify.
