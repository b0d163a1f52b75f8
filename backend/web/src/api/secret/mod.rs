//! Secrets: their names, and never what they say.

pub mod edit;
pub mod key;
pub mod list;

use domain::secret::Kind;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a secret is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindWord {
    SshKey,
    ApiKey,
    SmtpPassword,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Kind {
        match word {
            KindWord::SshKey => Kind::SshKey,
            KindWord::ApiKey => Kind::ApiKey,
            KindWord::SmtpPassword => Kind::SmtpPassword,
        }
    }
}
