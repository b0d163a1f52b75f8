//! People: their letters, invitations, seats and what they prove themselves with.

pub mod account;
pub mod addresses;
pub mod ceremonies;
pub mod founding;
pub mod invitations;
pub mod letters;
pub mod members;
pub mod passkeys;
pub mod plans;
pub mod second_factor;
pub mod services;
pub mod sign_on;
pub mod sources;
pub mod support;
