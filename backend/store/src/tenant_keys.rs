//! A tenant's playbook keys.
