//! The dashboard is part of an optimised binary: when it was built anew, so must be this.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let pages = std::path::Path::new("../frontend/dist");
    // A debug build reads the pages while it runs. Only what is there can be watched, so that it is made.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release")
        && std::fs::create_dir_all(pages).is_ok()
    {
        println!("cargo:rerun-if-changed={}", pages.display());
    }
}
