//! Child processes under limits: process group, time, output cap.
#![forbid(unsafe_code)]
