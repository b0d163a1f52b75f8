//! `/settings/usage`: what the plan has room for, what is used, and each client's months for the organization's own invoices.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::access::Act;
use domain::quota::{Counted, Plan};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::quotas::{self, Month};
use store::{TenantTx, ingest};
use views::Nav;
use views::settings::{Quota, Tab, UsageMonth, UsagePage, usage_csv};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// What the plan has room for, and what is used.
pub struct Used {
    /// The plan.
    pub plan: Plan,
    /// Of each thing it counts: how many there are.
    pub counted: Vec<(Counted, u32)>,
    /// Reports of this month that were not kept, because there were more than the plan has room for.
    pub not_kept: u64,
    /// Today, as it is counted.
    pub today: Date,
    /// Each client's months, the newest first: this one, and as many before it as were asked for.
    pub months: Vec<Month>,
}

/// What is used, with `before` months before this one.
pub async fn read_used(tx: &mut TenantTx, member: &Member, before: i8) -> Result<Used, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let plan = quotas::find_plan(tx).await?;
    let mut counted = Vec::new();
    for of in Counted::ALL {
        counted.push((of, quotas::count(tx, of).await?));
    }
    let today = tx.now().await?.to_zoned(TimeZone::UTC).date();
    let this_month = today.first_of_month();
    let months = quotas::list_months(tx, this_month.saturating_sub(before.months())).await?;
    let not_kept = ingest::count_not_kept(tx, this_month).await?;
    Ok(Used { plan, counted, not_kept, today, months })
}

/// The page: this month.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let Used { plan, counted, not_kept, today, months } = read_used(&mut tx, &member, 0).await?;
    let quota = |(of, used): (Counted, u32)| Quota { label: of.label(), used, allowed: plan.limit(of) };
    let counted = counted.into_iter().map(quota).collect();
    let months = months.into_iter().map(row).collect();
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

fn row(month: Month) -> UsageMonth {
    UsageMonth {
        month: month.month,
        client_id: month.client_id,
        client: month.client,
        host_days: month.host_days,
        most: month.most,
    }
}

/// Each client's last 13 months, as a table for a spreadsheet.
pub async fn file(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let mut tx = member.begin(&app).await?;
    let used = read_used(&mut tx, &member, 12).await?;
    let csv = usage_csv(&used.months.into_iter().map(row).collect::<Vec<_>>());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, csv).into_response())
}
