//! `mendwright platform`: who may begin an organization here, and the organizations there are.

use anyhow::{Context as _, Result, bail};
use domain::people::{check_email, check_name};
use serde_json::json;
use store::auth::OperatorTx;
use store::people::founding::{self, SignUp};
use store::remediate::freezes;
use store::remediate::stops::Place;
use store::{Store, audit};
use uuid::Uuid;

use crate::cli::{OwnerArgs, Platform, SignUpArg};
use crate::config::Urls;
use crate::node::open_store;

/// Who acts, as the audit and the pages say it.
const BY: &str = "the operator of the platform";

/// Runs the command.
///
/// # Errors
/// The rows cannot be reached, or what was asked for cannot be done; the message says the way out.
pub async fn run(command: Platform) -> Result<()> {
    match command {
        Platform::SignUp { set, at } => {
            let (store, owner) = open(at)?;
            sign_up(&store, &owner, set.map(SignUpArg::sign_up)).await
        }
        Platform::Invite { email, organization, name, at } => {
            let (store, owner) = open(at)?;
            invite(&store, &owner, &email, &organization, &name).await
        }
        Platform::List(at) => {
            let (store, owner) = open(at)?;
            list(&store, &owner).await
        }
        Platform::Suspend { tenant, reason, at } => {
            let (store, owner) = open(at)?;
            suspend(&store, &owner, &tenant, &reason).await
        }
        Platform::Resume { tenant, at } => {
            let (store, owner) = open(at)?;
            resume(&store, &owner, &tenant).await
        }
    }
}

fn open(at: OwnerArgs) -> Result<(Store, String)> {
    let owner = at.url()?;
    Ok((open_store(&Urls { tenant: owner.clone(), system: owner.clone() })?, owner))
}

async fn begin(store: &Store, owner: &str) -> Result<OperatorTx> {
    OperatorTx::begin(store, owner).await.context("the database cannot be reached")
}

async fn sign_up(store: &Store, owner: &str, set: Option<SignUp>) -> Result<()> {
    if let Some(set) = set {
        let mut operator = begin(store, owner).await?;
        founding::set_sign_up(&mut operator, set).await?;
        operator.commit().await?;
    }
    let mut operator = begin(store, owner).await?;
    let says = match founding::find_sign_up_of(&mut operator).await? {
        SignUp::Open => "everybody may begin an organization (/sign-up)",
        SignUp::Invitation => "whoever is invited may begin an organization (mendwright platform invite)",
        SignUp::Closed => "nobody may begin an organization",
    };
    println!("Sign-up: {says}.");
    Ok(())
}

async fn invite(store: &Store, owner: &str, email: &str, organization: &str, name: &str) -> Result<()> {
    let email = check_email(email).map_err(anyhow::Error::msg)?;
    let (organization, name) = (named("--organization", organization)?, named("--name", name)?);
    let mut operator = begin(store, owner).await?;
    if founding::find_sign_up_of(&mut operator).await? == SignUp::Closed {
        bail!("sign-up is closed: `mendwright platform sign-up invitation` first");
    }
    if operator.find_login(&email).await?.is_some() {
        bail!("{email} has an account already");
    }
    let facts = json!({ "organization": organization, "name": name });
    founding::invite(&mut operator, &email, &facts).await?;
    operator.commit().await?;
    println!("A mail to {email} is on its way: its link begins {organization}, once, within an hour of being sent.");
    Ok(())
}

fn named(field: &str, text: &str) -> Result<String> {
    check_name(text).map_err(|why| anyhow::anyhow!("{field}: {why}"))
}

async fn list(store: &Store, owner: &str) -> Result<()> {
    println!("{:<36}  {:<10} {:>8} {:>8} {:>8}  name", "organization", "state", "clients", "hosts", "members");
    for (tenant_id, name) in begin(store, owner).await?.list_names().await? {
        let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
        let counts = founding::count(&mut tx).await?;
        tx.rollback().await?;
        println!(
            "{tenant_id}  {:<10} {:>8} {:>8} {:>8}  {name}",
            counts.state, counts.clients, counts.hosts, counts.members
        );
    }
    Ok(())
}

async fn find(store: &Store, owner: &str, wanted: &str) -> Result<Uuid> {
    let tenants = begin(store, owner).await?.list_names().await?;
    let mut found = tenants.iter().filter(|(id, name)| name == wanted || id.to_string() == wanted);
    match (found.next(), found.next()) {
        (Some((id, _)), None) => Ok(*id),
        (None, _) => bail!("no organization is called {wanted:?}: see `mendwright platform list`"),
        _ => bail!("several organizations are called {wanted:?}: say the id"),
    }
}

/// All actions stop first, then the members are shut out; checks go on, and nothing is lost.
async fn suspend(store: &Store, owner: &str, wanted: &str, reason: &str) -> Result<()> {
    let (tenant_id, reason) = (find(store, owner, wanted).await?, named("--reason", reason)?);
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    freezes::insert(&mut tx, Place::Tenant, &reason, BY).await?;
    audit::insert_tenant_wide(&mut tx, "organization.suspended", "tenant", tenant_id, json!({ "reason": reason }))
        .await?;
    tx.commit().await?;
    let mut operator = begin(store, owner).await?;
    founding::set_state(&mut operator, tenant_id, "suspended").await?;
    operator.commit().await?;
    println!("Suspended: its members cannot sign in, nothing acts on its hosts, and they are watched on.");
    Ok(())
}

async fn resume(store: &Store, owner: &str, wanted: &str) -> Result<()> {
    let tenant_id = find(store, owner, wanted).await?;
    let mut operator = begin(store, owner).await?;
    founding::set_state(&mut operator, tenant_id, "active").await?;
    operator.commit().await?;
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    audit::insert_tenant_wide(&mut tx, "organization.resumed", "tenant", tenant_id, json!({})).await?;
    tx.commit().await?;
    println!(
        "Its members can sign in. All actions stay stopped until an owner or an admin lets it act again (/guardrails)."
    );
    Ok(())
}
