//! `GET /events`: what changed, as it changes, so that a page that is looked at is read again. It says kinds and ids of
//! what the member may read, never content.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use domain::access::Act;
use domain::token::Scopes;
use futures_util::stream::unfold;
use store::live::Change;
use store::{auth, sessions};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tower_sessions::Session;

use crate::api::networks;
use crate::failure::RETRY_SECS;
use crate::layers::Dressed;
use crate::member::Member;
use crate::sessions::hash;
use crate::streams::{Owner, Place, Streams};
use crate::{App, Failure};

/// What changed within this time is said at once.
const GATHER: Duration = Duration::from_millis(250);
/// More than these at once are said as "all".
const NAMED: usize = 64;

/// What lets a reader in; it is looked at again with each sign of life.
pub enum Ticket {
    /// A session, by its hash.
    Session([u8; 32]),
    /// A token of the API, by its hash, and from where it is used.
    Token([u8; 32], Option<IpAddr>),
}

/// One reader's stream.
struct Reader {
    app: App,
    seat: auth::Member,
    ticket: Ticket,
    changes: Receiver<Change>,
    changed: BTreeSet<String>,
    /// When what was gathered is said.
    say: Interval,
    /// When the session is looked at again, and a sign of life is given.
    beat: Interval,
    is_over: bool,
    _place: Place,
}

/// The stream of what changes for this member, until their session ends or the node does.
pub async fn stream(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    session: Session,
    member: Member,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let session = hash(&session.id().ok_or(Failure::BROKEN)?);
    // A page of a support session is read again by itself: a stream is bound to a login's session.
    member.must_be_member()?;
    let seat = member.into_seat();
    let place = match streams.enter(session, seat.login_id, seat.scope.tenant_id()) {
        Ok(place) => place,
        Err(owner) => return Ok(full(owner)),
    };
    told(app, place, Ticket::Session(session), seat)
}

/// The stream of what changes for a seat, until its ticket is over or the node stops.
pub fn told(app: App, place: Place, ticket: Ticket, seat: auth::Member) -> Result<Response, Failure> {
    let changes = app.store.wake().watch().ok_or(Failure::BUSY)?;
    let reader = Reader {
        seat,
        ticket,
        changes,
        changed: BTreeSet::new(),
        say: spaced(GATHER),
        beat: spaced(app.config.events_beat),
        is_over: false,
        _place: place,
        app,
    };
    let events = unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    // Proxies that gather answers would keep events from whoever waits for them.
    Ok(([("x-accel-buffering", "no")], Sse::new(events)).into_response())
}

/// An interval that never catches up.
fn spaced(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Too many are open: said in a line, for the page goes on without.
fn full(owner: Owner) -> Response {
    let status = match owner {
        Owner::Node => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    let text = format!(
        "{} pages of {} are live already. This one is read again every few seconds instead.\n",
        owner.most(),
        owner.words()
    );
    let mut answer = (status, [(header::RETRY_AFTER, RETRY_SECS)], text).into_response();
    answer.extensions_mut().insert(Dressed);
    answer
}

impl Reader {
    /// The next event; none once it is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            tokio::select! {
                _ = self.beat.tick() => {
                    if self.goes_on().await {
                        return Some(Event::default().comment(""));
                    }
                    self.is_over = true;
                    // A page is asked for anew, and that leads to the sign-in.
                    return Some(Event::default().event("end").data(self.ticket.is_over()));
                }
                _ = self.say.tick(), if !self.changed.is_empty() => return Some(self.gathered()),
                heard = self.changes.recv() => match heard {
                    Ok(change) if change.is_for(&self.seat.scope) => self.note(change),
                    Ok(_) => {}
                    // A reader who is slower than what happens reads everything once.
                    Err(RecvError::Lagged(_)) => {
                        self.changed.insert("all".to_owned());
                    }
                    Err(RecvError::Closed) => self.is_over = true,
                },
            }
        }
    }

    fn note(&mut self, change: Change) {
        let word = change.kind.word();
        let said = if self.changed.len() >= NAMED {
            "all".to_owned()
        } else {
            change.id.map_or_else(|| word.to_owned(), |id| format!("{word} {id}"))
        };
        self.changed.insert(said);
    }

    fn gathered(&mut self) -> Event {
        let changed = std::mem::take(&mut self.changed);
        let said =
            if changed.contains("all") { "all".to_owned() } else { changed.into_iter().collect::<Vec<_>>().join("\n") };
        Event::default().event("change").data(said)
    }

    /// Whether the ticket lasts, with the role and the clients of this moment.
    async fn goes_on(&mut self) -> bool {
        let seat = match self.ticket {
            Ticket::Session(session) => self.by_session(&session).await,
            Ticket::Token(hash, from) => self.by_token(&hash, from).await,
        };
        match seat {
            Ok(Some(seat)) if seat.scope.tenant_id() == self.seat.scope.tenant_id() && seat.role.may(Act::Read) => {
                self.seat = seat;
                true
            }
            Ok(_) => false,
            // A ticket that cannot be looked at is no sign that there is none.
            Err(_) => true,
        }
    }

    /// Looking is no use of the session: a page that is left open keeps nobody signed in.
    async fn by_session(&self, session: &[u8; 32]) -> store::Result<Option<auth::Member>> {
        let (store, login_id) = (&self.app.store, self.seat.login_id);
        if !sessions::lasts(store, session, login_id).await? {
            return Ok(None);
        }
        auth::by_session(store, login_id, Some(self.seat.scope.tenant_id()), self.seat.entered).await
    }

    async fn by_token(&self, hash: &[u8; 32], from: Option<IpAddr>) -> store::Result<Option<auth::Member>> {
        let bearer = auth::by_api_token(&self.app.store, hash).await?;
        let reads = |bearer: &auth::Bearer| {
            let scopes = Scopes::of(bearer.scopes.iter().map(String::as_str));
            scopes.may(bearer.member.role, Act::Read) && networks::contain(&bearer.networks, from)
        };
        Ok(bearer.filter(reads).map(|bearer| bearer.member))
    }
}

impl Ticket {
    fn is_over(&self) -> &'static str {
        match self {
            Ticket::Session(_) => "the session is over",
            Ticket::Token(..) => "the token may read no more",
        }
    }
}
