//! `/settings/usage`: what the plan has room for, what is used, and each client's months for the organization's own invoices.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::access::Act;
use domain::quota::Counted;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::{TenantTx, ingest, quotas};
use views::Nav;
use views::settings::{Quota, Tab, UsageMonth, UsagePage, usage_csv};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// The page: this month.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let plan = quotas::find_plan(&mut tx).await?;
    let mut counted = Vec::new();
    for of in Counted::ALL {
        let used = quotas::count(&mut tx, of).await?;
        counted.push(Quota { label: of.label(), used, allowed: plan.limit(of) });
    }
    let today = today(&mut tx).await?;
    let months = months(&mut tx, today.first_of_month()).await?;
    let not_kept = ingest::count_not_kept(&mut tx, today.first_of_month()).await?;
    Ok(page(&UsagePage {
        shell,
        clock: clock(&app, now),
        tab: Tab::Usage,
        plan: plan.name,
        keep_days: plan.keep_days,
        reports: plan.max_reports,
        not_kept,
        counted,
        today,
        months,
    }))
}

async fn today(tx: &mut TenantTx) -> Result<Date, Failure> {
    Ok(tx.now().await?.to_zoned(TimeZone::UTC).date())
}

async fn months(tx: &mut TenantTx, from: Date) -> Result<Vec<UsageMonth>, Failure> {
    let row = |month: quotas::Month| UsageMonth {
        month: month.month,
        client_id: month.client_id,
        client: month.client,
        host_days: month.host_days,
        most: month.most,
    };
    Ok(quotas::list_months(tx, from).await?.into_iter().map(row).collect())
}

/// Each client's last 13 months, as a table for a spreadsheet.
pub async fn file(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let mut tx = member.begin(&app).await?;
    let from = today(&mut tx).await?.first_of_month().saturating_sub(12.months());
    let csv = usage_csv(&months(&mut tx, from).await?);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, csv).into_response())
}
