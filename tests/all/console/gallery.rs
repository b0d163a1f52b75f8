//! The gallery is there for those who ask for it, in a development build, and for nobody else.

use axum::http::StatusCode;
use cargo_metadata::MetadataCommand;
use web::{Config, router_with};

use super::Console;
use crate::support::workspace;

#[tokio::test]
async fn without_its_switch_the_gallery_does_not_exist_and_with_it_every_page_is_shown() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("owner@ours.example").await;
    // As `serve` and `up` put the console together.
    for path in ["/dev/gallery", "/dev/gallery/board", "/dev/gallery/incident-made-worse"] {
        assert_eq!(console.get(path, &cookie).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let app = console.app(Config::new("https://mend.example"));
    console.router = router_with(app, web::gallery());
    let (status, headers, page) = console.get("/dev/gallery", "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.contains("data-theme=\"light\"") && page.contains("data-theme=\"dark\""));
    let links: Vec<_> = page.split("href=\"/dev/gallery/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 30);
    for name in links {
        let (status, _, body) = console.get(&format!("/dev/gallery/{name}"), "").await;
        assert!(status == StatusCode::OK && body.contains("<h1"), "{name}: {status}");
        assert!(!body.contains("Ours"), "nobody's rows are read");
    }
    assert_eq!(console.get("/dev/gallery/nothing", "").await.0, StatusCode::NOT_FOUND);
}

#[test]
fn no_build_has_the_gallery_unless_it_is_asked_for() {
    let metadata = MetadataCommand::new().manifest_path(workspace().join("Cargo.toml")).no_deps().exec().unwrap();
    for package in metadata.packages.iter().filter(|package| package.name != "tests") {
        let default = package.features.get("default").cloned().unwrap_or_default();
        assert!(default.is_empty(), "{} has features of its own accord: {default:?}", package.name);
        for dependency in package.dependencies.iter() {
            let asks = dependency.features.iter().any(|feature| feature.contains("gallery"));
            assert!(!asks, "{} always builds the gallery in", package.name);
        }
    }
}
