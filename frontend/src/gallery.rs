//! The gallery: every component in every state, and every page with its sample data, for those who change the style
//! sheets. For tests, the preview and a development build only.

use askama::Template;

use crate::settings::Second;
use crate::signin::{NotePage, ResetPage, SecondPage, SignInPage, SignOnPage};
use crate::{Clock, Link, Meter, Nav, Shell, State, error, hosts::Trust, samples};

/// The page `/dev/gallery`, for development only.
#[derive(Template)]
#[template(path = "gallery.html")]
pub struct GalleryPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
}

impl GalleryPage {
    /// The gallery with the samples' clock.
    pub fn sample() -> GalleryPage {
        GalleryPage { shell: samples::shell(Nav::Nowhere), clock: samples::clock() }
    }

    fn states(&self) -> [(State, &'static str); 5] {
        [
            (State::Ok, "fixed"),
            (State::Heal, "healing"),
            (State::Need, "needs a person"),
            (State::Crit, "critical"),
            (State::Idle, "no data"),
        ]
    }

    fn meters(&self) -> Vec<Meter> {
        [(0, 1), (1, 1), (1, 3), (3, 10), (1, 200), (199, 200), (200, 200)]
            .map(|(used, of)| Meter { used, of, state: (used == of).then_some(State::Need) })
            .to_vec()
    }

    /// Both themes, one beside the other.
    fn themes(&self) -> [&'static str; 2] {
        ["light", "dark"]
    }

    fn pages(&self) -> Vec<&'static str> {
        PAGES.iter().map(|(name, _)| *name).collect()
    }
}

/// A page with its sample data, made when it is wanted.
pub type Sample = fn() -> askama::Result<String>;

/// Every page of the console in the states that matter, by name.
pub const PAGES: &[(&str, Sample)] = &[
    ("board", || samples::board_page().render()),
    ("board-before-the-first-host", || samples::empty_board(0).render()),
    ("board-blind", || samples::empty_board(2).render()),
    ("incidents", || samples::incidents_page().render()),
    ("incidents-filtered", || samples::filtered_incidents_page(true).render()),
    ("incidents-filtered-none", || samples::filtered_incidents_page(false).render()),
    ("incidents-misread", || samples::misread_incidents_page().render()),
    ("incidents-none", || samples::no_incidents_page(12).render()),
    ("incidents-no-hosts", || samples::no_incidents_page(0).render()),
    ("incident-fixed", || samples::fixed().render()),
    ("incident-held-then-fixed", || samples::held_then_fixed().render()),
    ("incident-asks-first", || samples::asks_first().render()),
    ("incident-in-doubt", || samples::in_doubt().render()),
    ("incident-undone", || samples::undone().render()),
    ("incident-made-worse", || samples::made_worse().render()),
    ("incident-unmapped", || samples::unmapped().render()),
    ("incident-watching-only", || samples::watching_only().render()),
    ("approvals", || samples::approvals_page(2, true).render()),
    ("approvals-of-a-viewer", || samples::approvals_page(1, false).render()),
    ("approvals-none", || samples::approvals_page(0, true).render()),
    ("clients", || samples::clients_page(false).render()),
    ("clients-archived", || samples::clients_page(true).render()),
    ("clients-none", || samples::no_clients_page().render()),
    ("clients-wrong", || samples::wrong_clients_page().render()),
    ("client", || samples::client_page().render()),
    ("client-new", || samples::new_client_page().render()),
    ("client-archived", || samples::archived_client_page().render()),
    ("client-edit", || samples::edit_page(false).render()),
    ("client-edit-wrong", || samples::wrong_edit_page().render()),
    ("client-edit-group-wrong", || samples::wrong_group_edit_page().render()),
    ("client-edit-archived", || samples::edit_page(true).render()),
    ("client-edit-deleting", || samples::deleting_edit_page().render()),
    ("client-edit-deleting-later", || samples::waiting_edit_page().render()),
    ("clients-import", || samples::import_page(false, true).render()),
    ("clients-import-sound", || samples::import_page(true, true).render()),
    ("clients-import-wrong", || samples::import_page(true, false).render()),
    ("enrolment", || samples::enrolment_page(false).render()),
    ("enrolment-made", || samples::enrolment_page(true).render()),
    ("enrolment-wrong", || samples::enrolment_page_without(true).render()),
    ("enrolment-no-clients", || samples::enrolment_page_without(false).render()),
    ("hosts", || samples::hosts_page(false).render()),
    ("hosts-none", || samples::hosts_page(true).render()),
    ("host", || samples::host_page(Trust::Trusted, false).render()),
    ("host-before-its-first-report", || new_host().render()),
    ("host-newcomer", || samples::host_page(Trust::Newcomer, false).render()),
    ("host-not-trusted-hands-off", || {
        let not_yet = Trust::NotYet { reason: "Its journal is older than what it told before.".to_owned() };
        samples::host_page(not_yet, true).render()
    }),
    ("host-edit", || samples::host_edit_page(false).render()),
    ("host-edit-wrong", || samples::host_edit_page(true).render()),
    ("guardrails", || samples::guardrails_page().render()),
    ("guardrails-of-a-client", || samples::guardrails_of_client(false).render()),
    ("guardrails-of-a-stopped-client", || samples::guardrails_of_client(true).render()),
    ("changes", || samples::changes_page(false).render()),
    ("changes-none", || samples::changes_page(true).render()),
    ("demo", || samples::demo_page().render()),
    ("demo-mails", || samples::mails_page(false).render()),
    ("demo-mails-none", || samples::mails_page(true).render()),
    ("demo-mail", || samples::mail_page().render()),
    ("sign-in", || {
        let error = Some("That e-mail and password do not belong together.".to_owned());
        let email = "sam@northwind.example".to_owned();
        let (csrf, next) = ("sample-token".to_owned(), Some("/hosts".to_owned()));
        SignInPage { email, error, csrf, next, may_sign_up: true, passkeys: true }.render()
    }),
    ("sign-in-second", || SecondPage { has_app: true, has_passkey: true, error: None }.render()),
    ("sign-in-second-passkey", || SecondPage { has_app: false, has_passkey: true, error: None }.render()),
    ("sign-up", || samples::sign_up_page(true).render()),
    ("sign-up-closed", || samples::sign_up_page(false).render()),
    ("sign-up-on-its-way", || NotePage::on_its_way().render()),
    ("link-dead", || NotePage::dead_link().render()),
    ("reset", || ResetPage { email: String::new(), error: None }.render()),
    ("invitation", || samples::invitation_page().render()),
    ("confirm-address", || samples::confirm_page().render()),
    ("prove", || samples::prove_page().render()),
    ("settings", || samples::you_page(samples::second_on()).render()),
    ("settings-without-second-factor", || samples::you_page_without().render()),
    ("settings-passkeys-alone", || samples::you_page(Second::Off { is_asked_for: false }).render()),
    ("settings-by-sign-on", || samples::you_page_by_sign_on().render()),
    ("settings-support", || samples::support_page(true).render()),
    ("settings-support-none", || samples::support_page(false).render()),
    ("settings-limits", || samples::limits_page(false).render()),
    ("settings-limits-wrong", || samples::limits_page(true).render()),
    ("settings-organization", || samples::organization_page().render()),
    ("settings-checks", || samples::checks_page(false).render()),
    ("settings-checks-none", || samples::checks_page(true).render()),
    ("settings-calls", || samples::calls_page(false).render()),
    ("settings-calls-wrong", || samples::calls_page(true).render()),
    ("settings-mail", || samples::relay_page(true).render()),
    ("settings-mail-none", || samples::relay_page(false).render()),
    ("settings-secrets", || samples::secrets_page().render()),
    ("settings-secrets-wrong", || samples::secrets_wrong().render()),
    ("settings-sign-on", || samples::sign_on_page(true).render()),
    ("settings-sign-on-none", || samples::sign_on_page(false).render()),
    ("sign-on", || SignOnPage { leads_to: "/sso/01935b00-0000-7000-8000-000000000001/begin".to_owned() }.render()),
    ("settings-second-factor", || samples::second_factor_page().render()),
    ("settings-codes", || samples::codes_page().render()),
    ("settings-people", || samples::people_page().render()),
    ("settings-audit", || samples::audit_page().render()),
    ("settings-audit-misread", || samples::audit_misread().render()),
    ("settings-tokens", || samples::tokens_page().render()),
    ("platform", || samples::platform_page().render()),
    ("platform-storm", || samples::platform_in_a_storm().render()),
    ("platform-second", || samples::platform_second(false).render()),
    ("platform-codes", || samples::platform_second(true).render()),
    ("settings-usage", || samples::usage_page().render()),
    ("settings-data", || samples::data_page(false).render()),
    ("settings-data-deleting", || samples::data_page(true).render()),
    ("settings-tokens-none", || samples::tokens_none().render()),
    ("api", || samples::api_page().render()),
    ("not-found", || failed(error::Kind::NotFound).render()),
    ("error", || failed(error::Kind::Broken).render()),
    ("gallery", || GalleryPage::sample().render()),
];

fn new_host() -> crate::host::HostPage {
    crate::host::HostPage {
        metrics: None,
        services: Vec::new(),
        checks: Vec::new(),
        link: Link::NeverHeard,
        ..samples::host_page(Trust::Trusted, false)
    }
}

fn failed(kind: error::Kind) -> error::ErrorPage {
    error::ErrorPage { kind, request_id: "0193e5b0-7c1c-7d6a-9b3f-3f2a9a6d4e21".to_owned(), back: None }
}

/// The page of a name; none if there is no such page.
pub fn page(name: &str) -> Option<askama::Result<String>> {
    PAGES.iter().find(|(known, _)| *known == name).map(|(_, render)| render())
}
