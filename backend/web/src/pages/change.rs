//! `GET /changes` and `POST /changes/{id}`: what loosens, and the second person's word on it.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{Redirect, Response};
use domain::access::Act;
use domain::change::{self, Part, Refusal, Word, may_answer};
use domain::classify::Mode;
use domain::remediate::group::ServiceGroup;
use domain::remediate::guardrails::BucketKind;
use serde::Deserialize;
use serde_json::Value;
use store::changes::{self, Change, Subject};
use store::{TenantTx, logins};
use uuid::Uuid;
use views::changes::{Ask, ChangeRow, ChangesPage, Standing};
use views::{Nav, error::Kind, took};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// How many are shown; those that wait come first.
const SHOWN: i64 = 100;
/// Characters of a reason at most.
const REASON: usize = 500;

/// The form: what the person says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    csrf: String,
    answer: String,
    #[serde(default)]
    reason: String,
}

inputs!(Answer);

/// Those of the newest that wait: for a second person, or for their time.
pub(super) async fn list_waiting(tx: &mut TenantTx) -> Result<Vec<Change>, Failure> {
    let mut waiting = changes::list(tx, SHOWN).await?;
    waiting.retain(|change| matches!(change.state, change::State::Proposed | change::State::Confirmed));
    Ok(waiting)
}

/// That a change waits, in a line that begins with what is wanted.
pub(super) fn waits(change: &Change, wanted: &str) -> String {
    match change.state {
        change::State::Proposed => format!("{wanted} waits for a second person"),
        _ => format!("{wanted} is confirmed and waits for its time"),
    }
}

/// The changes of the organization. A member of some clients sees none: they are everybody's.
pub async fn list(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Changes).await?;
    let now = tx.now().await?;
    let owners = changes::count_owners(&mut tx).await?;
    let delay = took(change::delay(owners).unsigned_abs());
    let delay = if owners > 1 {
        format!("{delay} after the yes")
    } else {
        format!("{delay} after the yes, while one person alone owns the organization")
    };
    let changes = if member.sees_all() { changes::list(&mut tx, SHOWN).await? } else { Vec::new() };
    let rows = changes.into_iter().map(|change| row(&member, change)).collect();
    Ok(page(&ChangesPage { shell, clock: clock(&app, now), rows, delay }))
}

/// Stores the answer. A change that is not what it was proposed for any more is over instead.
pub async fn answer(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Answer>,
) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    if !member.sees_all() {
        return Err(Failure::NOT_FOUND);
    }
    let word = match form.answer.as_str() {
        "yes" => Word::Yes,
        "no" => Word::No,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    // A yes lets more be done by itself, for everybody, from then on; a no lets nothing.
    if word == Word::Yes && member.may(Act::ConfirmChanges) {
        member.must_be_proven(&app).await?;
    }
    let reason = form.reason.trim();
    if reason.chars().count() > REASON {
        return Err(Failure(Kind::BadRequest));
    }
    let mut tx = member.begin(&app).await?;
    say(&mut tx, &member, id, word, reason).await?;
    tx.commit().await?;
    Ok(Redirect::to("/changes"))
}

/// Stores a word on a change of the organization. One that is not what it was proposed for any more is over instead.
pub async fn say(tx: &mut TenantTx, member: &Member, id: Uuid, word: Word, reason: &str) -> Result<(), Failure> {
    if !member.sees_all() {
        return Err(Failure::NOT_FOUND);
    }
    let change = changes::find_locked(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let (login_id, role) = (member.login_id(), member.seat().role);
    let asks = asks(&change);
    may_answer(change.state, (change.proposed_login_id, asks), login_id, role, word).map_err(
        |refusal| match refusal {
            Refusal::Role | Refusal::Own => Failure::FORBIDDEN,
            Refusal::Over => Failure::CONFLICT,
        },
    )?;
    // What only owners set takes a person's yes, who has just proven who they are: two tokens are no two people.
    if word == Word::Yes && asks == Act::OwnOrganization && member.is_token() {
        return Err(Failure::FORBIDDEN);
    }
    let by = logins::find_seat(tx, login_id).await?.ok_or(Failure::NOT_FOUND)?.member;
    let current = match change.subject {
        Some(subject) => changes::find_current(tx, subject).await?,
        None => None,
    };
    match word {
        Word::No => changes::mark_rejected(tx, id, &by, reason).await?,
        Word::Yes if current.as_ref() != Some(&change.was) => {
            let why = "what it changes was changed meanwhile";
            changes::mark_ended(tx, id, change::State::Stale, why).await?;
        }
        Word::Yes => {
            let due_at = tx.now().await? + change::delay(changes::count_owners(tx).await?);
            changes::mark_confirmed(tx, id, (&by, login_id), reason, due_at).await?;
        }
    }
    Ok(())
}

/// What a yes asks of whoever says it.
fn asks(change: &Change) -> Act {
    change.subject.map_or(Act::ConfirmChanges, Subject::asks)
}

fn row(member: &Member, change: Change) -> ChangeRow {
    let of = (change.proposed_login_id, asks(&change));
    let may = |word| may_answer(change.state, of, member.login_id(), member.seat().role, word).is_ok();
    let ask = match (may(Word::Yes), may(Word::No)) {
        (true, _) => Ask::YesOrNo,
        (false, true) => Ask::No,
        (false, false) => Ask::Nothing,
    };
    let (what, means) = told(&change);
    let (was, wanted) = (value(change.subject, &change.was), value(change.subject, &change.wanted));
    let by = change.answered_by.clone().unwrap_or_default();
    let standing = match (change.state, change.due_at) {
        (change::State::Proposed, _) => Standing::Waits { lapses_at: change.lapses_at },
        (change::State::Confirmed, Some(due_at)) => Standing::Confirmed { by, due_at },
        (state, _) => Standing::Over {
            applied: state == change::State::Applied,
            how: match state {
                change::State::Applied => format!("took effect, confirmed by {by},"),
                change::State::Rejected => format!("rejected by {by}"),
                _ => change.end_reason.clone().unwrap_or_else(|| state.word().to_owned()),
            },
            at: change.ended_at.unwrap_or(change.proposed_at),
        },
    };
    ChangeRow {
        id: change.change_id,
        what,
        was,
        wanted,
        means,
        by: change.proposed_by,
        why: change.why,
        proposed_at: change.proposed_at,
        reason: change.reason.filter(|reason| !reason.is_empty()),
        standing,
        ask,
    }
}

/// What is changed, and what would follow.
fn told(change: &Change) -> (String, String) {
    match change.subject {
        Some(Subject::Mode(_)) => {
            let means = match change.wanted["mode"].as_str().and_then(Mode::parse) {
                Some(Mode::Auto) => "Its fix would run without asking anybody, within every limit.",
                _ => "Its fix would be asked for, and run after a yes.",
            };
            (format!("Mapping “{}”", change.name), means.to_owned())
        }
        Some(Subject::ServiceGroup(_)) => {
            let means = "Hosts that stand in for each other could be worked on at once.";
            (format!("Service group {}", change.name), means.to_owned())
        }
        Some(Subject::HostTags(_)) => {
            let means =
                "It leaves a service group: it could be worked on while another one is, for which it stands in.";
            (format!("Tags of the host {}", change.name), means.to_owned())
        }
        Some(Subject::Check(_)) => {
            let means = "Nothing would look at it any more, on any host, and its open incidents would be closed: \
                         what it would have found is told to nobody.";
            (format!("Check {}", change.name), means.to_owned())
        }
        Some(Subject::SignOn) => {
            let means = "Whoever names the provider says who is whom: it could sign in as every member with an address of its \
                         domains. Another owner says yes.";
            ("How members sign on".to_owned(), means.to_owned())
        }
        Some(Subject::Limit(kind, part)) => {
            let what = match part {
                Part::Window => format!("{}: runs in a window", kind.label()),
                Part::InFlight => format!("{}: runs at once", kind.label()),
                Part::Unproven => format!("{}: runs not verified yet, at once", kind.label()),
                Part::Bad => format!("{}: fixes that go badly in a day", kind.label()),
                Part::Storm => format!("{}: what makes a storm", kind.label()),
                Part::Wave => format!("{}: hosts that try a new version at once", kind.label()),
            };
            (what, "More could be touched in the same time.".to_owned())
        }
        None => (change.name.clone(), String::new()),
    }
}

/// What holds where nobody has set a number.
fn unset(subject: Option<Subject>) -> &'static str {
    match subject {
        Some(Subject::Limit(BucketKind::Tenant | BucketKind::Client, Part::InFlight)) => "no limit of its own",
        _ => "by the scope’s size",
    }
}

/// One side of a change, as people say it.
pub(super) fn value(subject: Option<Subject>, value: &Value) -> String {
    let count = |name: &str| value[name].as_u64();
    match subject {
        Some(Subject::Mode(_)) => match value["mode"].as_str().and_then(Mode::parse) {
            Some(Mode::Observe) => "watch only",
            Some(Mode::Approve) => "ask first",
            Some(Mode::Auto) => "fixes by itself",
            None => "?",
        }
        .to_owned(),
        Some(Subject::ServiceGroup(_)) => group(value),
        Some(Subject::HostTags(_)) => match tags(&value["tags"]) {
            none if none.is_empty() => "no tags".to_owned(),
            tags => tags,
        },
        Some(Subject::SignOn) => provider(value),
        Some(Subject::Check(_)) => (if value["archived"] == true { "archived" } else { "in use" }).to_owned(),
        Some(Subject::Limit(_, Part::Window)) => match (count("max_per_window"), count("window_secs")) {
            (Some(n), Some(secs)) => format!("{n} in {}", took(std::time::Duration::from_secs(secs))),
            _ => "by the scope’s size".to_owned(),
        },
        Some(Subject::Limit(_, part)) => {
            let name = match part {
                Part::Unproven => "max_unproven",
                Part::Bad => "max_bad",
                Part::Wave => "max_wave",
                Part::Storm => "max_storm",
                Part::InFlight | Part::Window => "max_in_flight",
            };
            count(name).map_or_else(|| unset(subject).to_owned(), |n| n.to_string())
        }
        None => value.to_string(),
    }
}

/// "https://login.example, as mendwright, for ours.example; members must come by it".
fn provider(value: &Value) -> String {
    let of = &value["provider"];
    let (Some(issuer), Some(client_id)) = (of["issuer"].as_str(), of["client_id"].as_str()) else {
        return "no provider".to_owned();
    };
    let domains: Vec<&str> = of["domains"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let must = if value["required"] == true { "; members must come by it" } else { "" };
    format!("{issuer}, as {client_id}, for {}{must}", domains.join(", "))
}

/// "role: web, fixes of shop".
fn group(value: &Value) -> String {
    let Ok(group) = serde_json::from_value::<ServiceGroup>(value.clone()) else { return value.to_string() };
    if !group.active {
        return "does not hold".to_owned();
    }
    let targets =
        if group.targets.is_empty() { "every fix".into() } else { format!("fixes of {}", group.targets.join(", ")) };
    format!("{}; {targets}", tags(&value["tags"]))
}

/// "pool: web, role: front".
fn tags(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    let tags: Vec<String> = pairs.map(|(key, value)| format!("{key}: {}", value.as_str().unwrap_or("?"))).collect();
    tags.join(", ")
}
