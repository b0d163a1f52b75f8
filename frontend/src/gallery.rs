//! The gallery: every component in every state, for those who change the style sheets.

use askama::Template;

use crate::{Clock, Meter, Nav, Shell, State, samples};

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
}
