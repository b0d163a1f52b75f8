//! Service groups: one that begins to hold does so at once, any other change is proposed.

use std::collections::BTreeMap;

use domain::change::Direction;
use domain::remediate::group;
use serde_json::json;
use store::TenantTx;
use store::changes::{self, NewChange, Subject, group_value, tags_value};
use store::configuration::{self, Machine};
use store::remediate::groups;
use uuid::Uuid;

use super::{ApplyError, Scope, Work};
use crate::seed::document::{Document, Group, Host};
use crate::seed::known::tell_group;
use crate::seed::report::Line;

impl Work<'_> {
    /// Groups that are new or say something else now. One that is left out stays.
    pub(super) async fn write_groups(
        &mut self,
        tx: &mut TenantTx,
        document: &Document,
        clients: &BTreeMap<String, Uuid>,
    ) -> Result<(), ApplyError> {
        let mut tightened = false;
        for client in &document.clients {
            let client_id = clients[&client.name];
            let known: Vec<_> = self.known.groups.iter().filter(|row| row.client_id == client_id).cloned().collect();
            for group in &client.service_groups {
                let what = format!("client {:?}: service group {:?}", client.name, group.name);
                let old = known.iter().find(|row| row.name == group.name);
                tightened |= self.write_group(tx, client_id, &what, group, old).await?;
            }
            for other in known.iter().filter(|row| !client.service_groups.iter().any(|group| group.name == row.name)) {
                self.report.not_in_file(format!("client {:?}: service group {:?}", client.name, other.name));
            }
        }
        if tightened {
            self.decide_anew(tx, "a service group was declared").await?;
        }
        Ok(())
    }

    /// Tags that take a host out of a group that holds are proposed: it keeps those it has until then.
    pub(super) async fn keep_in_groups(
        &mut self,
        tx: &mut TenantTx,
        what: &str,
        known: &configuration::Host,
        host: &mut Host,
    ) -> Result<(), ApplyError> {
        let Machine::Enrolled(host_id) = known.machine else { return Ok(()) };
        let before = self.known.tell_host(known).tags;
        let groups = self.known.groups.iter().filter(|row| row.client_id == known.client_id).map(|row| &row.group);
        if self.scope != Scope::Standing || group::of_tags(groups, &before, &host.tags) == Direction::Tighter {
            return Ok(());
        }
        let wanted = std::mem::replace(&mut host.tags, before.clone());
        let change = NewChange {
            subject: Subject::HostTags(host_id),
            name: &format!("“{}”", known.name),
            was: tags_value(&before),
            wanted: tags_value(&wanted),
            why: "",
            by: &self.author.name,
            login_id: self.author.login_id,
        };
        let waits_already = !changes::propose(tx, &change).await?;
        let (what, field) = (what.to_owned(), "tags".to_owned());
        let (old, new) = (Some(json!(before)), Some(json!(wanted)));
        self.report.lines.push(Line::Proposed { what, field, old, new, waits_already });
        Ok(())
    }

    /// Answers whether it holds more than before.
    async fn write_group(
        &mut self,
        tx: &mut TenantTx,
        client_id: Uuid,
        what: &str,
        group: &Group,
        old: Option<&groups::Row>,
    ) -> Result<bool, ApplyError> {
        let declared = group.declares();
        let Some(old) = old else {
            self.report.created(what);
            groups::insert(tx, client_id, &group.name, &declared).await?;
            return Ok(self.scope == Scope::Standing && declared.active);
        };
        if old.group == declared {
            return Ok(false);
        }
        if self.scope == Scope::Standing && old.group.towards(&declared) == Direction::Looser {
            let (was, wanted) = (group_value(&old.group), group_value(&declared));
            let change = NewChange {
                subject: Subject::ServiceGroup(old.group_id),
                name: &format!("“{}”", group.name),
                was: was.clone(),
                wanted: wanted.clone(),
                why: "",
                by: &self.author.name,
                login_id: self.author.login_id,
            };
            let waits_already = !changes::propose(tx, &change).await?;
            let (what, field) = (what.to_owned(), "members".to_owned());
            self.report.lines.push(Line::Proposed { what, field, old: Some(was), new: Some(wanted), waits_already });
            return Ok(false);
        }
        self.report.changed(what, &serde_json::to_value(tell_group(old))?, &serde_json::to_value(group)?);
        groups::update(tx, old.group_id, &declared).await?;
        Ok(true)
    }
}
