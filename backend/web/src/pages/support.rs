//! `/support/{token}`: the link that the operator's command prints begins one session that reads and does nothing else.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use keys::token;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::auth;
use tower_sessions::Session;
use views::signin::{ConfirmPage, NotePage};

use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::posted::Fields;
use crate::{App, Failure};

/// A form without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {}

/// What its button will do; looking uses nothing up, and says nothing of whether it would work.
pub async fn show(Path(text): Path<String>) -> Response {
    match token::parse(&text) {
        Ok(token) if token.kind() == token::Kind::Support => page(&ConfirmPage {
            title: "Begin a support session".to_owned(),
            lead: "It reads and does nothing else. Each page that you look at stands in the organization’s audit, and its \
                   owners can end it at once."
                .to_owned(),
            action: format!("/support/{text}"),
            button: "Begin it",
        }),
        _ => refusing(&NotePage::dead_link()),
    }
}

/// Begins the session.
pub async fn begin(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Came(origin): Came,
    Path(text): Path<String>,
    _: Fields<Click>,
) -> Result<Response, Failure> {
    let token = token::parse(&text).ok().filter(|token| token.kind() == token::Kind::Support);
    let Some(token) = token else { return Ok(refusing(&NotePage::dead_link())) };
    let Some((tenant_id, grant_id)) = auth::spend_support_link(&app.store, &token.hash()).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    let Some(member) = auth::by_support(&app.store, tenant_id, grant_id).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    let mut tx = app.store.begin(&member.scope).await?;
    tx.comes_from(origin);
    let entry = Entry::done("support.begun", ("support", grant_id));
    audit::insert(&mut tx, None, entry.with(json!({ "browser": visitor.agent }))).await?;
    tx.commit().await?;
    entry::begin_support(&session, &visitor, tenant_id, grant_id).await?;
    Ok(Redirect::to("/").into_response())
}
