//! The limits on acting: tightening takes effect at once, loosening is proposed.

use domain::change::{Direction, Part, of_limit};
use domain::remediate::damage;
use domain::remediate::guardrails::{BucketKind, Numbers};
use serde_json::Value;
use store::TenantTx;
use store::changes::{self, NewChange, Subject, limit_key, limit_value};
use store::remediate::guardrails;
use store::remediate::runs::{self, Withdraw};

use super::{ApplyError, Scope, Work};
use crate::seed::document::Limits;
use crate::seed::report::Line;

const HOUR: i32 = 3_600;
const DAY: i32 = 86_400;

/// One limit as a file writes it.
struct Wanted {
    kind: BucketKind,
    part: Part,
    field: &'static str,
    /// None: the file does not tell.
    set: Option<Numbers>,
}

impl Work<'_> {
    pub(super) async fn write_limits(&mut self, tx: &mut TenantTx, limits: &Limits) -> Result<(), ApplyError> {
        let tenant_id = tx.tenant_id();
        guardrails::ensure(tx, BucketKind::Tenant, &tenant_id.to_string()).await?;
        let mut tightened = false;
        for wanted in wanted(limits) {
            let Wanted { kind, part, field, set } = wanted;
            let old = self.known.limits.get(&kind).copied().unwrap_or_default();
            let shown = |set: Numbers| limit_value(part, set);
            let Some(set) = set else {
                if !is_nothing(&shown(old)) {
                    self.report.not_in_file(format!("limits.{field}"));
                }
                continue;
            };
            let new = part.moved(old, set);
            if new == old {
                continue;
            }
            let (what, field) = ("limits".to_owned(), field.to_owned());
            let (was, value) = (shown(old), shown(new));
            let sizes = guardrails::list_sizes(tx, kind).await?;
            if self.scope == Scope::Standing && of_limit(kind, part, old, new, &sizes) == Direction::Looser {
                let name = format!("{}: {}", kind.label(), field);
                let change = NewChange {
                    subject: Subject::Limit(kind, part),
                    name: &name,
                    was: was.clone(),
                    wanted: value.clone(),
                    why: "",
                    by: &self.author.name,
                    login_id: self.author.login_id,
                };
                let waits_already = !changes::propose(tx, &change).await?;
                self.report.lines.push(Line::Proposed { what, field, old: Some(was), new: Some(value), waits_already });
                continue;
            }
            guardrails::set_numbers(tx, kind, &limit_key(tenant_id, kind), new).await?;
            self.known.limits.insert(kind, new);
            if self.scope == Scope::Standing {
                tightened = true;
            }
            self.report.lines.push(Line::Changed { what, field, old: Some(was), new: Some(value) });
        }
        if tightened {
            self.decide_anew(tx, "a limit was tightened").await?;
        }
        Ok(())
    }

    /// What has no permit yet is decided anew.
    pub(super) async fn decide_anew(&self, tx: &mut TenantTx, why: &str) -> Result<(), ApplyError> {
        for host_id in runs::list_hosts_unpermitted(tx, None).await? {
            runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), why).await?;
        }
        Ok(())
    }
}

/// Whether nobody has set it.
fn is_nothing(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.values().all(Value::is_null))
}

fn wanted(limits: &Limits) -> Vec<Wanted> {
    let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    let window = |count: Option<i32>, secs: Option<i32>| {
        (count.is_some() || secs.is_some()).then(|| Numbers {
            max_in_flight: None,
            max_per_window: number(count),
            window_secs: number(secs),
            ..Numbers::default()
        })
    };
    let bound = |n: Option<i32>, put: fn(&mut damage::Numbers, Option<u32>)| {
        n.map(|_| {
            let mut set = Numbers::default();
            put(&mut set.damage, number(n));
            set
        })
    };
    let storm = |n: Option<i32>| n.map(|_| Numbers { max_storm: number(n), ..Numbers::default() });
    let in_flight = |n: Option<i32>| n.map(|_| Numbers { max_in_flight: number(n), ..Numbers::default() });
    let (tenant, client) = (limits.tenant.clone().unwrap_or_default(), limits.client.clone().unwrap_or_default());
    let (host, pair) = (limits.host.clone().unwrap_or_default(), limits.host_playbook.clone().unwrap_or_default());
    let of = |kind, part, field, set| Wanted { kind, part, field, set };
    use BucketKind::{Client, Host, HostPlaybook, HostPlaybookDay, Tenant};
    use Part::{Bad, InFlight, Storm, Unproven, Wave, Window};
    vec![
        of(Tenant, Window, "tenant.runs_per_window", window(tenant.runs_per_window, tenant.window_secs)),
        of(Tenant, InFlight, "tenant.in_flight", in_flight(tenant.in_flight)),
        of(Tenant, Storm, "tenant.storm", storm(tenant.storm)),
        of(Client, Window, "client.runs_per_window", window(client.runs_per_window, client.window_secs)),
        of(Client, InFlight, "client.in_flight", in_flight(client.in_flight)),
        of(Client, Unproven, "client.unproven", bound(client.unproven, |set, n| set.max_unproven = n)),
        of(Client, Bad, "client.bad_per_day", bound(client.bad_per_day, |set, n| set.max_bad = n)),
        of(Client, Wave, "client.wave", bound(client.wave, |set, n| set.max_wave = n)),
        of(Client, Storm, "client.storm", storm(client.storm)),
        of(Host, Window, "host.runs_per_hour", window(host.runs_per_hour, host.runs_per_hour.map(|_| HOUR))),
        of(Host, InFlight, "host.in_flight", in_flight(host.in_flight)),
        of(
            HostPlaybook,
            Window,
            "host_playbook.cooldown_secs",
            window(pair.cooldown_secs.map(|_| 1), pair.cooldown_secs),
        ),
        of(HostPlaybookDay, Window, "host_playbook.per_day", window(pair.per_day, pair.per_day.map(|_| DAY))),
    ]
}
