//! Invitations end with what their inviter may give.

use axum::http::StatusCode;
use uuid::Uuid;

use super::Console;

const PEOPLE: &str = "/settings/people";

impl Console {
    /// The login of the viewer of ours, who is `role` of all clients from now on.
    async fn viewer_is(&mut self, role: &str) -> Uuid {
        let tenant = self.ours.tenant;
        let login: Uuid = sqlx::query_scalar("SELECT login_id FROM logins WHERE email = 'viewer@ours.example'")
            .fetch_one(&mut self.rows)
            .await
            .unwrap();
        self.execute(format!(
            "UPDATE memberships SET role = '{role}', client_ids = NULL WHERE tenant_id = '{tenant}' AND login_id = '{login}'"
        ))
        .await;
        login
    }

    /// Invites, and gives the path of the link.
    async fn invites(&self, cookie: &str, name: &str, role: &str) -> String {
        let form = format!("&email={name}%40new.example&role={role}&sees=all");
        assert_eq!(self.click(cookie, PEOPLE, PEOPLE, &form).await.0, StatusCode::SEE_OTHER);
        let letter = self.letter().await;
        assert_eq!(self.get(&letter.path, "").await.0, StatusCode::OK);
        letter.path
    }
}

#[tokio::test]
async fn what_a_member_invited_to_ends_when_they_are_removed_demoted_or_limited() {
    let mut console = Console::new().await;
    let client = console.ours.client;
    let owner = console.sign_in("owner@ours.example").await;
    let owners = console.invites(&owner, "lou", "admin").await;
    let login = console.viewer_is("admin").await;
    let seat = format!("{PEOPLE}/{login}");
    let limited = format!("&role=admin&sees=some&client={client}");
    let ways =
        [(seat.clone(), "&role=technician&sees=all"), (seat.clone(), limited.as_str()), (format!("{seat}/remove"), "")];
    for (n, (path, form)) in (1..).zip(ways) {
        console.viewer_is("admin").await;
        let admin = console.sign_in("viewer@ours.example").await;
        let link = console.invites(&admin, &format!("kim-{n}"), "admin").await;
        assert_eq!(console.click(&owner, PEOPLE, &path, form).await.0, StatusCode::SEE_OTHER, "{path} {form}");
        assert_eq!(console.get(&link, "").await.0, StatusCode::UNPROCESSABLE_ENTITY, "{path} {form}");
        assert_eq!(console.count("invitations WHERE state = 'revoked'").await, n, "{path} {form}");
        let told = console.count("tenant_audit WHERE action = 'member.invitation_revoked'").await;
        assert_eq!(told, n, "{path} {form}");
    }
    assert_eq!(console.get(&owners, "").await.0, StatusCode::OK, "what somebody else invited to stands");
}

#[tokio::test]
async fn an_owner_who_becomes_an_admin_has_invited_to_what_an_admin_may_give() {
    let mut console = Console::new().await;
    let login = console.viewer_is("owner").await;
    let second = console.sign_in("viewer@ours.example").await;
    let (as_owner, as_viewer) =
        (console.invites(&second, "kim", "owner").await, console.invites(&second, "lee", "viewer").await);
    let owner = console.sign_in("owner@ours.example").await;
    let demoted = console.click(&owner, PEOPLE, &format!("{PEOPLE}/{login}"), "&role=admin&sees=all").await;
    assert_eq!(demoted.0, StatusCode::SEE_OTHER);
    assert_eq!(console.get(&as_owner, "").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.get(&as_viewer, "").await.0, StatusCode::OK);
}
