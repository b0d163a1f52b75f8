//! Why something that was asked for is not done, as a page and the API both tell it.

/// Why something that was asked for is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A field cannot be taken.
    Field(&'static str, String),
    /// It was said well, and what is there stands against it.
    Stands(String),
}

impl Refusal {
    /// Of a field.
    pub fn field(name: &'static str, why: impl Into<String>) -> Refusal {
        Refusal::Field(name, why.into())
    }

    /// The sentence.
    pub fn words(self) -> String {
        match self {
            Refusal::Field(_, why) | Refusal::Stands(why) => why,
        }
    }
}
