//! `POST /clients/{id}/groups` and `POST /clients/{id}/groups/{group}`: declare a service group, change it, take it back. What begins
//! to hold does so at once; every other change of one that holds is proposed to a second person.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Act;
use domain::change::Direction;
use domain::remediate::group::ServiceGroup;
use domain::remediate::guardrails::Limits;
use serde::Deserialize;
use serde_json::{Value, json};
use store::TenantTx;
use store::audit::{self, Entry};
use store::changes::{self, NewChange, Subject, group_value};
use store::remediate::runs::{self, Withdraw};
use store::remediate::{groups, guardrails};
use uuid::Uuid;
use views::client::Group;
use views::client_edit::{Part, TypedGroup};
use views::error::Kind;

use super::{Id, Ids, Wrong, edit, inputs, name, named};
use crate::member::Member;
use crate::pages::change::{list_waiting, value, waits};
use crate::posted::{Posted, reason};
use crate::{App, Failure};

/// The form of a new one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    csrf: String,
    name: String,
    tags: String,
    #[serde(default)]
    targets: String,
}

/// The form of one that is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    csrf: String,
    answer: String,
    tags: String,
    #[serde(default)]
    targets: String,
    #[serde(default)]
    why: String,
}
inputs!(New, Answer);

/// Where the page shows them.
const ANCHOR: &str = "#groups";

/// What comes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCame {
    /// It holds.
    Holds,
    /// It loosens: it waits for a second person.
    Proposed,
    /// It was so already.
    Same,
}

/// Declares a group at a client; its id.
pub async fn declare_group(
    tx: &mut TenantTx,
    member: &Member,
    client_id: Uuid,
    typed: &str,
    group: &ServiceGroup,
) -> Result<Result<Uuid, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    let name = match name(typed) {
        Ok(name) => name,
        Err(wrong) => return Ok(Err(("name", wrong))),
    };
    guardrails::lock_tenant(tx).await?;
    let known = groups::list_standing(tx, client_id).await?;
    if let Some(same) = known.iter().find(|known| known.row.name.to_lowercase() == name.to_lowercase()) {
        return Ok(Err(("name", format!("there is a service group “{}” already", same.row.name))));
    }
    if known.len() >= groups::MOST {
        return Ok(Err(("name", format!("a client has at most {} service groups", groups::MOST))));
    }
    let group_id = groups::insert(tx, client_id, &name, group).await?;
    held(tx, member, (client_id, group_id), &name, (None, group_value(group))).await?;
    Ok(Ok(group_id))
}

/// Changes a group of a client, or takes it back where nothing is wanted: what does not tighten is proposed to a second
/// person, which is asked of somebody who has just proven who they are.
pub async fn change_group(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    (client_id, group_id): (Uuid, Uuid),
    wanted: Option<ServiceGroup>,
    why: Option<String>,
) -> Result<Result<GroupCame, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    guardrails::lock_tenant(tx).await?;
    let known = groups::list_standing(tx, client_id).await?.into_iter().map(|known| known.row);
    let old = known.into_iter().find(|row| row.group_id == group_id).ok_or(Failure::NOT_FOUND)?;
    let wanted = wanted.unwrap_or_else(|| ServiceGroup { active: false, ..old.group.clone() });
    if old.group == wanted {
        return Ok(Ok(GroupCame::Same));
    }
    let (was, new) = (group_value(&old.group), group_value(&wanted));
    if old.group.towards(&wanted) == Direction::Tighter {
        groups::update(tx, group_id, &wanted).await?;
        held(tx, member, (client_id, group_id), &old.name, (Some(was), new)).await?;
        return Ok(Ok(GroupCame::Holds));
    }
    member.must_be_proven(app).await?;
    let Some(why) = why else {
        return Ok(Err(("why", "this lets members be fixed at once: say why, for the second person".to_owned())));
    };
    let change = NewChange {
        subject: Subject::ServiceGroup(group_id),
        name: &format!("“{}”", old.name),
        was,
        wanted: new,
        why: &why,
        by: &member.name(tx).await?,
        login_id: Some(member.login_id()),
    };
    changes::propose(tx, &change).await?;
    Ok(Ok(GroupCame::Proposed))
}

/// Declares one.
pub async fn add(State(app): State<App>, id: Id, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let declared = match ServiceGroup::parse(&form.tags, &form.targets) {
        Ok(group) => declare_group(&mut tx, &member, id, &form.name, &group).await?.map_err(|(_, wrong)| wrong),
        Err(wrong) => Err(wrong),
    };
    match declared {
        Ok(_) => {
            tx.commit().await?;
            Ok(edit::back(id, ANCHOR))
        }
        Err(wrong) => {
            let New { name, tags, targets, .. } = form;
            let typed = (None, TypedGroup { name, tags, targets });
            edit::refuse(&app, &member, &mut tx, id, (Part::Groups, wrong), |page| page.typed_group = typed).await
        }
    }
}

/// Changes one, takes it back, or lets it hold again.
pub async fn answer(
    State(app): State<App>,
    ids: Ids,
    Posted(member, form): Posted<Answer>,
) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path((client_id, group_id)) = ids.map_err(|_| Failure::NOT_FOUND)?;
    let wanted = match form.answer.as_str() {
        "save" => ServiceGroup::parse(&form.tags, &form.targets).map(Some),
        "remove" => Ok(None),
        _ => return Err(Failure(Kind::BadRequest)),
    };
    let mut tx = member.begin(&app).await?;
    let changed = match wanted {
        Ok(wanted) => {
            let ids = (client_id, group_id);
            let changed = change_group(&app, &mut tx, &member, ids, wanted, reason(&form.why)).await?;
            changed.map_err(|(_, wrong)| wrong)
        }
        Err(wrong) => Err(wrong),
    };
    match changed {
        Ok(_) => {
            tx.commit().await?;
            Ok(edit::back(client_id, ANCHOR))
        }
        Err(wrong) => {
            let Answer { tags, targets, .. } = form;
            let typed = (Some(group_id), TypedGroup { name: String::new(), tags, targets });
            edit::refuse(&app, &member, &mut tx, client_id, (Part::Groups, wrong), |page| page.typed_group = typed)
                .await
        }
    }
}

/// A group holds from now on: what has no permit at its client is decided anew, and the audit has it.
async fn held(
    tx: &mut TenantTx,
    member: &Member,
    (client_id, group_id): (Uuid, Uuid),
    name: &str,
    sides: (Option<Value>, Value),
) -> Result<(), Failure> {
    let here = Withdraw { client_id: Some(client_id), purpose: Some("fix"), ..Withdraw::default() };
    runs::withdraw_unpermitted(tx, &here, "a service group was declared").await?;
    let detail = json!({ "name": name, "by": member.name(tx).await? });
    let (subject, (before, after)) = (("service_group", group_id), sides);
    let entry = match before {
        Some(before) => Entry::changed("service_group.declared", subject, before, after),
        None => Entry::made("service_group.declared", subject, after),
    };
    Ok(audit::insert(tx, Some(client_id), entry.with(detail)).await?)
}

/// A client's groups as its pages show them.
pub async fn list(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Group>, Failure> {
    let standing = groups::list_standing(tx, client_id).await?;
    if standing.is_empty() {
        return Ok(Vec::new());
    }
    let open = waiting(tx).await?;
    let mut list = Vec::with_capacity(standing.len());
    for groups::Standing { row, hosts, fixing } in standing {
        let limits = if row.group.active { Some(limits(tx, row.group_id).await?) } else { None };
        list.push(Group {
            id: row.group_id,
            name: row.name,
            tags: row.group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            targets: row.group.targets,
            holds: row.group.active,
            hosts,
            at_once: limits.as_ref().and_then(|limits| limits.max_in_flight),
            fixing,
            waits: open.get(&row.group_id).cloned(),
        });
    }
    Ok(list)
}

async fn limits(tx: &mut TenantTx, group_id: Uuid) -> Result<Limits, Failure> {
    let (kind, key) = guardrails::group_bucket(group_id);
    let set = guardrails::find(tx, kind, &key).await?.set;
    Ok(guardrails::find_limits(tx, kind, &key, set).await?)
}

/// What waits for a group, in a line, by group.
async fn waiting(tx: &mut TenantTx) -> Result<BTreeMap<Uuid, String>, Failure> {
    let waiting = list_waiting(tx).await?;
    let of_groups = waiting.iter().filter_map(|change| {
        let Some(Subject::ServiceGroup(group_id)) = change.subject else { return None };
        Some((group_id, waits(change, &format!("“{}”", value(change.subject, &change.wanted)))))
    });
    Ok(of_groups.collect())
}
