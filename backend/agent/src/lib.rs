//! mendwright-agent: detects on the host, runs signed fixes under the host's own limits.
#![forbid(unsafe_code)]
