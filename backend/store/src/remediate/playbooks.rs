//! Table `playbooks`.
