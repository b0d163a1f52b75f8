//! Table `guardrails`.
