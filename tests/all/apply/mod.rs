//! `apply` and `export` on a real database.
mod changes;
mod races;
mod same_file;
mod whole;

use std::path::Path;

use keys::seal::MasterKey;
use server::seed::{Access, ApplyError, Draft, Intent, Options, Seeded, configure, export};
use store::clock::Moved;
use store::{Clock, Store};

use crate::stages::world::World;
use crate::support::TestDb;

/// The second owner, who can confirm what the first one loosens.
const PEOPLE: &str = "members:\n  - {name: Owner, email: owner@harbour.example, role: owner, password_env: PASSWORD}\n";

/// A database and how files reach it.
struct Desk {
    store: Store,
    owner_url: String,
    master: MasterKey,
}

fn plain() -> Options {
    Options { tenant: None, new_tenant: false, by: None, intent: Intent::Apply }
}

impl Desk {
    fn of(store: &Store, db: &TestDb) -> Desk {
        Desk { store: store.clone(), owner_url: db.owner_url(), master: MasterKey::from_bytes([7; 32]) }
    }

    fn in_world(world: &World) -> Desk {
        Desk::of(&world.store, &world.db)
    }

    fn fresh(db: &TestDb) -> Desk {
        Desk::of(&db.store(Clock::Moved(Moved::default())), db)
    }

    async fn with(&self, file: &str, options: &Options) -> Result<Seeded, ApplyError> {
        let access = Access { store: &self.store, owner_url: &self.owner_url, master: &self.master };
        let env = |_: &str| Some("a long password".to_owned());
        configure(access, &Draft::read(Path::new("mend.yaml"), file), &env, options).await
    }

    async fn apply(&self, file: &str) -> Seeded {
        self.with(file, &plain()).await.unwrap_or_else(|e| panic!("{e}"))
    }

    async fn apply_by(&self, file: &str, by: &str) -> Seeded {
        let options = Options { by: Some(by.to_owned()), ..plain() };
        self.with(file, &options).await.unwrap_or_else(|e| panic!("{e}"))
    }

    async fn plan(&self, file: &str) -> Seeded {
        self.with(file, &Options { intent: Intent::Plan, ..plain() }).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// What is wrong with a file, without the first line.
    async fn faults(&self, file: &str) -> Vec<String> {
        match self.with(file, &plain()).await {
            Err(ApplyError::Rejected(rejected)) => {
                rejected.to_string().lines().skip(1).map(|l| l.trim().to_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn export(&self) -> String {
        export(&self.store, &self.owner_url, None).await.unwrap_or_else(|e| panic!("{e}"))
    }
}

/// What is different, as it is printed.
fn lines(seeded: &Seeded) -> Vec<String> {
    seeded.report.lines.iter().map(ToString::to_string).collect()
}
