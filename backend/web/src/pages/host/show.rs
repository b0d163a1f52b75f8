//! `GET /hosts/{id}`.

use std::time::Duration;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Response;
use domain::access::Act;
use domain::detect::words::words;
use serde_json::Value;
use store::newcomers;
use store::pages::{hosts, incidents};
use uuid::Uuid;
use views::{
    Nav, Pair,
    host::{CheckRow, Claim, HostPage, OwnLimit, Says},
};

use super::inventory as found;
use super::{hands_off, limits, link, metrics, tags, trust};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::pages::incident;

use crate::{App, Failure};

/// How many of its incidents are shown.
const INCIDENTS: i64 = 10;

/// The host, if it is theirs to see.
pub async fn show(
    State(app): State<App>,
    member: Member,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
    let shell = member.shell(&mut tx, Nav::Hosts).await?;
    let now = tx.now().await?;
    let off = hosts::list_hands_off(&mut tx, now).await?;
    let checks = hosts::list_checks(&mut tx, id).await?;
    let found = store::inventory::find(&mut tx, id).await?.map(|told| found::inventory(&told, &checks));
    let checks = checks.into_iter().map(check).collect();
    let incidents: Vec<_> =
        incidents::list_of_host(&mut tx, id, INCIDENTS).await?.into_iter().map(incident::row).collect();
    let buckets = store::pages::limits::list(&mut tx, row.client_id, id).await?;
    let newest = store::metrics::find_now(&mut tx, id).await?;
    let (span, past) = store::metrics::list(&mut tx, id).await?;
    let clock = clock(&app, now);
    let sites = store::sites::list(&mut tx, row.client_id).await?;
    Ok(page(&HostPage {
        shell,
        id,
        link: link(&row),
        trust: trust(&row),
        tags: tags(&row),
        claim: newcomers::find_claim(&mut tx, id).await?.map(|claim| Claim {
            key: hex::encode(&claim.public_key),
            hostname: claim.hostname,
            address: claim.address,
            asked_at: claim.asked_at,
        }),
        hands_off: hands_off(&off, &row, now),
        inventory: inventory(&row, &clock),
        found,
        own_limits: row.own_limits.as_ref().map(own_limits).unwrap_or_default(),
        metrics: newest.as_ref().map(|newest| metrics::metrics(newest, span, &past, &incidents, now)),
        services: newest.map(|newest| metrics::services(&newest.extra)).unwrap_or_default(),
        checks,
        limits: limits::limits(&buckets),
        incidents,
        site: sites.into_iter().find(|site| Some(site.site_id) == row.site_id).map(|site| site.name),
        may_manage: member.may(Act::ManageClients),
        may_act: member.may(Act::WorkIncidents),
        may_trust: member.may(Act::TrustHost),
        clock,
        name: row.name,
        client_id: row.client_id,
        client: row.client,
        agent: row.agent_version,
    }))
}

fn check(row: hosts::CheckRow) -> CheckRow {
    let pending = row.pending_verdict.filter(|pending| *pending != row.verdict).map(|pending| {
        let word = incident::verdict(&pending).word();
        format!("reads {word} now; counts when it stays so for its hold time")
    });
    CheckRow {
        made_here: row.made_here,
        name: if row.target.is_empty() { row.check } else { format!("{} ({})", row.check, row.target) },
        verdict: incident::verdict(&row.verdict),
        reading: words(&row.readings),
        why: row.excused.or(pending),
        since_at: Some(row.verdict_at),
        every: row.definition.get("interval_secs").and_then(Value::as_u64).map(Duration::from_secs),
    }
}

fn inventory(row: &hosts::Row, clock: &views::Clock) -> Vec<Pair> {
    let pair = |label: &str, value: String| Pair { label: label.to_owned(), value };
    let booted = row.booted_at.map(|at| pair("Booted", clock.at_words(at)));
    let notes = row.notes.as_array().map(Vec::as_slice).unwrap_or_default();
    booted.into_iter().chain(notes.iter().filter_map(Value::as_str).map(|note| pair("Note", note.to_owned()))).collect()
}

/// The host's own limits as its agent tells them: profile, playbooks, services, runs an hour.
fn own_limits(limits: &Value) -> Vec<OwnLimit> {
    let texts = |key: &str| {
        limits
            .get(key)
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let one = |label: &str, value: &str| OwnLimit { label: label.to_owned(), says: Says::Words(value.to_owned()) };
    let names = |label: &str, names| OwnLimit { label: label.to_owned(), says: Says::Names(names) };
    let mut rows = Vec::new();
    match limits.get("profile").and_then(Value::as_str) {
        Some("read-only") => rows.push(one("May run", "nothing but diagnostics")),
        Some("low-risk") => rows.push(one("May run", "signed playbooks of risk L")),
        Some("all-signed") => rows.push(one("May run", "every signed playbook")),
        _ => {}
    }
    match limits.get("scripts").and_then(Value::as_bool) {
        Some(true) => rows.push(one("Scripts", "a step may be a script of its playbook")),
        _ if rows.is_empty() => {}
        _ => rows.push(one("Scripts", "none: it would refuse a playbook that has one")),
    }
    let allowed = texts("allowed_playbooks");
    if !allowed.is_empty() {
        rows.push(names("Only these", allowed));
    }
    rows.push(names("Services", texts("services")));
    let units = texts("units");
    if !units.is_empty() {
        rows.push(names("Units of systemd", units));
        rows.push(one("With systemd", "not proven on a machine whose PID 1 is systemd"));
    }
    if let Some(most) = limits.get("max_runs_per_hour").and_then(Value::as_u64) {
        rows.push(one("Runs an hour", &most.to_string()));
    }
    let hours = texts("hours");
    if !hours.is_empty() {
        rows.push(one("Fixes begin", &format!("{} (the host's clock)", hours.join("; "))));
    }
    if let Some(most) = limits.get("max_run_secs").and_then(Value::as_u64) {
        rows.push(one("A fix may take", &format!("{most} s")));
    }
    if let Some(most) = limits.get("max_memory_mib").and_then(Value::as_u64) {
        rows.push(one("Memory of a process", &format!("{most} MiB")));
    }
    if let Some(path) = limits.get("path").and_then(Value::as_str) {
        rows.push(names("Change it in", vec![path.to_owned()]));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(limits: &Value) -> Vec<String> {
        own_limits(limits).into_iter().map(|row| row.label).collect()
    }

    #[test]
    fn it_is_said_whether_the_host_would_refuse_a_script() {
        let says = |limits: Value| {
            let rows = own_limits(&limits).into_iter();
            rows.filter(|row| row.label == "Scripts").find_map(|row| match row.says {
                Says::Words(words) => Some(words),
                Says::Names(_) => None,
            })
        };
        let refuses = "none: it would refuse a playbook that has one";
        assert_eq!(says(json!({"profile": "low-risk"})).as_deref(), Some(refuses));
        assert_eq!(says(json!({"profile": "all-signed", "scripts": false})).as_deref(), Some(refuses));
        let allows = says(json!({"profile": "all-signed", "scripts": true}));
        assert_eq!(allows.as_deref(), Some("a step may be a script of its playbook"));
        assert_eq!(says(json!({"services": []})), None, "nothing is known of it");
    }

    #[test]
    fn a_host_that_has_units_is_told_that_they_are_not_proven() {
        let limits = json!({"services": ["shop", "web"], "units": ["shop"]});
        let rows = own_limits(&limits);
        assert!(matches!(&rows[1].says, Says::Names(names) if *names == ["shop"]));
        assert!(
            matches!(&rows[2].says, Says::Words(words) if words == "not proven on a machine whose PID 1 is systemd")
        );
        assert_eq!(labels(&limits), ["Services", "Units of systemd", "With systemd"]);
        assert_eq!(labels(&json!({"services": ["shop"]})), ["Services"]);
    }
}
