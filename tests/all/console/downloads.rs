//! Files that take long: one of a kind an organization at a time, and for who has the seat.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use tower::ServiceExt as _;

use super::Console;
use super::strangers::Seat;

impl Console {
    /// Everything of the organization, of which nothing is read yet.
    async fn unread_file(&self, seat: &Seat) -> Response {
        let request = Request::post("/settings/data/file")
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &seat.cookie)
            .body(Body::from(format!("csrf={}", seat.csrf)));
        self.router.clone().oneshot(request.unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn a_file_that_nobody_reads_holds_up_its_own_organization_and_no_other() {
    let console = Console::new().await;
    let (ours, theirs) = (console.member("owner@ours.example").await, console.member("owner@theirs.example").await);
    let unread = console.unread_file(&ours).await;
    assert_eq!(unread.status(), StatusCode::OK);
    assert_eq!(console.unread_file(&ours).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(console.unread_file(&theirs).await.status(), StatusCode::OK);
    drop(unread);
    assert_eq!(console.unread_file(&ours).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_file_ends_with_the_seat_of_who_takes_it() {
    let mut console = Console::new().await;
    let (owner, tenant) = (console.member("owner@ours.example").await, console.ours.tenant);
    let file = console.unread_file(&owner).await;
    assert!(to_bytes(file.into_body(), 1 << 24).await.is_ok());
    let file = console.unread_file(&owner).await;
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND role = 'owner'"))
        .await;
    assert!(to_bytes(file.into_body(), 1 << 24).await.is_err(), "it is cut off");
}
