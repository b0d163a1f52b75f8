//! The agents' links: reports up, jobs and permits down.
#![forbid(unsafe_code)]
