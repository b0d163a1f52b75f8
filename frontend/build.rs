//! Makes the folder of built assets exist, so that the crate compiles before `npm run build` has run.
#![forbid(unsafe_code)]

fn main() {
    let dist = std::path::Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets/dist");
    if let Err(error) = std::fs::create_dir_all(&dist) {
        println!("cargo:warning=could not create {}: {error}", dist.display());
    }
    println!("cargo:rerun-if-changed=assets/dist");
    println!("cargo:rerun-if-changed=templates");
}
