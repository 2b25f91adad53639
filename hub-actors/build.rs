//! Finds the built page, or makes a placeholder, for `src/page.rs` to embed.

use std::{env, error::Error, fs, path::PathBuf};

const PLACEHOLDER: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>LeapMux</title>\
<p>This build of LeapMux has no page in it. Build one in <code>web</code>, then build the Hub \
again; <code>make run</code> does both.\n";

fn main() -> Result<(), Box<dyn Error>> {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../web/dist");
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=../migrations/hub");
    let folder = if built.join("index.html").exists() {
        built.canonicalize()?
    } else if env::var_os("CARGO_FEATURE_REQUIRE_WEB").is_some() {
        return Err("web/dist holds no index.html; run `npm ci && npm run build` in web".into());
    } else {
        println!("cargo::warning=web/dist is not built: the Hub gets a placeholder page");
        placeholder()?
    };
    println!("cargo::rustc-env=WEB_DIST={}", folder.display());
    Ok(())
}

fn placeholder() -> Result<PathBuf, Box<dyn Error>> {
    let folder =
        PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo gives OUT_DIR")?).join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}
