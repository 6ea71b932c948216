//! The dashboard is part of an optimised binary: when it was built anew, so must be this.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let pages = std::path::Path::new("../frontend/dist");
    // What is not there when this is compiled is not looked for when it runs.
    let is_there = std::fs::create_dir_all(pages).is_ok();
    // A debug build reads the pages while it runs.
    if is_there && std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed={}", pages.display());
    }
}
