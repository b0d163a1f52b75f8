//! `mendwright platform`: who may begin an organization here, and the organizations there are.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use domain::deletion::is_meant;
use domain::people::{check_email, check_name};
use domain::quota::{Plan, is_plan_name};
use keys::token;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::auth::OperatorTx;
use store::deletions::{self, Subject};
use store::everything::Everything;
use store::people::founding::{self, SignUp};
use store::people::plans;
use store::people::support;
use store::platform;
use store::remediate::freezes;
use store::remediate::stops::Place;
use store::{Store, TenantTx, configuration};
use uuid::Uuid;

use crate::cli::{OwnerArgs, PlanCommand, Platform, SignUpArg};
use crate::config::Urls;
use crate::node::open_store;
use crate::random::rng;

/// Who acts, as the audit and the pages say it.
const BY: &str = "the operator of the platform";

/// How long the link that makes an operator can be followed.
const LINK_LASTS: Duration = Duration::from_secs(3600);

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
        Platform::SupportSession { tenant, public_url, at } => {
            let (store, owner) = open(at)?;
            let path = support_link(&store, &owner, &tenant).await?;
            let url =
                public_url.map_or_else(|| "https://THIS-SERVER".to_owned(), |url| url.trim_end_matches('/').to_owned());
            println!("It begins one session, within ten minutes, and reads alone:\n  {url}{path}");
            Ok(())
        }
        Platform::Suspend { tenant, reason, at } => {
            let (store, owner) = open(at)?;
            suspend(&store, &owner, &tenant, &reason).await
        }
        Platform::Operator { email, remove, public_url, at } => {
            let (store, owner) = open(at)?;
            operator(&store, &owner, &email, remove, &public_url).await
        }
        Platform::Plan(command) => plan(command).await,
        Platform::Delete { tenant, name, days, at } => {
            let (store, owner) = open(at)?;
            delete(&store, &owner, &tenant, &name, days).await
        }
        Platform::Keep { tenant, at } => {
            let (store, owner) = open(at)?;
            keep(&store, &owner, &tenant).await
        }
        Platform::Export { tenant, file, at } => {
            let (store, owner) = open(at)?;
            export(&store, &owner, &tenant, &file).await
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
        platform::note(&mut operator, "platform.sign_up", None, json!({ "to": format!("{set:?}").to_lowercase() }))
            .await?;
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
    // That the operator asked them stands by the letter: it counts where nobody else may begin one.
    let facts = json!({ "organization": organization, "name": name, "invited": true });
    founding::invite(&mut operator, &email, &facts).await?;
    platform::note(&mut operator, "platform.invited", None, json!({ "email": email })).await?;
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

/// How long a link can be followed.
const SUPPORT_LASTS: Duration = Duration::from_secs(600);

/// The path of a link that begins one support session, where an owner lets the platform's staff look.
///
/// # Errors
/// No owner does, or the rows cannot be reached.
pub async fn support_link(store: &Store, owner: &str, wanted: &str) -> Result<String> {
    let tenant_id = find(store, owner, wanted).await?;
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    let Some((grant_id, _)) = support::find_alive(&mut tx).await? else {
        bail!("no owner of it lets the platform's staff look: they say so at /settings/support")
    };
    let token = keys::token::mint(keys::token::Kind::Support, &mut crate::random::rng());
    support::insert_link(&mut tx, grant_id, &token.hash(), SUPPORT_LASTS).await?;
    audit::insert(&mut tx, None, Entry::done("support.link_made", ("support", grant_id))).await?;
    tx.commit().await?;
    Ok(format!("/support/{}", token.reveal()))
}

/// Sets the state of an organization, with the entry in the platform's audit; goes on as the organization, with the state that
/// it had.
async fn set_state(
    store: &Store,
    owner: &str,
    tenant_id: Uuid,
    (state, action): (&str, &str),
    detail: Value,
) -> Result<(TenantTx, String)> {
    let mut operator = begin(store, owner).await?;
    let was = founding::set_state(&mut operator, tenant_id, state).await?;
    platform::note(&mut operator, action, Some(tenant_id), detail).await?;
    Ok((operator.into_tenant(tenant_id).await?, was))
}

/// How an organization stands, as its audit says it.
fn told(state: &str) -> Value {
    json!({ "state": state })
}

/// All actions stop first, then the members are shut out; checks go on, and nothing is lost.
async fn suspend(store: &Store, owner: &str, wanted: &str, reason: &str) -> Result<()> {
    let (tenant_id, reason) = (find(store, owner, wanted).await?, named("--reason", reason)?);
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    freezes::insert(&mut tx, Place::Tenant, &reason, BY).await?;
    tx.commit().await?;
    let (detail, to) = (json!({ "reason": reason }), ("suspended", "organization.suspended"));
    let (mut tx, was) = set_state(store, owner, tenant_id, to, detail.clone()).await?;
    let (was, is) = (told(&was), told("suspended"));
    let entry = Entry::changed("organization.suspended", ("tenant", tenant_id), was, is);
    audit::insert(&mut tx, None, entry.with(detail)).await?;
    tx.commit().await?;
    println!("Suspended: its members cannot sign in, nothing acts on its hosts, and they are watched on.");
    Ok(())
}

/// The platform's audit has it too, after the organization's own.
async fn note(store: &Store, owner: &str, action: &str, tenant_id: Uuid) -> Result<()> {
    let mut operator = begin(store, owner).await?;
    platform::note(&mut operator, action, Some(tenant_id), json!({})).await?;
    Ok(operator.commit().await?)
}

async fn operator(store: &Store, owner: &str, email: &str, remove: bool, public_url: &str) -> Result<()> {
    let email = check_email(email).map_err(anyhow::Error::msg)?;
    let mut operator = begin(store, owner).await?;
    if remove {
        let login_id = operator.find_login(&email).await?.context("nobody has this address")?;
        if !platform::delete_operator(&mut operator, login_id).await? {
            bail!("{email} is no operator");
        }
        platform::note(&mut operator, "operator.removed", None, json!({ "email": email })).await?;
        operator.commit().await?;
        println!("{email} operates the platform no more, from this moment on.");
        return Ok(());
    }
    let link = token::mint(token::Kind::Setup, &mut rng());
    platform::insert_link(&mut operator, &email, &link.hash(), LINK_LASTS).await?;
    platform::note(&mut operator, "operator.invited", None, json!({ "email": email })).await?;
    operator.commit().await?;
    println!("{}/operator/{}", public_url.trim_end_matches('/'), link.reveal());
    println!("It works once, within the hour, and asks {email} for a password and a second factor.");
    println!("From then on they sign in at /sign-in?next=/platform.");
    Ok(())
}

async fn plan(command: PlanCommand) -> Result<()> {
    match command {
        PlanCommand::List(at) => {
            let (store, owner) = open(at)?;
            let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
            println!(
                "{:<24} {:>8} {:>8} {:>8} {:>10} {:>12}",
                "plan", "hosts", "checks", "members", "keep days", "reports/min"
            );
            for plan in plans::list(&mut begin(&store, &owner).await?).await? {
                let [hosts, checks, members, days, reports] =
                    [plan.max_hosts, plan.max_checks, plan.max_members, plan.keep_days, plan.max_reports].map(number);
                println!("{:<24} {hosts:>8} {checks:>8} {members:>8} {days:>10} {reports:>12}", plan.name);
            }
        }
        PlanCommand::Set { name, hosts, checks, members, keep_days, reports, at } => {
            let (store, owner) = open(at)?;
            if !is_plan_name(&name) {
                bail!("a plan's name has small letters, digits and dashes, 40 at most");
            }
            let mut operator = begin(&store, &owner).await?;
            let plan = Plan {
                name,
                max_hosts: hosts,
                max_checks: checks,
                max_members: members,
                keep_days,
                max_reports: reports,
            };
            plans::save(&mut operator, &plan).await?;
            let numbers = json!({ "plan": plan.name, "hosts": hosts, "checks": checks, "members": members, "keep_days": keep_days, "reports": reports });
            platform::note(&mut operator, "platform.plan", None, numbers).await?;
            operator.commit().await?;
            println!("The plan {} counts from now on, for whoever has it.", plan.name);
        }
        PlanCommand::Give { tenant, plan, at } => {
            let (store, owner) = open(at)?;
            let tenant_id = find(&store, &owner, &tenant).await?;
            let mut operator = begin(&store, &owner).await?;
            let Some(was) = plans::give(&mut operator, tenant_id, &plan).await? else {
                bail!("there is no plan {plan:?}: see `mendwright platform plan list`");
            };
            platform::note(&mut operator, "organization.plan", Some(tenant_id), json!({ "plan": plan })).await?;
            let mut tx = operator.into_tenant(tenant_id).await?;
            let (was, is) = (json!({ "plan": was }), json!({ "plan": plan }));
            let entry = Entry::changed("organization.plan", ("tenant", tenant_id), was, is);
            audit::insert(&mut tx, None, entry).await?;
            tx.commit().await?;
            println!("{tenant} has the plan {plan}.");
        }
    }
    Ok(())
}

async fn delete(store: &Store, owner: &str, wanted: &str, name: &str, days: u16) -> Result<()> {
    let tenant_id = find(store, owner, wanted).await?;
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    let tenant = configuration::find_tenant(&mut tx).await?.context("the organization is gone")?;
    if !is_meant(&tenant.name, name) {
        bail!("--name is not the organization's name, which is {:?}: nothing was asked for", tenant.name);
    }
    let delay = Duration::from_secs(u64::from(days) * 24 * 3600);
    if !deletions::insert(&mut tx, Subject::Tenant, &tenant.name, BY, delay).await? {
        bail!("it is being deleted already: `mendwright platform keep` calls it off until it has begun");
    }
    tx.commit().await?;
    note(store, owner, "organization.deletion_asked", tenant_id).await?;
    println!("It is deleted in {days} days, once nothing runs on its hosts. Its owners are told, and can call it off.");
    Ok(())
}

async fn keep(store: &Store, owner: &str, wanted: &str) -> Result<()> {
    let tenant_id = find(store, owner, wanted).await?;
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    if !deletions::mark_called_off(&mut tx, Subject::Tenant, BY).await? {
        bail!("it is not being deleted, or its rows go already");
    }
    tx.commit().await?;
    note(store, owner, "organization.deletion_called_off", tenant_id).await?;
    println!("Called off: it is not deleted.");
    Ok(())
}

async fn export(store: &Store, owner: &str, wanted: &str, file: &Path) -> Result<()> {
    let tenant_id = find(store, owner, wanted).await?;
    let mut tx = begin(store, owner).await?.into_tenant(tenant_id).await?;
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut out = new.with_context(|| format!("{} cannot be made", file.display()))?;
    let mut everything = Everything::default();
    while let Some(part) = everything.next(&mut tx).await? {
        out.write_all(part.as_bytes())?;
    }
    out.sync_all()?;
    let detail = json!({ "rows": everything.rows() });
    let entry = Entry::done("organization.exported", ("tenant", tenant_id)).with(detail);
    audit::insert(&mut tx, None, entry).await?;
    tx.commit().await?;
    note(store, owner, "organization.exported", tenant_id).await?;
    println!("{} rows are in {}.", everything.rows(), file.display());
    Ok(())
}

async fn resume(store: &Store, owner: &str, wanted: &str) -> Result<()> {
    let tenant_id = find(store, owner, wanted).await?;
    let to = ("active", "organization.resumed");
    let (mut tx, was) = set_state(store, owner, tenant_id, to, json!({})).await?;
    let (was, is) = (told(&was), told("active"));
    audit::insert(&mut tx, None, Entry::changed("organization.resumed", ("tenant", tenant_id), was, is)).await?;
    tx.commit().await?;
    println!(
        "Its members can sign in. All actions stay stopped until an owner or an admin lets it act again (/guardrails)."
    );
    Ok(())
}
